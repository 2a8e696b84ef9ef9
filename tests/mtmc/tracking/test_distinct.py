"""Doubled boxes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.boxes import suppress
from detection.detections import Detections
from mtmc.tracking.distinct import distinct
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.tracker import Tracker


@settings(deadline=None)  # the first example compiles
@given(st.integers(0, 40), st.floats(0.2, 0.9), st.integers(0, 2**32 - 1))
def test_the_same_boxes_stay_as_in_suppression_over_the_whole_matrix(n: int, iou: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    box = np.column_stack([random.uniform(0, 200, (n, 2)), random.uniform(30, 120, (n, 2))]).astype(np.float32)
    score = random.choice([0.2, 0.5, 0.9], n).astype(np.float32)
    stays = distinct(box, score, iou)
    corners = np.column_stack([box[:, :2], box[:, :2] + box[:, 2:]])
    assert np.flatnonzero(stays).tolist() == sorted(suppress(corners, score, iou).tolist())


def _numbers(settings: TrackingSettings) -> set[int]:
    tracker = Tracker(settings)
    found: set[int] = set()
    for frame in range(1, 8):
        boxes = [[10 * frame, 50, 80, 60], [10 * frame + 12, 55, 80, 60]]
        found |= set(tracker.update(Detections.of([frame] * 2, boxes, [0.9, 0.4]), frame / 10).track.tolist())
    return found


def test_a_doubled_box_makes_no_second_track() -> None:
    assert _numbers(TrackingSettings()) == {1}
    assert _numbers(TrackingSettings(nms_iou=0.9)) == {1, 2}


def test_faint_boxes_start_no_track_but_continue_one() -> None:
    tracker = Tracker(TrackingSettings(start_score=0.6))
    scores = [0.4, 0.4, 0.4, 0.7, 0.4, 0.4, 0.4]
    rows = [
        tracker.update(Detections.of([f], [[10 * f, 50, 80, 60]], [s]), f / 10) for f, s in enumerate(scores, start=1)
    ]
    assert [int(f) for r in rows for f in r.frame] == [4, 5, 6, 7]
