"""Choosing crops in the same pass in which a video is decoded, detected and tracked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.crops.quality import geometric_quality, occlusion, sharpness
from mtmc.crops.settings import CropSettings
from mtmc.crops.table import Crops, best_rows
from mtmc.tracking.tracks import Tracks

# Pixels are examined only if the geometric quality exceeds that of the kept crop by this factor. Raising it saves time
# and misses some sharper crops.
_MIN_IMPROVEMENT = 1.1
# Frames; the stretches of a new track.
_FIRST_SPACING = 2
# Frames. A track unseen for this long has likely ended: its crops are compressed.
_IDLE_FRAMES = 60


@dataclass(slots=True)
class _Candidate:
    frame: int
    box: npt.NDArray[np.float32]
    bound: float
    quality: float
    occlusion: float
    pixels: npt.NDArray[np.uint8] | None
    jpeg: bytes = b""


@dataclass(slots=True)
class _Album:
    """One track's candidates: at most one per stretch of `spacing` frames, which doubles as the track gets longer."""

    first: int
    last: int
    spacing: int = _FIRST_SPACING
    kept: dict[int, _Candidate] = field(default_factory=dict)

    def wants(self, frame: int, bound: float) -> bool:
        """Whether a crop of at most this quality may replace the one kept in its stretch."""
        rival = self.kept.get((frame - self.first) // self.spacing)
        return rival is None or bound > rival.bound * _MIN_IMPROVEMENT

    def keep(self, candidate: _Candidate, room: int) -> None:
        """Keep the candidate if it is the best of its stretch; double the stretches while more than `room` are kept."""
        _put(self.kept, (candidate.frame - self.first) // self.spacing, candidate)
        while len(self.kept) > room:
            self.spacing *= 2
            merged: dict[int, _Candidate] = {}
            for old in self.kept.values():
                _put(merged, (old.frame - self.first) // self.spacing, old)
            self.kept = merged


def _put(kept: dict[int, _Candidate], stretch: int, candidate: _Candidate) -> None:
    rival = kept.get(stretch)
    if rival is None or candidate.quality > rival.quality:
        kept[stretch] = candidate


class CropSelector:
    """Keeps the best crops of every track while frames stream by.

    Memory is bounded: at most twice `per_track` images of each visible track, and at most `per_track` JPEG files of
    each track that has ended.
    """

    def __init__(self, settings: CropSettings | None = None) -> None:
        """Start without crops; `settings` default to `CropSettings()`."""
        self._settings = settings or CropSettings()
        self._albums: dict[int, _Album] = {}
        self._in_sight: set[int] = set()

    def add(self, image: npt.NDArray[np.uint8], frame: int, tracks: Tracks) -> None:
        """Process the next frame.

        Args:
            image: (h, w, 3) uint8, the whole frame, BGR; neither kept nor changed.
            frame: its number; ascending from call to call, gaps are allowed.
            tracks: all boxes of tracks in this frame (they occlude each other); rows of other frames are ignored.
        """
        if frame % _IDLE_FRAMES == 0:
            self._pack_idle(frame)
        rows = tracks[tracks.frame == frame]
        if not len(rows):
            return
        size = (image.shape[1], image.shape[0])
        hidden = occlusion(rows)
        quality = geometric_quality(rows, hidden, size, self._settings)
        for row in np.flatnonzero(quality > 0).tolist():
            number, bound = int(rows.track[row]), float(quality[row])
            album = self._albums.setdefault(number, _Album(first=frame, last=frame))
            album.last = frame
            self._in_sight.add(number)
            if not album.wants(frame, bound):
                continue
            window = _window(rows.box[row], size, self._settings.margin)
            crop = image[window]
            graded = bound * float(np.sqrt(sharpness(crop, self._settings)))
            pixels = _shrunk(crop, self._settings.max_side)
            candidate = _Candidate(frame, rows.box[row].copy(), bound, graded, float(hidden[row]), pixels)
            album.keep(candidate, room=2 * self._settings.per_track)

    def finish(self, mapping: Mapping[int, int] | None = None) -> Crops:
        """The best crops of every track.

        Args:
            mapping: raw to final track numbers, as `mtmc.tracking.repair.Repaired.mapping`; tracks that it does not
                contain are dropped. None keeps the numbers.

        Returns:
            Rows sorted by (track, frame), at most `per_track` of each track.
        """
        rows: list[tuple[int, _Candidate]] = []
        for number in sorted(self._albums):
            if mapping is not None and number not in mapping:
                continue
            self._pack(self._albums[number])
            rows += [(number, kept) for kept in self._albums[number].kept.values()]
        return _table(rows).renumbered(mapping, self._settings.per_track)

    def count(self, number: int) -> int:
        """How many crops of a track are kept at the moment."""
        album = self._albums.get(number)
        return 0 if album is None else len(album.kept)

    def crops_of(self, number: int) -> Crops:
        """The best crops of one track so far, under its raw number; the track may go on."""
        album = self._albums.get(number)
        if album is None:
            return Crops.empty()
        chosen = self._best(album)
        self._compress(chosen.values())
        return _table([(number, kept) for kept in chosen.values()])

    def forget(self, number: int) -> None:
        """Drop everything about a track; live mode calls it when a track has ended, so that memory stays bounded."""
        self._albums.pop(number, None)
        self._in_sight.discard(number)

    def _pack_idle(self, frame: int) -> None:
        for number in [n for n in self._in_sight if self._albums[n].last < frame - _IDLE_FRAMES]:
            self._pack(self._albums[number])
            self._in_sight.remove(number)

    def _pack(self, album: _Album) -> None:
        """Reduce an album to its best crops and compress them as JPEG."""
        album.kept = self._best(album)
        self._compress(album.kept.values())
        for candidate in album.kept.values():
            candidate.pixels = None

    def _best(self, album: _Album) -> dict[int, _Candidate]:
        stretches = sorted(album.kept)
        kept = [album.kept[s] for s in stretches]
        best = best_rows(
            np.zeros(len(kept), np.int32),
            np.array([c.frame for c in kept], np.int32),
            np.array([c.quality for c in kept], np.float32),
            self._settings.per_track,
        )
        return {stretches[i]: kept[i] for i in best.tolist()}

    def _compress(self, candidates: Iterable[_Candidate]) -> None:
        for candidate in candidates:
            if candidate.pixels is not None and not candidate.jpeg:
                parameters = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
                _, jpeg = cv2.imencode(".jpg", candidate.pixels, parameters)
                candidate.jpeg = jpeg.tobytes()


def _table(rows: Sequence[tuple[int, _Candidate]]) -> Crops:
    return Crops.of(
        [number for number, _ in rows],
        [kept.frame for _, kept in rows],
        np.array([kept.box for _, kept in rows], np.float32).reshape(-1, 4),
        [kept.quality for _, kept in rows],
        [kept.occlusion for _, kept in rows],
        [kept.jpeg for _, kept in rows],
    )


def choose_frames(
    tracks: Tracks, picture: tuple[int, int], settings: CropSettings | None = None
) -> npt.NDArray[np.int32]:
    """The frames to decode when the tracks are known beforehand; pass each to `CropSelector.add` with `tracks`.

    Args:
        tracks: all boxes of all frames.
        picture: width and height of the frames in pixels.
        settings: the same as the selector's; default to `CropSettings()`.

    Returns:
        (k,) int32 frame numbers, ascending.
    """
    chosen = settings or CropSettings()
    quality = geometric_quality(tracks, occlusion(tracks), picture, chosen)
    usable = np.flatnonzero(quality > 0)
    best = usable[best_rows(tracks.track[usable], tracks.frame[usable], quality[usable], chosen.per_track)]
    return np.unique(tracks.frame[best])


def _window(box: npt.NDArray[np.float32], size: tuple[int, int], margin: float) -> tuple[slice, slice]:
    """The rows and columns of a frame of `size` (width, height) that a box with its margin covers."""
    left, top, width, height = (float(v) for v in box)
    x = slice(max(round(left - margin * width), 0), min(round(left + width + margin * width), size[0]))
    y = slice(max(round(top - margin * height), 0), min(round(top + height + margin * height), size[1]))
    return y, x


def _shrunk(crop: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """A copy of the crop, shrunk so that neither side is longer than `side`."""
    factor = side / max(crop.shape[:2])
    if factor >= 1:
        return crop.copy()
    width, height = (max(round(factor * n), 1) for n in (crop.shape[1], crop.shape[0]))
    return np.asarray(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
