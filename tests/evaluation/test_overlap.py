"""Overlaps of boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from common.boxes import iou
from evaluation import overlap
from evaluation.boxes import Boxes
from evaluation.comparison import compare
from evaluation.overlap import overlaps


def test_known_overlaps() -> None:
    box = np.array([0.0, 0, 10, 10])
    others = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 10, 10], [2, 2, 5, 5], [-5, -5, 100, 100]])
    assert iou(box, others) == pytest.approx([1, 1 / 3, 0, 0.25, 0.01])


def test_a_box_equals_itself_exactly_whatever_its_corners() -> None:
    boxes = np.random.default_rng(0).uniform(1, 2000, (1000, 4))
    assert (iou(boxes, boxes) == 1).all()


@pytest.mark.parametrize("portion", [1, 7, 10_000])
def test_chunks_do_not_change_the_pairs(
    make_scene: Callable[..., tuple[Boxes, Boxes]], monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setattr(overlap, "_CANDIDATES_AT_ONCE", portion)
    comparison = compare(*make_scene(0, cameras=1, room=80.0))
    a, b = comparison.truth, comparison.predicted
    ratio = iou(a.boxes.box[:, None], b.boxes.box[None])
    ratio[a.time[:, None] != b.time[None]] = 0
    row, column = np.nonzero(ratio)
    pairs = overlaps(a.time, a.boxes.box, b.time, b.boxes.box)
    assert pairs.truth.tolist() == row.tolist()
    assert pairs.predicted.tolist() == column.tolist()
    assert pairs.iou.tolist() == ratio[row, column].tolist()
