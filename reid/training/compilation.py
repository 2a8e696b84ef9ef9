"""`torch.compile` that reports a missing compiler before the first step."""

from __future__ import annotations

import torch
from torch import nn

from common.errors import InputError


def compile_modules(*modules: nn.Module, device: torch.device) -> None:
    """Compile modules in place; tensor names, and thus checkpoints, stay the same.

    A trivial function is compiled first as a test: the modules themselves are compiled on their first run, for each
    image size, which takes minutes.

    Raises:
        InputError: torch cannot compile on this machine, for example because there is no C++ compiler.
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
