"""Checkpoints: a network's tensors with everything needed to rebuild it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from common.errors import InputError
from common.settings import validate
from common.versions import versions
from reid.models import ReidModel
from reid.settings import ModelConfig
from reid.tensor_files import read_tensors, require_same_tensors, write_tensors

FORMAT = "reid-model-1"
PACKAGES = ("mtmc", "torch", "timm", "numpy", "cv2", "pillow")
"""Distributions, or modules of them, that decide what a training gives."""


def save_model(
    path: Path, model: ReidModel, description: Mapping[str, Any], storage: Literal["float32", "float16"] = "float32"
) -> None:
    """Save a network together with everything needed to rebuild it.

    Args:
        path: `<name>.safetensors`; `<name>.json` is written next to it. Both are written atomically.
        model: its tensors and configuration are stored.
        description: additional entries of the JSON (data, seed, steps, metrics, ...).
        storage: `float16` halves the file: matrices and convolutions are rounded, vectors (norms, biases) stay float32.
    """
    tensors = {
        name: value.half() if storage == "float16" and value.is_floating_point() and value.ndim > 1 else value
        for name, value in model.state_dict().items()
    }
    content = {"format": FORMAT, "model": model.config.model_dump(mode="json"), "dims": model.dims, **description}
    write_tensors(path, tensors, {**content, "storage": storage, "versions": versions(PACKAGES)})


def load_model(path: str | Path, device: str | torch.device = "cpu") -> tuple[ReidModel, ModelConfig]:
    """Rebuild a saved network with its weights, in float32 and evaluation mode.

    Raises:
        InputError: the file is missing or damaged, or its tensors do not match the network that its description names;
            the message names the tensors.
    """
    path = Path(path)
    tensors, description = read_tensors(path)
    if description.get("format") != FORMAT or not isinstance(description.get("model"), dict):
        raise InputError(f"{path}: not a re-id model (format {description.get('format')!r}, expected {FORMAT!r})")
    config = validate(ModelConfig, description["model"], f"{path}: model")
    model = ReidModel(config)
    require_same_tensors(model.state_dict(), tensors, path)
    model.load_state_dict(tensors)
    return model.to(device).eval(), config
