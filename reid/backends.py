"""Inference backends: what they have in common, and OpenVINO on the CPU; `reid.torch_backend` is the other one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from common.devices import fastest_cpu_precision, openvino_core
from common.errors import InputError
from common.networks import openvino_reason, read_network_file
from reid.foreign_network import AdaptedNetwork, adapt_network
from reid.interface import Distance
from reid.network_options import NetworkOptions

if TYPE_CHECKING:
    from reid.branches import ImageLabels  # imports torch


class Backend(Protocol):
    """Runs one network on batches of images.

    Attributes:
        name: `openvino` or `torch`.
        precision: `float32` or `bfloat16`, the arithmetic of the layers.
        image_size: height and width of the network's input in pixels.
        dims: length of a feature vector.
        notes: what was assumed about the network, one line each.
        distance: how its vectors are ranked.
    """

    name: str
    precision: str
    image_size: tuple[int, int]
    dims: int
    notes: tuple[str, ...]
    distance: Distance

    def infer(self, images: npt.NDArray[np.uint8], labels: ImageLabels | None = None) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 RGB images, n >= 1, with their labels, if known, to (n, dims) float32 features."""


class OpenVinoBackend:
    """Runs a network on the CPU with OpenVINO.

    Args:
        model: an `openvino.Model`, or a file (.xml, .onnx) of one; of this project or another.
        precision: `auto` is bfloat16 where the CPU supports it natively, float32 elsewhere.
        threads: CPU threads; 0 for all cores.
        options: input and output of a network of another project.
        given: names of the options that the user gave.

    Raises:
        InputError: the file is not a network that OpenVINO reads, or not a re-id network.
    """

    name = "openvino"

    def __init__(
        self,
        model: Any | Path,
        precision: str = "auto",
        threads: int = 0,
        options: NetworkOptions | None = None,
        given: frozenset[str] = frozenset(),
    ) -> None:
        network = read_network(model, options, given)
        self.precision = _cpu_precision(precision)
        self.image_size, self.dims, self.notes = network.image_size, network.dims, network.notes
        self.distance = network.distance
        self._output, self._batch = network.output, network.batch
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            self._request = openvino_core().compile_model(network.model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise InputError(f"{_name(model)}: OpenVINO cannot run this network ({openvino_reason(error)})") from error

    def infer(self, images: npt.NDArray[np.uint8], labels: ImageLabels | None = None) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 images, n >= 1, to (n, dims) float32 features; labels are not used."""
        if not self._batch:
            return self._run(images)
        # A fixed batch size: fill up the last batch with zeros.
        missing = -len(images) % self._batch
        padded = np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)]) if missing else images
        parts = [self._run(padded[i : i + self._batch]) for i in range(0, len(padded), self._batch)]
        return np.concatenate(parts)[: len(images)]

    def _run(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        result = self._request.infer({0: images}, share_inputs=True)
        return np.array(result[self._output], np.float32).reshape(len(images), self.dims)


def read_network(
    model: Any | Path, options: NetworkOptions | None = None, given: frozenset[str] = frozenset()
) -> AdaptedNetwork:
    """Read a network and adapt it to uint8 input, without compiling it. Arguments as in `OpenVinoBackend`."""
    name = _name(model)
    if isinstance(model, Path):
        model = read_network_file(model)
    return adapt_network(model, name, options or NetworkOptions(), given)


def _name(model: Any | Path) -> str:
    return str(model) if isinstance(model, Path) else "the model"


def _cpu_precision(precision: str) -> str:
    return fastest_cpu_precision() if precision == "auto" else precision
