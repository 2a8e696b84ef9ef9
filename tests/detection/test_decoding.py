"""Raw outputs to boxes, each against a plain calculation."""

from __future__ import annotations

import numpy as np
import pytest

from detection.decoding import (
    boxes_with_class_scores,
    boxes_with_objectness,
    corners_of,
    decode,
    probabilistic_iou,
    selected_boxes,
    suppress_oriented,
    upright_hull,
)
from detection.layouts import Layout


def test_the_best_class_decides() -> None:
    table = np.random.default_rng(0).random((4 + 3 + 2, 50)).astype(np.float32)
    box, score, kind, rest = boxes_with_class_scores(table, 3, 0.8)
    expected = [
        (column[:4], column[4:7].max(), column[4:7].argmax(), column[7:])
        for column in table.T
        if column[4:7].max() > 0.8
    ]
    assert 5 < len(expected) < 45
    for found, wanted in zip((box.T, score, kind, rest.T), zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(found, np.array(wanted))


def test_objectness_multiplies_the_scores() -> None:
    table = np.random.default_rng(0).random((5 + 3 + 2, 50)).astype(np.float32)
    box, score, kind, rest = boxes_with_objectness(table, 3, 0.5)
    expected = [
        (column[:4], column[4] * column[5:8].max(), column[5:8].argmax(), column[8:])
        for column in table.T
        if column[4] * column[5:8].max() > 0.5
    ]
    assert 5 < len(expected) < 45
    for found, wanted in zip((box.T, score, kind, rest.T), zip(*expected, strict=True), strict=True):
        np.testing.assert_array_equal(found, np.array(wanted))


def test_selected_boxes_above_the_score() -> None:
    table = np.array([[6, 8, 14, 12, 0.9, 5, 1], [1, 1, 9, 9, 0.1, 1, 2]], np.float32).T
    box, score, kind, rest = selected_boxes(table, 0.25)
    assert box.T.tolist() == [[6, 8, 14, 12]] and kind.tolist() == [5] and rest.tolist() == [[1]]
    np.testing.assert_allclose(score, [0.9])


def test_corners() -> None:
    assert corners_of(np.array([[10], [20], [8], [4]], np.float32)).tolist() == [[6, 18, 14, 22]]


def test_normalised_boxes_grow_to_the_input() -> None:
    output = np.array([[[0.5, 0.25, 0.1, 0.2, 0.9, 2]]], np.float32)
    found = decode(Layout("rtdetr", 0, 80), [output], 0, classes=80, score=0.5, input_size=(100, 200))
    np.testing.assert_allclose(found.box, [[90, 15, 110, 35]], rtol=1e-6)
    assert found.box.dtype == found.score.dtype == np.float32


def test_no_boxes_at_all() -> None:
    for name, shape in (("end-to-end", (1, 0, 6)), ("yolov5", (1, 0, 85)), ("yolov8", (1, 84, 0))):
        output = np.zeros(shape, np.float32)
        found = decode(Layout(name, 0, 80), [output], 0, classes=80, score=0.5, input_size=(96, 96))
        assert found.box.shape == (0, 4) and found.score.shape == found.kind.shape == (0,)


def corners_of_turned(box: np.ndarray, angle: float) -> np.ndarray:
    """(4, 2) corners of one oriented box."""
    x, y, width, height = box
    offsets = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return offsets @ turn + [x, y]


def test_the_hull_holds_all_corners_tightly() -> None:
    rng = np.random.default_rng(0)
    box, angle = rng.uniform(5, 100, (20, 4)).astype(np.float32), rng.uniform(-4, 4, 20).astype(np.float32)
    corners = [corners_of_turned(*each) for each in zip(box, angle, strict=True)]
    expected = [np.concatenate((each.min(0), each.max(0))) for each in corners]
    np.testing.assert_allclose(upright_hull(box, angle), expected, rtol=1e-4, atol=1e-3)


def oriented_boxes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    box = np.column_stack((rng.uniform(0, 60, (80, 2)), rng.uniform(5, 40, (80, 2)))).astype(np.float32)
    return box, rng.uniform(-0.7, 2.3, 80).astype(np.float32), rng.random(80).astype(np.float32)


def test_overlap_of_oriented_boxes() -> None:
    """Against the Bhattacharyya distance of the two Gaussians in matrix form."""
    box, angle, _ = oriented_boxes()
    found = probabilistic_iou(box, angle)

    def gaussian(row: int) -> tuple[np.ndarray, np.ndarray]:
        turn = np.array([[np.cos(angle[row]), -np.sin(angle[row])], [np.sin(angle[row]), np.cos(angle[row])]])
        return box[row, :2], turn @ np.diag(box[row, 2:].astype(float) ** 2 / 12) @ turn.T

    for a in range(0, 80, 7):
        for b in range(80):
            (mean_a, cov_a), (mean_b, cov_b) = gaussian(a), gaussian(b)
            cov, difference = (cov_a + cov_b) / 2, (mean_a - mean_b).astype(float)
            distance = difference @ np.linalg.inv(cov) @ difference / 8
            distance += np.log(np.linalg.det(cov) / np.sqrt(np.linalg.det(cov_a) * np.linalg.det(cov_b))) / 2
            expected = 1 - np.sqrt(max(1 - np.exp(-distance), 0))
            assert found[a, b] == pytest.approx(expected, abs=1e-3)


def test_oriented_suppression() -> None:
    box, angle, score = oriented_boxes()
    kept = suppress_oriented(box, angle, score, 0.4)
    overlap = probabilistic_iou(box, angle)
    expected = [row for row in range(80) if not (overlap[row, score > score[row]] > 0.4).any()]
    assert sorted(kept.tolist()) == expected and 5 < len(kept) < 80
    assert (np.diff(score[kept]) < 0).all()
    assert len(suppress_oriented(box[:0], angle[:0], score[:0], 0.4)) == 0
