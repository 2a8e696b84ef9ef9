"""Intersection over union, for pairs of boxes and for all boxes that share a frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

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


def iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes, (..., 4) left, top, width, height each, broadcast against each other.

    Pixels are treated as a continuous plane (no + 1), as motmetrics and the official CityFlow scoring do.
    """
    a_right, a_bottom = a[..., 0] + a[..., 2], a[..., 1] + a[..., 3]
    b_right, b_bottom = b[..., 0] + b[..., 2], b[..., 1] + b[..., 3]
    width = np.maximum(np.minimum(a_right, b_right) - np.maximum(a[..., 0], b[..., 0]), 0)
    height = np.maximum(np.minimum(a_bottom, b_bottom) - np.maximum(a[..., 1], b[..., 1]), 0)
    common = width * height
    # The sides are taken from the corners again, so that rounding is that of motmetrics and never exceeds 1.
    a_area = (a_right - a[..., 0]) * (a_bottom - a[..., 1])
    b_area = (b_right - b[..., 0]) * (b_bottom - b[..., 1])
    union = a_area + b_area - common
    result: npt.NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=common > 0)
    return result


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
        predicted_box: (m, 4).
    """
    first = np.searchsorted(predicted_time, truth_time, side="left")
    count = np.searchsorted(predicted_time, truth_time, side="right") - first
    total = np.concatenate(([0], np.cumsum(count)))
    # Candidates are taken in portions: a crowded scene has hundreds of boxes a frame and thousands of frames.
    cuts = np.searchsorted(total, np.arange(0, total[-1], _CANDIDATES_AT_ONCE)).tolist()
    parts: list[Overlaps] = []
    for start, stop in pairwise([*cuts, len(truth_time)]):
        truth = np.repeat(np.arange(start, stop), count[start:stop])
        offset = np.arange(len(truth)) - np.repeat(total[start:stop] - total[start], count[start:stop])
        predicted = first[truth] + offset
        ratio = iou(truth_box[truth], predicted_box[predicted])
        keep = ratio > 0
        parts.append(Overlaps(truth[keep], predicted[keep], ratio[keep]))
    if not parts:
        none = np.zeros(0, np.int64)
        return Overlaps(none, none, np.zeros(0))
    return Overlaps(
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.predicted for p in parts]),
        np.concatenate([p.iou for p in parts]),
    )
