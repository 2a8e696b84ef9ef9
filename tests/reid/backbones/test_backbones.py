import pytest
import torch

from common.errors import InputError
from reid.backbones import build_backbone
from reid.models import build_model
from reid.settings import ModelConfig


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("test_vit", "avg"),
        ("test_convnext", "gem"),
        ("test_resnet", "gem"),
        ("test_efficientnet", "avg"),
    ],
)
def test_any_timm_model_takes_global_and_local_views(name: str, pooling: str) -> None:
    model = build_model(ModelConfig(backbone=name, pooling=pooling, image_size=(96, 96)))
    for size in (96, 48):
        features = model(torch.randn(2, 3, size, size))
        assert features.shape == (2, model.dims)
        assert features.dtype == torch.float32
    features.sum().backward()


def test_swin_takes_both_sizes() -> None:
    model = build_model(ModelConfig(backbone="swin_tiny_patch4_window7_224", image_size=(64, 64))).eval()
    with torch.no_grad():
        for size in (64, 48):
            assert model(torch.randn(1, 3, size, size)).shape == (1, 768)


def test_an_unknown_name_gives_near_ones() -> None:
    with pytest.raises(InputError, match=r"resnet51_ibn.*resnet50_ibn"):
        build_backbone(ModelConfig(backbone="resnet51_ibn"))


def test_gem_on_a_network_without_map_is_refused() -> None:
    with pytest.raises(InputError, match="pooling"):
        build_model(ModelConfig(backbone="test_vit", pooling="gem", image_size=(96, 96)))(torch.randn(1, 3, 96, 96))


@pytest.mark.parametrize(
    ("name", "dims"),
    [("resnet50", 2048), ("resnet50_ibn", 2048), ("vit_base", 768), ("swin_base", 1024), ("convnext_base", 1024)],
)
def test_the_papers_networks_take_the_papers_sizes(name: str, dims: int) -> None:
    with torch.device("meta"):  # shapes without numbers: nothing is computed
        model = build_model(ModelConfig(backbone=name, image_size=(256, 256))).eval()
        for size in (256, 112):
            assert model.embed(torch.empty(2, 3, size, size)).shape == (2, model.dims) == (2, dims)


def test_a_size_that_patches_do_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match=r"test_vit does not accept images of 90 x 96.*views\.local_size"):
        build_model(ModelConfig(backbone="test_vit", image_size=(96, 96)))(torch.randn(1, 3, 90, 96))
