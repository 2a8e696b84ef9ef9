"""The sparse assignment against SciPy's dense one, and the gates of an association."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from mtmc.tracking.matching import assign, associate


def dense_optimum(weight: np.ndarray) -> float:
    rows, columns = linear_sum_assignment(-np.maximum(weight, 0))
    return float(np.maximum(weight, 0)[rows, columns].sum())


@pytest.mark.parametrize("density", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (40, 40), (90, 60)])
def test_assignment_is_as_good_as_the_dense_one(shape: tuple[int, int], density: float) -> None:
    rng = np.random.default_rng(shape[0] * 100 + shape[1])
    for _ in range(20):
        weight = np.where(rng.random(shape) < density, np.round(rng.uniform(-0.2, 1, shape), 1), 0)
        row, column = np.nonzero(weight)
        first = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=shape[0]))))
        chosen = assign(first.astype(np.int64), column.astype(np.int64), weight[row, column], shape[1])
        taken = chosen[chosen >= 0]
        assert len(set(taken.tolist())) == len(taken), "no column twice"
        value = weight[np.flatnonzero(chosen >= 0), taken]
        assert (value > 0).all(), "only edges that exist and are worth something"
        assert value.sum() == pytest.approx(dense_optimum(weight))


def test_assignment_without_edges() -> None:
    none = np.zeros(0, np.int64)
    assert assign(np.zeros(4, np.int64), none, np.zeros(0), 2).tolist() == [-1, -1, -1]


def run(tracks: np.ndarray, boxes: np.ndarray, **gates: float) -> list[int]:
    """Track boxes and detections as left, top, right, bottom; the box matched to each track."""
    n, m = len(tracks), len(boxes)
    track_match, box_match = np.full(n, -1), np.full(m, -1)
    heading = np.zeros((n, 4))
    heading[:, :2] = (tracks[:, :2] + tracks[:, 2:]) / 2
    heading[:, 2] = gates.get("rightwards", 0.0)
    associate(
        tracks.astype(np.float64),
        heading,
        np.ones(n, np.bool_),
        np.full(n, gates.get("penalty", 0.0)),
        track_match,
        boxes.astype(np.float64),
        np.full(m, 0.5, np.float32),
        boxes[:, 0].astype(np.float64).argsort(),
        box_match,
        gates.get("min_score", 0.1),
        gates.get("min_iou", 0.3),
        gates.get("buffer", 0.0),
        gates.get("direction", 0.0),
    )
    for i in np.flatnonzero(track_match >= 0):
        assert box_match[track_match[i]] == i
    return track_match.tolist()


def square(x: float, y: float = 0, side: float = 10) -> list[float]:
    return [x, y, x + side, y + side]


def test_all_pairs_above_the_gate_are_found_by_the_sweep() -> None:
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 800, (300, 2))
    boxes = np.column_stack((corner, corner + rng.uniform(5, 90, (300, 2))))
    shuffled = rng.permutation(300)
    moved = boxes[shuffled] + rng.normal(0, 0.3, (300, 4))
    assert run(boxes, moved) == np.argsort(shuffled).tolist()


def test_pair_below_the_gate_stays_apart() -> None:
    assert run(np.array([square(0)]), np.array([square(7)])) == [-1]
    assert run(np.array([square(0)]), np.array([square(3)])) == [0]


def test_growing_boxes_bridges_a_gap() -> None:
    assert run(np.array([square(0)]), np.array([square(9)])) == [-1]
    assert run(np.array([square(0)]), np.array([square(9)]), buffer=0.5) == [0]


def test_faint_boxes_are_left_alone() -> None:
    assert run(np.array([square(0)]), np.array([square(0)]), min_score=0.6) == [-1]


def test_direction_decides_between_boxes_that_overlap_alike() -> None:
    boxes = np.array([square(-3), square(3)])
    assert run(np.array([square(0)]), boxes, rightwards=1.0, direction=0.2) == [1]
    assert run(np.array([square(0)]), boxes, rightwards=-1.0, direction=0.2) == [0]
