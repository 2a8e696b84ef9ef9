"""Training state: everything needed to resume a run exactly where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.errors import InputError
from common.versions import versions
from reid.checkpoint import PACKAGES
from reid.tensor_files import read_tensors, require_same_tensors, write_tensors

FORMAT = "reid-training-1"


def save_state(
    path: Path,
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    step: int,
    settings: dict[str, Any],
) -> None:
    """Save modules (parameters and buffers), optimiser state, random states and the step.

    Batches need no state: batch i is a function of the seed and i.

    Args:
        path: a .safetensors file.
        modules: modules by name.
        optimiser: optimiser of their parameters.
        step: number of completed steps.
        settings: settings of the run; it can only be resumed with the same ones.
    """
    tensors = {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}
    state = optimiser.state_dict()["state"]
    for index, values in state.items():
        tensors |= {f"optimiser/{index}/{key}": torch.as_tensor(value) for key, value in values.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    write_tensors(path, tensors, {"format": FORMAT, "step": step, "settings": settings, "versions": versions(PACKAGES)})


def load_state(
    path: Path,
    modules: dict[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    settings: dict[str, Any],
    defaults: Mapping[str, Any] | None = None,
) -> int:
    """Restore what `save_state` saved.

    Args:
        path: the file.
        modules: as for `save_state`.
        optimiser: as for `save_state`.
        settings: of this run.
        defaults: of settings that the file may lack because they are newer than it.

    Returns:
        Number of completed steps.

    Raises:
        InputError: the file is damaged, its tensors belong to different networks, or the settings differ from those of
            the stopped run (the message names the first difference).
    """
    tensors, description = read_tensors(path)
    if description.get("format") != FORMAT:
        raise InputError(f"{path}: not a training state (format {description.get('format')!r}, expected {FORMAT!r})")
    difference = _first_difference(description["settings"], settings, defaults or {})
    if difference:
        raise InputError(
            f"{path}: was written with different settings: {difference}; use the same ones, or change run.output"
        )
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        part, _, key = name.partition("/")
        parts.setdefault(part, {})[key] = value
    for name, module in modules.items():
        stored = parts.get(name, {})
        require_same_tensors(module.state_dict(), stored, path)
        module.load_state_dict(stored)
    _load_optimiser(optimiser, parts.get("optimiser", {}))
    torch.set_rng_state(parts["random"]["cpu"])
    if "cuda" in parts["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(parts["random"]["cuda"])
    return int(description["step"])


def _load_optimiser(optimiser: torch.optim.Optimizer, stored: dict[str, torch.Tensor]) -> None:
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for name, value in stored.items():
        index, _, key = name.partition("/")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # In the parameter's memory layout, as fused optimisers require.
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        optimiser.state[parameter][key] = value


def _first_difference(
    stored: Mapping[str, Any], given: Mapping[str, Any], defaults: Mapping[str, Any], path: str = ""
) -> str:
    for key in sorted(stored.keys() | given.keys()):
        default = defaults.get(key)
        old, new = stored.get(key, default), given.get(key)
        here = f"{path}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found = _first_difference(old, new, default if isinstance(default, dict) else {}, f"{here}.")
            if found:
                return found
        elif old != new:
            return f"{here} was {old!r}, now {new!r}"
    return ""
