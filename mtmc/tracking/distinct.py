"""Non-maximum suppression within a frame, so that each vehicle has one box to track."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


def distinct(
    box: npt.NDArray[np.float32],
    score: npt.NDArray[np.float32],
    by_left: npt.NDArray[np.intp],
    max_iou: float,
) -> npt.NDArray[np.bool_]:
    """Greedy non-maximum suppression.

    Detectors do this too, but keep boxes with an IoU of up to 0.7 for the sake of dense traffic, and detection files
    hold whatever their makers kept. Each surplus box would start a track of its own.

    Args:
        box: (n, 4) left, top, width, height in pixels.
        score: (n,).
        by_left: (n,) rows in the order of their left edges.
        max_iou: of two boxes with a higher IoU, the one with the lower score is suppressed.

    Returns:
        (n,) bool, which boxes remain.
    """
    stays: npt.NDArray[np.bool_] = _compiled_distinct(box, score, by_left, max_iou)
    return stays


@numba.njit(cache=True)
def _compiled_distinct(box, score, by_left, max_iou):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(box)
    stays = np.ones(n, np.bool_)
    best = [0 for _ in range(0)]
    worse = [0 for _ in range(0)]
    for p in range(n):
        i = by_left[p]
        right = box[i, 0] + box[i, 2]
        for q in range(p + 1, n):
            j = by_left[q]
            if box[j, 0] >= right:
                break
            width = min(right, box[j, 0] + box[j, 2]) - box[j, 0]
            top = max(box[i, 1], box[j, 1])
            height = min(box[i, 1] + box[i, 3], box[j, 1] + box[j, 3]) - top
            if height <= 0 or width <= 0:
                continue
            both = width * height
            if both > max_iou * (box[i, 2] * box[i, 3] + box[j, 2] * box[j, 3] - both):
                first = score[i] > score[j] or (score[i] == score[j] and i < j)
                best.append(i if first else j)
                worse.append(j if first else i)
    if len(best) == 0:
        return stays
    # In descending order of the better box's score: whether that box remains is settled before its pairs are visited.
    rank = np.empty(n, np.int64)
    rank[np.argsort(-score, kind="mergesort")] = np.arange(n)
    order = np.argsort(np.array([rank[i] for i in best]))
    for k in order:
        if stays[best[k]]:
            stays[worse[k]] = False
    return stays
