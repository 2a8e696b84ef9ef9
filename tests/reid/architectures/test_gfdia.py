import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.architectures.gfdia import Gfdia, RotationLoss, interpretable_attention
from reid.models import ReidModel
from reid.settings import GfdiaConfig, ModelConfig


def make_model(shared: bool = False) -> ReidModel:
    torch.manual_seed(0)
    options = GfdiaConfig(interest_backbone="resnet18_ibn_quarter", shared_stages=shared)
    config = ModelConfig(architecture="gfdia", backbone="resnet18_ibn_quarter", image_size=(64, 64), gfdia=options)
    return ReidModel(config).eval()


def test_attention_pixel_by_pixel() -> None:
    responses = torch.randn(2, 3, 9, 5, generator=torch.Generator().manual_seed(0))
    b = np.maximum(responses.double().numpy(), 0)
    expected = np.zeros((2, 9, 5))
    for image in range(2):
        largest = b[image].max()
        for row in range(9):
            for column in range(5):
                scores = []
                for channel in range(3):
                    window = [
                        np.exp(b[image, channel, r, c] / largest) if 0 <= r < 9 and 0 <= c < 5 else 1.0
                        for r in range(row - 3, row + 4)
                        for c in range(column - 3, column + 4)
                    ]
                    alpha = np.exp(b[image, channel, row, column] / largest) / np.sum(window)
                    beta = b[image, channel, row, column] / max(b[image, :, row, column].max(), 1e-12)
                    scores.append(alpha * beta)
                expected[image, row, column] = max(scores)
        expected[image] /= expected[image].sum()
    found = interpretable_attention(responses)
    np.testing.assert_allclose(found[:, 0].numpy(), expected, rtol=1e-5, atol=1e-9)
    assert interpretable_attention(torch.zeros(1, 3, 4, 4)).isfinite().all()


@pytest.mark.parametrize("shared", [False, True])
def test_geometric_then_global_features(shared: bool) -> None:
    model = make_model(shared)
    body = model.backbone
    assert isinstance(body, Gfdia)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = model(images)
        network = body.network
        shallow = network.layer2(network.layer1(network.maxpool(network.bn1(network.conv1(images)).relu())))
        interest = body.interest(images)
        assert interest.shape[2:] == shallow.shape[2:] == (8, 8)
        upper = network.layer4, network.layer3
        copies = upper if shared else (body.geometric[1], body.geometric[0])
        geometric = copies[0](copies[1](shallow * interpretable_attention(interest))).mean(dim=(2, 3))
    torch.testing.assert_close(found[:, :128], geometric)
    torch.testing.assert_close(found[:, 128:], network(images).mean(dim=(2, 3)))
    assert [(b.name, b.classification, b.triplet) for b in model.branches] == [
        ("geometric", 0.5, 0.5),
        ("global", 0.5, 0.5),
    ]


def test_rotation_is_learned() -> None:
    """The loss of one batch falls, and its gradient reaches the second network alone."""
    model = make_model().train()
    body = model.backbone
    assert isinstance(body, Gfdia)
    auxiliary = RotationLoss(128)
    images = torch.zeros(16, 3, 64, 64)
    images[:, :, :20] = 3.0  # a bright sky, so that the way up shows
    optimiser = torch.optim.Adam([*body.interest.parameters(), *auxiliary.parameters()], lr=3e-3)
    losses = []
    for _ in range(12):
        loss = auxiliary(model, images)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is None for p in body.network.parameters())
    assert auxiliary.scale.grad is not None


def test_both_networks_have_their_weights(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import safetensors.torch

    from reid.backbones.resnet import RESNETS, ResNet

    torch.manual_seed(1)
    main, interest = (ResNet(RESNETS["resnet18_ibn_quarter"]) for _ in range(2))
    for name, network in (("main", main), ("interest", interest)):
        safetensors.torch.save_file(network.state_dict(), tmp_path / f"{name}.safetensors")
    body = make_model().backbone
    assert isinstance(body, Gfdia) and body.geometric is not None
    with pytest.raises(InputError, match="gfdia has two networks; give the files of"):
        body.load_pretrained(str(tmp_path / "main.safetensors"))
    body.load_pretrained(f"{tmp_path / 'main.safetensors'},{tmp_path / 'interest.safetensors'}")
    torch.testing.assert_close(body.network.conv1.weight, main.conv1.weight)
    torch.testing.assert_close(body.geometric.state_dict()["1.0.conv1.weight"], main.layer4[0].conv1.weight)
    torch.testing.assert_close(body.interest.conv1.weight, interest.conv1.weight)
    with pytest.raises(InputError, match=r"image_size: gfdia.* needs square images, not 64 x 32"):
        ReidModel(ModelConfig(architecture="gfdia", backbone="resnet18", image_size=(64, 32)))
