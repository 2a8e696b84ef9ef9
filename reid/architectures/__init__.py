"""Architectures by name: networks with several branches or parts. `plain`, a backbone with pooling, is not here."""

from __future__ import annotations

from collections.abc import Callable

from reid.architectures.body import Body
from reid.architectures.gfdia import Gfdia
from reid.architectures.hrcn import Hrcn
from reid.architectures.multibranch import MultiBranch
from reid.architectures.pven import Pven
from reid.architectures.saver import Saver
from reid.architectures.transreid import TransReid
from reid.settings import ModelConfig

__all__ = ["ARCHITECTURES", "Body", "build_body"]

ARCHITECTURES: dict[str, Callable[[ModelConfig], Body]] = {
    "pven": Pven,
    "saver": Saver,
    "transreid": TransReid,
    "gfdia": Gfdia,
    "hrcn": Hrcn,
    "multibranch": MultiBranch,
}
"""Values of `model.architecture` to what builds the network."""


def build_body(config: ModelConfig) -> Body | None:
    """Build the body that `config.architecture` names, with random weights; None for `plain`."""
    return None if config.architecture == "plain" else ARCHITECTURES[config.architecture](config)
