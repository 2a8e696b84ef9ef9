"""Non-maximum suppression, which detectors and the tracker share."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt


def suppress_overlaps(
    corners: npt.NDArray[np.float32],
    area: npt.NDArray[np.float32],
    score: npt.NDArray[np.floating],
    max_iou: float,
) -> npt.NDArray[np.bool_]:
    """Greedy non-maximum suppression: a box is kept unless it overlaps a better kept box by more than `max_iou`.

    Only boxes whose horizontal extents meet are compared, so time grows with the overlaps, not with the square of n.

    Args:
        corners: (n, 4) float32, left, top, right, bottom in pixels.
        area: (n,) float32, width times height. Passed in because boxes stored as corners and boxes stored as sizes
            round it differently.
        score: (n,), higher is better; of equal scores, the first box is better.
        max_iou: above this intersection over union, two boxes show the same object. Raising it keeps more boxes.

    Returns:
        (n,) bool, the boxes that are kept.

    >>> corners = np.array([[0, 0, 4, 4], [1, 0, 5, 4]], np.float32)
    >>> suppress_overlaps(corners, np.array([16, 16], np.float32), np.array([0.5, 0.9]), 0.5)
    array([False,  True])
    """
    kept: npt.NDArray[np.bool_] = _compiled(corners, area, score, corners[:, 0].argsort(), max_iou)
    return kept


@numba.njit(cache=True)
def _compiled(corners, area, score, by_left, max_iou):  # type: ignore[no-untyped-def]  # pragma: no cover
    n = len(corners)
    kept = np.ones(n, np.bool_)
    better = [0 for _ in range(0)]
    worse = [0 for _ in range(0)]
    for p in range(n):
        i = by_left[p]
        right = corners[i, 2]
        for q in range(p + 1, n):
            j = by_left[q]
            if corners[j, 0] >= right:
                break
            width = min(right, corners[j, 2]) - corners[j, 0]
            height = min(corners[i, 3], corners[j, 3]) - max(corners[i, 1], corners[j, 1])
            if height <= 0 or width <= 0:
                continue
            both = width * height
            if both > max_iou * (area[i] + area[j] - both):
                first = score[i] > score[j] or (score[i] == score[j] and i < j)
                better.append(i if first else j)
                worse.append(j if first else i)
    if len(better) == 0:
        return kept
    # In order of the better box: when a pair's turn comes, it is settled whether its better box is kept.
    rank = np.empty(n, np.int64)
    rank[np.argsort(-score, kind="mergesort")] = np.arange(n)
    for k in np.argsort(np.array([rank[i] for i in better])):
        if kept[better[k]]:
            kept[worse[k]] = False
    return kept
