"""Architectures by name: networks with several branches or parts. `plain`, a backbone with pooling, is not here."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from reid.architectures.body import Body, Distance
from reid.architectures.pven import Pven
from reid.architectures.saver import Saver
from reid.settings import ModelConfig

__all__ = ["ARCHITECTURES", "Body", "Distance", "build_body"]

ARCHITECTURES: dict[str, Callable[[ModelConfig], Body]] = {
    "pven": Pven,
    "saver": Saver,
}
"""Values of `model.architecture` to what builds the network."""


def build_body(config: ModelConfig) -> Body | None:
    """Build the body that `config.architecture` names, with random weights; None for `plain`."""
    return None if config.architecture == "plain" else ARCHITECTURES[config.architecture](config)


def parameter_count(module: nn.Module) -> int:
    """Number of parameters, each counted once."""
    return sum(p.numel() for p in module.parameters())
