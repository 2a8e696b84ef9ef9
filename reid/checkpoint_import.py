"""Checkpoints of other re-id projects as this project's network, where the architecture is one of ours or timm's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from common.errors import InputError
from reid.backbones import RESNETS, build_backbone
from reid.backbones.pretrained import backbone_prefix, fill_backbone, prefix_rank, prefixes, read_weights
from reid.backbones.resnet import ResNetShape
from reid.models import ReidModel
from reid.network_options import NetworkOptions
from reid.settings import IMAGENET_MEAN, IMAGENET_STD, ModelConfig

# timm's architectures that re-id and self-supervised projects use most; any other can be named with `backbone`.
_GUESSES = (
    "vit_base_patch16_224",
    "vit_small_patch16_224",
    "vit_tiny_patch16_224",
    "swin_base_patch4_window7_224",
    "swin_small_patch4_window7_224",
    "swin_tiny_patch4_window7_224",
    "convnext_base",
    "convnext_small",
    "convnext_tiny",
)
_GEM = re.compile(r"(pool\w*|gap|gem)\.(p|power)$", re.IGNORECASE)
_NECK = re.compile(r"(bottleneck|bnneck|bn_neck|neck|bnneck_feat|bn)(\.\d+)?\.running_mean$", re.IGNORECASE)
_DEFAULT_SIZE = (256, 256)


def import_checkpoint(
    path: Path, options: NetworkOptions, given: frozenset[str] = frozenset()
) -> tuple[ReidModel, tuple[str, ...]]:
    """Build the network of a checkpoint that another project wrote, with its backbone, pooling and batch-norm neck.

    Args:
        path: a PyTorch checkpoint or .safetensors file.
        options: what is known about the network; `backbone` is guessed from the tensors if it is not given.
        given: names of the options that the user gave.

    Returns:
        The network in evaluation mode, and notes about what was found and assumed.

    Raises:
        InputError: the file is unreadable, or its architecture is not known.
    """
    weights = read_weights(path)
    name = options.backbone or _guess_backbone(weights, path)
    size = options.size or _size_of_position_embedding(weights) or _DEFAULT_SIZE
    white = options.white
    power = next((value for key, value in weights.items() if _GEM.search(key) and value.numel() == 1), None)
    config = ModelConfig(
        backbone=name,
        pooling=options.pooling or ("gem" if power is not None and name in RESNETS else "avg"),
        gem_power=float(power) if power is not None and float(power) > 0 else 3.0,
        last_stride=options.last_stride or 1,
        image_size=size,
        mean=_fractions(options.mean, white) or IMAGENET_MEAN,
        std=_fractions(options.std, white) or IMAGENET_STD,
    )
    model = ReidModel(config)
    prefix = fill_backbone(model.backbone, weights, str(path))
    neck = _fill_neck(model.bottleneck, weights, prefix)
    assumed = [
        text
        for text, names in (
            (f"{size[0]} x {size[1]} pixels", {"size"}),
            ((options.colour or "rgb").upper(), {"colour"}),
            (f"mean {_numbers(config.mean)}, deviation {_numbers(config.std)}", {"mean", "std"}),
            (f"last stride {config.last_stride}" if name in RESNETS else "", {"last_stride"}),
        )
        if text and not names & given
    ]
    note = (
        f"{path}: {name} from the tensors '{prefix}*', {config.pooling} pooling, "
        f"{f'batch-norm neck {neck!r}' if neck else 'no batch-norm neck'}, {model.dims} dimensions"
    )
    if assumed:
        note += (
            f"; assumed: {', '.join(assumed)} (to change it, write a YAML file next to it or options after its name)"
        )
    return model.eval(), (note,)


def _guess_backbone(weights: Mapping[str, torch.Tensor], path: Path) -> str:
    name = _resnet_name(weights)
    if name:
        return name
    if any(key.endswith(("patch_embed.proj.weight", "stem.0.weight")) for key in weights):
        for name in _GUESSES:
            with torch.device("meta"):
                backbone = build_backbone(ModelConfig(backbone=name, image_size=(224, 224)))
            if backbone_prefix(backbone, weights) is not None:
                return name
    raise InputError(
        f"{path}: its architecture is none of {', '.join((*RESNETS, *_GUESSES))}; its tensors begin with "
        f"{prefixes(weights)}; if it is another timm model, give backbone=NAME"
    )


def _resnet_name(weights: Mapping[str, torch.Tensor]) -> str:
    """The ResNet of this project whose blocks, width and norms a checkpoint has; empty if there is none."""
    anchor = "layer1.0.conv1.weight"
    starts = {key.removesuffix(anchor) for key in weights if key == anchor or key.endswith(f".{anchor}")}
    for start in sorted(starts, key=prefix_rank):
        blocks = []
        for stage in range(1, 5):
            pattern = re.compile(re.escape(f"{start}layer{stage}.") + r"(\d+)\.conv1\.weight")
            blocks.append(sum(pattern.fullmatch(key) is not None for key in weights))
        stem = weights.get(f"{start}conv1.weight")
        if stem is None:
            continue
        first, second, third, fourth = blocks
        shape = ResNetShape(
            (first, second, third, fourth),
            width=len(stem),
            bottleneck=f"{start}layer1.0.conv3.weight" in weights,
            ibn=f"{start}layer1.0.bn1.IN.weight" in weights,
        )
        for name, known in RESNETS.items():
            if known == shape:
                return name
    return ""


def _fill_neck(neck: nn.BatchNorm1d, weights: Mapping[str, torch.Tensor], prefix: str) -> str:
    """Copy the batch-norm neck of the checkpoint, if it has one of the right length; returns its name."""
    owner = _owner(prefix)
    found = [
        key.removesuffix("running_mean")
        for key, value in weights.items()
        if _NECK.search(key) and value.shape == neck.running_mean.shape and not (prefix and key.startswith(prefix))  # type: ignore[union-attr]
    ]
    # The neck of the same network: a file may hold a student's and a teacher's.
    name = max(found, key=lambda key: _shared(key, owner), default="")
    if not name:
        return ""
    tensors = {key: weights.get(name + key) for key in ("weight", "bias", "running_mean", "running_var")}
    if tensors["running_var"] is None:
        return ""
    # Without the shift (frozen in some projects), or without both: what batch norm starts from.
    neck.load_state_dict({key: value for key, value in tensors.items() if value is not None}, strict=False)
    return name


def _owner(prefix: str) -> str:
    """The prefix of the network that a backbone belongs to: `teacher.backbone.` is part of `teacher.`."""
    return prefix.rstrip(".").rpartition(".")[0]


def _shared(key: str, owner: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(key, owner, strict=False)) if a != b), min(len(key), len(owner)))


def _size_of_position_embedding(weights: Mapping[str, torch.Tensor]) -> tuple[int, int] | None:
    """The image size that a vision transformer was trained at."""
    embedding = next((value for key, value in weights.items() if key.endswith("pos_embed") and value.ndim == 3), None)
    patch = next((value for key, value in weights.items() if key.endswith("patch_embed.proj.weight")), None)
    if embedding is None or patch is None or patch.ndim != 4:
        return None
    side = int(embedding.shape[1] ** 0.5) * patch.shape[-1]
    return side, side


def _fractions(values: Iterable[float] | None, white: int) -> tuple[float, float, float] | None:
    if values is None:
        return None
    first, second, third = (value / white for value in values)
    return first, second, third


def _numbers(values: Iterable[float]) -> str:
    return "/".join(f"{value:.4g}" for value in values)
