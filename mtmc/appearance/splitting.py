"""Splitting tracks at identity switches, where a track changes from one vehicle to another.

A tracker that loses a vehicle behind another may continue with the wrong one. Positions do not show it, otherwise the
tracker would not have erred; crops do: those before the switch are unlike those after it. Two rules keep the track of a
vehicle that turns, or drives from shade into light, in one piece. First, a cut needs an opportunity: another box
overlapped the track's box, or the vehicle was not detected. Second, the similarity below which a track is cut is
learned from the run itself, for each extractor: the lowest similarity within one vehicle from stretches without
opportunity, the similarity of different vehicles from tracks that are visible at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.overlap import overlaps
from mtmc.appearance.features import CropVectors
from mtmc.tracking.tracks import Tracks

MIN_CROPS = 2
"""Crops needed on each side of a cut: a single one may be bad. Raising it cuts fewer tracks."""
NEAR = 0.1
"""IoU with another track's box from which the track may switch to that vehicle. Raising it cuts fewer tracks."""
DIFFERENT_QUANTILE, SAME_QUANTILE = 0.7, 0.05
"""The similarity threshold for a cut is the smaller of two quantiles: of the similarities between vehicles that are
certainly different, and of the lowest similarities within tracks of a single vehicle. Raising either cuts more."""
MIN_EXAMPLES = 20
"""Similarities of each kind needed to learn the threshold; with fewer, no track is cut."""
MAX_PAIRS = 200
"""Pairs of different vehicles that a camera contributes at most, so that busy cameras do not dominate."""
_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the tracks of one camera are cut. Each part after a cut gets a new track number.

    Attributes:
        track: (k,) int32, number of the track, sorted by (track, frame).
        frame: (k,) int32, the first frame of the part after the cut.
        first: number of the first new part; the others follow. Above every track number.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    first: int

    @classmethod
    def none(cls) -> Cuts:
        """No cut."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), 0)

    def part(self, track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The part number (n,) of boxes given by track (n,) and frame (n,)."""
        if not len(self.track):
            return track
        at = np.searchsorted(_key(self.track, self.frame), _key(track, frame), "right") - 1
        after = (at >= 0) & (self.track[np.maximum(at, 0)] == track)
        return np.where(after, self.first + at, track).astype(np.int32)

    def apply(self, tracks: Tracks) -> Tracks:
        """The tracks, cut into parts."""
        if not len(self.track):
            return tracks
        number = self.part(tracks.track, tracks.frame)
        return Tracks(number, tracks.frame, tracks.box, tracks.score, tracks.label).sorted()

    def whole(self, part: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The tracks that parts (n,) were cut from, and the parts' first frames; 0 for parts before any cut."""
        if not len(self.track):
            return part, np.zeros_like(part)
        at = part - self.first
        cut = at >= 0
        row = np.maximum(at, 0)
        return np.where(cut, self.track[row], part), np.where(cut, self.frame[row], 0).astype(np.int32)


def split_tracks(cameras: Sequence[tuple[Tracks, Callable[[], CropVectors]]]) -> list[Cuts]:
    """Where each camera's tracks switch to another vehicle.

    Args:
        cameras: for each camera of a run its tracks, sorted by (track, frame), and a function that loads its crops. It
            is called twice, so that only one camera's crops are in memory at a time.
    """
    examples = [_examples(tracks, _clear(crops())) for tracks, crops in cameras]
    different = np.concatenate([np.zeros(0), *(e[0] for e in examples)])
    same = np.concatenate([np.zeros(0), *(e[1] for e in examples)])
    if min(len(different), len(same)) < MIN_EXAMPLES:
        return [Cuts.none() for _ in cameras]
    level = float(min(np.quantile(different, DIFFERENT_QUANTILE), np.quantile(same, SAME_QUANTILE)))
    return [_cuts(tracks, _clear(crops()), level) for tracks, crops in cameras]


def _clear(crops: CropVectors) -> CropVectors:
    """The crops with little occlusion, sorted by (track, frame)."""
    clear = crops[crops.clear]
    return clear[np.lexsort((clear.frame, clear.track))]


def _examples(tracks: Tracks, crops: CropVectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Similarities in one camera: of pairs of different vehicles, and across the weakest point of each track among the
    points without opportunity for a switch."""
    _, same = _weakest(crops, crops.track, ~_opportunities(tracks, crops))
    return _different(crops), same[np.isfinite(same)]


def _cuts(tracks: Tracks, crops: CropVectors, level: float) -> Cuts:
    """The cuts of one camera: the weakest point of each track, then of its parts, until none is below `level`."""
    opportunity = _opportunities(tracks, crops)
    part = np.unique(crops.track, return_inverse=True)[1].astype(np.int32)
    due = np.ones(len(crops), np.bool_)
    found: list[npt.NDArray[np.int64]] = []
    while due.any():
        rows = np.flatnonzero(due)
        place, similarity = _weakest(crops[rows], part[rows], opportunity[rows])
        cut = rows[place[similarity < level]]
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
    """The weakest point of each part that has enough crops: the row of the first crop after it, and the greatest
    similarity between a crop before and a crop after; infinite where no cut is allowed.

    Args:
        crops: (n,) sorted by part and frame.
        part: (n,) numbers, ascending.
        allowed: (n,) whether a cut may come just before the crop.
    """
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    counts = np.diff(np.append(starts, len(part)))
    places, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    for count in np.unique(counts[counts >= 2 * MIN_CROPS]):
        ends = np.arange(MIN_CROPS, count - MIN_CROPS + 1)
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


def _different(crops: CropVectors) -> npt.NDArray[np.float64]:
    """The greatest similarity between crops of two tracks, for pairs of tracks visible at the same time."""
    starts = np.flatnonzero(np.diff(crops.track, prepend=-1))
    ends = np.append(starts[1:], len(crops.track))
    enough = ends - starts >= MIN_CROPS
    starts, ends = starts[enough], ends[enough]
    order = np.argsort(crops.frame[starts], kind="stable")
    a, b = order[:-1], order[1:]
    meet = crops.frame[starts[b]] <= crops.frame[ends[a] - 1]
    a, b = a[meet], b[meet]
    chosen = np.unique(np.linspace(0, len(a) - 1, min(len(a), MAX_PAIRS)).astype(np.int64)) if len(a) else a
    return np.array(
        [
            (crops.vector[starts[i] : ends[i]] @ crops.vector[starts[j] : ends[j]].T).max()
            for i, j in zip(a[chosen], b[chosen], strict=True)
        ],
        np.float64,
    )


def _opportunities(tracks: Tracks, crops: CropVectors) -> npt.NDArray[np.bool_]:
    """(n,) whether a track had an opportunity to switch vehicles between a crop (n,) and the one before it."""
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
    opportunity: npt.NDArray[np.bool_] = same & (count > 0)
    return opportunity


def _frame(tracks: Tracks, track: int, before: int, after: int) -> int:
    """The first frame of the part after a cut between two crops: the middle of the interpolated boxes, else the frame
    after the longest gap, else the middle between the crops."""
    rows = np.flatnonzero((tracks.track == track) & (tracks.frame > before) & (tracks.frame <= after))
    unseen = rows[tracks.score[rows] <= 0]
    gap = np.diff(tracks.frame[rows], prepend=before)
    if not len(unseen) and gap.max(initial=0) > 1:
        return int(tracks.frame[rows[gap.argmax()]])
    rows = unseen if len(unseen) else rows
    return int(tracks.frame[rows[len(rows) // 2]]) if len(rows) else after


def _key(track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return track.astype(np.int64) << 32 | frame.astype(np.int64)
