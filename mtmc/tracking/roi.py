"""The region of interest of a camera, applied to boxes; and boxes made larger or smaller."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

BoxArray = npt.NDArray[np.float32]


def inside_roi(box: npt.NDArray[np.floating], roi: npt.NDArray[np.uint8], least: int = 255) -> npt.NDArray[np.bool_]:
    """Whether boxes count by the official rule on predictions: no corner in the picture lies on a pixel outside.

    Args:
        box: (n, 4) left, top, width, height in pixels; the right and lower corners are left + width and top + height.
            Fractions are cut off, as a submission of whole pixels does.
        roi: (h, w) uint8, white is inside.
        least: pixels below this value are outside; 255 by the official rule, JPEG noise included.

    Returns:
        (n,) bool. A corner that is not in the picture decides nothing.
    """
    height, width = roi.shape
    left, top = box[:, 0].astype(np.float64), box[:, 1].astype(np.float64)
    inside = np.ones(len(box), np.bool_)
    for x, y in itertools.product((left, left + box[:, 2]), (top, top + box[:, 3])):
        column, line = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        shown = (column >= 0) & (column < width) & (line >= 0) & (line < height)
        inside[shown] &= roi[line[shown], column[shown]] >= least
    return inside


def fit_into_roi(box: BoxArray, roi: npt.NDArray[np.uint8], max_shrink: float = 0.2, steps: int = 4) -> BoxArray:
    """Shrink the boxes that have a corner outside by as little as brings all corners inside.

    Args:
        box: (n, 4) float32.
        roi: (h, w) uint8, white is inside.
        max_shrink: share of its length that each side may lose at either end.
        steps: shares tried for each end, evenly up to `max_shrink`.

    Returns:
        (n, 4) float32; a box that no such shrinking brings inside is returned as it was.
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
    """Enlarge boxes about their centres, inside the picture.

    Args:
        box: (n, 4) float32.
        share: of its length that each side gains.
        limit: pixels that a side may gain at most.
        picture: width and height in pixels; parts of a box that are already beyond stay.

    Returns:
        (n, 4) float32.
    """
    gain = np.minimum(box[:, 2:] * share, limit) / 2
    low, high = box[:, :2], box[:, :2] + box[:, 2:]
    bound = np.array(picture, np.float32)
    new_low = np.minimum(np.maximum(low - gain, 0), low)
    new_high = np.maximum(np.minimum(high + gain, bound), high)
    return np.concatenate((new_low, new_high - new_low), axis=1).astype(np.float32)
