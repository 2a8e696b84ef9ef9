"""All pairs within the window of their link, and none outside: against the plain double loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mtmc.association.links.candidates import LinkTable, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds, TrackEnds, cluster_ends
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
Found = set[tuple[int, int, int]]


def busy(make_summaries: Make, seed: int, tracks: int = 60, cameras: int = 4) -> TrackSummaries:
    random = np.random.default_rng(seed)
    # On a grid, so that tracks start at once, and at the bounds of windows.
    start = random.integers(0, 100, tracks) * 1.0
    place = random.choice([0.1, 0.9], (tracks, 2))
    return make_summaries(
        np.sort(random.integers(0, cameras, tracks)),
        start,
        start + random.integers(1, 10, tracks),
        entry=np.column_stack([place[:, 0], np.full(tracks, 0.5)]),
        exit=np.column_stack([place[:, 1], np.full(tracks, 0.6)]),
        cameras=cameras,
    )


def ends_of(summaries: TrackSummaries) -> tuple[TrackEnds, TrackEnds]:
    """Ends in zones, at the whole seconds of the tracks: some lie exactly on the bounds of a window."""
    count = len(summaries.cameras)
    entries, exits = (cluster_ends(side(summaries), count) for side in (RawEnds.entries, RawEnds.exits))
    return replace(entries, time=summaries.start), replace(exits, time=summaries.end)


def random_links(entries: TrackEnds, exits: TrackEnds, seed: int, links: int = 80) -> LinkTable:
    random = np.random.default_rng(seed)
    overlap = np.sort(random.random(links) < 0.3)
    sources = np.where(overlap, len(entries.camera), len(exits.camera))
    low = np.where(overlap, 0.0, random.integers(-5, 20, links) * 1.0)
    return LinkTable(
        overlap=overlap,
        source=(random.random(links) * sources).astype(np.int64),
        target=random.integers(0, len(entries.camera), links),
        low=low,
        high=low + random.integers(1, 30, links),
    )


def by_double_loop(summaries: TrackSummaries, entries: TrackEnds, exits: TrackEnds, table: LinkTable) -> Found:
    found = set()
    start, end, camera = summaries.start, summaries.end, summaries.camera
    for link in range(len(table)):
        ends = entries if table.overlap[link] else exits
        for a in np.flatnonzero(ends.zone == table.source[link]).tolist():
            for b in np.flatnonzero(entries.zone == table.target[link]).tolist():
                together = start[b] <= end[a]
                if (
                    (start[a], a) < (start[b], b)
                    and table.low[link] <= entries.time[b] - ends.time[a] <= table.high[link]
                    and not (together and camera[a] == camera[b])
                    and (together or not table.overlap[link])
                ):
                    found.add((a, b, link))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_finds_all_pairs_within_the_windows_and_none_outside(make_summaries: Make, seed: int) -> None:
    summaries = busy(make_summaries, seed)
    entries, exits = ends_of(summaries)
    table = random_links(entries, exits, seed)
    pairs = find_pairs(summaries, entries, exits, table)
    found = list(zip(pairs.source.tolist(), pairs.target.tolist(), pairs.link.tolist(), strict=True))
    assert found == sorted(by_double_loop(summaries, entries, exits, table))
    leave = np.where(table.overlap[pairs.link], entries.time[pairs.source], exits.time[pairs.source])
    assert pairs.seconds == pytest.approx(entries.time[pairs.target] - leave)
    assert len(found) > 20


def test_the_unwanted_are_left_out(make_summaries: Make) -> None:
    summaries = busy(make_summaries, 0)
    entries, exits = ends_of(summaries)
    table = random_links(entries, exits, 0)
    everything = find_pairs(summaries, entries, exits, table)
    wanted = find_pairs(summaries, entries, exits, table, lambda pairs: pairs.source % 2 == 0)
    kept = everything[everything.source % 2 == 0]
    assert wanted.source.tolist() == kept.source.tolist()
    assert wanted.target.tolist() == kept.target.tolist()
    assert wanted.seconds.tolist() == kept.seconds.tolist()


def test_no_links_no_pairs(make_summaries: Make) -> None:
    summaries = busy(make_summaries, 0)
    none = np.zeros(0, np.int64)
    table = LinkTable(np.zeros(0, np.bool_), none, none, np.zeros(0), np.zeros(0))
    assert len(find_pairs(summaries, *ends_of(summaries), table)) == 0


def test_the_ends_of_a_camera_are_one_zone_with_their_own_times(make_summaries: Make) -> None:
    summaries = busy(make_summaries, 1)
    ends = camera_ends(RawEnds.exits(summaries), 4)
    assert ends.zone.tolist() == summaries.camera.tolist()
    assert ends.time.tolist() == summaries.end.tolist()
    assert ends.camera.tolist() == [0, 1, 2, 3]
