"""The deployed network: uint8 images in, unit vectors out, in PyTorch, ONNX or OpenVINO.

Normalisation of the input and L2 normalisation of the output are part of the graph, so that every user of a file
applies the same ones. Each format has one input `images`, (n, 3, h, w) uint8 RGB with any n, and one output
`embedding`, (n, d) float32, whose rows have unit length. Networks with parts (PVEN) have a second output `visibility`,
(n, 4): the visible share of each part.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from torch import nn
from torch.nn import functional as F

from common.devices import openvino_core
from common.files import atomic
from reid.branches import ImageLabels
from reid.interface import INPUT, OUTPUT, VISIBILITY
from reid.models import ReidModel, normalise
from reid.parts.distance import part_visibility

_OPSET = 17


class DeployedModel(nn.Module):
    """Map (n, 3, h, w) uint8 RGB images to (n, d) float32 unit vectors (a zero vector stays zero).

    Exported networks take images alone: of one that uses cameras and viewpoints, they contain the mean embedding.
    """

    def __init__(self, model: ReidModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        return F.normalize(self.model.embed(normalise(images, self.model.config), labels).float(), dim=1)


class DeployedParts(nn.Module):
    """Map images to unit vectors, as `DeployedModel`, and to the visible share (n, 4) of each part."""

    def __init__(self, model: ReidModel) -> None:
        super().__init__()
        self.deployed = DeployedModel(model)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        vectors = self.deployed(images)
        return vectors, part_visibility(vectors[:, self.deployed.model.branches[0].dims :])


def to_openvino(model: ReidModel) -> Any:
    """Convert to an `openvino.Model` with dynamic batch. Moves `model` to the CPU and puts it into evaluation mode."""
    # Via ONNX, which takes a tenth of the time of OpenVINO's own PyTorch frontend.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _write_onnx(model, path)
        return openvino_core().read_model(path.read_bytes())


def save_openvino(model: Any, path: Path) -> None:
    """Write an `openvino.Model` as `path` (.xml) with its weights (.bin) next to it, in float32, atomically.

    The .bin is put in place before the .xml, because readers open the .xml.
    """
    with atomic(path) as aside:
        ov.save_model(model, str(aside), compress_to_fp16=False)
        aside.with_suffix(".bin").replace(path.with_suffix(".bin"))


def save_onnx(model: ReidModel, path: Path) -> None:
    """Write the deployed network as ONNX, opset 17, dynamic batch, atomically. Moves `model` to the CPU."""
    with atomic(path) as aside:
        _write_onnx(model, aside)


def _write_onnx(model: ReidModel, path: Path) -> None:
    height, width = model.config.image_size
    parts = model.distance == "common_visible"
    outputs = [OUTPUT, VISIBILITY] if parts else [OUTPUT]
    # Two images: with one, the tracer treats the batch size as a constant.
    example = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns about every size that it fixes; the image size is meant to be fixed.
        warnings.simplefilter("ignore")
        # The tracing exporter: the newer one needs an extra package.
        torch.onnx.export(
            (DeployedParts if parts else DeployedModel)(model.cpu().eval()),
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in (INPUT, *outputs)},
            opset_version=_OPSET,
            dynamo=False,
        )
