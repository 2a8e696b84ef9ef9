"""Joining by time alone what links leave over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.leftovers import LONGEST_GAP, join_leftovers
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def test_each_track_continues_as_the_one_of_another_camera_that_starts_soonest(make_summaries: Make) -> None:
    rows = make_summaries([0, 0, 1, 1], [0, 40, 7, 46], [5, 44, 9, 50])
    found = join_leftovers(rows, np.arange(4))
    assert found[0] == found[2] != found[1] == found[3]


def test_longer_gaps_than_the_longest_are_left_alone(make_summaries: Make) -> None:
    rows = make_summaries([0, 1], [0, 5 + LONGEST_GAP + 1], [5, 60])
    assert join_leftovers(rows, np.arange(2)).tolist() == [0, 1]


def test_where_links_explain_enough_nothing_is_joined(make_summaries: Make) -> None:
    rows = make_summaries([0, 0, 1, 1], [0, 20, 7, 26], [5, 24, 9, 30])
    assert join_leftovers(rows, np.array([0, 1, 0, 2])).tolist() == [0, 1, 0, 2]


def test_two_calibrated_cameras_are_left_to_geography(make_summaries: Make) -> None:
    rows = make_summaries([0, 1], [0, 7], [5, 9], ground=[np.zeros((11, 2)), np.zeros((5, 2))])
    assert rows.calibrated.all()
    assert join_leftovers(rows, np.arange(2)).tolist() == [0, 1]


def test_what_is_known_about_a_track_stays_true(make_summaries: Make) -> None:
    rows = make_summaries([0, 1], [0, 7], [5, 9])
    nothing = np.zeros(0, np.int64)
    apart = Bonds(np.arange(2), nothing, nothing, np.array([[0, 1]]), np.zeros(2, np.bool_))
    assert join_leftovers(rows, np.arange(2), Bonds.none(2)).tolist() == [0, 0]
    assert join_leftovers(rows, np.arange(2), apart).tolist() == [0, 1]


def test_no_tracks(make_summaries: Make) -> None:
    assert len(join_leftovers(make_summaries([], [], []), np.zeros(0, np.int64))) == 0
