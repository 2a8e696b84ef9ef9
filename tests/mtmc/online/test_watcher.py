from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from detection.detections import Detections
from mtmc.config import PipelineSettings, make_settings
from mtmc.online.frames import LiveFrame
from mtmc.online.messages import ClosedTrack, LiveRows
from mtmc.online.watcher import CameraWatcher

from .scenes import SIZE, BrightBoxes, MeanColour, draw

SETTINGS = make_settings({"repair.enlarge": 0.0, "repair.smooth": 0.0})


class Counting(MeanColour):
    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        self.embedded += len(crops)
        return super().embed(crops)


class Prepared(BrightBoxes):
    key = ""

    def prepare(self, height: int, width: int) -> None:
        pass


def watcher(settings: PipelineSettings = SETTINGS, first_track: int = 1) -> CameraWatcher:
    return CameraWatcher(Prepared(), Counting(), settings, first_track=first_track)


def show(seen: CameraWatcher, frames: range, vehicles: Sequence[tuple[float, float, tuple[int, int, int]]]) -> None:
    """Vehicles as (x at frame 0, pixels per frame, colour)."""
    for number in frames:
        picture = draw([(x + speed * number, 60, colour) for x, speed, colour in vehicles])
        seen.see(LiveFrame(number, 1000 + number / 10, 1, *SIZE, lambda p=picture: p))


def test_a_track_is_told_at_once_embedded_at_its_third_crop_and_closed_when_it_left() -> None:
    seen = watcher()

    show(seen, range(1, 4), [(0, 4, (0, 0, 250))])
    first = seen.news()
    show(seen, range(4, 14), [(0, 4, (0, 0, 250))])
    second = seen.news()
    show(seen, range(14, 40), [])
    last = seen.news()

    assert [r.track.tolist() for r in first.rows] == [[1, 1, 1]]
    assert LiveRows.concatenate(first.rows).seconds.tolist() == [1000.1, 1000.2, 1000.3]
    assert not first.features
    assert second.features[0].track.tolist() == [1]
    [closed] = last.closed
    assert (closed.number, closed.why) == (1, "left")
    assert closed.rows.frame.tolist() == list(range(1, 14))
    assert len(closed.crops) >= 3
    assert closed.vector is not None
    assert closed.vector[2] > 0.9  # red
    assert seen.news().closed == []


def test_no_crop_is_embedded_twice() -> None:
    seen = watcher()

    show(seen, range(1, 14), [(0, 4, (0, 0, 250))])
    show(seen, range(14, 30), [])

    [closed] = seen.news().closed
    extractor = seen._extractor
    assert extractor is not None
    assert extractor._extractor.embedded <= len(closed.crops)
    assert len(closed.crops) == 6  # at most one of two frames


def test_a_new_session_closes_all_tracks_and_uses_no_number_again() -> None:
    seen = watcher(first_track=8)

    show(seen, range(1, 10), [(0, 3, (0, 0, 250)), (100, 3, (250, 0, 0))])
    seen.end_session("lost sight")
    show(seen, range(20, 30), [(0, 3, (0, 0, 250))])

    news = seen.news()
    assert [(c.number, c.why) for c in news.closed] == [(8, "lost sight"), (9, "lost sight")]
    assert int(news.rows[-1].track[0]) == 10


def test_a_track_that_is_too_short_is_closed_without_rows() -> None:
    seen = watcher(make_settings({"repair.min_boxes": 6}))

    show(seen, range(1, 5), [(0, 4, (0, 0, 250))])
    show(seen, range(5, 30), [])

    [closed] = seen.news().closed
    assert not len(closed.rows)
    assert not len(closed.crops)
    assert closed.vector is None or closed.why == "left"


def test_a_vehicle_that_stays_in_sight_is_cut_so_that_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtmc.online.watcher.MAX_TRACK_SECONDS", 30.0)
    seen, found, rows = watcher(), list[ClosedTrack](), 0
    picture = draw([(60, 60, (0, 0, 250))])
    for number in range(1, 130):
        seen.see(LiveFrame(number, 0.5 * number, 1, *SIZE, lambda: picture))
        found += seen.news().closed
        rows = max(rows, sum(len(r) for track in seen._open.values() for r in track.rows))

    assert [c.why for c in found] == ["in sight for long"] * 2
    assert rows <= 62


def test_memory_does_not_grow_with_the_tracks_that_have_gone() -> None:
    seen = watcher()
    for start in range(1, 400, 30):
        show(seen, range(start, start + 10), [(-4 * start, 4, (0, 0, 250))])
        show(seen, range(start + 10, start + 30), [])
        seen.news()

    assert not seen._open
    assert not seen._numbers
    assert not seen._latest
    assert not seen._crops._albums
    assert not seen._ended


def test_times_must_rise() -> None:
    seen = watcher()
    show(seen, range(5, 6), [])
    with pytest.raises(ValueError, match="order of time"):
        show(seen, range(4, 5), [])


def test_the_detector_of_these_tests_sees_what_they_draw() -> None:
    [found] = BrightBoxes().detect([draw([(20, 60, (0, 0, 250))])])
    assert isinstance(found, Detections)
    assert found.box.tolist() == [[20, 60, 40, 30]]
    assert cv2.countNonZero(draw([])[:, :, 0]) == SIZE[0] * SIZE[1]
