"""What a detector needs from its weights and from the library that runs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.files import write_json
from detection.layouts import Metadata, OutputShape

Receive = Callable[[int, Sequence[npt.NDArray[np.float32]], int], None]


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What a file of weights says about its network.

    Attributes:
        metadata: classes, task and head.
        outputs: names and shapes of the outputs for an input of `size`.
        size: (height, width) of the input that the network was exported or trained for, in pixels.
        fixed: whether `size` is the only one that it takes.
        stride: the sides of an input must be multiples of this.
    """

    metadata: Metadata
    outputs: tuple[OutputShape, ...]
    size: tuple[int, int] = (640, 640)
    fixed: bool = False
    stride: int = 32


def kept_facts(file: Path | None, read: Callable[[], NetworkFacts]) -> NetworkFacts:
    """The facts kept in `file`, or what `read` gives, which is then kept there; `file` None: they are not kept.

    Reading them may import torch or OpenVINO, which a run that finds its boxes in the cache does not wait for.
    """
    if file is not None:
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # none yet, or damaged
            return _facts_from(json.loads(file.read_text(encoding="utf-8")))
    facts = read()
    if file is not None:
        with suppress(OSError):  # a folder that cannot be written is reported where a result is lost by it
            write_json(file, asdict(facts))
    return facts


def _facts_from(content: dict[str, Any]) -> NetworkFacts:
    metadata = content["metadata"]
    metadata["names"] = {int(number): name for number, name in metadata["names"].items()}
    outputs = tuple(OutputShape(output["name"], tuple(output["shape"])) for output in content["outputs"])
    return NetworkFacts(Metadata(**metadata), outputs, tuple(content["size"]), content["fixed"], content["stride"])


class Network(Protocol):
    """A network that is ready to run at one input size."""

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        """Run over pictures and hand the raw outputs of each on.

        Args:
            pictures: functions that make the pictures, (height, width, 3) BGR uint8 of the input's size; called one
                after the other, while earlier pictures are in the network.
            receive: called with the position of a picture, the outputs of its batch (float32, with the batch
                dimension), and its place in that batch, in the order of the pictures; the arrays are valid only
                during the call.
        """


class Weights(Protocol):
    """A file of weights, which becomes a network for an input size."""

    @property
    def key(self) -> str:
        """What decides the network's output: content of the file, precision, library."""

    @property
    def facts(self) -> NetworkFacts:
        """Classes, sizes and outputs."""

    def network(self, size: tuple[int, int]) -> Network:
        """Make the network for an input of (height, width)."""


def content_hash(*paths: Path) -> str:
    """SHA-256 of the files' bytes, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
