from pathlib import Path

import pytest
import torch

from common.errors import InputError
from reid.checkpoint import save_model
from reid.models import build_model, normalise
from reid.pooling import GeneralisedMeanPooling
from reid.settings import ModelConfig

QUARTER = ModelConfig(backbone="resnet18_ibn_quarter", image_size=(32, 32))


@pytest.mark.parametrize("pooling", ["avg", "gem"])
def test_features_before_and_after_the_bottleneck(pooling: str) -> None:
    model = build_model(QUARTER.model_copy(update={"pooling": pooling})).eval()
    with torch.no_grad():
        model.bottleneck.running_mean.fill_(0.5)
        model.bottleneck.running_var.fill_(4.0)
        images = torch.randn(3, 3, 32, 32)
        features, embedded = model(images), model.embed(images)
    assert features.shape == (3, model.dims) == (3, 128)
    torch.testing.assert_close(embedded, (features - 0.5) / (4.0 + 1e-5) ** 0.5)


def test_any_image_size_is_taken() -> None:
    model = build_model(QUARTER).eval()
    with torch.no_grad():
        for size in ((16, 16), (48, 20), (1, 1)):
            assert model.embed(torch.randn(1, 3, *size)).isfinite().all()


def test_script_freezes_the_bottlenecks_shift() -> None:
    model = build_model(QUARTER.model_copy(update={"bottleneck_bias": False}))
    assert not model.bottleneck.bias.requires_grad
    assert not model.bottleneck.bias.any()
    assert build_model(QUARTER).bottleneck.bias.requires_grad


def test_normalise_is_the_formula_and_keeps_the_layout() -> None:
    images = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    result = normalise(images, QUARTER)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (QUARTER.mean, QUARTER.std))
    torch.testing.assert_close(result, (images / 255 - mean) / std)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_gem_lies_between_mean_and_maximum_and_learns_its_power() -> None:
    x = torch.rand(2, 4, 5, 5)
    torch.testing.assert_close(GeneralisedMeanPooling(1.0)(x), x.mean(dim=(2, 3)))
    pooling = GeneralisedMeanPooling(3.0)
    out = pooling(x)
    assert (out > x.mean(dim=(2, 3))).all()
    assert (out < x.amax(dim=(2, 3))).all()
    out.sum().backward()
    assert pooling.power.grad != 0


@pytest.mark.parametrize("name", ["resnet18_ibn", "resnet34_ibn", "resnet18_ibn_half", "resnet18_ibn_quarter"])
def test_sizes_of_the_small_models(name: str) -> None:
    parameters = sum(p.numel() for p in build_model(ModelConfig(backbone=name)).parameters())
    limit = {"resnet18_ibn": 12e6, "resnet34_ibn": 22e6}.get(name, 8e6)  # 8 M in float16 are 16 MB
    assert parameters < limit


def test_a_networks_neck_and_pooling_can_be_trained_on(tmp_path: Path) -> None:
    config = QUARTER.model_copy(update={"pooling": "gem"})
    first = build_model(config)
    with torch.no_grad():
        first.bottleneck.running_mean.uniform_()
        first.pooling.power.fill_(2.5)
    path = tmp_path / "first.safetensors"
    save_model(path, first, {})
    second = build_model(config, str(path), neck=True)
    for name, value in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name
    fresh = build_model(config, str(path))
    assert not torch.equal(fresh.bottleneck.running_mean, first.bottleneck.running_mean)
    torch.save(first.backbone.state_dict(), tmp_path / "backbone.pth")
    with pytest.raises(InputError, match=r"pretrained_neck.*has no pooling"):
        build_model(config, str(tmp_path / "backbone.pth"), neck=True)
    with pytest.raises(InputError, match="pretrained_neck: none"):
        build_model(config, neck=True)
