"""The weights of an exported detector, put back into a network that can be trained on.

An export holds every convolution with its batch norm folded in. To train on, each convolution gets a batch norm again
that changes nothing: its statistics are those of the pictures that the training will see, and its scale and shift are
chosen such that it returns what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from common.errors import InputError

_CLASS_LAYER = re.compile(r"\.cv3\.\d+\.2\.")
"""The last layer of the branch that tells classes, of each scale."""


def restore(network: nn.Module, export: Path, pictures: Sequence[npt.NDArray[np.uint8]]) -> None:
    """Fill a network with the weights of its export, batch norms included.

    Classes that the network has beyond those of the export start as copies of its last class.

    Args:
        network: a freshly built YOLO11 of the package ultralytics, of the width and depth of the export.
        export: `.onnx` file that `detection.train` wrote.
        pictures: (height, width, 3) uint8 RGB, at least one, sides multiples of 32, all of one size.

    Raises:
        InputError: the file cannot be read or its weights do not fit the network.
    """
    weights = _weights(export)
    blocks = {name: block for name, block in network.named_modules() if _is_block(block)}
    with torch.no_grad():
        for name, values in network.named_parameters():
            owner = name.rsplit(".", 2)[0]
            if owner in blocks and ".bn." in f".{name}":
                continue
            given = weights.get(name)
            if given is not None and _CLASS_LAYER.search(name) and len(given) < len(values):
                given = torch.cat([given, *[given[-1:]] * (len(values) - len(given))])
            if given is None or given.shape != values.shape:
                raise InputError(
                    f"--start {export}: its layer {name} does not fit; give the --width and --depth that it was "
                    "trained with, and data with at least as many classes"
                )
            values.copy_(given)
        for name, block in blocks.items():
            _pass_through(block.bn, weights[f"{name}.conv.bias"])
        _calibrate(network, list(blocks.values()), pictures)


def _weights(export: Path) -> dict[str, torch.Tensor]:
    try:
        graph = onnx.load(str(export)).graph
    except Exception as error:
        raise InputError(f"--start {export}: not a readable ONNX file") from error
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    weights: dict[str, torch.Tensor] = {}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]  # equal tensors are stored once
        elif node.op_type == "Conv":
            layer = _layer(node.name)
            kinds = ("weight", "bias")
            weights |= {f"{layer}.{kind}": values[name] for kind, name in zip(kinds, node.input[1:], strict=False)}
    return weights


def _layer(node: str) -> str:
    """`model.23.cv2.0.2` of `/model.23/cv2.0/cv2.0.2/Conv`."""
    parts: list[str] = []
    for part in node.split("/")[1:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)


def _is_block(module: nn.Module) -> bool:
    return isinstance(getattr(module, "conv", None), nn.Conv2d) and isinstance(
        getattr(module, "bn", None), nn.BatchNorm2d
    )


def _pass_through(norm: Any, bias: torch.Tensor) -> None:
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0)
    norm.weight.fill_(float(np.sqrt(1.0 + norm.eps)))
    norm.bias.copy_(bias)


def _calibrate(network: nn.Module, blocks: list[Any], pictures: Sequence[npt.NDArray[np.uint8]]) -> None:
    """Give each batch norm the statistics of the pictures, and the scale and shift that undo them."""
    seen: dict[int, list[torch.Tensor]] = {}

    def note(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        values = inputs[0].transpose(0, 1).flatten(1)
        seen.setdefault(id(norm), []).append(torch.stack([values.mean(1), values.square().mean(1)]))

    hooks = [block.bn.register_forward_pre_hook(note) for block in blocks]
    training = network.training
    network.eval()
    for picture in pictures:
        network(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255)
    network.train(training)
    for hook in hooks:
        hook.remove()
    for norm in (block.bn for block in blocks):
        mean, square = torch.stack(seen[id(norm)]).mean(0)
        variance = (square - mean.square()).clamp_min(0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
