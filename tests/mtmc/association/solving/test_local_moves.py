"""Local moves on identities."""

from __future__ import annotations

import numpy as np

from mtmc.association.solving.local_moves import LocalSearch
from mtmc.association.track_summaries import CameraTracks, TrackSummaries, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

Ties = list[tuple[int, int, float]]


def tracks_of(*spans: tuple[int, int, int], ahead: int = 0) -> TrackSummaries:
    """One track for each (camera, first frame, last frame), numbered in the order of camera and mention.

    Each of a camera's tracks is `ahead` pixels before the one mentioned before it.
    """
    cameras = []
    for camera in sorted({camera for camera, _, _ in spans}):
        mine = [(first, last) for c, first, last in spans if c == camera]
        frame = np.concatenate([np.arange(first, last + 1) for first, last in mine])
        track = np.repeat(np.arange(1, len(mine) + 1), [last - first + 1 for first, last in mine])
        box = np.column_stack([5.0 * frame + ahead * track, np.full(len(frame), 90.0), np.full((len(frame), 2), 20.0)])
        cameras.append(CameraTracks(f"c{camera}", Tracks.of(track, frame, box), Clock.uniform(10.0), 960, 540, 200))
    return summarise(cameras)


def improved(summaries: TrackSummaries, ties: Ties, start: list[int]) -> list[int]:
    source, target, worth = zip(*ties, strict=True)
    moves = LocalSearch(summaries, np.array(source), np.array(target), np.array(worth), np.zeros(len(worth)))
    return moves.improve(np.array(start)).tolist()


def test_a_second_track_does_not_keep_long_halves_of_a_vehicle_apart() -> None:
    # Track 1 is a second one on the vehicle of track 0, in the same camera, and as well tied to the other half.
    summaries = tracks_of((1, 1, 80), (1, 60, 75), (2, 10, 90), (3, 61, 120))
    found = improved(summaries, [(0, 2, 5.0), (0, 3, 4.0), (1, 3, 6.0), (2, 3, 5.0)], [0, 1, 0, 1])
    assert found[0] == found[2] == found[3] != found[1]


def test_a_track_elsewhere_in_the_picture_is_another_vehicle_and_keeps_them_apart() -> None:
    summaries = tracks_of((1, 1, 80), (1, 60, 75), (2, 10, 90), (3, 61, 120), ahead=100)
    found = improved(summaries, [(0, 2, 5.0), (0, 3, 4.0), (1, 3, 6.0), (2, 3, 5.0)], [0, 1, 0, 1])
    assert found[0] == found[2] != found[1] == found[3]


def test_two_vehicles_that_one_camera_sees_side_by_side_stay_two() -> None:
    summaries = tracks_of((1, 1, 80), (1, 5, 85), (2, 10, 40), (3, 20, 60))
    found = improved(summaries, [(0, 2, 5.0), (1, 3, 6.0), (2, 3, 5.0)], [0, 1, 0, 1])
    assert found[0] == found[2] != found[1] == found[3]


def test_halves_that_hardly_belong_together_leave_nothing_out() -> None:
    summaries = tracks_of((1, 1, 80), (1, 60, 75), (2, 10, 90), (3, 61, 120))
    found = improved(summaries, [(0, 2, 5.0), (1, 3, 6.0), (2, 3, -1.0), (0, 3, 0.5)], [0, 1, 0, 1])
    assert found[0] == found[2] != found[1] == found[3]


def test_a_vehicle_is_not_in_two_places_at_once() -> None:
    # Two journeys, side by side in other cameras, and one pair of tracks that speaks for their being one.
    summaries = tracks_of((1, 1, 20), (2, 40, 80), (3, 60, 100), (4, 85, 120), (5, 105, 130))
    ties = [(0, 1, 9.0), (1, 3, 9.0), (2, 4, 9.0)]
    found = improved(summaries, [*ties, (1, 2, 0.5)], [0, 0, 1, 0, 1])
    assert found[0] == found[1] == found[3] != found[2] == found[4]
    found = improved(summaries, [*ties, (1, 2, 0.5), (3, 4, 0.1), (2, 3, 0.1)], [0, 0, 1, 0, 1])
    assert len(set(found)) == 1, "these views overlap, the run says"
