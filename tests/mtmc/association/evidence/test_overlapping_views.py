"""Pairs of tracks that two cameras see on one spot at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.evidence.overlapping_views import find_view_pairs, place_offsets, view_log_prior
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
NONE = OverlappingViews.of({})


def path(begin: float, across: float = 0.0) -> np.ndarray:
    """Six seconds at 10 metres a second."""
    return np.column_stack([begin + 5.0 * np.arange(13), np.full(13, across)])


def crossing(make: Make, calibrated: bool = True) -> TrackSummaries:
    """Camera 1 sees what camera 0 sees two seconds later on; camera 2 looks at a place 5 km away."""
    start = np.array([0.0, 20.0, 2.0, 22.0, 2.0])
    ground = [path(0.0), path(0.0), path(20.0), path(20.0), path(5000.0)] if calibrated else None
    return make([0, 0, 1, 1, 2], start, start + 6.0, ground=ground)


def test_calibrated_cameras_pair_tracks_that_are_near_each_other_at_once(make_summaries: Make) -> None:
    pairs = find_view_pairs(crossing(make_summaries), NONE)
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(0, 2), (1, 3)]
    assert pairs.seconds == pytest.approx([2.0, 2.0])


def test_without_calibration_there_are_none(make_summaries: Make) -> None:
    assert len(find_view_pairs(crossing(make_summaries, calibrated=False), NONE)) == 0


def test_a_homography_serves_where_calibration_is_missing(make_summaries: Make) -> None:
    """The second picture shows the same road, shifted by a tenth of a picture; its vehicles are seen at once."""
    start = np.array([0.0, 20.0, 0.0, 20.0])
    entry = np.array([[0.2, 0.5], [0.2, 0.5], [0.1, 0.5], [0.1, 0.5]])
    summaries = make_summaries([0, 0, 1, 1], start, start + 6.0, entry=entry, exit=entry + np.array([0.6, 0.0]))
    there = np.array([[1.0, 0.0, -0.1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    views = OverlappingViews.of({(0, 1): there, (1, 0): np.linalg.inv(there)})
    pairs = find_view_pairs(summaries, views)
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(0, 2), (1, 3)]
    offset, spread = place_offsets(summaries, views, pairs.source, pairs.target)
    assert offset == pytest.approx(np.zeros((2, 2)), abs=0.05)
    assert spread == pytest.approx(np.zeros(2), abs=0.05)


def prior(make: Make, probability: float) -> np.ndarray:
    pairs = find_view_pairs(crossing(make), NONE)
    return view_log_prior(pairs, np.full(len(pairs), probability))


def test_cameras_that_share_vehicles_are_expected_to_share_more(make_summaries: Make) -> None:
    assert (prior(make_summaries, 0.95) > prior(make_summaries, 0.05)).all()


def test_of_rivals_nobody_is_expected_more_than_another(make_summaries: Make) -> None:
    """A second vehicle beside each: two candidates share what one alone would have."""
    start = np.array([0.0, 2.0, 2.0])
    beside = make_summaries([0, 1, 1], start, start + 6.0, ground=[path(0.0), path(20.0), path(20.0, across=4.0)])
    rivals = find_view_pairs(beside, NONE)
    alone = find_view_pairs(make_summaries([0, 1], start[:2], start[:2] + 6.0, ground=[path(0.0), path(20.0)]), NONE)
    assert len(rivals) == 2
    two, one = view_log_prior(rivals, np.full(2, 0.1)), view_log_prior(alone, np.full(1, 0.2))
    assert two[0] == pytest.approx(two[1])
    assert two[0] == pytest.approx(one[0] - np.log(2.0))


def test_no_pairs(make_summaries: Make) -> None:
    pairs = find_view_pairs(make_summaries([], [], [], cameras=2), NONE)
    assert len(view_log_prior(pairs, np.zeros(0))) == 0
