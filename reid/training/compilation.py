"""`torch.compile` as a switch that fails before the first step, in one line, or not at all."""

from __future__ import annotations

import torch
from torch import nn

from common.errors import InputError


def compile_modules(*modules: nn.Module, device: torch.device) -> None:
    """Compile modules in place; their tensors keep their names, so that checkpoints do not change.

    A function of one addition is compiled first, at once: the modules themselves are compiled when they first run, for
    each size of image, which takes minutes.

    Raises:
        InputError: torch cannot compile here, for example without a C++ compiler.
    """
    try:
        torch.compile(lambda x: x + 1.0)(torch.zeros(2, device=device))
    except RuntimeError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(
            f"run.compile: torch cannot compile here ({reason:.120}); install a C++ compiler (g++) or set it to false"
        ) from error
    for module in modules:
        module.compile()
