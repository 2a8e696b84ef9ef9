"""The settings of a run, grouped by stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from common.settings import Settings, apply_overrides, read_yaml, validate
from mtmc.appearance.embedding import EmbeddingSettings
from mtmc.association.settings import AssociationSettings
from mtmc.crops import CropSettings
from mtmc.tracking.repair import RepairSettings
from mtmc.tracking.settings import TrackingSettings


class DetectionSettings(Settings):
    """Pixels to boxes."""

    score: float = Field(
        0.1, ge=0, le=1, description="least confidence of a box; raising it loses faint vehicles and false boxes alike"
    )
    image_size: int = Field(
        640, ge=64, description="longer side of the detector's input; raising it finds smaller vehicles, more slowly"
    )
    precision: Literal["auto", "float32", "bf16", "int8"] = Field(
        "auto", description="arithmetic of the network on the CPU; auto: bf16 where the CPU has it, else float32"
    )


class PipelineSettings(Settings):
    """Everything that can be set in `--config FILE` and by `--set key=value`."""

    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    repair: RepairSettings = RepairSettings()
    crops: CropSettings = CropSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    association: AssociationSettings = AssociationSettings()


def load_config(path: Path | None, overrides: Iterable[str]) -> PipelineSettings:
    """The settings of a YAML file with overrides on top; both may be absent.

    Raises:
        InputError: a key or value is wrong; the message names it, what is allowed, and the closest key.
    """
    content = apply_overrides(read_yaml(path) if path is not None else {}, overrides)
    return validate(PipelineSettings, content, str(path) if path is not None else "--set")


def make_settings(content: PipelineSettings | Mapping[str, Any]) -> PipelineSettings:
    """Settings from a mapping of those that differ from their defaults, nested or with dotted keys.

    Raises:
        InputError: a key or value is wrong; the message names it, what is allowed, and the closest key.

    >>> make_settings({"association.threshold": 0.4}) == make_settings({"association": {"threshold": 0.4}})
    True
    """
    if isinstance(content, PipelineSettings):
        return content
    nested: dict[str, Any] = {}
    for key, value in content.items():
        *parents, last = key.split(".")
        branch = nested
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = {**branch.get(last, {}), **value} if isinstance(value, Mapping) else value
    return validate(PipelineSettings, nested, "settings")
