"""The tracker as a user sees it: boxes in, track numbers out."""

from __future__ import annotations

import time

import numpy as np
import pytest
from pydantic import ValidationError

from detection.detections import Detections
from mtmc.scenarios.clock import Clock
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.state import predict
from mtmc.tracking.tracker import Tracker, compile_ahead, track
from mtmc.tracking.tracks import Tracks


def boxes_of(path: np.ndarray, frames: np.ndarray, side: float = 60, score: float = 0.9) -> Detections:
    """Square boxes about the centres `path` (n, 2)."""
    box = np.column_stack((path - side / 2, np.full((len(path), 2), side)))
    return Detections.of(frames, box, np.full(len(path), score))


def driving(start: tuple[float, float], speed: tuple[float, float], frames: np.ndarray) -> np.ndarray:
    """Centres at pixels per frame."""
    return np.array(start) + (frames[:, None] - 1) * np.array(speed)


def together(*tables: Detections) -> Detections:
    return Detections.concatenate(list(tables))


def numbers_at(tracks: Tracks, frame: int) -> dict[int, float]:
    rows = tracks[tracks.frame == frame]
    return dict(zip(rows.track.tolist(), (rows.box[:, 0] + rows.box[:, 2] / 2).tolist(), strict=True))


FRAMES = np.arange(1, 31)
TEN_FPS = Clock.uniform(10)


def test_two_vehicles_that_pass_each_other_keep_their_tracks() -> None:
    right = boxes_of(driving((50, 100), (12, 0), FRAMES), FRAMES)
    left = boxes_of(driving((400, 125), (-12, 0), FRAMES), FRAMES)
    tracks = track(together(right, left), TEN_FPS)
    assert np.unique(tracks.track).tolist() == [1, 2]
    assert numbers_at(tracks, 1) == pytest.approx({1: 50, 2: 400})
    assert numbers_at(tracks, 30) == pytest.approx({1: 50 + 29 * 12, 2: 400 - 29 * 12})


def test_rows_come_by_track_and_frame_and_keep_score_and_label() -> None:
    seen = boxes_of(driving((50, 100), (5, 0), FRAMES), FRAMES)
    seen = Detections(seen.frame, seen.box, np.linspace(0.5, 0.9, 30).astype(np.float32), np.full(30, 7, np.int16))
    tracks = track(seen[np.random.default_rng(0).permutation(30)], TEN_FPS)
    assert tracks.frame.tolist() == FRAMES.tolist()
    assert tracks.score == pytest.approx(seen.score)
    assert (tracks.label == 7).all()
    assert tracks.box == pytest.approx(seen.box), "the detector's boxes, not smoothed ones"


def test_track_is_found_again_after_being_hidden() -> None:
    shown = (FRAMES < 12) | (FRAMES > 16)
    path = driving((50, 100), (15, 0), FRAMES)
    tracks = track(boxes_of(path[shown], FRAMES[shown]), TEN_FPS)
    assert np.unique(tracks.track).tolist() == [1]
    assert len(tracks) == shown.sum()


def test_lost_track_is_given_up_in_time() -> None:
    shown = (FRAMES < 6) | (FRAMES > 24)
    parked = boxes_of(driving((50, 100), (0, 0), FRAMES[shown]), FRAMES[shown])
    assert len(np.unique(track(parked, TEN_FPS, Tracker(TrackingSettings(max_lost=1.0))).track)) == 2
    assert len(np.unique(track(parked, TEN_FPS, Tracker(TrackingSettings(max_lost=3.0))).track)) == 1


def test_uneven_frame_times_do_not_break_a_track() -> None:
    times = np.cumsum(np.tile([0.05, 0.4, 0.1, 0.25], 8))
    tracker = Tracker()
    rows = [
        tracker.update(boxes_of(np.array([[100 + 100 * t, 80.0]]), np.array([k + 1])), float(t))
        for k, t in enumerate(times)
    ]
    assert np.unique(Tracks.concatenate(rows).track).tolist() == [1]


def test_boxes_of_every_third_frame_only() -> None:
    some = FRAMES[::3]
    tracks = track(boxes_of(driving((50, 100), (5, 0), some), some), TEN_FPS)
    assert tracks.frame.tolist() == some.tolist()


def test_faint_boxes_continue_a_track_but_start_none() -> None:
    path = driving((50, 100), (8, 0), FRAMES)
    faint = (FRAMES >= 10) & (FRAMES < 20)
    strong = boxes_of(path[~faint], FRAMES[~faint])
    weak = boxes_of(path[faint], FRAMES[faint], score=0.12)
    elsewhere = boxes_of(path + np.array([0, 300]), FRAMES, score=0.12)
    tracks = track(together(strong, weak, elsewhere), TEN_FPS)
    assert np.unique(tracks.track).tolist() == [1]
    assert tracks.frame.tolist() == FRAMES.tolist()
    without = track(together(strong, weak), TEN_FPS, Tracker(TrackingSettings(low_score=0.2)))
    assert len(without) == (~faint).sum()


def test_false_boxes_here_and_there_make_no_track() -> None:
    rng = np.random.default_rng(1)
    assert len(track(boxes_of(rng.uniform(0, 1000, (30, 2)), FRAMES), TEN_FPS)) == 0


def test_confirmation_brings_the_earlier_boxes_or_not() -> None:
    seen = boxes_of(driving((50, 100), (8, 0), FRAMES), FRAMES)
    assert track(seen, TEN_FPS).frame.tolist() == FRAMES.tolist()
    online = track(seen, TEN_FPS, Tracker(TrackingSettings(backfill=False)))
    assert online.frame.tolist() == FRAMES[2:].tolist()
    assert (
        track(seen, TEN_FPS, Tracker(TrackingSettings(confirm_hits=1, backfill=False))).frame.tolist()
        == FRAMES.tolist()
    )


def test_update_gives_rows_of_its_frame_once_confirmed() -> None:
    tracker = Tracker()
    seen = boxes_of(driving((50, 100), (8, 0), FRAMES), FRAMES)
    given = [tracker.update(seen[k : k + 1], k / 10).frame.tolist() for k in range(5)]
    assert given == [[], [], [1, 2, 3], [4], [5]]


def test_fast_new_vehicle_at_a_low_frame_rate() -> None:
    """It moves by more than its own length between its first frames."""
    fast = boxes_of(driving((50, 100), (50, 0), FRAMES[:10]), FRAMES[:10])
    assert len(track(fast, Clock.uniform(5))) == 10
    assert len(track(fast, Clock.uniform(5), Tracker(TrackingSettings(first_buffer=0)))) == 0


def test_recovery_finds_a_vehicle_that_braked_while_hidden() -> None:
    moving, standing = np.arange(1, 11), np.arange(20, 31)
    path = np.concatenate((driving((50, 100), (12, 0), moving), np.tile([[175.0, 100.0]], (11, 1))))
    seen = boxes_of(path, np.concatenate((moving, standing)))
    patient = TrackingSettings(max_lost=2.0)
    assert len(np.unique(track(seen, TEN_FPS, Tracker(patient)).track)) == 2
    assert len(np.unique(track(seen, TEN_FPS, Tracker(patient.model_copy(update={"recovery": True}))).track)) == 1


def test_reupdate_corrects_the_speed_after_a_gap() -> None:
    """A vehicle that slowed down while it was hidden is expected where its new speed takes it."""
    frames = np.concatenate((np.arange(1, 11), [16]))
    x = np.append(50 + 12.0 * np.arange(10), 50 + 12 * 9 + 6 * 8)
    seen = boxes_of(np.column_stack((x, np.full(11, 100.0))), frames)
    tracker = Tracker(TrackingSettings(reupdate=True))
    for frame in range(1, 17):
        tracker.update(seen[seen.frame == frame], frame / 10)
    expected, _ = predict(tracker._state, 1, 1.8)
    assert expected[0, [0, 2]].mean() == pytest.approx(x[-1] + 2 * 8, abs=3)


def test_many_vehicles_at_once_and_room_for_more() -> None:
    grid = np.stack(np.meshgrid(np.arange(30) * 100.0, np.arange(20) * 100.0), -1).reshape(-1, 2)
    tables = [boxes_of(grid + np.array([3.0 * f, 0]), np.full(600, f)) for f in range(1, 7)]
    tracks = track(together(*tables), TEN_FPS)
    assert len(np.unique(tracks.track)) == 600
    assert len(tracks) == 3600


def test_dense_noisy_traffic_is_tracked_alike_twice() -> None:
    rng = np.random.default_rng(5)
    start, speed = rng.uniform(0, 600, (80, 2)), rng.uniform(-8, 8, (80, 2))
    tables = [boxes_of(start + speed * f + rng.normal(0, 2, (80, 2)), np.full(80, f), side=40) for f in range(1, 40)]
    first, second = track(together(*tables), TEN_FPS), track(together(*tables), TEN_FPS)
    assert (first.track == second.track).all() and (first.box == second.box).all()
    assert len(np.unique(np.column_stack((first.track, first.frame)), axis=0)) == len(first)


def test_nothing_in_nothing_out() -> None:
    assert len(track(Detections.empty(), TEN_FPS)) == 0
    assert len(Tracker().update(Detections.empty(), 0.0)) == 0


def test_boxes_that_are_not_finite_harm_no_other() -> None:
    good = boxes_of(driving((50, 100), (8, 0), FRAMES), FRAMES)
    bad = boxes_of(np.full((30, 2), np.nan), FRAMES)
    bad.box[::2, 2] = np.inf
    tracks = track(together(bad, good), TEN_FPS)
    assert np.unique(tracks.track).tolist() == [1]
    assert tracks.box == pytest.approx(good.box)


def test_time_must_not_go_back() -> None:
    tracker = Tracker()
    tracker.update(Detections.empty(), 1.0)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update(Detections.empty(), 0.5)
    with pytest.raises(ValueError, match="order of time"):
        tracker.update(Detections.empty(), float("nan"))


def test_boxes_from_read_only_and_strided_arrays() -> None:
    seen = boxes_of(driving((50, 100), (8, 0), FRAMES), FRAMES)
    wide = np.asfortranarray(np.column_stack((seen.box, seen.box)))[:, :4]
    wide.flags.writeable = False
    assert len(track(Detections(seen.frame, wide, seen.score, seen.label), TEN_FPS)) == 30


def test_compiling_ahead_makes_the_next_tracker_fast() -> None:
    compile_ahead()
    start = time.process_time()
    track(boxes_of(driving((50, 100), (8, 0), FRAMES), FRAMES), TEN_FPS, Tracker(TrackingSettings(recovery=True)))
    assert time.process_time() - start < 1


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="low_score"):
        TrackingSettings(low_score=0.5, high_score=0.3)
    with pytest.raises(ValidationError, match="max_losst"):
        TrackingSettings.model_validate({"max_losst": 1})
    assert all(field.description for field in TrackingSettings.model_fields.values())
