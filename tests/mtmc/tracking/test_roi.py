"""The region of interest: the official rule, and boxes made to fit."""

from __future__ import annotations

import numpy as np

from evaluation.boxes import Boxes
from evaluation.roi import outside_roi
from mtmc.tracking.roi import fit_into_roi, inside_roi


def lower_half() -> np.ndarray:
    roi = np.full((100, 200), 255, np.uint8)
    roi[:50] = 0
    return roi


def test_any_corner_outside_decides() -> None:
    box = np.array([[10, 60, 20, 20], [10, 40, 20, 30], [10, 10, 20, 10]], np.float32)
    assert inside_roi(box, lower_half()).tolist() == [True, False, False]


def test_corner_beyond_the_picture_decides_nothing() -> None:
    assert inside_roi(np.array([[-30, 60, 300, 80]], np.float32), lower_half()).tolist() == [True]


def test_jpeg_noise_counts_as_outside_unless_told() -> None:
    roi = np.full((100, 200), 254, np.uint8)
    box = np.array([[10, 10, 20, 20]], np.float32)
    assert inside_roi(box, roi).tolist() == [False]
    assert inside_roi(box, roi, threshold=128).tolist() == [True]


def test_same_rule_as_the_official_scoring() -> None:
    rng = np.random.default_rng(0)
    roi = np.where(rng.random((90, 160)) < 0.8, 255, 0).astype(np.uint8)
    box = np.column_stack((rng.uniform(-20, 160, (500, 2)), rng.uniform(1, 40, (500, 2)))).astype(np.float32)
    official = outside_roi(Boxes.of(1, np.arange(500), np.ones(500), box), {1: roi})
    assert (inside_roi(box, roi) == ~official).all()


def test_boxes_shrink_only_as_far_as_needed() -> None:
    box = np.array([[10, 45, 40, 50], [10, 60, 40, 30], [10, 5, 40, 90]], np.float32)
    fitted = fit_into_roi(box, lower_half(), max_shrink=0.2)
    assert inside_roi(fitted[:2], lower_half()).all()
    assert fitted[0].tolist() == [10, 50, 40, 45], "only the upper side moves"
    assert (fitted[1:] == box[1:]).all(), "inside already, or beyond help"


def test_no_boxes() -> None:
    none = np.zeros((0, 4), np.float32)
    assert inside_roi(none, lower_half()).shape == (0,)
    assert fit_into_roi(none, lower_half()).shape == (0, 4)
