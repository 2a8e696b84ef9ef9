"""Choice of the arithmetic of a training run."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from common.devices import fastest_cpu_precision


def training_precision(
    wanted: Literal["auto", "float32", "bfloat16"], model: nn.Module, device: torch.device
) -> Literal["float32", "bfloat16"]:
    """Resolve `auto` to the faster arithmetic for a network on a device.

    On a GPU that is bfloat16. On the CPU it is bfloat16 only where the processor computes in it and the network has no
    depthwise or grouped convolutions, whose bfloat16 kernels are about 12 times slower than those of float32; without
    native support every network is about 10 times slower in bfloat16.

    Args:
        wanted: the setting `run.precision`; a fixed precision is returned as it is.
        model: the network to train.
        device: device to train on.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    grouped = any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in model.modules())
    return "bfloat16" if fastest_cpu_precision() == "bfloat16" and not grouped else "float32"
