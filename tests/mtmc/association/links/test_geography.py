"""What calibration lets expect of links."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.links.geography import (
    ZonePlaces,
    expected_travel,
    travel_likelihood,
    usual_speed,
    zone_places,
)
from mtmc.association.links.zones import RawEnds, cluster_ends
from mtmc.association.track_summaries import GROUND_STEP, TrackSummaries

Make = Callable[..., TrackSummaries]


def drive(metres_a_second: float, seconds: float, begin: float = 0.0, across: float = 0.0) -> np.ndarray:
    """Ground samples of a vehicle that drives to the right."""
    steps = np.arange(int(seconds / GROUND_STEP) + 1)
    return np.column_stack([begin + metres_a_second * GROUND_STEP * steps, np.full(len(steps), across)])


def zones(place: list[tuple[float, float]], heading: tuple[float, float] = (1.0, 0.0)) -> ZonePlaces:
    return ZonePlaces(np.array(place), np.tile(heading, (len(place), 1)))


def test_expected_seconds_grow_with_the_distance_and_fall_with_the_speed() -> None:
    target = zones([(100.0, 0.0), (200.0, 0.0)])
    seconds, _ = expected_travel(zones([(0.0, 0.0)]), target, speed=10.0)
    faster, _ = expected_travel(zones([(0.0, 0.0)]), target, speed=20.0)
    assert seconds[0, 1] == pytest.approx(2.0 * seconds[0, 0])
    assert faster == pytest.approx(0.5 * seconds)
    assert 10.0 <= seconds[0, 0] < 20.0


def test_links_lead_the_way_that_vehicles_head() -> None:
    ahead, behind, aside = (100.0, 0.0), (-100.0, 0.0), (0.0, 100.0)
    _, odds = expected_travel(zones([(0.0, 0.0)]), zones([ahead, behind, aside]), 10.0)
    assert odds[0, 0] > odds[0, 2] > odds[0, 1]
    _, near_odds = expected_travel(zones([(0.0, 0.0)]), zones([(60.0, 0.0), (300.0, 0.0)]), 10.0)
    assert 1.0 >= near_odds[0, 0] > near_odds[0, 1] > 0.0


def test_zones_without_calibration_have_no_expected_travel_time() -> None:
    seconds, _ = expected_travel(zones([(0.0, 0.0)]), zones([(np.nan, np.nan), (50.0, 0.0)]), 10.0)
    assert np.isnan(seconds[0, 0])
    assert np.isfinite(seconds[0, 1])


def test_travel_times_are_likeliest_as_expected_and_late_is_likelier_than_early() -> None:
    likelihood = travel_likelihood(np.array([5.0, 15.0, 20.0, 25.0, 40.0, 200.0]), np.array(20.0))
    assert likelihood.argmax() == 2
    assert (likelihood > 0).all()
    assert (np.diff(likelihood[:3]) > 0).all()
    assert (np.diff(likelihood[2:]) < 0).all()
    assert likelihood[3] > likelihood[1]


def test_zones_lie_where_their_tracks_end_on_the_ground_and_head_where_they_go(make_summaries: Make) -> None:
    paths = [drive(10.0, 6.0, across=across) for across in (-1.0, 0.0, 1.0)]
    summaries = make_summaries([0, 0, 0], [0.0, 20.0, 40.0], [6.0, 26.0, 46.0], ground=paths)
    enter = zone_places(summaries, cluster_ends(RawEnds.entries(summaries), 1), entry=True)
    leave = zone_places(summaries, cluster_ends(RawEnds.exits(summaries), 1), entry=False)
    assert enter.place == pytest.approx(np.array([[0.0, 0.0]]), abs=1.5)
    assert leave.place == pytest.approx(np.array([[60.0, 0.0]]), abs=1.5)
    assert enter.heading == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-6)
    assert leave.heading == pytest.approx(np.array([[1.0, 0.0]]), abs=1e-6)


def test_zones_of_a_camera_without_calibration_lie_nowhere(make_summaries: Make) -> None:
    none = np.zeros((0, 2))
    summaries = make_summaries([0, 1], [0.0, 20.0], [6.0, 26.0], ground=[drive(10.0, 6.0), none])
    places = zone_places(summaries, cluster_ends(RawEnds.entries(summaries), 2), entry=True)
    assert np.isfinite(places.place[0]).all()
    assert np.isnan(places.place[1]).all()


def test_the_usual_speed_is_that_of_free_traffic_not_of_vehicles_that_wait(make_summaries: Make) -> None:
    paths = [drive(15.0, 10.0), drive(14.0, 10.0), drive(0.2, 10.0), drive(0.0, 10.0)]
    start = [0.0, 20.0, 40.0, 60.0]
    summaries = make_summaries([0] * 4, start, [s + 10.0 for s in start], ground=paths)
    assert usual_speed(summaries) == pytest.approx(15.0, abs=1.0)


def test_the_jump_from_one_track_to_the_next_is_not_a_speed(make_summaries: Make) -> None:
    paths = [drive(12.0, 6.0, begin=200.0 * k) for k in range(10)]
    start = [10.0 * k for k in range(10)]
    summaries = make_summaries([0] * 10, start, [s + 6.0 for s in start], ground=paths)
    assert usual_speed(summaries) == pytest.approx(12.0, abs=0.1)


def test_the_usual_speed_is_known_if_the_last_camera_is_not_calibrated(make_summaries: Make) -> None:
    paths = [*(drive(12.0, 6.0) for _ in range(10)), np.zeros((0, 2)), np.zeros((0, 2))]
    start = [10.0 * k for k in range(12)]
    summaries = make_summaries([0] * 10 + [1] * 2, start, [s + 6.0 for s in start], ground=paths)
    assert usual_speed(summaries) == pytest.approx(12.0, abs=0.1)
