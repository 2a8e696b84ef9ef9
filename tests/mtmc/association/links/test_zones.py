from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.links.zones import RawEnds, cluster_ends
from mtmc.association.track_summaries import CameraTracks, TrackSummaries, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

Crossing = Callable[..., Tracks]
LATEST = 3.0


def ragged(crossing_track: Crossing, end: str, vehicles: int = 40) -> tuple[TrackSummaries, float]:
    """Vehicles that enter every 10 s at the left; the tracker finds (or loses) them up to `LATEST` s off."""
    random = np.random.default_rng(0)
    parts = []
    for v in range(vehicles):
        whole = crossing_track(v + 1, 10.0 * v, 10.0, 0.0, False, 0.0)
        off = int(random.integers(0, 10 * LATEST))
        parts.append(whole[off:] if end == "entry" else whole[: len(whole) - off])
    camera = CameraTracks("c001", Tracks.concatenate(parts), Clock.uniform(10.0), 960, 540)
    return summarise([camera]), 10.0


@pytest.mark.parametrize("end", ["entry", "exit"])
def test_times_do_not_depend_on_when_the_tracker_finds_or_loses_a_vehicle(crossing_track: Crossing, end: str) -> None:
    summaries, headway = ragged(crossing_track, end)
    raw = RawEnds.entries(summaries) if end == "entry" else RawEnds.exits(summaries)
    ends = cluster_ends(raw, 1)
    assert len(ends.camera) == 1
    times = ends.time - headway * np.arange(len(ends.time))
    assert np.ptp(raw.time - headway * np.arange(len(raw.time))) > 1.0
    assert np.ptp(times) < 0.1


def test_a_vehicle_that_stands_where_its_track_ends_keeps_that_time(crossing_track: Crossing) -> None:
    """Nobody knows when it will drive on."""
    moving = [crossing_track(v + 1, 10.0 * v, 10.0, 0.0, False, 0.0) for v in range(10)]
    waiting = crossing_track(11, 110.0, 10.0, 0.0, False, 0.0)[:55]
    frames = waiting.frame[-1] + np.arange(1, 31)
    queue = Tracks.of(np.full(30, 11), frames, np.repeat(waiting.box[-1:], 30, 0), label=np.full(30, 2))
    tracks = Tracks.concatenate([*moving, waiting, queue])
    summaries = summarise([CameraTracks("c001", tracks, Clock.uniform(10.0), 960, 540)])
    ends = cluster_ends(RawEnds.exits(summaries), 1)
    assert ends.time[10] == pytest.approx(summaries.end[10])
