"""The settings that decide what is seen in a camera's video."""

from __future__ import annotations

from common.settings import Settings
from detection.settings import DetectionSettings
from mtmc.crops import CropSettings
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.settings import TrackingSettings


class ObserveSettings(Settings):
    """The part of a run's settings that the observation of a camera reads: later stages' settings do not repeat it."""

    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    repair: RepairSettings = RepairSettings()
    crops: CropSettings = CropSettings()
