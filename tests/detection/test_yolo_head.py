"""Raw outputs to boxes."""

from __future__ import annotations

import numpy as np

from detection.letterbox import Letterbox
from detection.yolo_head import decode

LETTERBOX = Letterbox.within((64, 64), (64, 64))
LABELS = np.array([2, -1, 7], np.int16)


def output(*columns: tuple[float, ...]) -> np.ndarray:
    """(4 + 3, anchors) from columns centre x, centre y, width, height and three scores."""
    return np.array(columns, np.float32).T.reshape(7, -1)


def test_best_class_decides_and_unwanted_ones_are_left_out() -> None:
    raw = output(
        (10, 10, 8, 4, 0.9, 0.1, 0.2),
        (30, 30, 8, 8, 0.4, 0.8, 0.3),
        (50, 50, 6, 6, 0.1, 0.1, 0.6),
        (50, 20, 6, 6, 0.2, 0.1, 0.1),
    )
    found = decode(raw, LABELS, LETTERBOX, score=0.25, nms_iou=0.7, position=3)
    np.testing.assert_allclose(found.box, [[6, 8, 8, 4], [47, 47, 6, 6]])
    np.testing.assert_allclose(found.score, [0.9, 0.6])
    assert found.label.tolist() == [2, 7] and found.frame.tolist() == [3, 3]
    assert [column.dtype.name for column in (found.box, found.score, found.label)] == ["float32", "float32", "int16"]


def test_one_vehicle_found_as_car_and_truck_is_one() -> None:
    raw = output((20, 20, 20, 20, 0.5, 0, 0.1), (20.5, 20, 20, 20, 0.1, 0, 0.6))
    found = decode(raw, LABELS, LETTERBOX, score=0.25, nms_iou=0.7, position=1)
    assert found.label.tolist() == [7]


def test_further_rows_such_as_masks_are_ignored() -> None:
    raw = np.concatenate((output((20, 20, 20, 20, 0.5, 0, 0.1)), np.full((32, 1), 9, np.float32)))
    assert len(decode(raw, LABELS, LETTERBOX, score=0.25, nms_iou=0.7, position=1)) == 1


def test_output_of_networks_that_suppress_duplicates_themselves() -> None:
    raw = np.array([[6, 8, 14, 12, 0.9, 0], [1, 1, 9, 9, 0.8, 1], [40, 40, 50, 50, 0.1, 2]], np.float32)
    found = decode(raw, LABELS, LETTERBOX, score=0.25, nms_iou=0.7, position=1)
    np.testing.assert_allclose(found.box, [[6, 8, 8, 4]])
    assert found.label.tolist() == [2]


def test_nothing_found() -> None:
    assert len(decode(output((9, 9, 2, 2, 0.1, 0.1, 0.1)), LABELS, LETTERBOX, score=0.25, nms_iou=0.7, position=1)) == 0
