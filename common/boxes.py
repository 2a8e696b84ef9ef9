"""Boxes in pictures: their overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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
