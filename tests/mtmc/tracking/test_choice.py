"""Trackers by name, and the adapter for the package `trackers`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from common.errors import InputError
from detection.detections import Detections
from mtmc.scenarios.clock import Clock
from mtmc.tracking.choice import TRACKERS, joined, make_tracker, tracker_key
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.tracker import Tracker
from mtmc.tracking.tracks import Tracks

TEN_FPS = Clock.uniform(10)


def make(name: str, **options: Any) -> Any:
    return make_tracker(name, TrackingSettings(), TEN_FPS, options)


@dataclass
class FakeDetections:
    """As much of `supervision.Detections` as the adapter touches."""

    xyxy: np.ndarray
    confidence: np.ndarray
    class_id: np.ndarray
    data: dict[str, np.ndarray] = field(default_factory=dict)
    tracker_id: np.ndarray | None = None


class FakeSort:
    """Numbers the boxes from left to right, from 0, returns them in that order, and leaves those at the left alone."""

    def __init__(self, frame_rate: float = 30.0, lost_track_buffer: int = 30) -> None:
        self.frame_rate, self.times = frame_rate, []

    def update(self, found: FakeDetections, timestamp: float) -> FakeDetections:
        self.times.append(timestamp)
        order = np.argsort(found.xyxy[:, 0])
        number = np.where(found.xyxy[order, 0] > 5, np.arange(len(order)), -1)
        return FakeDetections(
            found.xyxy[order], found.confidence[order], found.class_id[order], {"row": found.data["row"][order]}, number
        )


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the two packages."""
    trackers, supervision = ModuleType("trackers"), ModuleType("supervision")
    trackers.SORTTracker = FakeSort  # type: ignore[attr-defined]
    supervision.Detections = FakeDetections  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "trackers", trackers)
    monkeypatch.setitem(sys.modules, "supervision", supervision)


def test_the_default_is_ours_with_the_settings() -> None:
    tracker = make_tracker("arrays", TrackingSettings(confirm_hits=1), TEN_FPS, {})
    assert isinstance(tracker, Tracker)
    assert tracker.update(Detections.of([1], [[0, 0, 9, 9]], [0.9]), 0.0).track.tolist() == [1]
    with pytest.raises(InputError, match="takes no options"):
        make("arrays", frame_rate=3)


def test_the_adapter_converts_boxes_numbers_and_times(package: None) -> None:
    tracker = make("sort")
    boxes = [[50, 10, 20, 30], [0, 0, 9, 9], [10, 20, 30, 40], [np.nan, 0, 1, 1]]
    rows = tracker.update(Detections.of([4] * 4, boxes, [0.9, 0.8, 0.7, 0.6], [2, 7, 5, 2]), -3.0)
    assert rows.track.tolist() == [2, 3]
    assert rows.frame.tolist() == [4, 4]
    assert rows.box.tolist() == [[10, 20, 30, 40], [50, 10, 20, 30]]
    assert rows.score.tolist() == pytest.approx([0.7, 0.9])
    assert rows.label.tolist() == [5, 2]
    tracker.update(Detections.empty(), -2.5)
    assert tracker._tracker.times == [0.0, 0.5]
    assert tracker._tracker.frame_rate == pytest.approx(10)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update(Detections.empty(), -4.0)


def test_options_reach_the_package_and_wrong_ones_are_told(package: None) -> None:
    assert make("sort", frame_rate=25.0)._tracker.frame_rate == 25
    with pytest.raises(InputError, match="colour"):
        make("sort", colour=1)


@pytest.mark.parametrize("name", [name for name in TRACKERS if name != "arrays"])
def test_the_real_package(name: str) -> None:
    pytest.importorskip("trackers")
    tracker = make(name)
    path = [Detections.of([f, f], [[10 * f, 50, 80, 60], [900 - 10 * f, 300, 90, 60]], [0.9] * 2) for f in range(1, 31)]
    tracks = joined([tracker.update(found, found.frame[0] / 10) for found in path], name)
    assert len(np.unique(tracks.track)) == 2
    assert len(tracks) > 40


def test_without_the_package_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(InputError, match=r"pip install 'mtmc\[trackers\]'"):
        make("bytetrack")


def test_the_nearest_name() -> None:
    with pytest.raises(InputError, match="--tracker bytetrak: unknown; did you mean bytetrack"):
        make("bytetrak")


def test_a_users_class_and_its_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from mtmc.tracking.tracks import Tracks\n\n\n"
        "class Mine:\n    def __init__(self, first=1):\n        self.first = first\n\n"
        "    def update(self, detections, seconds):\n"
        "        number = range(self.first, self.first + len(detections))\n"
        "        return Tracks.of(number, detections.frame, detections.box)\n"
    )
    tracker = make(f"{path}:Mine", first=5)
    assert tracker.update(Detections.of([3], [[0, 0, 9, 9]]), 0.0).track.tolist() == [5]
    key = tracker_key(f"{path}:Mine")
    path.write_text(path.read_text() + "# changed\n")
    assert tracker_key(f"{path}:Mine") != key
    with pytest.raises(InputError, match="no method update"):
        make("fractions:Fraction")


def test_what_a_tracker_returns_is_checked() -> None:
    box = [[0, 0, 9, 9]] * 2
    with pytest.raises(InputError, match=r"mine: returned track 7 twice in frame 2"):
        joined([Tracks.of([7], [2], box[:1]), Tracks.of([7], [2], box[:1])], "mine")
    with pytest.raises(InputError, match="start at 1"):
        joined([Tracks.of([0, 1], [2, 2], box)], "mine")
    assert joined([Tracks.of([2, 1], [1, 1], box), Tracks.empty()], "mine").track.tolist() == [1, 2]
