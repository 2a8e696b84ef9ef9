"""Fragments joined: which are taken for one vehicle, and which are not."""

from __future__ import annotations

import numpy as np

from mtmc.scenarios.clock import Clock
from mtmc.tracking.relink import relink
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.tracks import Tracks

TEN_FPS = Clock.uniform(10)


def moving(number: int, frames: range, x: float, speed: float, y: float = 100, side: float = 60) -> Tracks:
    """A box whose left edge is at `x` in the first of `frames`, `speed` in pixels per frame."""
    frame = np.array(frames)
    left = x + speed * (frame - frame[0])
    n = len(frame)
    return Tracks.of(np.full(n, number), frame, np.column_stack((left, np.full(n, y), np.full((n, 2), side))))


def joined(*parts: Tracks, settings: RepairSettings | None = None) -> dict[int, int]:
    """Each track's number to that of its chain."""
    tracks = Tracks.concatenate(list(parts)).sorted()
    number = relink(tracks, TEN_FPS, settings or RepairSettings())
    return dict(zip(tracks.track.tolist(), number.tolist(), strict=True))


def test_vehicle_that_went_on_at_its_speed_is_joined() -> None:
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(25, 40), 240, 10)) == {1: 1, 2: 1}


def test_vehicle_that_braked_while_hidden_is_joined() -> None:
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(25, 40), 150, 0)) == {1: 1, 2: 1}


def test_vehicle_where_none_could_be_is_not_joined() -> None:
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(25, 40), 500, 10)) == {1: 1, 2: 2}
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(25, 40), 240, 10, y=250)) == {1: 1, 2: 2}


def test_opposite_direction_is_not_joined() -> None:
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(14, 30), 100, -10)) == {1: 1, 2: 2}


def test_other_size_is_not_joined() -> None:
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(25, 40), 180, 10, side=150)) == {1: 1, 2: 2}


def test_too_long_a_gap_is_not_joined() -> None:
    parts = moving(1, range(1, 11), 0, 10), moving(2, range(60, 80), 590, 10)
    assert joined(*parts) == {1: 1, 2: 2}
    assert joined(*parts, settings=RepairSettings(max_gap=6)) == {1: 1, 2: 1}


def test_chains_of_several_fragments_bear_the_first_number() -> None:
    parts = [moving(n, range(20 * k + 1, 20 * k + 11), 200 * k, 10) for k, n in enumerate((7, 3, 5))]
    assert joined(*parts) == {7: 7, 3: 7, 5: 7}


def test_two_vehicles_behind_one_lorry_are_not_swapped() -> None:
    upper = moving(1, range(1, 11), 0, 10), moving(3, range(25, 40), 240, 10)
    lower = moving(2, range(1, 11), 0, 10, y=140), moving(4, range(25, 40), 240, 10, y=140)
    assert joined(*upper, *lower) == {1: 1, 3: 1, 2: 2, 4: 2}


def test_standing_vehicle_is_joined_over_a_long_gap() -> None:
    parts = moving(1, range(1, 30), 100, 0), moving(2, range(400, 450), 103, 0)
    assert joined(*parts) == {1: 1, 2: 1}
    assert joined(*parts, settings=RepairSettings(parked_gap=10)) == {1: 1, 2: 2}


def test_tracks_at_the_same_time_are_never_joined() -> None:
    assert joined(moving(1, range(1, 30), 100, 0), moving(2, range(20, 50), 100, 0)) == {1: 1, 2: 2}


def test_single_boxes_and_single_tracks() -> None:
    assert joined(moving(4, range(3, 4), 0, 0)) == {4: 4}
    assert joined(moving(1, range(1, 11), 0, 10), moving(2, range(13, 14), 120, 0)) == {1: 1, 2: 1}


def test_vehicle_whose_next_track_begins_before_the_old_one_ends_keeps_its_number() -> None:
    parts = moving(1, range(1, 21), 0, 10), moving(2, range(17, 40), 185, 10)
    assert joined(*parts) == {1: 1, 2: 1}
    assert joined(*parts, settings=RepairSettings(handover=0)) == {1: 1, 2: 2}


def test_vehicle_that_appears_beside_another_is_not_its_next_track() -> None:
    assert joined(moving(1, range(1, 21), 0, 10), moving(2, range(17, 40), 160, 10, y=180)) == {1: 1, 2: 2}
