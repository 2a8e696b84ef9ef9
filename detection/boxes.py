"""Overlap of boxes, and non-maximum suppression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float32]


def overlap(a: Boxes, b: Boxes) -> npt.NDArray[np.float32]:
    """Intersection over union of each pair.

    Args:
        a, b: (n, 4) and (m, 4), left, top, right, bottom in pixels.

    Returns:
        (n, m) float32 in [0, 1]; 0 for boxes without area.
    """
    a, b = a.astype(np.float32, copy=False), b.astype(np.float32, copy=False)
    width = np.minimum(a[:, None, 2], b[:, 2]) - np.maximum(a[:, None, 0], b[:, 0])
    height = np.minimum(a[:, None, 3], b[:, 3]) - np.maximum(a[:, None, 1], b[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    total = _area(a)[:, None] + _area(b) - shared
    iou: npt.NDArray[np.float32] = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
    return iou


def suppress(boxes: Boxes, score: npt.NDArray[np.float32], iou: float, max_boxes: int = 300) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression: of boxes that overlap by more than `iou`, only the best is kept.

    Args:
        boxes: (n, 4), left, top, right, bottom in pixels.
        score: (n,).
        iou: boxes with a higher IoU are one object. Raising it keeps more boxes.
        max_boxes: maximum number of boxes to keep.

    Returns:
        Rows of the kept boxes, best first.
    """
    # Far more candidates than there can be objects in a picture: the weakest cannot matter.
    order = np.argsort(-score, kind="stable")[: max(10 * max_boxes, 1)]
    best = np.asarray(boxes[order], np.float32)
    # A float32 quotient exceeds a float32 threshold exactly if the true quotient exceeds the middle between the
    # threshold and the next float32: this gives the decisions of `overlap(...) > iou` without the division.
    threshold = np.float32(iou)
    middle = (float(threshold) + float(np.nextafter(threshold, np.float32(np.inf)))) / 2
    from common.suppression import suppress_overlaps  # numba, which reading boxes does not need

    return order[suppress_overlaps(best, _area(best), score[order], middle)][:max_boxes]


def _area(boxes: Boxes) -> npt.NDArray[np.float32]:
    area: npt.NDArray[np.float32] = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    return area
