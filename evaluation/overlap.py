"""Intersection over union, for pairs of boxes and for all boxes that share a frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from common.boxes import iou

_CANDIDATES_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of a ground-truth box and a predicted box of the same frame that overlap; sorted by (truth, predicted).

    Attributes:
        truth: (p,) int64, row of the ground-truth box.
        predicted: (p,) int64, row of the predicted box.
        iou: (p,) float64 in (0, 1].
    """

    truth: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]

    def within(self, distance: float) -> Overlaps:
        """The pairs whose distance 1 - IoU is at most `distance`, the form of the test that motmetrics uses."""
        keep = 1 - self.iou <= distance
        return Overlaps(self.truth[keep], self.predicted[keep], self.iou[keep])


def overlaps(
    truth_time: npt.NDArray[np.int64],
    truth_box: npt.NDArray[np.float64],
    predicted_time: npt.NDArray[np.int64],
    predicted_box: npt.NDArray[np.float64],
) -> Overlaps:
    """All pairs of boxes of the same time with IoU above 0.

    Args:
        truth_time: (n,) non-decreasing.
        truth_box: (n, 4) left, top, width, height.
        predicted_time: (m,) non-decreasing.
        predicted_box: (m, 4). Coordinates are below `evaluation.boxes.LARGEST` in magnitude.
    """
    if not len(truth_time) or not len(predicted_time):
        none = np.zeros(0, np.int64)
        return Overlaps(none, none, np.zeros(0))
    by_left, first, count = _candidates(truth_time, truth_box, predicted_time, predicted_box)
    total = np.concatenate(([0], np.cumsum(count)))
    # Candidates are processed in chunks: a crowded scene has hundreds of boxes per frame and thousands of frames.
    cuts = np.searchsorted(total, np.arange(0, max(total[-1], 1), _CANDIDATES_AT_ONCE)).tolist()
    parts: list[Overlaps] = []
    for start, stop in pairwise([*cuts, len(truth_time)]):
        truth = np.repeat(np.arange(start, stop), count[start:stop])
        offset = np.arange(len(truth)) - np.repeat(total[start:stop] - total[start], count[start:stop])
        predicted = by_left[first[truth] + offset]
        ratio = iou(truth_box[truth], predicted_box[predicted])
        keep = ratio > 0
        parts.append(Overlaps(truth[keep], predicted[keep], ratio[keep]))
    truth = np.concatenate([p.truth for p in parts])
    predicted = np.concatenate([p.predicted for p in parts])
    order = np.lexsort((predicted, truth))
    return Overlaps(truth[order], predicted[order], np.concatenate([p.iou for p in parts])[order])


def _candidates(
    truth_time: npt.NDArray[np.int64],
    truth_box: npt.NDArray[np.float64],
    predicted_time: npt.NDArray[np.int64],
    predicted_box: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """What may overlap each ground-truth box: predicted boxes of its time whose left edges are near enough.

    Returns:
        (m,) the predicted rows by (time, left edge); for each ground-truth box, the position of its first candidate
        there, (n,), and the number of consecutive candidates from there, (n,).
    """
    widest = float(predicted_box[:, 2].max()) + 1  # one extra pixel, so that no pair is lost when keys are rounded
    left, right = truth_box[:, 0] - widest, truth_box[:, 0] + truth_box[:, 2] + 1
    origin = min(float(left.min()), float(predicted_box[:, 0].min())) - 1
    # Time and left edge in one number: two times are farther apart than any two edges.
    span = max(float(right.max()), float(predicted_box[:, 0].max())) - origin + 2
    times = np.unique(np.concatenate((truth_time, predicted_time)))
    truth_start = np.searchsorted(times, truth_time) * span - origin
    predicted_key = np.searchsorted(times, predicted_time) * span - origin + predicted_box[:, 0]
    by_left = np.argsort(predicted_key, kind="stable")
    predicted_key = predicted_key[by_left]
    first = np.searchsorted(predicted_key, truth_start + left)
    return by_left, first, np.searchsorted(predicted_key, truth_start + right) - first
