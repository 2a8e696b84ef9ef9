"""The settings that decide what is seen in a camera's video."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from common.settings import Settings
from detection.settings import DetectionSettings
from mtmc.crops.settings import CropSettings
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.settings import TrackingSettings


class PluginOptions(Settings):
    """Keyword arguments for what is chosen by name instead of the built-in: `--set options.tracker.frame_rate=25`."""

    detector: dict[str, Any] = Field({}, description="of `--detector package.module:Class`")
    tracker: dict[str, Any] = Field({}, description="of `--tracker NAME` other than the built-in one")
    extractor: dict[str, Any] = Field({}, description="of every `--reid package.module:Class`")
    association: dict[str, Any] = Field({}, description="of `--association package.module:Class`")


class ObserveSettings(Settings):
    """The part of a run's settings that the observation of a camera reads: later stages' settings do not repeat it."""

    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    repair: RepairSettings = RepairSettings()
    crops: CropSettings = CropSettings()
    options: PluginOptions = PluginOptions()
