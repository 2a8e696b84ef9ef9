"""What the sliding window knows of each track: its boxes, thinned out, and its feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtmc.appearance.features import TrackFeatures
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, GroundMap
from mtmc.scenarios.clock import Clock
from mtmc.tracking.parked import parked
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class TimedBoxes:
    """Boxes of one camera's tracks with their times.

    Attributes:
        tracks: the boxes; frame numbers are not used.
        seconds: (n,) float64, when each was seen, on the time axis that all cameras share.
    """

    tracks: Tracks
    seconds: npt.NDArray[np.float64]

    @classmethod
    def empty(cls) -> TimedBoxes:
        """No boxes."""
        return cls(Tracks.empty(), np.zeros(0))

    @classmethod
    def concatenate(cls, parts: Sequence[TimedBoxes]) -> TimedBoxes:
        """All boxes, in their order."""
        seconds = np.concatenate([np.zeros(0), *(part.seconds for part in parts)])
        return cls(Tracks.concatenate([part.tracks for part in parts]), seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> TimedBoxes:
        return TimedBoxes(self.tracks[rows], self.seconds[rows])


@dataclass(frozen=True, slots=True)
class ClosedTrack:
    """A track that has ended.

    Attributes:
        track: its number.
        boxes: all of its boxes after repair, which replace those that were told before; without a row the track turned
            out to be no vehicle. None: those that were told before stand.
        reason: why it ended: "left", "lost sight".
    """

    track: int
    boxes: TimedBoxes | None = None
    reason: str = "left"


@dataclass(frozen=True, slots=True)
class CameraNews:
    """What happened in one camera since the last update.

    Attributes:
        camera: its name.
        width, height: size of its picture in pixels.
        boxes: new boxes of its tracks; a track begins with its first one.
        features: of tracks that have good crops by now (three, say), where they are new or have changed.
        closed: tracks that have ended.
    """

    camera: str
    width: int
    height: int
    boxes: TimedBoxes = field(default_factory=TimedBoxes.empty)
    features: TrackFeatures = field(default_factory=TrackFeatures.empty)
    closed: Sequence[ClosedTrack] = ()


@dataclass(slots=True)
class WindowTrack:
    """A track that is open, or whose partner may still come.

    Attributes:
        camera, number: which.
        boxes: sorted by time.
        vector: (d,) float32, None without a feature.
        weight: of the feature.
        identity: 0 before it is assigned.
        closed, final: whether it has ended, and whether its identity no longer changes.
        sure: probability that its identity is one vehicle.
    """

    camera: str
    number: int
    boxes: TimedBoxes
    vector: npt.NDArray[np.float32] | None = None
    weight: float = 0.0
    identity: int = 0
    closed: bool = False
    final: bool = False
    sure: float = 1.0

    @property
    def key(self) -> tuple[str, int]:
        """Camera and number."""
        return self.camera, self.number

    @property
    def start(self) -> float:
        """Second of the first box."""
        return float(self.boxes.seconds[0])

    @property
    def end(self) -> float:
        """Second of the latest box."""
        return float(self.boxes.seconds[-1])

    def add(self, boxes: TimedBoxes, limit: int) -> None:
        """Take more boxes; above `limit`, every second one in the middle is dropped."""
        every = TimedBoxes.concatenate([self.boxes, boxes])
        every = every[np.argsort(every.seconds, kind="stable")]
        while len(every) > limit:
            kept = np.ones(len(every), np.bool_)
            kept[len(every) // 8 : -(len(every) // 8) : 2] = False
            every = every[kept]
        self.boxes = every


@dataclass(frozen=True, slots=True)
class Picture:
    """What is fixed about a camera: the size of its picture in pixels, and its calibration, if there is one."""

    width: int
    height: int
    ground: GroundMap | None = None


def camera_tracks(
    tracks: Sequence[WindowTrack],
    cameras: Mapping[str, Picture],
    now: float,
    *,
    association: AssociationSettings,
    repair: RepairSettings,
) -> list[CameraTracks]:
    """The tracks as association takes them, camera by camera; within a camera by track number.

    The recording is taken to begin with the first of all these boxes and to end now: what was before is forgotten.

    Args:
        tracks: any.
        cameras: all cameras, in the order of the result.
        now: the present second.
        association, repair: which spans are reliable, and which tracks are parked.
    """
    first = min((track.start for track in tracks), default=now - 1.0)
    made = []
    for name, picture in cameras.items():
        mine = sorted((track for track in tracks if track.camera == name), key=lambda track: track.number)
        boxes = TimedBoxes.concatenate([track.boxes for track in mine])
        times = np.unique(np.concatenate([[first], boxes.seconds, [max(now, first + 1e-3)]]))
        clock = Clock.of_knots(np.arange(1, len(times) + 1), times)
        frame = np.searchsorted(times, boxes.seconds) + 1
        table = Tracks.of(boxes.tracks.track, frame, boxes.tracks.box, boxes.tracks.score, boxes.tracks.label).sorted()
        known = [track for track in mine if track.vector is not None]
        features = None
        if known:
            features = TrackFeatures(
                np.array([track.number for track in known], np.int32),
                np.stack([track.vector for track in known if track.vector is not None]).astype(np.float32),
                np.array([track.weight for track in known], np.float32),
            )
        made.append(
            CameraTracks(
                name,
                reliable_span(table, clock) if association.reliable_spans else table,
                clock,
                picture.width,
                picture.height,
                last_frame=len(times),
                ground=picture.ground,
                features=features,
                parked=parked(table, clock, repair),
            )
        )
    return made
