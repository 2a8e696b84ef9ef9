"""Non-maximum suppression against its definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.suppression import suppress_overlaps

COORDINATE = st.integers(0, 9)  # coarse, so that boxes touch, coincide and are empty, and ratios hit thresholds exactly
BOX = st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE, st.integers(1, 3))


def _by_definition(corners: np.ndarray, score: np.ndarray, max_iou: float) -> list[bool]:
    """Box by box, the best first; integers, so the arithmetic is exact."""
    kept: list[int] = []
    for i in sorted(range(len(score)), key=lambda i: (-score[i], i)):
        for j in kept:
            width = min(corners[i, 2], corners[j, 2]) - max(corners[i, 0], corners[j, 0])
            height = min(corners[i, 3], corners[j, 3]) - max(corners[i, 1], corners[j, 1])
            both = max(width, 0) * max(height, 0)
            sizes = corners[[i, j], 2:] - corners[[i, j], :2]
            if both > max_iou * (sizes.prod(axis=1).sum() - both):
                break
        else:
            kept.append(i)
    return [i in kept for i in range(len(score))]


@settings(deadline=None)  # the first example compiles
@given(st.lists(BOX, max_size=20), st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.75, 1.0]))
def test_equals_the_greedy_definition_also_with_ties_and_exact_thresholds(
    rows: list[tuple[int, ...]], max_iou: float
) -> None:
    table = np.array(rows, np.float32).reshape(-1, 5)
    box, score = table[:, :4], table[:, 4]
    corners = np.concatenate((box[:, :2], box[:, :2] + box[:, 2:]), axis=1)
    kept = suppress_overlaps(corners, box[:, 2] * box[:, 3], score, max_iou)
    assert kept.tolist() == _by_definition(corners.astype(np.int64), score, max_iou)
