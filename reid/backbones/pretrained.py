"""Starting weights of a backbone: ImageNet's from the internet, or a file."""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # only its name: how torch refuses a file that holds more than tensors

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from common.errors import InputError, path_not_found
from reid.backbones.resnet import ResNet
from reid.backbones.timm_models import ALIASES, TimmBackbone

_IBN_RELEASE = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"
IBN_FILES = {
    "resnet18_ibn": "resnet18_ibn_a-2f571257.pth",
    "resnet34_ibn": "resnet34_ibn_a-94bc1577.pth",
    "resnet50_ibn": "resnet50_ibn_a-d9d0bb7b.pth",
    "resnet101_ibn": "resnet101_ibn_a-59ea0ac6.pth",
}
"""The published IBN-a weights (IBN-Net, release v1.0)."""

_CLASSIFIERS = ("fc.", "head.fc.", "head.weight", "head.bias", "classifier.")
_PREFIXES = ("module.", "state_dict.", "model.", "network.", "backbone.")


def load_pretrained(backbone: nn.Module, name: str, source: str) -> None:
    """Fill `backbone` with starting weights.

    Args:
        backbone: what `build_backbone` made.
        name: its name, which decides where ImageNet weights come from.
        source: `none` (leave it random), `imagenet`, or the path of a file: safetensors, or a PyTorch state dict with
            the names of torchvision, IBN-Net or timm. A classifier in the file is left out.

    Raises:
        InputError: no such file, it cannot be fetched or read, or it is of another network (the line names tensors).
    """
    if source == "none":
        return
    if source == "imagenet":
        weights = _fetch_imagenet(backbone, name)
    else:
        weights = read_weights(Path(source).expanduser())
    _fill(backbone, _strip(weights), source)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file or of a PyTorch state dict; runs no code from the file.

    Raises:
        InputError: the file is missing, damaged, or holds something else than tensors by name.
    """
    if not path.is_file():
        raise path_not_found(path, "weights file")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise InputError(f"{path}: damaged, or holds more than tensors; save its state dict as safetensors") from error
    except (SafetensorError, RuntimeError, OSError, ValueError, EOFError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged, or no weights file ({type(error).__name__}: {error!s:.100})") from error
    if isinstance(content, Mapping):
        for key in ("state_dict", "model"):
            if isinstance(content.get(key), Mapping):
                content = content[key]
        tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
        if tensors:
            return tensors
    raise InputError(f"{path}: holds no tensors by name; save a model's state dict")


def _fetch_imagenet(backbone: nn.Module, name: str) -> dict[str, torch.Tensor]:
    import timm  # here, for what it brings along: most runs do without

    mend = f"give a file with pretrained=PATH, or pretrained=none to start at random ({name})"
    try:
        if isinstance(backbone, TimmBackbone):
            model = timm.create_model(ALIASES.get(name, name), pretrained=True, num_classes=0)
            return dict(model.state_dict())
        if name in IBN_FILES:
            url = _IBN_RELEASE + IBN_FILES[name]
            return dict(torch.hub.load_state_dict_from_url(url, map_location="cpu", weights_only=True, progress=False))
        if timm.is_model(name):
            return dict(timm.create_model(name, pretrained=True).state_dict())
    except (OSError, urllib.error.URLError, RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"pretrained: ImageNet weights cannot be fetched ({reason:.100}); {mend}") from error
    raise InputError(f"pretrained: nobody publishes ImageNet weights of {name}; {mend}")


def _strip(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names without the prefixes of wrappers, and without a classifier."""
    result = {}
    for name, value in weights.items():
        while (prefix := next((p for p in _PREFIXES if name.startswith(p)), None)) is not None:
            name = name.removeprefix(prefix)
        if not name.startswith(_CLASSIFIERS):
            result[name] = value
    return result


def _fill(backbone: nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> None:
    target = backbone.network if isinstance(backbone, TimmBackbone) else backbone
    if not isinstance(backbone, (ResNet, TimmBackbone)):
        raise TypeError(f"no rule for the weights of {type(backbone).__name__}")
    assert isinstance(target, nn.Module)
    own = {k: v for k, v in target.state_dict().items() if not k.startswith(_CLASSIFIERS)}
    fitted = {
        name: _resize_position_embedding(value, own[name]) if name.endswith("pos_embed") and name in own else value
        for name, value in weights.items()
    }
    # Counters of batches and tables that a network computes from its own size are no knowledge.
    computed = ("num_batches_tracked", "attn_mask", "relative_position_index")
    missing = [k for k in own if k not in fitted and not k.endswith(computed)]
    other = [k for k, v in own.items() if k in fitted and fitted[k].shape != v.shape and not k.endswith(computed)]
    if missing or other:
        shown = ", ".join((missing + other)[:3])
        raise InputError(
            f"pretrained: {source} is of another network: {len(missing)} tensors missing, "
            f"{len(other)} of another shape ({shown})"
        )
    usable = {k: v for k, v in fitted.items() if k in own and own[k].shape == v.shape}
    target.load_state_dict(usable, strict=False)


def _resize_position_embedding(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A ViT's (1, prefix + g*g, c) position embedding for another image size; other shapes pass unchanged."""
    if value.shape == like.shape or value.ndim != 3:
        return value
    old, new = int(value.shape[1] ** 0.5) ** 2, int(like.shape[1] ** 0.5) ** 2
    prefix = value.shape[1] - old
    if prefix != like.shape[1] - new:
        return value
    side, new_side = int(old**0.5), int(new**0.5)
    grid = value[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
    grid = nn.functional.interpolate(grid, (new_side, new_side), mode="bicubic", align_corners=False, antialias=True)
    return torch.cat((value[:, :prefix], grid.permute(0, 2, 3, 1).reshape(1, new, -1).to(value.dtype)), dim=1)
