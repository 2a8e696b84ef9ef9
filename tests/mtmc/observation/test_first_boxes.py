"""The first boxes of a run are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from detection.detections import Detections
from mtmc.observation.first_boxes import FIRST_FRAMES, count_first_boxes, doubts


def counts(boxes: list[list[float]], frame: int = 1) -> dict[str, int]:
    return count_first_boxes(Detections.of(np.full(len(boxes), frame), np.array(boxes).reshape(-1, 4)), 640, 480)


def test_ordinary_boxes_raise_no_doubt() -> None:
    busy = counts([[10, 10, 50, 40], [600, 400, 80, 120], [0, 0, 640, 240], [0, 0, 640, 480], [640, 20, 0, 30]])
    assert busy == {"boxes": 5, "covering": 1, "outside": 1}
    assert doubts([busy]) == doubts([busy, counts([])]) == doubts([]) == ""


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        ([counts([]), counts([[1, 1, 9, 9]], FIRST_FRAMES + 1)], "no box was found in the first 200 frames of any"),
        ([counts([[-5, -5, 700, 500]]), counts([])], "100% cover the whole picture"),
        ([counts([[640, 480, 0, 0], [-90, 10, 50, 50]])], "100% lie outside the picture"),
    ],
)
def test_what_is_strange_is_said(cameras: list[dict[str, int]], said: str) -> None:
    assert said in doubts(cameras)
