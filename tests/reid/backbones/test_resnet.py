import pytest
import timm
import torch
import torchvision
from torch import nn

from reid.backbones.resnet import RESNETS, InstanceBatchNorm, ResNet, ResNetShape

SMALL = [name for name in RESNETS if "101" not in name and "50" not in name]


@pytest.mark.parametrize(
    ("name", "make"), [("resnet18", torchvision.models.resnet18), ("resnet50", torchvision.models.resnet50)]
)
def test_without_ibn_it_is_torchvisions_resnet(name: str, make: object) -> None:
    reference = make(weights=None).eval()
    ours = ResNet(RESNETS[name], last_stride=2).eval()
    missing = ours.load_state_dict({k: v for k, v in reference.state_dict().items() if not k.startswith("fc.")})
    assert not missing.missing_keys
    image = torch.randn(1, 3, 64, 64)
    reference.fc = nn.Identity()
    torch.testing.assert_close(ours(image).mean(dim=(2, 3)), reference(image))


def test_timms_resnet50_has_the_same_names() -> None:
    names = {k for k in timm.create_model("resnet50").state_dict() if not k.startswith("fc.")}
    assert names == set(ResNet(RESNETS["resnet50"]).state_dict())


def test_ibn_normalises_the_first_half_by_image_and_the_rest_by_batch() -> None:
    norm = InstanceBatchNorm(6).train()
    x = torch.randn(4, 6, 5, 5) * 3 + 2
    out = norm(x)
    torch.testing.assert_close(out[:, :3].mean(dim=(2, 3)), torch.zeros(4, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[:, 3:].mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    assert out[:, 3:].mean(dim=(2, 3)).abs().max() > 0.05
    # An image's instance half does not depend on its neighbours.
    torch.testing.assert_close(norm(x[:1])[:, :3], out[:1, :3])


def test_ibn_sits_in_stages_1_to_3_with_the_published_names() -> None:
    names = set(ResNet(RESNETS["resnet50_ibn"]).state_dict())
    assert {"layer1.0.bn1.IN.weight", "layer1.0.bn1.BN.running_mean", "layer3.5.bn1.IN.bias"} <= names
    assert {"bn1.weight", "layer4.0.bn1.weight", "layer1.0.bn2.weight", "layer1.0.downsample.1.bias"} <= names
    assert not any(".IN." in n and n.startswith("layer4") for n in names)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_run_forward_and_backward(name: str) -> None:
    model = ResNet(RESNETS[name]).train()
    features = model(torch.randn(2, 3, 32, 48))
    assert features.shape == (2, RESNETS[name].dims, 2, 3)
    features.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_last_stride_2_halves_the_map() -> None:
    assert ResNet(ResNetShape((1, 1, 1, 1), width=8), last_stride=2)(torch.randn(1, 3, 64, 64)).shape[2:] == (2, 2)


def test_a_map_of_one_pixel_trains() -> None:
    model = ResNet(RESNETS["resnet18_ibn_quarter"]).train()
    assert model(torch.randn(4, 3, 8, 8)).isfinite().all()
