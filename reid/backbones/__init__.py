"""Backbones by name: this project's ResNets and all timm models."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from reid.backbones.resnet import RESNETS, ResNet
from reid.backbones.timm_models import ALIASES, TimmBackbone
from reid.settings import ModelConfig

__all__ = ["ALIASES", "BACKBONES", "RESNETS", "ResNet", "TimmBackbone", "build_backbone"]


def _resnet(config: ModelConfig) -> nn.Module:
    return ResNet(RESNETS[config.backbone], config.last_stride)


BACKBONES: dict[str, Callable[[ModelConfig], nn.Module]] = dict.fromkeys(RESNETS, _resnet)
"""Names to what builds the network; every other name is looked up in timm."""


def build_backbone(config: ModelConfig) -> nn.Module:
    """Build the backbone that `config` names, with random weights.

    Returns:
        A module with an attribute `dims` that maps images (n, 3, h, w) to feature maps (n, dims, h', w') or, if the
        timm model includes pooling, to vectors (n, dims).

    Raises:
        InputError: unknown name; the message gives the closest names.
    """
    if config.backbone in BACKBONES:
        return BACKBONES[config.backbone](config)
    return TimmBackbone(config.backbone, config.image_size, as_map=config.pooling == "gem")
