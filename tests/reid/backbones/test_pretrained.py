from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from common.errors import InputError
from reid.backbones import build_backbone
from reid.backbones.pretrained import load_pretrained
from reid.settings import ModelConfig

QUARTER = ModelConfig(backbone="resnet18_ibn_quarter")


@pytest.mark.parametrize("layout", ["pth", "safetensors", "wrapped", "data parallel"])
def test_weights_with_a_classifier_load_from_every_layout(tmp_path: Path, layout: str) -> None:
    source = build_backbone(QUARTER)
    tensors = {**source.state_dict(), "fc.weight": torch.zeros(10, 128), "fc.bias": torch.zeros(10)}
    path = tmp_path / f"weights.{'safetensors' if layout == 'safetensors' else 'pth'}"
    if layout == "safetensors":
        save_file(tensors, path)
    elif layout == "wrapped":
        torch.save({"state_dict": tensors, "epoch": 3}, path)
    else:
        torch.save({f"module.{k}": v for k, v in tensors.items()} if layout == "data parallel" else tensors, path)
    target = build_backbone(QUARTER)
    load_pretrained(target, QUARTER.backbone, str(path))
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value), name


def test_vit_position_embedding_is_fitted_to_the_image(tmp_path: Path) -> None:
    small, large = (ModelConfig(backbone="test_vit", image_size=(s, s)) for s in (96, 160))
    torch.save(build_backbone(small).network.state_dict(), tmp_path / "vit.pth")
    target = build_backbone(large)
    load_pretrained(target, "test_vit", str(tmp_path / "vit.pth"))
    assert target(torch.randn(1, 3, 160, 160)).isfinite().all()


def test_weights_of_another_network_name_tensors(tmp_path: Path) -> None:
    torch.save(build_backbone(ModelConfig(backbone="resnet18")).state_dict(), tmp_path / "r18.pth")
    with pytest.raises(InputError, match=r"another network.*missing.*layer1"):
        load_pretrained(build_backbone(QUARTER), QUARTER.backbone, str(tmp_path / "r18.pth"))


class _Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code from a weights file ran')",))


@pytest.mark.parametrize("damage", ["missing", "hostile", "cut", "text", "no tensors"])
def test_damaged_or_hostile_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "weights.pth"
    if damage == "hostile":
        torch.save({"a": _Hostile()}, path)
    elif damage == "cut":
        torch.save(build_backbone(QUARTER).state_dict(), path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "text":
        path.write_text("no weights")
    elif damage == "no tensors":
        torch.save({"a": 1}, path)
    with pytest.raises(InputError, match=r"weights\.pth"):
        load_pretrained(build_backbone(QUARTER), QUARTER.backbone, str(path))


def test_imagenet_weights_that_nobody_publishes() -> None:
    with pytest.raises(InputError, match="pretrained=PATH"):
        load_pretrained(build_backbone(QUARTER), QUARTER.backbone, "imagenet")


def test_no_internet_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    with pytest.raises(InputError, match=r"cannot be fetched \(no route to host\).*pretrained=PATH"):
        load_pretrained(build_backbone(ModelConfig(backbone="resnet18_ibn")), "resnet18_ibn", "imagenet")


@pytest.mark.parametrize("name", ["resnet18_ibn", "resnet50_ibn"])
def test_published_ibn_files_load(tmp_path: Path, name: str) -> None:
    """Their layout: torchvision's names, and in stages 1 to 3 a first norm of two halves, IN and BN."""
    published = {}
    for key, value in getattr(torchvision.models, name.removesuffix("_ibn"))(weights=None).state_dict().items():
        value = torch.randn_like(value) if value.is_floating_point() else value
        stage, _, rest = key.partition(".")
        _, _, tensor = rest.partition(".bn1.")
        if stage in ("layer1", "layer2", "layer3") and tensor:
            parent, half = key.removesuffix(tensor), len(value) // 2 if value.ndim else 0
            if tensor in ("weight", "bias"):
                published[f"{parent}IN.{tensor}"] = value[:half]
            published[f"{parent}BN.{tensor}"] = value[half:] if value.ndim else value
        else:
            published[key] = value
    torch.save(published, tmp_path / f"{name}_a.pth")
    target = build_backbone(ModelConfig(backbone=name))
    load_pretrained(target, name, str(tmp_path / f"{name}_a.pth"))
    assert published.keys() - target.state_dict().keys() == {"fc.weight", "fc.bias"}
    for key, value in target.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(value, published[key]), key
