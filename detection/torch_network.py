"""Networks through torch: on a GPU, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from detection.network import Receive

_BATCH = 16
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class FirstOutput(torch.nn.Module):
    """An ultralytics model set to inference: batch norms folded in, its decoded predictions as the one output."""

    def __init__(self, modules: Any) -> None:
        super().__init__()
        self.modules_ = modules.fuse(verbose=False)
        head = modules.model[-1]
        # What ultralytics' own exporter sets: predictions alone come out, and nothing depends on Python values.
        head.export, head.format, head.dynamic = True, "openvino", False

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, height, width) RGB in [0, 1] to (n, rows, anchors)."""
        output = self.modules_(pictures)
        first: torch.Tensor = output[0] if isinstance(output, (list, tuple)) else output
        return first


class TorchNetwork:
    """An ultralytics model on a torch device.

    Args:
        modules: the model, in float32. Changed by this.
        size: (height, width) of the input.
        precision: "float32", "bfloat16" or "float16".
        device: a torch device such as "cuda:0".
    """

    def __init__(self, modules: Any, size: tuple[int, int], precision: str, device: str) -> None:
        self._device = torch.device(device)
        self._type = _TYPES[precision]
        self._network = FirstOutput(modules).to(self._device, self._type).to(memory_format=torch.channels_last)
        self._size = size
        with torch.inference_mode():
            self._rows = int(self._infer(np.zeros((1, *size, 3), np.uint8)).shape[1])

    @property
    def rows(self) -> int:
        return self._rows

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        for start in range(0, len(pictures), _BATCH):
            batch = np.stack([picture() for picture in pictures[start : start + _BATCH]])
            with torch.inference_mode():
                outputs = self._infer(batch).float().cpu().numpy()
            for offset, output in enumerate(outputs):
                receive(start + offset, output)

    def _infer(self, batch: npt.NDArray[np.uint8]) -> torch.Tensor:
        pixels = torch.from_numpy(batch).to(self._device, non_blocking=True)
        rgb = pixels.flip(3).permute(0, 3, 1, 2).to(self._type, memory_format=torch.channels_last) / 255
        output: torch.Tensor = self._network(rgb)
        return output
