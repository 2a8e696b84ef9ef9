"""Backbones by name: this project's ResNets and all timm models."""

from __future__ import annotations

from torch import nn

from reid.backbones.resnet import RESNETS, ResNet
from reid.backbones.timm_models import ALIASES, TimmBackbone
from reid.settings import ModelConfig

__all__ = ["ALIASES", "RESNETS", "ResNet", "TimmBackbone", "build_backbone"]


def build_backbone(config: ModelConfig) -> nn.Module:
    """Build the backbone that `config` names, with random weights.

    Returns:
        A module with an attribute `dims` that maps images (n, 3, h, w) to feature maps (n, dims, h', w') or, if the
        timm model includes pooling, to vectors (n, dims).

    Raises:
        InputError: unknown name; the message gives the closest names.
    """
    if config.backbone in RESNETS:
        return ResNet(RESNETS[config.backbone], config.last_stride)
    return TimmBackbone(config.backbone, config.image_size, as_map=config.pooling == "gem")
