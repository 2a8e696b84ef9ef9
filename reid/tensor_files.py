"""Files of named tensors: safetensors with a JSON description in the header, and the same JSON next to the file.

The description is stored in the header so that weights and description cannot get out of sync when a process is
killed between two writes; the JSON is for humans. Loading executes no code from either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from common.errors import InputError, path_not_found
from common.files import write_bytes, write_text

if TYPE_CHECKING:
    import torch

_HEADER = "description"


def require_same_tensors(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], path: Path) -> None:
    """Check that tensors match those of a network by name and shape.

    Raises:
        InputError: tensors are missing, unexpected or of a different shape; the message counts them and names the
            first.
    """
    missing = [name for name in expected if name not in found]
    left_over = [name for name in found if name not in expected]
    reshaped = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in found and found[name].shape != value.shape
    ]
    problems = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in (("missing", missing), ("unexpected", left_over), ("of a different shape", reshaped))
        if names
    ]
    if problems:
        raise InputError(f"{path}: the tensors belong to a different network: {'; '.join(problems)}")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> None:
    """Write tensors and a JSON description atomically."""
    import safetensors.torch  # not above: `is_own_checkpoint` needs no torch

    text = json.dumps(description, indent=2, sort_keys=True)
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(path, safetensors.torch.save(stored, metadata={_HEADER: text}))
    write_text(path.with_suffix(".json"), text + "\n")


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read tensors and description from a file written by `write_tensors`.

    Raises:
        InputError: the file is missing, damaged or has no description.
    """
    if not path.is_file():
        raise path_not_found(path, "weights file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged, or not a checkpoint (.safetensors) of reid.train: {reason:.120}") from error
    try:
        description = json.loads(header[_HEADER])
    except (KeyError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: the weights have no description; they were not saved by this project") from error
    if not isinstance(description, dict):
        raise InputError(f"{path}: its description is not a mapping")
    return tensors, description


def is_own_checkpoint(path: Path) -> bool:
    """Whether a .safetensors file was written by this project, or is too damaged to tell."""
    try:
        with safe_open(path, framework="numpy") as file:
            return _HEADER in (file.metadata() or {})
    except (SafetensorError, OSError, RuntimeError, ValueError):
        return True
