"""Links of a planted network, found from the times of entries and exits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.evidence.screening import CandidatePruning
from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.discovery import LinkPrior, broad_times, discover_links
from mtmc.association.links.zones import RawEnds, TrackEnds, cluster_ends
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
PLANTED = {(0, 1): 20.0, (1, 2): 35.0, (2, 3): 12.0}
"""Seconds from leaving one camera to entering the next; camera 4 lies on another road."""
CAMERAS, MINUTES, STAY = 5, 15.0, 6.0
ALL_PAIRS = 3_000_000


def network(make: Make, seed: int, share: float = 0.8, pixels: bool = False) -> TrackSummaries:
    """A share of the vehicles of each camera goes on along the planted links; some more enter at every camera."""
    random, length = np.random.default_rng(seed), 60.0 * MINUTES
    rate = [1 / 15, 1 / 60, 1 / 60, 1 / 60, 1 / 15]
    arrivals = [random.uniform(0.0, length, random.poisson(r * length)) for r in rate]
    look = [random.normal(size=(len(times), 16)) for times in arrivals]
    for (source, target), seconds in PLANTED.items():
        goes = random.random(len(arrivals[source])) < share
        taken = seconds * (1.0 + 0.05 * random.normal(size=goes.sum()))
        arrivals[target] = np.concatenate([arrivals[target], arrivals[source][goes] + STAY + taken])
        look[target] = np.concatenate([look[target], look[source][goes]])
    camera = np.repeat(np.arange(CAMERAS), [len(times) for times in arrivals])
    start, vector = np.concatenate(arrivals), np.concatenate(look)
    rows = np.lexsort((start, camera))
    rows = rows[start[rows] < length]
    vector = vector[rows] + 0.3 * random.normal(size=(len(rows), 16))
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    columns = {"vector": vector} if pixels else {}
    return make(
        camera[rows], start[rows], start[rows] + STAY, cameras=CAMERAS, recorded=(0.0, length + STAY), **columns
    )


def ends_of(summaries: TrackSummaries) -> tuple[TrackEnds, TrackEnds]:
    return cluster_ends(RawEnds.entries(summaries), CAMERAS), cluster_ends(RawEnds.exits(summaries), CAMERAS)


def discover(
    summaries: TrackSummaries, budget: int = ALL_PAIRS, **options: object
) -> tuple[dict[tuple[int, int], int], LinkTable, LinkPrior, CandidatePruning | None]:
    """Rows of the successions by (source camera, target camera), the links, their priors and the pruning."""
    entries, exits = ends_of(summaries)
    table, prior, chosen = discover_links(
        summaries, entries, exits, longest_travel=240.0, longest_overlap=15.0, budget=budget, **options
    )
    rows = np.flatnonzero(~table.overlap)
    ways = zip(exits.camera[table.source[rows]].tolist(), entries.camera[table.target[rows]].tolist(), strict=True)
    return dict(zip(ways, rows.tolist(), strict=True)), table, prior, chosen


@pytest.mark.parametrize("seed", range(4))
def test_planted_links_start_with_their_travel_time_and_more_belief_than_others(
    make_summaries: Make, seed: int
) -> None:
    way, _, prior, _ = discover(network(make_summaries, seed))
    middle = prior.peak.quantile(0.5)
    for cameras, seconds in PLANTED.items():
        assert middle[way[cameras]] == pytest.approx(seconds, abs=3.0)
        assert prior.sure[way[cameras]] > 0.5
    others = [prior.first[row] for cameras, row in way.items() if cameras not in PLANTED]
    assert np.mean([prior.first[way[cameras]] for cameras in PLANTED]) > 2.0 * np.mean(others)


@pytest.mark.parametrize("seed", range(4))
def test_with_too_many_pairs_only_clear_travel_times_stay_with_narrow_windows(make_summaries: Make, seed: int) -> None:
    summaries = network(make_summaries, seed)
    everything, all_links, _, _ = discover(summaries)
    way, table, _, _ = discover(summaries, budget=1000)
    assert len(table) < len(all_links) / 2
    for cameras, seconds in PLANTED.items():
        assert table.low[way[cameras]] < seconds < table.high[way[cameras]]
        assert table.high[way[cameras]] - table.low[way[cameras]] < 60.0
    assert len(everything) == CAMERAS**2


def test_every_link_is_possible_below_the_budget_but_returns_if_nobody_could_tell(make_summaries: Make) -> None:
    summaries = network(make_summaries, 0)
    way, _, prior, _ = discover(summaries, returns=True)
    assert set(way) == {(a, b) for a in range(CAMERAS) for b in range(CAMERAS)}
    back = [prior.probability[row] for (a, b), row in way.items() if a == b]
    onward = [prior.probability[row] for (a, b), row in way.items() if a != b]
    assert max(back) < min(onward)
    way, _, _, _ = discover(summaries, returns=False)
    assert all(a != b for a, b in way)


def test_look_alikes_bring_links_back_that_times_alone_do_not_show(make_summaries: Make) -> None:
    """Above the budget, with features: the links that look-alikes join, and pruning that their pairs must pass."""
    summaries = network(make_summaries, 1, share=0.3, pixels=True)
    known = np.ones(len(summaries), np.bool_)

    def pruning(share: float) -> CandidatePruning:
        return CandidatePruning.of(summaries.vector, known, summaries.camera, share)

    way, _, _, chosen = discover(summaries, budget=1000, pruning=pruning)
    assert chosen is not None
    assert set(PLANTED) <= set(way)


def test_calibration_tells_where_a_link_leads_and_how_long_it_takes(make_summaries: Make) -> None:
    """One vehicle each on a straight road, heading to the right: no traffic could tell, distances do."""
    place = [0.0, 300.0, 900.0]
    steps = np.arange(13)
    path = [np.column_stack([begin + 5.0 * steps, np.zeros(13)]) for begin in place for _ in range(3)]
    camera = np.repeat([0, 1, 2], 3)
    start = np.tile([10.0, 60.0, 110.0], 3)
    summaries = make_summaries(camera, start, start + STAY, cameras=3, ground=path, recorded=(0.0, 300.0))
    entries, exits = (cluster_ends(side(summaries), 3) for side in (RawEnds.entries, RawEnds.exits))
    table, prior, _ = discover_links(
        summaries, entries, exits, longest_travel=240.0, longest_overlap=15.0, budget=ALL_PAIRS
    )
    rows = np.flatnonzero(~table.overlap)
    way = {(int(exits.camera[table.source[r]]), int(entries.camera[table.target[r]])): r for r in rows}
    assert prior.probability[way[0, 1]] > 3.0 * prior.probability[way[1, 0]]
    assert prior.probability[way[0, 1]] > prior.probability[way[0, 2]]
    # 240 and 840 metres at 10 metres a second.
    for cameras, seconds in {(0, 1): 24.0, (0, 2): 84.0}.items():
        likely = prior.times.first[way[cameras]] + prior.times.step[way[cameras]] * (
            prior.times.density[way[cameras]].argmax() + 0.5
        )
        assert likely == pytest.approx(seconds, rel=0.25)


def test_what_is_believed_is_made_of_probabilities_and_densities(make_summaries: Make) -> None:
    way, table, prior, _ = discover(network(make_summaries, 2))
    for share in (prior.probability, prior.lone, prior.first, prior.sure):
        assert ((share >= 0) & (share <= 1)).all()
    for times in (prior.peak, prior.times, prior.chance):
        assert times is not None
        assert (times.density * times.step[:, None]).sum(1) == pytest.approx(np.ones(len(table)))
    by_source: dict[int, float] = {}
    for (source, _), row in way.items():
        by_source[source] = by_source.get(source, 0.0) + float(prior.probability[row])
    assert max(by_source.values()) < 1.0


def test_the_broad_travel_times_favour_short_ones_and_rule_none_out(make_summaries: Make) -> None:
    _, table, _, _ = discover(network(make_summaries, 3))
    rows = np.flatnonzero(~table.overlap)
    times = broad_times(table)
    near, far, early = (times.at(rows, np.full(len(rows), seconds)) for seconds in (5.0, 200.0, -10.0))
    outward = table.low[rows] < 0
    assert (near > far).all()
    assert (far > 0).all()
    assert (early[outward] > 0).all()
    assert (early[outward] < near[outward]).all()


def test_no_tracks_no_links(make_summaries: Make) -> None:
    way, table, _, _ = discover(make_summaries([], [], [], cameras=CAMERAS))
    assert len(way) == len(table) == 0
