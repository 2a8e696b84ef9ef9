"""The network as it is deployed: images as bytes in, unit vectors out, in PyTorch, ONNX or OpenVINO.

Normalisation and L2 norm are inside the graph, so that no two users of one file can differ in them. Every form has one
input `images`, (n, 3, h, w) uint8, RGB, any n, and one output `embedding`, (n, d) float32 rows of length 1.
"""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from torch import nn
from torch.nn import functional as F

from common.files import atomic
from reid.models import ReidModel, normalise

INPUT = "images"
OUTPUT = "embedding"
_OPSET = 17


@cache
def openvino_core() -> Any:
    """The one OpenVINO core of this process, kept until it ends.

    Its CPU plugin gives the calling thread a stack for signals, and takes that memory back with the last core: a signal
    that arrives afterwards (a child's end, Ctrl-C) would crash the process.
    """
    return ov.Core()


class DeployedModel(nn.Module):
    """`images` (n, 3, h, w) uint8 RGB to `embedding` (n, d) float32 rows of length 1 (a row of zeros stays one)."""

    def __init__(self, model: ReidModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.model.embed(normalise(images, self.model.config)).float(), dim=1)


def to_openvino(model: ReidModel) -> Any:
    """The deployed network as an `openvino.Model`, dynamic batch. The model moves to the CPU, in evaluation mode."""
    # By way of ONNX: that costs a tenth of the time that OpenVINO's own reader of PyTorch models takes.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _write_onnx(model, path)
        return openvino_core().read_model(path.read_bytes())


def save_openvino(model: Any, path: Path) -> None:
    """Write an `openvino.Model` as `path` (.xml) and its weights beside it (.bin), in float32, each complete or absent.

    The .bin is put in place before the .xml, which is what a reader opens.
    """
    with atomic(path) as aside:
        ov.save_model(model, str(aside), compress_to_fp16=False)
        aside.with_suffix(".bin").replace(path.with_suffix(".bin"))


def save_onnx(model: ReidModel, path: Path) -> None:
    """Write the deployed network as ONNX, opset 17, dynamic batch, complete or not at all. Moves it to the CPU."""
    with atomic(path) as aside:
        _write_onnx(model, aside)


def _write_onnx(model: ReidModel, path: Path) -> None:
    height, width = model.config.image_size
    # Two images: with one, the tracer takes the batch for a constant.
    example = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every size that it fixes; the image's size is meant to be fixed.
        warnings.simplefilter("ignore")
        # The tracing exporter: the newer one needs a further package.
        torch.onnx.export(
            DeployedModel(model.cpu().eval()),
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
