"""The CLEAR figures (MOTA, MOTP, switches, ...), with the semantics of the motmetrics package."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.comparison import Comparison, Side
from evaluation.overlap import Overlaps


@dataclass(frozen=True, slots=True)
class ClearScore:
    """Bernardin and Stiefelhagen 2008, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics".

    Attributes:
        matches: ground-truth boxes that a predicted box was matched to.
        false_positives: predicted boxes left over.
        misses: ground-truth boxes left over.
        switches: matches whose ground-truth identity was last matched to another predicted identity.
        fragmentations: how often a ground-truth identity is lost and found again.
        mostly_tracked: ground-truth identities matched in at least 80 % of their boxes.
        partially_tracked: those in between.
        mostly_lost: those matched in less than 20 %.
        motp: mean distance 1 - IoU of the matches (0 is perfect); NaN without matches.
    """

    matches: int
    false_positives: int
    misses: int
    switches: int
    fragmentations: int
    mostly_tracked: int
    partially_tracked: int
    mostly_lost: int
    motp: float

    @property
    def mota(self) -> float:
        """1 - (misses + false positives + switches) / ground-truth boxes; 0 without ground truth. May be negative."""
        boxes = self.matches + self.misses
        return 1 - (self.misses + self.false_positives + self.switches) / boxes if boxes else 0.0

    @property
    def precision(self) -> float:
        """Fraction of the predicted boxes that were matched."""
        boxes = self.matches + self.false_positives
        return self.matches / boxes if boxes else 0.0

    @property
    def recall(self) -> float:
        """Fraction of the ground-truth boxes that were matched."""
        boxes = self.matches + self.misses
        return self.matches / boxes if boxes else 0.0


def clear_score(comparison: Comparison, distance: float = 0.5) -> ClearScore:
    """CLEAR figures over all cameras together, on their common time axis.

    In each frame, a ground-truth identity first keeps the predicted identity that it was last matched to, however
    long ago, if both are present and close enough. The others get the largest possible matching with the smallest sum
    of distances.

    Args:
        comparison: what to score.
        distance: boxes may be matched when 1 - IoU is at most this.
    """
    truth, predicted = comparison.truth, comparison.predicted
    pairs = comparison.pairs.within(distance)
    matched = _match(truth, predicted, pairs)
    row, column = pairs.truth[matched], pairs.predicted[matched]

    # From here on rows are ordered by (identity, time).
    order = np.argsort(truth.identity, kind="stable")
    identity = truth.identity[order]
    partner = np.full(len(truth), -1)
    partner[row] = predicted.identity[column]
    partner = partner[order]
    found = partner >= 0
    found_identity, found_partner = identity[found], partner[found]
    switched = (found_identity[1:] == found_identity[:-1]) & (found_partner[1:] != found_partner[:-1])
    starts = found.copy()
    starts[1:] &= ~found[:-1] | (identity[1:] != identity[:-1])
    runs = np.bincount(identity[starts], minlength=len(truth.identities))
    lifespan = np.bincount(identity, minlength=len(truth.identities))
    ratio = np.bincount(found_identity, minlength=len(truth.identities)) / lifespan
    return ClearScore(
        matches=len(row),
        false_positives=len(predicted) - len(row),
        misses=len(truth) - len(row),
        switches=int(switched.sum()),
        fragmentations=int(np.maximum(runs - 1, 0).sum()),
        mostly_tracked=int((ratio >= 0.8).sum()),
        partially_tracked=int(((ratio >= 0.2) & (ratio < 0.8)).sum()),
        mostly_lost=int((ratio < 0.2).sum()),
        motp=float((1 - pairs.iou[matched]).mean()) if len(row) else math.nan,
    )


def _match(truth: Side, predicted: Side, pairs: Overlaps) -> npt.NDArray[np.int64]:
    """Indices of the pairs that are matched.

    A pair whose two boxes have no other candidate is matched whatever came before, which settles nearly all frames at
    once. Only the others depend on earlier matches; they are processed in order of time.
    """
    rivals_of_truth = np.bincount(pairs.truth, minlength=len(truth))
    rivals_of_predicted = np.bincount(pairs.predicted, minlength=len(predicted))
    settled = (rivals_of_truth[pairs.truth] == 1) & (rivals_of_predicted[pairs.predicted] == 1)
    open_pairs = np.flatnonzero(~settled)
    settled_pairs = np.flatnonzero(settled)
    if not len(open_pairs):
        return settled_pairs
    time = truth.time[pairs.truth[open_pairs]]
    identity = truth.identity[pairs.truth[open_pairs]]
    partner = predicted.identity[pairs.predicted[open_pairs]]
    last_time, last_partner = _last_settled(truth, predicted, pairs, settled_pairs, identity, time)
    cuts = np.flatnonzero(np.diff(time)) + 1
    walked: dict[int, tuple[int, int]] = {}  # ground-truth identity -> time and partner of its last walked match
    chosen: list[npt.NDArray[np.int64]] = []
    for frame in np.split(np.arange(len(open_pairs)), cuts):
        kept: list[int] = []
        taken_rows: set[int] = set()
        taken_columns: set[int] = set()
        for i in frame.tolist():
            pair = open_pairs[i]
            row, column = int(pairs.truth[pair]), int(pairs.predicted[pair])
            walked_time, walked_partner = walked.get(int(identity[i]), (-1, -1))
            previous = walked_partner if walked_time > last_time[i] else last_partner[i]
            if partner[i] == previous and row not in taken_rows and column not in taken_columns:
                kept.append(i)
                taken_rows.add(row)
                taken_columns.add(column)
        free = np.array(
            [
                i
                for i in frame.tolist()
                if pairs.truth[open_pairs[i]] not in taken_rows and pairs.predicted[open_pairs[i]] not in taken_columns
            ],
            np.int64,
        )
        rest = open_pairs[free]
        added = free[_closest(pairs.truth[rest], pairs.predicted[rest], 1 - pairs.iou[rest])]
        matched = np.concatenate((np.array(kept, np.int64), added))
        chosen.append(open_pairs[matched])
        walked.update((int(identity[i]), (int(time[i]), int(partner[i]))) for i in matched.tolist())
    return np.sort(np.concatenate((settled_pairs, *chosen)))


def _last_settled(
    truth: Side,
    predicted: Side,
    pairs: Overlaps,
    settled: npt.NDArray[np.int64],
    identity: npt.NDArray[np.int64],
    time: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Time and partner of the last settled match of each `identity` before each `time`; -1 where there is none."""
    span = int(truth.time[-1]) + 1
    key = truth.identity[pairs.truth[settled]] * span + truth.time[pairs.truth[settled]]
    order = np.argsort(key)
    key = key[order]
    position = np.searchsorted(key, identity * span + time) - 1
    found = position >= 0
    found[found] = key[position[found]] // span == identity[found]
    last_time, last_partner = np.full(len(time), -1), np.full(len(time), -1)
    last_time[found] = key[position[found]] % span
    last_partner[found] = predicted.identity[pairs.predicted[settled[order[position[found]]]]]
    return last_time, last_partner


def _closest(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], distance: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Indices of the pairs of a maximum matching: among all of these, the one with the smallest sum of distances."""
    if len(row) < 2:
        return np.arange(len(row))
    rows, r = np.unique(row, return_inverse=True)
    columns, c = np.unique(column, return_inverse=True)
    if len(rows) == 1 or len(columns) == 1:
        return np.array([np.argmin(distance)])
    # A missing pair costs more than any matching of real ones can save.
    cost = np.full((len(rows), len(columns)), 2.0 * (len(row) + 1))
    cost[r, c] = distance
    number = np.full(cost.shape, -1)
    number[r, c] = np.arange(len(row))
    from scipy.optimize import linear_sum_assignment  # slow to import, and most frames are decided without it

    found: npt.NDArray[np.int64] = number[linear_sum_assignment(cost)]
    return found[found >= 0]
