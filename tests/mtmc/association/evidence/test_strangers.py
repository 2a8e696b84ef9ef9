"""Tracks that are certainly different vehicles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtmc.association.evidence.strangers import find_strangers
from mtmc.association.track_summaries import TrackSummaries


def test_strangers_are_seen_at_once_in_different_places(make_summaries: Callable[..., TrackSummaries]) -> None:
    """Track 1 is with track 0 but elsewhere, 2 on the same spot as 0, 3 later, 4 in another camera."""
    place = np.array([[0.1, 0.2], [0.1, 0.8], [0.1, 0.2], [0.1, 0.8], [0.1, 0.8]])
    start = np.array([0.0, 0.0, 0.0, 50.0, 0.0])
    summaries = make_summaries(
        [0, 0, 0, 0, 1],
        start,
        start + 6.0,
        entry=place,
        exit=place + np.array([0.8, 0.0]),
        vector=np.eye(5, dtype=np.float32),
    )
    a, b = find_strangers(summaries, steps=3, limit=100)
    assert {frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True)} == {
        frozenset({0, 1}),
        frozenset({1, 2}),
    }


def test_tracks_without_a_feature_are_no_examples(make_summaries: Callable[..., TrackSummaries]) -> None:
    summaries = make_summaries(
        [0, 0], [0.0, 0.0], [6.0, 6.0], entry=[[0.1, 0.2], [0.1, 0.8]], exit=[[0.9, 0.2], [0.9, 0.8]]
    )
    assert len(find_strangers(summaries, steps=3, limit=100)[0]) == 0
