"""Weights on disk: safetensors with their description inside, and the same description as JSON beside them.

The description travels in the file's header, so that weights and description cannot come apart when a process is
killed between two writes; the JSON is for people. Loading runs no code from either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from common.errors import InputError, path_not_found
from common.files import write_bytes, write_text
from common.settings import validate
from common.versions import versions
from reid.models import ReidModel
from reid.settings import ModelConfig

FORMAT = "reid-model-1"
PACKAGES = ("mtmc", "torch", "timm", "numpy", "cv2", "pillow")
"""Distributions, or modules of them, that decide what a training gives."""
_HEADER = "description"


def save_model(
    path: Path, model: ReidModel, description: Mapping[str, Any], storage: Literal["float32", "float16"] = "float32"
) -> None:
    """Store a network with all that is needed to build it again.

    Args:
        path: `<name>.safetensors`; `<name>.json` is written beside it. Both appear only when complete.
        model: its tensors and configuration are stored.
        description: further entries of the JSON (data, seed, steps, metrics ...).
        storage: `float16` halves the file: convolutions and matrices are rounded, vectors (norms, shifts) stay float32.
    """
    tensors = {
        name: value.half() if storage == "float16" and value.is_floating_point() and value.ndim > 1 else value
        for name, value in model.state_dict().items()
    }
    content = {"format": FORMAT, "model": model.config.model_dump(mode="json"), "dims": model.dims, **description}
    write_tensors(path, tensors, {**content, "storage": storage, "versions": versions(PACKAGES)})


def load_model(path: str | Path, device: str | torch.device = "cpu") -> tuple[ReidModel, ModelConfig]:
    """Build the stored network and fill it, float32, in evaluation mode.

    Raises:
        InputError: no such file, a damaged one, or one whose tensors are not those of the network that its description
            names; the line names the tensors.
    """
    path = Path(path)
    tensors, description = read_tensors(path)
    if description.get("format") != FORMAT or not isinstance(description.get("model"), dict):
        raise InputError(f"{path}: no re-id model (format {description.get('format')!r}, expected {FORMAT!r})")
    config = validate(ModelConfig, description["model"], f"{path}: model")
    model = ReidModel(config)
    require_same_tensors(model.state_dict(), tensors, path)
    model.load_state_dict(tensors)
    return model.to(device).eval(), config


def require_same_tensors(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], path: Path) -> None:
    """Refuse tensors that a network cannot take.

    Raises:
        InputError: tensors are missing, left over or of another shape; the line says how many and names the first.
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
        for what, names in (("missing", missing), ("left over", left_over), ("of another shape", reshaped))
        if names
    ]
    if problems:
        raise InputError(f"{path}: the tensors are those of another network: {'; '.join(problems)}")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], description: Mapping[str, Any]) -> None:
    """Store tensors and a JSON description, aside first, then renamed into place."""
    text = json.dumps(description, indent=2, sort_keys=True)
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_bytes(path, safetensors.torch.save(stored, metadata={_HEADER: text}))
    write_text(path.with_suffix(".json"), text + "\n")


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and description of a file that `write_tensors` made.

    Raises:
        InputError: no such file, a damaged one, or one without a description.
    """
    if not path.is_file():
        raise path_not_found(path, "weights file")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: damaged, or no checkpoint (.safetensors, of reid.train): {reason:.120}") from error
    try:
        description = json.loads(header[_HEADER])
    except (KeyError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: weights without a description; they were not stored by this project") from error
    if not isinstance(description, dict):
        raise InputError(f"{path}: its description is no mapping")
    return tensors, description
