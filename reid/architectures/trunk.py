"""The ResNet that an architecture is built around."""

from __future__ import annotations

from common.errors import InputError
from common.nearest import nearest
from reid.backbones import RESNETS, ResNet
from reid.backbones.pretrained import load_pretrained
from reid.settings import ModelConfig


def resnet_trunk(config: ModelConfig, architecture: str) -> ResNet:
    """The ResNet that `config.backbone` names, with random weights.

    Raises:
        InputError: it is not one of this project's ResNets.
    """
    if config.backbone not in RESNETS:
        raise InputError(
            f"model.backbone: {architecture} is built around a ResNet of this project, not {config.backbone}"
            f"{nearest(config.backbone, RESNETS, limit=len(RESNETS))}"
        )
    return ResNet(RESNETS[config.backbone], config.last_stride)


def load_resnet(network: ResNet, name: str, source: str) -> None:
    """Initialise a trunk from `imagenet` or a file with the weights of a network of that name."""
    load_pretrained(network, name, source)
