"""One camera while it runs: frames in; boxes of tracks, features and ended tracks out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from detection.loading import PreparedDetector
from mtmc.appearance.embedding import CropExtractor, embed_crops
from mtmc.appearance.features import TrackFeatures
from mtmc.config import PipelineSettings
from mtmc.crops.selector import CropSelector
from mtmc.crops.table import Crops
from mtmc.online.frames import LiveFrame
from mtmc.online.messages import ClosedTrack, LiveRows
from mtmc.online.settling import settle
from mtmc.scenarios.clock import Clock
from mtmc.tracking.choice import DEFAULT_TRACKER, make_tracker
from mtmc.tracking.tracks import Tracks

CROPS_TO_EMBED = (3, 8)
"""Numbers of crops of an open track at which its feature is computed; once more when it ends. Raising the first makes
the first answer later and better; more of them cost computing time."""
PACKAGE_CLOSE_SECONDS = 3.0
"""Seconds without a box after which a track of a tracker other than ours has ended. Raising it waits longer for tracks
that come back. Their usual buffer is 30 frames."""
MAX_TRACK_SECONDS = 300.0
"""Seconds after which a track that is still open is cut, so that memory stays bounded while a vehicle is parked in
sight. Raising it costs memory. Traffic lights take two minutes at most."""
_REMEMBERED_FRAMES = 512
"""Frames whose times are kept for boxes that a tracker returns late. Raising it costs memory. Ours returns boxes of up
to 30 frames late, by `tracking.confirm_hits`."""
_REMEMBERED_VECTORS = 2048
"""Vectors that are kept so that a crop is embedded once: those of the open tracks of a busy camera."""


@dataclass(slots=True)
class _Open:
    """A track in sight.

    Attributes:
        raw: its number in the tracker.
        rows: tables of its boxes.
        first, last: seconds of its first and latest box.
        embedded: how many of `CROPS_TO_EMBED` were reached.
    """

    raw: int
    rows: list[LiveRows] = field(default_factory=list)
    first: float = 0.0
    last: float = 0.0
    embedded: int = 0


@dataclass(slots=True)
class News:
    """What a camera has to tell; see `CameraReport`."""

    rows: list[LiveRows] = field(default_factory=list)
    features: list[TrackFeatures] = field(default_factory=list)
    closed: list[ClosedTrack] = field(default_factory=list)


class CameraWatcher:
    """Detects, tracks, chooses crops and embeds them, frame by frame.

    Args:
        detector: finds the boxes.
        extractor: embeds crops; None: without appearance.
        settings: of all stages.
        tracker: its name, see `mtmc.tracking.choice`.
        roi: (h, w) uint8, white is inside; None if the whole picture counts.
        first_track: the number of the next track, for a camera that was watched before.
    """

    def __init__(
        self,
        detector: PreparedDetector,
        extractor: CropExtractor | None,
        settings: PipelineSettings,
        *,
        tracker: str = DEFAULT_TRACKER,
        roi: npt.NDArray[np.uint8] | None = None,
        first_track: int = 1,
    ) -> None:
        self._detector, self._settings, self._tracker_name, self._roi = detector, settings, tracker, roi
        self._extractor = None if extractor is None else _Remembering(extractor)
        self._next = first_track
        self._close_after = settings.tracking.max_lost + 0.1 if tracker == DEFAULT_TRACKER else PACKAGE_CLOSE_SECONDS
        self._open: dict[int, _Open] = {}
        self._ended: deque[tuple[float, LiveRows]] = deque()
        self._news = News()
        self._start_session()
        self.seconds = float("-inf")
        self.frame = 0
        self.size = (0, 0)
        self.seen = 0
        self.busy = 0.0

    def see(self, frame: LiveFrame) -> None:
        """Process the next frame of a session.

        Raises:
            ValueError: the frame is not after the one before.
        """
        start = time.perf_counter()
        picture = frame.to_picture()
        self.size, self.seconds, self.frame = (frame.width, frame.height), frame.seconds, frame.number
        self._times[frame.number] = frame.seconds
        while len(self._times) > _REMEMBERED_FRAMES:
            del self._times[next(iter(self._times))]
        found = self._detector.detect([picture])[0]
        found = replace(found, frame=np.full(len(found), frame.number, np.int32))
        rows = self._tracker.update(found, frame.seconds)
        self._crops.add(picture, frame.number, rows)
        self._take(rows)
        self._embed_open()
        self._close_ended()
        self.seen += 1
        self.busy += time.perf_counter() - start

    def end_session(self, why: str, embed: bool = True) -> None:
        """Close all tracks: the camera is gone, or the next frame belongs to another session.

        Args:
            why: for the events.
            embed: compute their features; off, the latest ones are used, where there is no time left.
        """
        for number in list(self._open):
            self._close(number, why, embed)
        self._start_session()

    def in_sight(self) -> LiveRows:
        """The boxes of open tracks in the latest frame."""
        latest = [rows[rows.frame == self.frame] for track in self._open.values() for rows in track.rows[-1:]]
        return LiveRows.concatenate(latest)

    def news(self) -> News:
        """What happened since the last call."""
        news, self._news = self._news, News()
        return news

    def _start_session(self) -> None:
        clock = Clock.uniform(10.0)
        settings = self._settings
        self._tracker = make_tracker(self._tracker_name, settings.tracking, clock, settings.options.tracker)
        self._crops = CropSelector(settings.crops)
        self._numbers: dict[int, int] = {}
        self._times: dict[int, float] = {}
        self._latest: dict[int, TrackFeatures] = {}
        self._ended.clear()

    def _take(self, rows: Tracks) -> None:
        if not len(rows):
            return
        known = np.array([frame in self._times for frame in rows.frame.tolist()], np.bool_)
        rows = rows[known]
        seconds = np.array([self._times[frame] for frame in rows.frame.tolist()], np.float64)
        for raw in np.unique(rows.track).tolist():
            mine = rows.track == raw
            if raw not in self._numbers:
                self._numbers[raw] = self._next
                self._open[self._next] = _Open(raw, first=float(seconds[mine].min()))
                self._next += 1
            number = self._numbers[raw]
            table = LiveRows.of_tracks(replace(rows[mine], track=np.full(mine.sum(), number, np.int32)), seconds[mine])
            track = self._open[number]
            track.rows.append(table)
            track.last = max(track.last, float(table.seconds.max()))
            self._news.rows.append(table)

    def _embed_open(self) -> None:
        if self._extractor is None:
            return
        due = [
            number
            for number, track in self._open.items()
            if track.embedded < len(CROPS_TO_EMBED) and self._crops.count(track.raw) >= CROPS_TO_EMBED[track.embedded]
        ]
        for number in due:
            self._open[number].embedded += 1
        features = self._features(due)
        if len(features):
            self._news.features.append(features)

    def _features(self, numbers: Sequence[int]) -> TrackFeatures:
        """The features of open tracks from their best crops so far, all embedded together."""
        if self._extractor is None or not numbers:
            return TrackFeatures.empty()
        crops = Crops.concatenate([_numbered(self._crops.crops_of(self._open[n].raw), n) for n in numbers])
        found = embed_crops(crops, self._extractor, self._settings.embedding)
        features = found.by_track() if len(found) else TrackFeatures.empty()
        for row, number in enumerate(features.track.tolist()):
            self._latest[number] = features[row : row + 1]
        return features

    def _close_ended(self) -> None:
        for number, track in list(self._open.items()):
            if track.last < self.seconds - self._close_after:
                self._close(number, "left")
            elif track.last - track.first > MAX_TRACK_SECONDS:
                self._close(number, "in sight for long")

    def _close(self, number: int, why: str, embed: bool = True) -> None:
        track = self._open[number]
        own = LiveRows.concatenate(track.rows)
        others = [LiveRows.concatenate(o.rows) for n, o in self._open.items() if n != number and o.first <= track.last]
        before = [rows for end, rows in self._ended if end >= track.first]
        picture, repairs = self.size, self._settings.repair
        rows = settle(number, LiveRows.concatenate([own, *others, *before]), picture, repairs, self._roi)
        if embed and len(rows):
            self._features([number])
        feature = self._latest.pop(number, None)
        crops = _numbered(self._crops.crops_of(track.raw), number) if len(rows) else Crops.empty()
        vector, weight = (None, 0.0) if feature is None else (feature.vector[0], float(feature.weight[0]))
        self._news.closed.append(ClosedTrack(number, rows, crops, vector, weight, why))
        del self._open[number]
        # The tracker may find the vehicle again under the same number: then that is another track.
        del self._numbers[track.raw]
        self._crops.forget(track.raw)
        self._ended.append((track.last, own))
        oldest = min((o.first for o in self._open.values()), default=float("inf"))
        while self._ended and self._ended[0][0] < oldest:
            self._ended.popleft()


class _Remembering:
    """An extractor that embeds each picture once: the crops of a track are embedded early and again at its end."""

    def __init__(self, extractor: CropExtractor) -> None:
        self._extractor = extractor
        self._known: dict[int, npt.NDArray[np.float32]] = {}

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        keys = [hash((crop.shape, crop.tobytes())) for crop in crops]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        if new:
            vectors = self._extractor.embed([crops[i] for i in new])
            self._known.update((keys[i], vector) for i, vector in zip(new, vectors, strict=True))
        result = np.stack([self._known[key] for key in keys]).astype(np.float32)
        while len(self._known) > _REMEMBERED_VECTORS:
            del self._known[next(iter(self._known))]
        return result


def _numbered(crops: Crops, number: int) -> Crops:
    return replace(crops, track=np.full(len(crops), number, np.int32))
