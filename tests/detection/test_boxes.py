"""Overlap and suppression against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.boxes import overlap, suppress


def some_boxes(seed: int, count: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, spread, (count, 2))
    return np.concatenate((corner, corner + rng.uniform(5, 60, (count, 2))), 1).astype(np.float32)


def test_overlap_equals_torchvision() -> None:
    a, b = some_boxes(0, 40, 100), some_boxes(1, 30, 100)
    expected = torchvision.ops.box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(overlap(a, b), expected, atol=1e-6)


def test_overlap_of_nothing_and_of_empty_boxes() -> None:
    point = np.array([[5, 5, 5, 5]], np.float32)
    assert overlap(point, point).tolist() == [[0.0]]
    assert overlap(np.zeros((0, 4), np.float32), point).shape == (0, 1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 120),
    spread=st.floats(1, 300),
    iou=st.floats(0.05, 0.95),
)
def test_suppression_equals_torchvision(seed: int, count: int, spread: float, iou: float) -> None:
    boxes = some_boxes(seed, count, spread)
    score = np.random.default_rng(seed + 1).permutation(count).astype(np.float32)
    expected = torchvision.ops.nms(torch.from_numpy(boxes), torch.from_numpy(score), iou).tolist()
    assert suppress(boxes, score, iou).tolist() == expected


def test_suppression_keeps_at_most_max_boxes() -> None:
    boxes = np.array([[10 * i, 0, 10 * i + 5, 5] for i in range(50)], np.float32)
    kept = suppress(boxes, np.arange(50, dtype=np.float32), 0.5, max_boxes=7)
    assert kept.tolist() == [49, 48, 47, 46, 45, 44, 43]


def test_a_long_chain_of_overlaps() -> None:
    boxes = np.array([[4 * i, 0, 4 * i + 10, 10] for i in range(100)], np.float32)
    score = np.arange(100, 0, -1, dtype=np.float32)
    assert suppress(boxes, score, 0.3).tolist() == list(range(0, 100, 2))


@pytest.mark.parametrize("count", [0, 1])
def test_few_boxes(count: int) -> None:
    assert suppress(some_boxes(0, count, 9), np.ones(count, np.float32), 0.5).tolist() == list(range(count))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), step=st.integers(-2, 2))
def test_suppression_decides_as_the_overlap_does_at_the_threshold(seed: int, step: int) -> None:
    boxes = some_boxes(seed, 30, 60)
    score = np.arange(30, 0, -1, dtype=np.float32)
    table = overlap(boxes, boxes)
    iou = np.random.default_rng(seed).choice(table[(table > 0.1) & (table < 0.9)])
    for _ in range(abs(step)):
        iou = np.nextafter(iou, np.float32(step > 0))
    expected: list[int] = []
    for i in range(len(boxes)):
        if not (table[i, expected] > iou).any():
            expected.append(i)
    assert suppress(boxes, score, float(iou)).tolist() == expected
