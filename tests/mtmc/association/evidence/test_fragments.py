"""Pieces of one vehicle in one camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.fragments import find_fragments, fragment_log_ratio
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def traffic(make_summaries: Make, *pieces: tuple[float, float, float, float]) -> TrackSummaries:
    """Twenty whole crossings of a camera in 6 seconds each, and pieces (start, end, first and last place across)."""
    whole = [(20.0 * k, 20.0 * k + 6.0, 0.1, 0.9) for k in range(20)]
    start, end, enter, leave = np.array([*whole, *pieces]).T
    low, high = (np.column_stack([x, np.full(len(x), 0.5)]) for x in (enter, leave))
    return make_summaries([0] * len(start), start, end, entry=low, exit=high)


def of(summaries: TrackSummaries, source: int, target: int) -> tuple[Any, npt.NDArray[np.int64]]:
    pairs = find_fragments(summaries)
    return pairs, np.flatnonzero((pairs.source == source) & (pairs.target == target))


def ratio(summaries: TrackSummaries, source: int, target: int) -> float:
    pairs, rows = of(summaries, source, target)
    return float(fragment_log_ratio(summaries, pairs, np.zeros(len(pairs)))[rows[0]])


def test_a_track_that_goes_on_where_another_broke_off_is_a_piece_of_it(make_summaries: Make) -> None:
    """0.8 picture widths in 6 seconds; it breaks off in the middle, and goes on half a second later."""
    gap = 0.8 / 6.0 * 0.5
    summaries = traffic(make_summaries, (410.0, 413.0, 0.1, 0.5), (413.5, 416.0, 0.5 + gap, 0.9))
    assert ratio(summaries, 20, 21) > 2.0


def test_one_that_starts_elsewhere_is_not(make_summaries: Make) -> None:
    near, far = (
        ratio(traffic(make_summaries, (410.0, 413.0, 0.1, 0.5), (413.5, 416.0, begin, begin + 0.3)), 20, 21)
        for begin in (0.56, 0.05)
    )
    assert near > far + 3.0
    assert far < 0.0


def test_the_longer_the_gap_the_less_likely(make_summaries: Make) -> None:
    found = []
    for gap in (0.3, 2.0, 6.0):
        begin = min(0.5 + 0.8 / 6.0 * gap, 0.95)
        pieces = (410.0, 413.0, 0.1, 0.5), (413.0 + gap, 414.0 + gap, begin, min(begin + 0.13, 1.0))
        found.append(ratio(traffic(make_summaries, *pieces), 20, 21))
    assert found[0] > found[1] > found[2]


def test_a_track_end_where_all_vehicles_leave_is_not_a_break(make_summaries: Make) -> None:
    """One comes in half a second after another went out; the same places, mid-picture, would be a break."""
    summaries = traffic(make_summaries, (410.0, 416.0, 0.1, 0.9), (416.5, 422.0, 0.1, 0.9))
    assert ratio(summaries, 20, 21) < -3.0


def test_only_tracks_of_one_camera_that_follow_each_other_shortly_are_looked_at(make_summaries: Make) -> None:
    summaries = make_summaries([0, 0, 0, 0, 1], [0.0, 5.0, 6.5, 60.0, 6.5], [6.0, 9.0, 12.0, 66.0, 12.0])
    pairs = find_fragments(summaries)
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(0, 2)]


def test_no_tracks(make_summaries: Make) -> None:
    summaries = make_summaries([], [], [], cameras=1)
    pairs = find_fragments(summaries)
    assert len(pairs) == 0
    assert len(fragment_log_ratio(summaries, pairs, np.zeros(0))) == 0
