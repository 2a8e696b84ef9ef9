"""The part of a track without its doubtful beginning and end."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtmc.scenarios.clock import Clock
from mtmc.tracking import reliable_span as module
from mtmc.tracking.tracks import Tracks

TEN_FPS = Clock.uniform(10)


def span_of(tracks: Tracks) -> Tracks:
    return module.reliable_span(tracks, TEN_FPS)


def track(number: int, score: list[float]) -> Tracks:
    n = len(score)
    return Tracks.of(np.full(n, number), np.arange(1, n + 1), np.tile([0, 0, 40, 40], (n, 1)), score)


def test_faint_boxes_before_and_after_are_left_out_those_between_are_kept() -> None:
    tracks = Tracks.concatenate([track(1, [0.3, 0.35, 0.8, 0.2, 0.9, 0.9, 0.9, 0.9, 0.85, 0.4]), track(2, [0.9] * 4)])
    part = span_of(tracks)
    assert part.track.tolist() == [1] * 7 + [2] * 4
    assert part.frame.tolist() == [3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4]


def test_what_is_faint_is_measured_by_the_track_itself() -> None:
    part = span_of(track(1, [0.1, 0.3, 0.31, 0.28, 0.3, 0.05]))
    assert part.frame.tolist() == [2, 3, 4, 5]


def test_a_box_that_is_sure_by_itself_counts_in_a_track_of_surer_ones() -> None:
    assert span_of(track(1, [0.65, 0.95, 0.95, 0.95])).frame.tolist() == [1, 2, 3, 4]


def test_tracks_without_scores_of_their_own_stay_whole() -> None:
    for value in (1.0, 0.0, 0.4):
        assert len(span_of(track(1, [value] * 5))) == 5
    assert len(span_of(Tracks.empty())) == 0


def test_a_few_boxes_long_before_all_others_are_left_out() -> None:
    late = track(1, [0.9] * 20)
    late = Tracks.of(late.track, late.frame + 60, late.box, late.score)
    for boxes, kept in ((3, 20), (4, 24)):
        assert len(span_of(Tracks.concatenate([track(1, [0.9] * boxes), late]))) == kept


def test_a_short_track_stays() -> None:
    assert span_of(track(1, [0.2, 0.9, 0.9])).frame.tolist() == [1, 2, 3]


@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12), min_size=1, max_size=5))
def test_every_track_keeps_one_piece_of_itself(scores: list[list[float]]) -> None:
    tracks = Tracks.concatenate([track(number, score) for number, score in enumerate(scores, start=1)])
    part = span_of(tracks)
    for number in range(1, len(scores) + 1):
        frames = part.frame[part.track == number]
        assert len(frames) and frames.tolist() == list(range(frames[0], frames[-1] + 1))
