"""Overlap of boxes and the suppression of duplicates, over all boxes at once."""

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


def suppress(boxes: Boxes, score: npt.NDArray[np.float32], iou: float, most: int = 300) -> npt.NDArray[np.intp]:
    """Greedy non-maximum suppression: of boxes that overlap by more than `iou` only the best stays.

    The greedy result is found as the fixed point of "a box stays if no better box that stays overlaps it"; each round
    settles at least one more box in every chain of overlaps, so a few rounds over the whole matrix do.

    Args:
        boxes: (n, 4), left, top, right, bottom in pixels.
        score: (n,).
        iou: boxes that overlap more are one object. Raising it keeps more boxes.
        most: at most so many boxes stay.

    Returns:
        Rows of the boxes that stay, best first.
    """
    # Far more candidates than objects can stand in a picture: the weakest cannot matter, and the matrix is square.
    order = np.argsort(-score, kind="stable")[: max(10 * most, 1)]
    beats = np.triu(overlap(boxes[order], boxes[order]) > iou, k=1)
    stays: npt.NDArray[np.bool_] = np.ones(len(order), bool)
    while True:
        settled: npt.NDArray[np.bool_] = ~np.any(beats & stays[:, None], axis=0)
        if (settled == stays).all():
            return order[stays][:most]
        stays = settled


def _area(boxes: Boxes) -> npt.NDArray[np.float32]:
    area: npt.NDArray[np.float32] = np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)
    return area
