"""What a detector needs of its weights and of the library that runs them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Receive = Callable[[int, npt.NDArray[np.float32]], None]


@dataclass(frozen=True, slots=True)
class WeightFacts:
    """What a file of weights says of its network.

    Attributes:
        names: class names by number; empty where the file does not say.
        stride: what the sides of an input must be a multiple of.
        longest: the longer side of the input that it was trained for, in pixels.
        fixed_size: (height, width) where the file holds a network for one input size only.
    """

    names: dict[int, str]
    stride: int = 32
    longest: int = 640
    fixed_size: tuple[int, int] | None = None


class Network(Protocol):
    """A network that is ready to run at one input size."""

    @property
    def rows(self) -> int:
        """Length of the first dimension of a picture's output."""

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        """Run over pictures and hand each one's raw output on.

        Args:
            pictures: functions that make the pictures, (height, width, 3) BGR uint8 of the input's size; called one
                after the other, while earlier pictures are in the network.
            receive: called with the position of a picture and its output, without the batch dimension, in the order
                of the pictures; the array is valid only during the call.
        """


class Weights(Protocol):
    """A file of weights, which becomes a network for an input size."""

    @property
    def key(self) -> str:
        """What decides the network's output: content of the file, precision, library."""

    @property
    def facts(self) -> WeightFacts:
        """Classes and sizes."""

    def network(self, size: tuple[int, int]) -> Network:
        """Make the network for an input of (height, width)."""


def content_hash(*paths: Path) -> str:
    """SHA-256 of files' bytes, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
