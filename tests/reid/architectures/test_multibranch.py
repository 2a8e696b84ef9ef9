from pathlib import Path

import pytest
import torch

from common.errors import InputError
from reid.architectures.attention import HEADS, MapAttention
from reid.checkpoint import save_model
from reid.models import ReidModel
from reid.settings import ModelConfig, MultiBranchConfig


def make_model(**options: object) -> ReidModel:
    return ReidModel(
        ModelConfig(
            architecture="multibranch",
            backbone="resnet18_ibn_quarter",
            image_size=(32, 32),
            multibranch=MultiBranchConfig(**options),  # type: ignore[arg-type]
        )
    ).eval()


def test_each_branch_has_a_last_stage_of_its_own() -> None:
    model = make_model(branches=3)
    body = model.backbone
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        whole = body.network(images).mean(dim=(2, 3))
        found = model(images)
        torch.testing.assert_close(found, whole.repeat(1, 3))  # copies are equal at the start
        for parameter in body.copies[1].parameters():
            parameter.mul_(2)
        changed = model(images)
    assert torch.equal(changed[:, :256], found[:, :256])
    assert not torch.equal(changed[:, 256:], found[:, 256:])


def test_losses_take_turns() -> None:
    weights = [(b.name, b.classification, b.triplet) for b in make_model(branches=4).branches]
    assert weights == [("a", 0.5, 0.0), ("b", 0.0, 0.5), ("c", 0.5, 0.0), ("d", 0.0, 0.5)]
    both = [(b.classification, b.triplet) for b in make_model(branches=2, split_losses=False).branches]
    assert both == [(0.5, 0.5), (0.5, 0.5)]


# Parameters of the paper's table (in its repository), classifiers left out; dimensions of the vector.
VARIANTS = {
    (4, 1, 0): (68.4, 8192),
    (4, 1, 2): (59.1, 8192),
    (2, 2, 0): (16.0, 2048),
    (2, 2, 2): (13.7, 2048),
    (4, 4, 0): (12.3, 2048),
    (4, 4, 2): (11.7, 2048),
    (4, 2, 0): (23.5, 4096),
    (4, 2, 4): (18.9, 4096),
}


@pytest.mark.parametrize("numbers", VARIANTS)
def test_variants_have_the_published_sizes(numbers: tuple[int, int, int]) -> None:
    branches, groups, attention = numbers
    options = MultiBranchConfig(branches=branches, groups=groups, attention=attention)
    with torch.device("meta"):
        model = ReidModel(ModelConfig(architecture="multibranch", backbone="resnet50_ibn", multibranch=options))
    millions, dims = VARIANTS[numbers]
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)
    assert model.dims == dims


def test_branches_of_a_copy_see_their_own_channels_only() -> None:
    model = make_model(branches=4, groups=2)
    stages = [model.backbone.network.layer4, *model.backbone.copies]
    channels = stages[0][0].conv1.in_channels
    assert len(stages) == 2
    x = torch.randn(1, channels, 3, 3)
    changed = x.clone()
    changed[:, channels // 2 :] += 1
    with torch.no_grad():
        before, after = stages[0](x), stages[0](changed)
    half = before.shape[1] // 2
    assert torch.equal(before[:, :half], after[:, :half])
    assert not torch.equal(before[:, half:], after[:, half:])


def test_attention_is_that_of_torch_with_positions_added_to_the_keys() -> None:
    layer = MapAttention(8, (2, 3))
    x = torch.randn(2, 8, 2, 3)
    q, k, v = (conv(x).flatten(2) for conv in (layer.query, layer.key, layer.value))
    k = k + (layer.rows + layer.columns).flatten(1)
    expected = []
    for head in range(HEADS):
        part = slice(2 * head, 2 * head + 2)
        weights = torch.softmax(torch.einsum("ncp,ncq->npq", q[:, part], k[:, part]) / 2**0.5, dim=2)
        expected.append(torch.einsum("npq,ncq->ncp", weights, v[:, part]))
    torch.testing.assert_close(layer(x), torch.cat(expected, dim=1).view_as(x))
    assert layer(torch.randn(1, 8, 5, 4)).shape == (1, 8, 5, 4)  # a local view


def test_grouped_branches_start_from_the_pretrained_blocks(tmp_path: Path) -> None:
    plain = ReidModel(ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32)))
    save_model(tmp_path / "start.safetensors", plain, {})
    model = make_model(branches=4, groups=2, attention=2)
    model.backbone.load_pretrained(str(tmp_path / "start.safetensors"))
    whole = plain.backbone.layer4[1].conv1.weight
    half = len(whole) // 2
    for stage in (model.backbone.network.layer4, *model.backbone.copies):
        assert torch.equal(stage[1].conv1.weight, torch.cat([whole[:half, :half], whole[half:, half:]]))
        assert torch.equal(stage[1].bn1.weight, plain.backbone.layer4[1].bn1.weight)
    assert torch.equal(model.backbone.network.conv1.weight, plain.backbone.conv1.weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 3}, "groups: 3 does not divide 4 branches"),
        ({"branches": 9, "groups": 9}, "does not fit the 128 channels"),
        ({"attention": 5}, "attention: 5, but there are 4 branches"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_model(**options)


def test_other_backbones_are_refused() -> None:
    with pytest.raises(InputError, match="multibranch is built around a ResNet"):
        ReidModel(ModelConfig(architecture="multibranch", backbone="test_vit"))
