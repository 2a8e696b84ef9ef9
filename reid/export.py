"""Export a checkpoint for other runtimes: `python -m reid.export --weights FILE --format onnx|openvino`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from common.command_line import run_command
from common.errors import InputError
from reid.backends import OpenVinoBackend
from reid.checkpoint import load_model
from reid.deploy import DeployedModel, save_onnx, save_openvino, to_openvino
from reid.extractor import find_weights
from reid.interface import INPUT
from reid.models import ReidModel

FORMATS = {"onnx": ".onnx", "openvino": ".xml"}
PARITY = 0.9999
"""Minimum cosine similarity between the vectors of the exported network and PyTorch's, both in float32."""


def export_model(model: ReidModel, path: Path, format_name: str) -> float:
    """Export a network, including normalisation and L2 norm, and compare it with PyTorch.

    The file has one input `images`, (n, 3, h, w) uint8 RGB, any n, and one output `embedding`, (n, d) float32.

    Args:
        model: the network; it is moved to the CPU.
        path: output file (.onnx, or .xml with its .bin next to it).
        format_name: `onnx` or `openvino`.

    Returns:
        The minimum cosine similarity over the test images, at least `PARITY`.

    Raises:
        InputError: unknown format, or the exported network gives different vectors; the file is then removed.
    """
    if format_name not in FORMATS:
        raise InputError(f"format {format_name!r} is unknown; there are {', '.join(FORMATS)}")
    if format_name == "onnx":
        save_onnx(model, path)
    else:
        save_openvino(to_openvino(model), path)
    cosine = _min_cosine(model, path, format_name)
    if not cosine >= PARITY:
        path.unlink()
        path.with_suffix(".bin").unlink(missing_ok=True)
        raise InputError(
            f"{path}: the exported network gives different vectors (cosine {cosine:.6f} < {PARITY}); file removed"
        )
    return cosine


def _min_cosine(model: ReidModel, path: Path, format_name: str) -> float:
    """Compare on noise, a ramp, black and white, in batches of one and of several."""
    height, width = model.config.image_size
    noise = np.random.default_rng(0).integers(0, 256, (4, 3, height, width), np.uint8)
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (1, 3, height, width))
    flat = np.stack([np.full((3, height, width), value, np.uint8) for value in (0, 255)])
    images = np.concatenate([noise, ramp, flat])
    with torch.inference_mode():
        expected = DeployedModel(model.cpu().eval())(torch.from_numpy(images)).numpy()
    found = np.concatenate([_run(path, format_name, images[:1]), _run(path, format_name, images[1:])])
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    cosines: npt.NDArray[np.float64] = (expected.astype(np.float64) * found).sum(axis=1) / np.maximum(lengths, 1e-12)
    return float(cosines.min())


def _run(path: Path, format_name: str, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    if format_name == "openvino":
        return OpenVinoBackend(path, "float32").infer(images)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result: npt.NDArray[np.float32] = session.run(None, {INPUT: images})[0]
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reid.export", description=__doc__)
    parser.add_argument("--weights", required=True, help="a checkpoint (.safetensors) or a name in weights/")
    parser.add_argument("--format", required=True, choices=sorted(FORMATS))
    parser.add_argument(
        "--output", type=Path, help="default: the checkpoint's name with the format's suffix, in the current folder"
    )
    arguments = parser.parse_args(argv)
    weights = find_weights(arguments.weights)
    output = arguments.output or Path(weights.with_suffix(FORMATS[arguments.format]).name)
    if output.suffix != FORMATS[arguments.format]:
        raise InputError(f"--output {output}: the file name must end in {FORMATS[arguments.format]}")
    model, config = load_model(weights)
    cosine = export_model(model, output, arguments.format)
    height, width = config.image_size
    if model.takes_labels:
        sys.stderr.write(
            "note: the export takes images alone and contains the mean embedding of camera and viewpoint\n"
        )
    parts = " and visibility (n, 4) float32" if model.distance == "common_visible" else ""
    sys.stdout.write(
        f"{output}: images (n, 3, {height}, {width}) uint8 RGB to embedding (n, {model.dims}) float32{parts}; "
        f"minimum cosine to PyTorch {cosine:.7f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
