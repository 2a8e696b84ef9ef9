"""What the process of a camera tells the association: boxes, features, tracks that ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt

from common.table import Table, Width
from mtmc.appearance.features import TrackFeatures
from mtmc.crops.table import Crops
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class LiveRows(Table):
    """Boxes of one camera's tracks, each with its time.

    Attributes:
        track: (n,) int32, unique in the camera over all its sessions.
        frame: (n,) int32, the frame's number, counted over all sessions.
        seconds: (n,) float64, on the time axis that all cameras share.
        box: (n, 4) float32, left, top, width, height in pixels.
        score: (n,) float32, confidence in [0, 1]; 0 where the box was interpolated.
        label: (n,) int16, the COCO class id, -1 where unknown.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    seconds: npt.NDArray[np.float64]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]

    @classmethod
    def of_tracks(cls, tracks: Tracks, seconds: npt.ArrayLike) -> LiveRows:
        """Tracks with the time of each row."""
        return cls._of(tracks.track, tracks.frame, seconds, tracks.box, tracks.score, tracks.label)

    def tracks(self) -> Tracks:
        """The rows without their times, by (track, frame)."""
        return Tracks(self.track, self.frame, self.box, self.score, self.label).sorted()

    def clock(self) -> Clock:
        """The clock through the times of these frames; of any rate where there is only one."""
        frames, first = np.unique(self.frame, return_index=True)
        seconds = self.seconds[first]
        rising = np.diff(np.maximum.accumulate(seconds), prepend=-np.inf) > 0
        frames, seconds = frames[rising], seconds[rising]
        if len(frames) < 2:
            frame, second = (int(frames[0]), float(seconds[0])) if len(frames) else (1, 0.0)
            return Clock.of_knots([frame, frame + 1], [second, second + 0.1])
        return Clock.of_knots(frames, seconds)


@dataclass(frozen=True, slots=True)
class ClosedTrack:
    """A track that has ended.

    Attributes:
        number: of the track.
        rows: its boxes after repair; none if the track was dropped (too short, too small, a part of another vehicle).
        crops: its best crops, with JPEG pictures.
        vector: (d,) float32 its feature, None without crops.
        weight: of the feature.
        why: left, lost sight (the camera fell silent), or stopped.
    """

    number: int
    rows: LiveRows
    crops: Crops
    vector: npt.NDArray[np.float32] | None
    weight: float
    why: str = "left"


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What happened in one camera since its last report.

    Attributes:
        camera: its name.
        session: of the stream, see `LiveFrame`.
        state: connecting, running, waiting or ended.
        detail: why it waits.
        clock: where times come from: stream, arrival or file.
        seconds: everything up to here has been told; minus infinity before the first frame.
        frame: number of the latest frame.
        width, height: pixels; 0 before the first frame.
        rows: new boxes of tracks that are open, or were before they ended.
        features: of open tracks with enough crops, where they are new.
        closed: tracks that ended.
        read, dropped, skipped, seen: frames since the process began: that came, that were lost because the machine was
            slow, that were left out to keep the frame rate, that were looked at.
        busy: seconds of work on frames since the process began.
        still: seconds since the reading thread last made progress.
        lag: what was learned of the camera's clock, see `mtmc.online.stream_clock`; None where it tells no time.
    """

    camera: str
    session: int
    state: str
    detail: str
    clock: str
    seconds: float
    frame: int
    width: int
    height: int
    rows: LiveRows = field(default_factory=LiveRows.empty)
    features: TrackFeatures = field(default_factory=TrackFeatures.empty)
    closed: tuple[ClosedTrack, ...] = ()
    read: int = 0
    dropped: int = 0
    skipped: int = 0
    seen: int = 0
    busy: float = 0.0
    still: float = 0.0
    lag: float | None = None
