"""Boxes tested against a camera's region of interest, shrunk into it, and enlarged."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

BoxArray = npt.NDArray[np.float32]


def inside_roi(
    box: npt.NDArray[np.floating], roi: npt.NDArray[np.uint8], threshold: int = 255
) -> npt.NDArray[np.bool_]:
    """Whether boxes count by the official CityFlow rule for predictions: no corner lies outside the region.

    Args:
        box: (n, 4) left, top, width, height in pixels; the right and lower corners are left + width and top + height.
            Fractions are truncated, as in a submission, which has whole pixels.
        roi: (h, w) uint8, white is inside.
        threshold: pixels below this value are outside; 255 by the official rule, in spite of JPEG noise.

    Returns:
        (n,) bool. Corners outside the frame are ignored.
    """
    height, width = roi.shape
    left, top = box[:, 0].astype(np.float64), box[:, 1].astype(np.float64)
    inside = np.ones(len(box), np.bool_)
    for x, y in itertools.product((left, left + box[:, 2]), (top, top + box[:, 3])):
        column, line = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        shown = (column >= 0) & (column < width) & (line >= 0) & (line < height)
        inside[shown] &= roi[line[shown], column[shown]] >= threshold
    return inside


def fit_into_roi(box: BoxArray, roi: npt.NDArray[np.uint8], max_shrink: float = 0.2, steps: int = 4) -> BoxArray:
    """Shrink boxes with a corner outside the region by the least that brings all corners inside.

    Args:
        box: (n, 4) float32.
        roi: (h, w) uint8, white is inside.
        max_shrink: share of its length that each side may lose at either end.
        steps: number of shares tried for each end, evenly spaced up to `max_shrink`.

    Returns:
        (n, 4) float32; boxes that cannot be brought inside are unchanged.
    """
    result = box.copy()
    shares = np.linspace(0, max_shrink, steps + 1)
    trials = np.array(list(itertools.product(shares, repeat=4)))  # left, top, right, bottom
    kept_area = (1 - trials[:, 0] - trials[:, 2]) * (1 - trials[:, 1] - trials[:, 3])
    outside = np.flatnonzero(~inside_roi(box, roi))
    for left, top, right, bottom in trials[np.argsort(-kept_area, kind="stable")]:
        if not len(outside):
            break
        old = box[outside]
        new = old.copy()
        new[:, 0] += left * old[:, 2]
        new[:, 1] += top * old[:, 3]
        new[:, 2] *= 1 - left - right
        new[:, 3] *= 1 - top - bottom
        fits = inside_roi(new, roi)
        result[outside[fits]] = new[fits]
        outside = outside[~fits]
    return result


def enlarge(box: BoxArray, share: float, limit: float, picture: tuple[int, int]) -> BoxArray:
    """Enlarge boxes about their centres, within the frame.

    Args:
        box: (n, 4) float32.
        share: of its length that each side gains.
        limit: maximum gain of a side in pixels.
        picture: width and height in pixels; parts of a box that are outside already are kept.

    Returns:
        (n, 4) float32.
    """
    gain = np.minimum(box[:, 2:] * share, limit) / 2
    low, high = box[:, :2], box[:, :2] + box[:, 2:]
    bound = np.array(picture, np.float32)
    new_low = np.minimum(np.maximum(low - gain, 0), low)
    new_high = np.maximum(np.minimum(high + gain, bound), high)
    return np.concatenate((new_low, new_high - new_low), axis=1).astype(np.float32)
