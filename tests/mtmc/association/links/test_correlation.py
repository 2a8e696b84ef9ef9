"""Do arrivals follow departures? On Poisson streams with a planted link, and without one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.links.candidates import camera_ends
from mtmc.association.links.correlation import correlate, support
from mtmc.association.links.zones import RawEnds
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
MINUTES, STAY = 10.0, 5.0
WINDOW, LAG = (-15.0, 240.0), 0.1
CLEAR = 12.0
"""Nats that no two independent streams of this length reach, whatever the delay (the most of many is about 8)."""


def streams(
    make: Make, seed: int, share: float, delay: float = 25.0, rate: float = 1 / 12, offset: float = 0.0
) -> TrackSummaries:
    """Vehicles of camera 0, a share of which reaches camera 1 after `delay` seconds among as many others as make both
    equally busy. Camera 1 starts to record `offset` seconds later."""
    random, length = np.random.default_rng(seed), 60.0 * MINUTES
    first = np.sort(random.uniform(0.0, length, random.poisson(rate * length)))
    leaving = first[random.random(len(first)) < share] + STAY
    others = random.uniform(0.0, length, random.poisson(rate * length * (1.0 - share)))
    second = np.sort(np.concatenate([leaving + delay + random.normal(size=len(leaving)), others]))
    second = second[(second > offset) & (second < length)]
    start = np.concatenate([first, second])
    camera = np.repeat([0, 1], [len(first), len(second)])
    summaries = make(camera, start, start + STAY, recorded=(0.0, length + STAY))
    summaries.recorded[1, 0] = offset
    return summaries


def agreement(summaries: TrackSummaries, overlap: bool = False) -> tuple[float, float, float]:
    """Nats, seconds and share of the agreement of camera 1's arrivals with camera 0's departures (or entries)."""
    entries, exits = (camera_ends(side(summaries), 2) for side in (RawEnds.entries, RawEnds.exits))
    found = correlate(
        summaries,
        entries if overlap else exits,
        entries,
        window=(0.0, WINDOW[1]) if overlap else WINDOW,
        lag=LAG,
        overlap=overlap,
        expected=np.full((2, 2), np.nan),
    )
    row = np.flatnonzero((found.source == 0) & (found.target == 1))[0]
    return float(found.evidence[row]), float(found.peak[row]), float(found.share[row])


@pytest.mark.parametrize("seed", range(8))
def test_finds_a_planted_link_at_its_delay(make_summaries: Make, seed: int) -> None:
    score, seconds, share = agreement(streams(make_summaries, seed, share=0.75))
    assert score > CLEAR
    assert seconds == pytest.approx(25.0, abs=2.0)
    assert 0.4 < share <= 1.0


@pytest.mark.parametrize("rate", [1 / 30, 1 / 12, 1 / 4])
@pytest.mark.parametrize("seed", range(4))
def test_finds_none_where_none_was_planted(make_summaries: Make, seed: int, rate: float) -> None:
    """However busy: more vehicles make more coincidences, not more evidence."""
    score, _, _ = agreement(streams(make_summaries, seed, share=0.0, rate=rate))
    assert score < CLEAR


def test_the_more_vehicles_take_the_link_the_clearer_it_is(make_summaries: Make) -> None:
    mean = [
        np.mean([agreement(streams(make_summaries, seed, share=share))[0] for seed in range(5)])
        for share in (0.0, 0.4, 0.8)
    ]
    assert mean[0] < mean[1] < mean[2]


@pytest.mark.parametrize("seed", range(4))
def test_vehicles_that_one_camera_sees_before_they_leave_the_other_count_too(make_summaries: Make, seed: int) -> None:
    """Overlapping views: the second camera sees the vehicle two seconds before the first loses it."""
    score, seconds, _ = agreement(streams(make_summaries, seed, share=0.75, delay=-2.0))
    assert score > CLEAR
    assert seconds == pytest.approx(-2.0, abs=1.5)
    score, seconds, _ = agreement(streams(make_summaries, seed, share=0.75, delay=-2.0), overlap=True)
    assert score > CLEAR
    assert seconds == pytest.approx(STAY - 2.0, abs=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_time_before_a_camera_recorded_is_no_evidence_against_a_link(make_summaries: Make, seed: int) -> None:
    """Half of the departures have no arrival because the second camera started late; the share is of the others."""
    score, seconds, share = agreement(streams(make_summaries, seed, share=0.9, offset=300.0))
    assert score > CLEAR
    assert seconds == pytest.approx(25.0, abs=2.0)
    assert share > 0.5


@pytest.mark.parametrize("seed", range(4))
def test_events_support_the_planted_delay_and_no_other(make_summaries: Make, seed: int) -> None:
    summaries = streams(make_summaries, seed, share=0.75)
    entries, exits = (camera_ends(side(summaries), 2) for side in (RawEnds.entries, RawEnds.exits))
    low = np.array([23.0, 80.0, 160.0])
    zones = {"source": np.zeros(3, np.int64), "target": np.ones(3, np.int64)}
    nats = support(exits, entries, summaries, **zones, low=low, width=np.full(3, 4.0))
    assert nats[0] > 10.0
    assert nats[0] > nats[1:].max() + 5.0


def test_one_event_shows_nothing(make_summaries: Make) -> None:
    score, _, _ = agreement(make_summaries([0, 1], [0.0, 30.0], [5.0, 35.0], recorded=(0.0, 600.0)))
    assert score <= 0.0
