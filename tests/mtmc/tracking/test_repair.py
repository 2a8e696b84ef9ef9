"""Repair of a camera's tracks, step by step and as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.scenarios.clock import Clock
from mtmc.tracking.duplicates import duplicates
from mtmc.tracking.gaps import interpolate, smooth, visible_share
from mtmc.tracking.repair import Repaired, RepairSettings, parked, repair
from mtmc.tracking.tracks import Tracks

TEN_FPS = Clock.uniform(10)
PICTURE = (640, 360)
NOTHING = RepairSettings(
    merge_duplicates=False, drop_slivers=False, relink=False, min_boxes=1, interpolate=0, smooth=0, roi="keep"
)


def moving(number: int, frames: range, x: float, speed: float, y: float = 100, side: float = 60) -> Tracks:
    frame = np.array(frames)
    left = x + speed * (frame - frame[0])
    n = len(frame)
    return Tracks.of(np.full(n, number), frame, np.column_stack((left, np.full(n, y), np.full((n, 2), side))))


def run(*parts: Tracks, **switches: object) -> Repaired:
    return repair(Tracks.concatenate(list(parts)), TEN_FPS, PICTURE, NOTHING.model_copy(update=switches))


def test_nothing_to_do_leaves_all_rows_under_new_numbers() -> None:
    result = run(moving(9, range(5, 10), 0, 5), moving(4, range(1, 4), 300, 5))
    assert result.mapping == {4: 1, 9: 2}
    assert result.tracks.track.tolist() == [1] * 3 + [2] * 5
    assert result.tracks.frame.tolist() == [1, 2, 3, 5, 6, 7, 8, 9]


def test_boxes_too_small_to_recognise_a_vehicle_are_dropped() -> None:
    frame = np.arange(1, 11)
    box = np.column_stack((np.full((10, 2), 50), 10 + 2 * frame, np.full(10, 40)))
    comes_nearer = Tracks.of(np.ones(10), frame, box)
    assert run(comes_nearer, min_side=20).tracks.frame.tolist() == [5, 6, 7, 8, 9, 10]
    assert run(comes_nearer, min_side=20, min_boxes=7).tracks.frame.tolist() == []
    assert len(run(comes_nearer, min_side=0).tracks) == 10


def test_no_tracks() -> None:
    everything = RepairSettings(smooth=0.1, enlarge=0.2, roi="shrink")
    result = repair(Tracks.empty(), TEN_FPS, PICTURE, everything, np.zeros((360, 640), np.uint8))
    assert len(result.tracks) == 0 and result.mapping == {}


def test_two_tracks_on_one_vehicle_become_one() -> None:
    whole, double = moving(1, range(1, 31), 0, 10), moving(2, range(8, 20), 74, 10)
    result = run(whole, double, merge_duplicates=True)
    assert result.mapping == {1: 1, 2: 1}
    assert result.tracks.frame.tolist() == list(range(1, 31))
    assert result.tracks.box == pytest.approx(whole.box), "the longer track's boxes are kept"


def test_double_that_outlives_the_first_prolongs_it() -> None:
    result = run(moving(1, range(1, 21), 0, 10), moving(2, range(8, 29), 72, 10), merge_duplicates=True)
    assert result.tracks.frame.tolist() == list(range(1, 29))
    assert set(result.mapping.values()) == {1}


def test_vehicle_that_passes_another_is_no_duplicate() -> None:
    tracks = Tracks.concatenate([moving(1, range(1, 31), 0, 10), moving(2, range(1, 31), 145, 0)]).sorted()
    assert (duplicates(tracks, 0.7, 0.6) == tracks.track).all()


def test_fragments_are_joined_and_the_gap_is_filled() -> None:
    result = run(moving(3, range(1, 11), 0, 10), moving(5, range(16, 31), 150, 10), relink=True, interpolate=2.0)
    assert result.mapping == {3: 1, 5: 1}
    assert result.tracks.frame.tolist() == list(range(1, 31))
    assert result.tracks.box[:, 0] == pytest.approx(10 * np.arange(30))
    assert result.tracks.score.tolist() == [1] * 10 + [0] * 5 + [1] * 15


def test_short_tracks_are_dropped_after_joining() -> None:
    lone = moving(1, range(1, 5), 300, 5, y=300)
    pieces = moving(2, range(1, 5), 0, 10), moving(3, range(7, 11), 60, 10)
    result = run(lone, *pieces, relink=True, min_boxes=6)
    assert result.mapping == {2: 1, 3: 1}
    assert len(result.tracks) == 8


def test_sliver_of_a_vehicle_that_leaves_is_dropped() -> None:
    left = np.arange(500, 640, 10.0)
    box = np.column_stack((left, np.full(14, 100.0), np.minimum(100, 640 - left), np.full(14, 80.0)))
    leaving = Tracks.of(np.ones(14), np.arange(1, 15), box)
    assert visible_share(leaving, PICTURE) == pytest.approx(np.minimum(box[:, 2] / 100, 1))
    kept = run(leaving, drop_slivers=True, min_visible=0.35).tracks
    assert kept.box[:, 2].min() == 40


def test_vehicle_that_stands_cut_by_the_border_is_no_sliver() -> None:
    assert visible_share(moving(1, range(1, 9), -20, 0), PICTURE).tolist() == pytest.approx([40 / 60] * 8)
    cut = Tracks.of(np.ones(3), [1, 2, 3], np.tile([0, 50, 30, 60], (3, 1)))
    assert visible_share(cut, PICTURE).tolist() == [1, 1, 1]


def test_picture_of_unknown_size_has_no_slivers() -> None:
    assert len(repair(moving(1, range(1, 9), -20, 0), TEN_FPS, (0, 0)).tracks) == 8


def test_long_gaps_stay_open() -> None:
    tracks = Tracks.concatenate([moving(1, range(1, 5), 0, 0), moving(1, range(40, 44), 0, 0)])
    assert interpolate(tracks, TEN_FPS, 2.0).frame.tolist() == tracks.frame.tolist()
    assert len(interpolate(tracks, TEN_FPS, 4.0)) == 43


def test_gap_is_filled_by_time_not_by_frame_number() -> None:
    """Between frames 2 and 4 the clock runs unevenly."""
    clock = Clock(np.array([1.0, 3.0, 4.0, 5.0]), np.array([0.0, 0.2, 0.8, 1.0]))
    tracks = Tracks.of([1, 1], [2, 4], [[0, 0, 10, 10], [70, 0, 10, 10]])
    assert interpolate(tracks, clock, 2.0).box[1, 0] == pytest.approx(10)


def test_smoothing_calms_jitter_and_keeps_steady_motion() -> None:
    steady = moving(1, range(1, 41), 0, 10)
    assert smooth(steady, TEN_FPS, 0.3).box == pytest.approx(steady.box, abs=1e-3)
    noise = np.random.default_rng(0).normal(0, 3, steady.box.shape)
    rough = Tracks.of(steady.track, steady.frame, steady.box + noise)
    calmed = smooth(rough, TEN_FPS, 0.3).box - steady.box
    assert calmed[3:-3].std() < 0.6 * noise.std()


def test_smoothing_keeps_tracks_apart() -> None:
    tracks = Tracks.concatenate([moving(1, range(1, 9), 0, 0), moving(2, range(1, 9), 500, 0)])
    assert smooth(tracks, TEN_FPS, 1.0).box == pytest.approx(tracks.box)


def test_region_of_interest_drops_keeps_or_shrinks() -> None:
    roi = np.zeros((360, 640), np.uint8)
    roi[:, 100:] = 255
    part = moving(1, range(1, 11), 50, 10)
    kept, dropped, shrunk = (
        repair(part, TEN_FPS, PICTURE, NOTHING.model_copy(update={"roi": what}), roi).tracks
        for what in ("keep", "drop", "shrink")
    )
    assert kept.frame.tolist() == list(range(1, 11))
    assert dropped.frame.tolist() == list(range(6, 11))
    assert len(shrunk) > len(dropped)
    assert (shrunk.box[:, 0] >= 100).all() and (shrunk.box[:, 2] >= 48).all()


def test_enlarging_stays_inside_the_picture_and_is_off_by_default() -> None:
    assert RepairSettings().enlarge == 0
    part = moving(1, range(1, 3), 0, 300)
    enlarged = run(part, enlarge=0.2).tracks.box
    assert enlarged.tolist() == pytest.approx(np.array([[0, 94, 66, 72], [294, 94, 72, 72]]))


def test_parked_vehicles_are_flagged_driving_and_short_ones_not() -> None:
    jitter = np.random.default_rng(2).normal(0, 2, (150, 4))
    still = moving(1, range(1, 151), 100, 0)
    still = Tracks.of(still.track, still.frame, still.box + jitter)
    drives_off = Tracks.concatenate([moving(2, range(1, 131), 300, 0), moving(2, range(131, 151), 300, 10)])
    brief = moving(3, range(1, 41), 500, 0)
    slow = moving(4, range(1, 151), 0, 1, y=250)
    tracks = Tracks.concatenate([still, drives_off, brief, slow]).sorted()
    assert parked(tracks, TEN_FPS).tolist() == [1]
    assert parked(tracks, TEN_FPS, RepairSettings(parked_seconds=3)).tolist() == [1, 3]
    assert parked(Tracks.empty(), TEN_FPS).tolist() == []


def test_parked_vehicle_that_flickers_is_one_track() -> None:
    pieces = [moving(n, range(60 * n, 60 * n + 20), 100 + n % 2, 0) for n in range(1, 6)]
    result = repair(Tracks.concatenate(pieces), TEN_FPS, PICTURE)
    assert set(result.mapping.values()) == {1}
    assert parked(result.tracks, TEN_FPS).tolist() == [1]


def test_repair_is_idempotent_on_clean_tracks() -> None:
    clean = Tracks.concatenate([moving(1, range(1, 31), 50, 10), moving(2, range(5, 35), 50, 10, y=250)])
    once = repair(clean, TEN_FPS, PICTURE).tracks
    twice = repair(once, TEN_FPS, PICTURE).tracks
    assert (once.track == twice.track).all() and (once.box == twice.box).all()


def part_of(whole: Tracks, number: int, score: float, frames: slice = slice(None)) -> Tracks:
    """The lower left quarter of a vehicle's boxes."""
    shown = whole[frames]
    box = shown.box * np.array([1, 1, 0.5, 0.5]) + np.array([0, 30, 0, 0])
    return Tracks.of(np.full(len(shown), number), shown.frame, box, np.full(len(shown), score))


def test_track_of_a_part_of_a_vehicle_is_dropped() -> None:
    whole = moving(1, range(1, 31), 0, 10)
    result = run(whole, part_of(whole, 2, 0.5), drop_parts=True)
    assert result.mapping == {1: 1}
    assert result.tracks.box == pytest.approx(whole.box)


@pytest.mark.parametrize("reason", ["it is seen as well as the other", "it is inside for a third of its life"])
def test_vehicle_in_front_of_a_larger_one_stays(reason: str) -> None:
    whole = moving(1, range(1, 31), 0, 10)
    if "well" in reason:
        other = part_of(whole, 2, 1.0)
    else:
        other = Tracks.concatenate([part_of(whole, 2, 0.5, slice(20, 30)), moving(2, range(31, 51), 300, 30)])
    assert run(whole, other, drop_parts=True).mapping == {1: 1, 2: 2}


def test_track_that_begins_and_ends_on_bad_boxes_is_taken_over() -> None:
    """The old track drifts off while the new one begins on half of the vehicle; the motion goes on."""
    vehicle = moving(1, range(1, 41), 0, 10)
    old, new = vehicle[:22], vehicle[18:]
    drift = old.box.copy()
    drift[18:, 1] -= np.array([20, 30, 40, 50])
    start = new.box.copy()
    start[:4, 0] += 40
    start[:4, 2] -= 40
    old = Tracks.of(old.track, old.frame, drift)
    new = Tracks.of(np.full(len(new), 2), new.frame, start)
    assert run(old, new, relink=True).mapping == {1: 1, 2: 1}
    # A vehicle that begins there but goes another way is another one.
    away = moving(2, range(19, 41), 180, -12, y=160)
    assert run(old, away, relink=True).mapping == {1: 1, 2: 2}
