"""Tracks that go over from one vehicle to another, cut there.

A tracker that loses a vehicle behind another may go on with the wrong one. Position does not tell, or the tracker would
not have gone wrong; the crops do: those before are unlike those after. Two things keep a vehicle that turns, or drives
from shade into light, in one piece. A cut needs an occasion: another box overlapped the track's, or the vehicle was not
detected. And how unlike is unlike is learned from the run itself, so that every extractor has its own level: the least
likeness within one vehicle from where tracks had no occasion, that of two vehicles from tracks that are seen together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.overlap import overlaps
from mtmc.appearance.features import CropVectors
from mtmc.tracking.tracks import Tracks

LEAST_CROPS = 2
"""On each side of a cut: one crop may be a bad one."""
NEAR = 0.1
"""IoU with another track's box from which a track may go over to it."""
UNLIKE_QUANTILE, SAME_QUANTILE = 0.7, 0.05
"""A cut's sides must be no more alike than this share of pairs of vehicles that are two for certain, and than all but
this share of tracks that are one vehicle as likely as not are where they are least alike."""
LEAST_EXAMPLES = 20
"""Below so many of either, nothing is learned and nothing cut."""
PAIRS = 200
"""Pairs of different vehicles that a camera contributes, at most."""
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the tracks of one camera are cut. The parts after a cut have numbers of their own.

    Attributes:
        track: (k,) int32, number of the track, sorted by (track, frame).
        frame: (k,) int32, the first frame of the part after the cut.
        first: number of the first of these parts; the others follow. Above all numbers of tracks.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    first: int

    @classmethod
    def none(cls) -> Cuts:
        """No cut."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), 0)

    def part(self, track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """(n,) the number of the part that a box of a track (n,) in a frame (n,) belongs to."""
        if not len(self.track):
            return track
        at = np.searchsorted(_key(self.track, self.frame), _key(track, frame), "right") - 1
        after = (at >= 0) & (self.track[np.maximum(at, 0)] == track)
        return np.where(after, self.first + at, track).astype(np.int32)

    def apply(self, tracks: Tracks) -> Tracks:
        """The tracks in parts."""
        if not len(self.track):
            return tracks
        number = self.part(tracks.track, tracks.frame)
        return Tracks(number, tracks.frame, tracks.box, tracks.score, tracks.label).sorted()

    def whole(self, part: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The tracks that parts (n,) were cut from, and the parts' first frames, 0 for what is before any cut."""
        if not len(self.track):
            return part, np.zeros_like(part)
        at = part - self.first
        cut = at >= 0
        row = np.maximum(at, 0)
        return np.where(cut, self.track[row], part), np.where(cut, self.frame[row], 0).astype(np.int32)


def split_tracks(cameras: Sequence[tuple[Tracks, Callable[[], CropVectors]]]) -> list[Cuts]:
    """Where the tracks of each camera go over to another vehicle.

    Args:
        cameras: tracks, sorted by (track, frame), and what gives the crops of each camera of a run. Called twice, and
            dropped in between: the crops of one camera are held at a time.
    """
    examples = [_examples(tracks, _clear(crops())) for tracks, crops in cameras]
    unlike = np.concatenate([np.zeros(0), *(e[0] for e in examples)])
    same = np.concatenate([np.zeros(0), *(e[1] for e in examples)])
    if min(len(unlike), len(same)) < LEAST_EXAMPLES:
        return [Cuts.none() for _ in cameras]
    level = float(min(np.quantile(unlike, UNLIKE_QUANTILE), np.quantile(same, SAME_QUANTILE)))
    return [_cuts(tracks, _clear(crops()), level) for tracks, crops in cameras]


def _clear(crops: CropVectors) -> CropVectors:
    """The crops that show their vehicle well, by (track, frame)."""
    clear = crops[crops.clear]
    return clear[np.lexsort((clear.frame, clear.track))]


def _examples(tracks: Tracks, crops: CropVectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Likenesses in one camera: of two vehicles for certain; and of the sides of the weakest cut of a track among those
    for which there was no occasion."""
    _, same = _weakest(crops, crops.track, ~_occasions(tracks, crops))
    return _unlike(crops), same[np.isfinite(same)]


def _cuts(tracks: Tracks, crops: CropVectors, level: float) -> Cuts:
    """The cuts of one camera: the weakest of each track, then those of its parts, until none is left."""
    occasion = _occasions(tracks, crops)
    part = np.unique(crops.track, return_inverse=True)[1].astype(np.int32)
    due = np.ones(len(crops), np.bool_)
    found: list[npt.NDArray[np.int64]] = []
    while due.any():
        rows = np.flatnonzero(due)
        place, likeness = _weakest(crops[rows], part[rows], occasion[rows])
        cut = rows[place[likeness < level]]
        found.append(cut)
        due = np.isin(part, part[cut])
        begins = np.zeros(len(crops), np.int32)
        begins[cut] = 1
        part = part + np.cumsum(begins, dtype=np.int32)
    cut = np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
    frame = [_frame(tracks, int(crops.track[row]), int(crops.frame[row - 1]), int(crops.frame[row])) for row in cut]
    return Cuts(crops.track[cut], np.array(frame, np.int32), int(tracks.track.max(initial=0)) + 1)


def _weakest(
    crops: CropVectors, part: npt.NDArray[np.int32], allowed: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each part with crops enough, its weakest cut: the row of the first crop after it, and the greatest
    similarity of a crop before and one after; infinite where no cut is allowed.

    Args:
        crops: (n,) sorted by part and frame.
        part: (n,) numbers, ascending.
        allowed: (n,) whether a cut may come just before the crop.
    """
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    counts = np.diff(np.append(starts, len(part)))
    places, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for count in np.unique(counts[counts >= 2 * LEAST_CROPS]):
        ends = np.arange(LEAST_CROPS, count - LEAST_CROPS + 1)
        same = starts[counts == count]
        for first in range(0, len(same), _BATCH):
            rows = same[first : first + _BATCH, None] + np.arange(count)
            vector = crops.vector[rows]
            similarity = vector @ vector.transpose(0, 2, 1)
            across = np.stack([similarity[:, :end, end:].max((1, 2)) for end in ends], 1).astype(np.float64)
            across[~allowed[rows[:, ends]]] = np.inf
            best = across.argmin(1)
            places.append(rows[np.arange(len(rows)), ends[best]])
            values.append(across[np.arange(len(rows)), best])
    return np.concatenate(places), np.concatenate(values)


def _unlike(crops: CropVectors) -> npt.NDArray[np.float64]:
    """The greatest similarity of two tracks' crops, for pairs of tracks that are seen at the same time."""
    starts = np.flatnonzero(np.diff(crops.track, prepend=-1))
    ends = np.append(starts[1:], len(crops.track))
    enough = ends - starts >= LEAST_CROPS
    starts, ends = starts[enough], ends[enough]
    order = np.argsort(crops.frame[starts], kind="stable")
    a, b = order[:-1], order[1:]
    meet = crops.frame[starts[b]] <= crops.frame[ends[a] - 1]
    a, b = a[meet], b[meet]
    chosen = np.unique(np.linspace(0, len(a) - 1, min(len(a), PAIRS)).astype(np.int64)) if len(a) else a
    return np.array(
        [
            (crops.vector[starts[i] : ends[i]] @ crops.vector[starts[j] : ends[j]].T).max()
            for i, j in zip(a[chosen], b[chosen], strict=True)
        ],
        np.float64,
    )


def _occasions(tracks: Tracks, crops: CropVectors) -> npt.NDArray[np.bool_]:
    """(n,) whether a track could have gone over to another vehicle between a crop (n,) and the one before it."""
    order = np.argsort(tracks.frame, kind="stable")
    frame, box = tracks.frame[order].astype(np.int64), tracks.box[order].astype(np.float64)
    pairs = overlaps(frame, box, frame, box)
    near = (pairs.iou >= NEAR) & (tracks.track[order[pairs.truth]] != tracks.track[order[pairs.predicted]])
    risky = tracks.score <= 0
    risky[order[pairs.truth[near]]] = True
    risky[1:] |= (np.diff(tracks.track) == 0) & (np.diff(tracks.frame) > 1)
    until = np.concatenate([[0], np.cumsum(risky)])
    key = _key(tracks.track, tracks.frame)
    here = _key(crops.track, crops.frame)
    before = np.concatenate([here[:1], here[:-1]])
    count = until[np.searchsorted(key, here, "right")] - until[np.searchsorted(key, before, "left")]
    same = crops.track == np.concatenate([crops.track[:1], crops.track[:-1]])
    occasion: npt.NDArray[np.bool_] = same & (count > 0)
    return occasion


def _frame(tracks: Tracks, track: int, before: int, after: int) -> int:
    """The first frame of the part after a cut between two crops: in the middle of the boxes that were filled in, else
    after the longest hole, else in the middle of the time between the crops."""
    rows = np.flatnonzero((tracks.track == track) & (tracks.frame > before) & (tracks.frame <= after))
    unseen = rows[tracks.score[rows] <= 0]
    hole = np.diff(tracks.frame[rows], prepend=before)
    if not len(unseen) and hole.max(initial=0) > 1:
        return int(tracks.frame[rows[hole.argmax()]])
    rows = unseen if len(unseen) else rows
    return int(tracks.frame[rows[len(rows) // 2]]) if len(rows) else after


def _key(track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return track.astype(np.int64) << 32 | frame.astype(np.int64)
