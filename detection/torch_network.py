"""Networks run by torch, on a GPU, in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from detection.layouts import OutputShape
from detection.network import Receive

# Pictures per forward pass; more need more memory and gain little.
_BATCH = 16
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class FirstOutput(torch.nn.Module):
    """An ultralytics model set to inference: batch norms folded in, its decoded predictions as the one output."""

    def __init__(self, modules: Any) -> None:
        super().__init__()
        _set_to_export(modules)
        self.modules_ = modules.fuse(verbose=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, height, width) RGB in [0, 1] to (n, rows, columns), as `detection.layouts` tells."""
        output = self.modules_(pictures)
        first: torch.Tensor = output[0] if isinstance(output, (list, tuple)) else output
        return first


def output_shapes(modules: Any, size: tuple[int, int]) -> tuple[OutputShape, ...]:
    """The shapes of all outputs of an ultralytics model for an input of (height, width). Changes the model."""
    _set_to_export(modules)
    with torch.inference_mode():
        output = modules(torch.zeros(1, 3, *size))
    outputs = output if isinstance(output, (list, tuple)) else [output]
    return tuple(OutputShape(f"output{number}", tuple(each.shape)) for number, each in enumerate(outputs))


def _set_to_export(modules: Any) -> None:
    # What ultralytics' own exporter sets: predictions alone come out, and nothing depends on Python values.
    head = modules.model[-1]
    head.export, head.format, head.dynamic = True, "openvino", False
    if getattr(head, "one2one_cv2", None) is not None and head.cv2 is not None:
        # Of two heads ultralytics predicts with the one whose duplicates it suppresses afterwards.
        head.end2end = False


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
        with torch.inference_mode():
            # The first pass sets up the grids of the head for this size, and libraries on the GPU.
            self._infer(np.zeros((1, *size, 3), np.uint8))

    def run(self, pictures: Sequence[Callable[[], npt.NDArray[np.uint8]]], receive: Receive) -> None:
        for start in range(0, len(pictures), _BATCH):
            batch = np.stack([picture() for picture in pictures[start : start + _BATCH]])
            with torch.inference_mode():
                output = self._infer(batch).float().cpu().numpy()
            for slot in range(len(batch)):
                receive(start + slot, [output], slot)

    def _infer(self, batch: npt.NDArray[np.uint8]) -> torch.Tensor:
        pixels = torch.from_numpy(batch).to(self._device, non_blocking=True)
        rgb = pixels.flip(3).permute(0, 3, 1, 2).to(self._type, memory_format=torch.channels_last) / 255
        output: torch.Tensor = self._network(rgb)
        return output
