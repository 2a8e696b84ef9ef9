"""Inference with PyTorch: on a GPU, or on the CPU, for comparison."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch

from reid.branches import ImageLabels
from reid.deploy import DeployedModel
from reid.models import ReidModel


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
        self.notes: tuple[str, ...] = ()
        self.distance = model.distance
        self._model = DeployedModel(model).to(self._device).to(memory_format=torch.channels_last).eval()

    def infer(self, images: npt.NDArray[np.uint8], labels: ImageLabels | None = None) -> npt.NDArray[np.float32]:
        """Map (n, 3, h, w) uint8 RGB images, n >= 1, with their labels, if known, to (n, dims) float32 features."""
        autocast = torch.autocast(self._device.type, torch.bfloat16) if self.precision == "bfloat16" else nullcontext()
        with torch.inference_mode(), autocast:
            batch = torch.from_numpy(images).to(self._device).contiguous(memory_format=torch.channels_last)
            known = None if labels is None else labels.to(self._device)
            result: npt.NDArray[np.float32] = self._model(batch, known).float().cpu().numpy()
        return result
