"""A camera to observe: what is sent to a worker. Imports nothing that only the work itself needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cache import Cache
from mtmc.observation.settings import ObserveSettings
from mtmc.scenarios.scenario import Camera
from mtmc.tracking.choice import DEFAULT_TRACKER

if TYPE_CHECKING:
    from detection.loading import PreparedDetector


@dataclass(frozen=True, slots=True)
class DetectorChoice:
    """Which detector a worker loads.

    Attributes:
        name: a name or file for `detection.loading.load_detector`.
        options: its keyword arguments.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def load(self, threads: int) -> PreparedDetector:
        """Load it for a process that may use `threads` threads; 0: all."""
        from detection.loading import load_detector

        return load_detector(self.name, threads=threads, **self.options)


@dataclass(frozen=True, slots=True)
class ObserveJob:
    """A worker's task: one camera.

    Attributes:
        camera: the clip.
        key: the key of the result in the cache.
        cache: where results are kept.
        settings: of all stages.
        detect_key: the key of the detector's boxes in the cache.
        detector: what finds the boxes; None if they are given.
        detections: a file of given detections.
        tracks: a file of given tracks.
        tracker: its name, see `mtmc.tracking.choice`.
        threads: for the detector and the decoder.
    """

    camera: Camera
    key: str
    cache: Cache
    settings: ObserveSettings
    detect_key: str = ""
    detector: DetectorChoice | None = None
    detections: Path | None = None
    tracks: Path | None = None
    tracker: str = DEFAULT_TRACKER
    threads: int = 1
