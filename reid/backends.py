"""Inference backends: OpenVINO on the CPU, PyTorch on a GPU (or on the CPU, for comparison)."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from common.errors import InputError
from reid.deploy import DeployedModel, openvino_core
from reid.models import ReidModel

PRECISIONS = ("auto", "float32", "bfloat16")


class Backend(Protocol):
    """Runs one network on batches of images.

    Attributes:
        name: `openvino` or `torch`.
        precision: `float32` or `bfloat16`, the arithmetic of the layers.
        image_size: height and width of the network's input in pixels.
        dims: length of a feature vector.
    """

    name: str
    precision: str
    image_size: tuple[int, int]
    dims: int

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 RGB images, n >= 1, to (n, dims) float32 features."""


class OpenVinoBackend:
    """A deployed network on the CPU through OpenVINO.

    Args:
        model: an `openvino.Model` made by `reid.deploy`, or a file (.xml, .onnx) of one.
        precision: `auto` is bfloat16 where the CPU supports it natively, float32 elsewhere.
        threads: 0 for all cores.
    """

    name = "openvino"

    def __init__(self, model: Any | Path, precision: str = "auto", threads: int = 0) -> None:
        core = openvino_core()
        source = str(model) if isinstance(model, Path) else "the model"
        if isinstance(model, Path):
            try:
                model = core.read_model(str(model))
            except RuntimeError as error:
                raise InputError(f"{source}: not a network that OpenVINO reads ({str(error)[:120]})") from error
        shape = model.inputs[0].get_partial_shape()
        element = model.inputs[0].get_element_type().get_type_name()
        if len(shape) != 4 or element != "u8" or not (shape[1].is_static and shape[2].is_static and shape[3].is_static):
            raise InputError(
                f"{source}: input {shape} {element}, but (n, 3, height, width) u8 is needed; "
                f"export it with python -m reid.export"
            )
        output = model.outputs[0].get_partial_shape()
        if len(output) != 2 or not output[1].is_static:
            raise InputError(f"{source}: output {output}, but (n, d) is needed; export it with python -m reid.export")
        self.precision = _cpu_precision(precision)
        self.image_size = (shape[2].get_length(), shape[3].get_length())
        self.dims = output[1].get_length()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 RGB images, n >= 1, to (n, dims) float32 features."""
        result = self._request.infer({0: images}, share_inputs=True)
        return np.array(result[0], np.float32)


class TorchBackend:
    """Runs a network with PyTorch, on a GPU or the CPU.

    Args:
        model: the network; it is moved to the device and put into evaluation mode.
        device: `cpu`, `cuda`, `cuda:1`, ...
        precision: `auto` is bfloat16 on a GPU and float32 on the CPU. bfloat16 means autocast: normalisation layers
            stay in float32.
    """

    name = "torch"

    def __init__(self, model: ReidModel, device: str = "cpu", precision: str = "auto") -> None:
        self._device = torch.device(device)
        if precision == "auto":
            precision = "bfloat16" if self._device.type == "cuda" else "float32"
        self.precision = precision
        self.image_size: tuple[int, int] = model.config.image_size
        self.dims: int = model.dims
        self._model = DeployedModel(model).to(self._device).to(memory_format=torch.channels_last).eval()

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 RGB images, n >= 1, to (n, dims) float32 features."""
        autocast = torch.autocast(self._device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()
        with torch.inference_mode(), autocast:
            batch = torch.from_numpy(images).to(self._device).contiguous(memory_format=torch.channels_last)
            result: npt.NDArray[np.float32] = self._model(batch).float().cpu().numpy()
        return result


@cache
def cpu_has_bfloat16() -> bool:
    """Whether this CPU has native bfloat16 (AVX512-BF16, AMX) and OpenVINO uses it."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _cpu_precision(precision: str) -> str:
    if precision == "auto":
        return "bfloat16" if cpu_has_bfloat16() else "float32"
    return precision
