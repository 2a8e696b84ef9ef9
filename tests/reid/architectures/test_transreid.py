import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.architectures.transreid import TransReid, rearrange_patches
from reid.branches import ImageLabels
from reid.models import ReidModel
from reid.settings import ModelConfig, TransReidConfig

LABELS = TransReidConfig(cameras=3, viewpoints=2, drop_path=0.0, shift=4)


def make_model(options: TransReidConfig = LABELS, size: tuple[int, int] = (64, 64)) -> ReidModel:
    torch.manual_seed(0)
    config = ModelConfig(
        architecture="transreid", backbone="test_vit", image_size=size, test_feature="before", transreid=options
    )
    return ReidModel(config).eval()


def labels(*pairs: tuple[int, int]) -> ImageLabels:
    return ImageLabels(*(torch.tensor(values) for values in zip(*pairs, strict=True)))


@pytest.mark.parametrize(("count", "shift"), [(25, 8), (16, 8), (441, 8), (21, 5)])
def test_jigsaw_order(count: int, shift: int) -> None:
    tokens = torch.arange(1, count + 1).view(1, count, 1)
    shifted = [*range(shift, count + 1), *range(1, shift)]
    if count % 2:
        shifted.append(shifted[-2])
    half = len(shifted) // 2
    expected = [number for pair in zip(shifted[:half], shifted[half:], strict=True) for number in pair]
    assert rearrange_patches(tokens, shift).flatten().tolist() == expected


def test_features_are_those_of_a_plain_calculation() -> None:
    model = make_model()
    body = model.backbone
    assert isinstance(body, TransReid)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = model.embed(images, labels((2, 1), (1, 0)))
        # A patch of 16 x 16 every 12 pixels: 5 x 5.
        corners = [(row, column) for row in range(0, 49, 12) for column in range(0, 49, 12)]
        weight = body.patches.weight.flatten(1)
        tokens = [
            images[:, :, r : r + 16, c : c + 16].reshape(2, -1) @ weight.T + body.patches.bias for r, c in corners
        ]
        x = torch.stack([body.class_token[0].expand(2, -1), *tokens], dim=1) + body.positions
        x = x + 3.0 * body.places[[(2 - 1) * 2 + 1, (1 - 1) * 2 + 0]][:, None]
        for block in body.blocks:
            x = block(x)
        whole = body.global_head[1](body.global_head[0](x))[:, 0]
        order = [*range(4, 26), 1, 2, 3, 2]  # of 25 patches, an odd number: the last but one again
        shuffled = [number for pair in zip(order[:13], order[13:], strict=True) for number in pair]
        parts = [whole]
        for run in range(4):
            part = torch.stack([x[:, 0], *(x[:, n] for n in shuffled[6 * run : 6 * run + 6])], dim=1)
            parts.append(body.jigsaw_head[1](body.jigsaw_head[0](part))[:, 0] / 4)
    torch.testing.assert_close(found, torch.cat(parts, dim=1), rtol=1e-4, atol=1e-5)
    assert [round(b.triplet, 3) for b in model.branches] == [0.5, 0.125, 0.125, 0.125, 0.125]


def test_unknown_labels_stand_for_the_mean_over_what_they_could_be() -> None:
    model = make_model()
    body = model.backbone
    assert isinstance(body, TransReid)
    table = body.places.detach().view(3, 2, -1)
    found = body._place(labels((2, 1), (2, -1), (-1, 0), (-1, -1), (4, 1)))[:, 0]
    expected = [table[1, 1], table[1].mean(0), table[:, 0].mean(0), table.mean((0, 1)), table[:, 1].mean(0)]
    torch.testing.assert_close(found, torch.stack(expected))
    torch.testing.assert_close(body._place(None)[0, 0], table.mean((0, 1)))


def test_labels_of_the_data_must_fit() -> None:
    body = make_model().backbone
    assert isinstance(body, TransReid)
    assert body.check_labels(np.array([1, 3]), np.array([0, 1])) == ()
    assert "1 of 2 images" in body.check_labels(np.array([1, 3]), np.array([0, -1]))[0]
    with pytest.raises(InputError, match=r"transreid\.cameras: 3, numbered from 1, but the data has 4"):
        body.check_labels(np.array([1, 4]), np.array([0, 1]))
    with pytest.raises(InputError, match=r"transreid\.viewpoints: the data has no viewpoints; set it to 0"):
        body.check_labels(np.array([1, 3]), np.array([-1, -1]))


def test_starts_from_the_weights_of_a_plain_transformer(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import safetensors.torch
    import timm

    plain = timm.create_model("test_vit", num_classes=0, img_size=224)
    safetensors.torch.save_file(plain.state_dict(), tmp_path / "vit.safetensors")
    body = make_model().backbone
    assert isinstance(body, TransReid)
    body.load_pretrained(str(tmp_path / "vit.safetensors"))
    own = body.state_dict()
    for head in ("global_head", "jigsaw_head"):
        torch.testing.assert_close(own[f"{head}.0.mlp.fc1.weight"], plain.blocks[-1].mlp.fc1.weight)
        torch.testing.assert_close(own[f"{head}.1.weight"], plain.norm.weight)
    torch.testing.assert_close(own["blocks.0.attn.qkv.weight"], plain.blocks[0].attn.qkv.weight)
    grid = plain.pos_embed[:, 1:].reshape(1, 14, 14, -1).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(grid, (5, 5), mode="bilinear").flatten(2).transpose(1, 2)
    torch.testing.assert_close(own["positions"], torch.cat((plain.pos_embed[:, :1], resized), dim=1))


def test_without_embeddings_no_labels_are_taken() -> None:
    model = make_model(TransReidConfig(drop_path=0.0))
    assert make_model().takes_labels and not model.takes_labels
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.embed(images), model.embed(images, labels((1, 1))))


def test_other_networks_and_small_images_are_refused() -> None:
    with pytest.raises(InputError, match=r"model\.backbone: transreid needs a vision transformer"):
        ReidModel(ModelConfig(architecture="transreid", backbone="test_convnext", image_size=(64, 64)))
    with pytest.raises(InputError, match=r"model\.image_size: 8 x 64 is smaller than a patch"):
        make_model(size=(8, 64))
