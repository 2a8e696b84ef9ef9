"""From the evidence of pairs to identities, against brute force on a few tracks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.links.candidates import LinkTable, Pairs, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds
from mtmc.association.solving.chains import clashes, identities_of
from mtmc.association.solving.solve import Ties, chain, identify, tie
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def journeys(make_summaries: Make, seed: int, tracks: int = 6) -> tuple[TrackSummaries, Pairs, npt.NDArray[np.float64]]:
    """Tracks of three cameras one after the other, all possible pairs of them, and random evidence."""
    random = np.random.default_rng(seed)
    start = random.permutation(tracks) * 10.0
    summaries = make_summaries(np.sort(random.integers(0, 3, tracks)), start, start + 4.0, cameras=3)
    entries, exits = camera_ends(RawEnds.entries(summaries), 3), camera_ends(RawEnds.exits(summaries), 3)
    source, target = (grid.ravel() for grid in np.meshgrid(np.arange(3), np.arange(3), indexing="ij"))
    table = LinkTable(np.zeros(9, np.bool_), source, target, np.zeros(9), np.full(9, 100.0))
    pairs = find_pairs(summaries, entries, exits, table)
    assert len(pairs) == tracks * (tracks - 1) // 2
    return summaries, pairs, random.normal(0.0, 3.0, len(pairs))


def chains_of(ties: Ties, n: int) -> Iterator[npt.NDArray[np.int64]]:
    """Every choice of at most one successor and at most one predecessor of each track."""
    options = [[-1, *ties.target[ties.source == track].tolist()] for track in range(n)]
    for choice in itertools.product(*options):
        reached = [track for track in choice if track >= 0]
        if len(set(reached)) == len(reached):
            yield np.array(choice, np.int64)


def worth(ties: Ties, successor: npt.NDArray[np.int64]) -> float:
    return float(ties.worth[successor[ties.source] == ties.target].sum())


@pytest.mark.parametrize("seed", range(10))
def test_the_chains_are_the_best_of_all(make_summaries: Make, seed: int) -> None:
    summaries, pairs, log_ratio = journeys(make_summaries, seed)
    ties = tie(pairs, log_ratio, np.zeros(len(pairs)), len(summaries), 0.3)
    best = max(worth(ties, successor) for successor in chains_of(ties, len(summaries)))
    assert worth(ties, chain(summaries, ties)) == pytest.approx(best)


def test_a_pair_is_joined_from_the_threshold_on(make_summaries: Make) -> None:
    summaries, pairs, _ = journeys(make_summaries, 0, tracks=2)
    for probability, joined in ((0.29, False), (0.31, True)):
        log_ratio = np.log([probability / (1 - probability)])
        ties = tie(pairs, log_ratio, np.zeros(1), 2, threshold=0.3)
        assert bool((chain(summaries, ties) >= 0).any()) == joined


def test_the_ratios_of_parallel_pairs_add(make_summaries: Make) -> None:
    """Two links that could join the same two tracks are one event told in two ways."""
    _, pairs, _ = journeys(make_summaries, 0, tracks=2)
    twice = Pairs.concatenate([pairs, pairs])
    ties = tie(twice, np.log([2.0, 3.0]), np.zeros(2), 2, threshold=0.5)
    assert len(ties.source) == 1
    assert ties.worth == pytest.approx(np.log([5.0]))


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_no_identity_holds_two_tracks_of_one_camera_at_once(make_summaries: Make, seed: int, search: bool) -> None:
    random = np.random.default_rng(seed)
    start = random.uniform(0.0, 40.0, 20)
    summaries = make_summaries(np.sort(random.integers(0, 3, 20)), start, start + random.uniform(2, 10, 20), cameras=3)
    source, target = np.array(
        [(a, b) for a, b in itertools.permutations(range(20), 2) if summaries.start[a] < summaries.start[b]]
    ).T
    same = summaries.camera[source] == summaries.camera[target]
    possible = ~(same & (summaries.start[target] <= summaries.end[source]))
    source, target = source[possible], target[possible]
    ties = Ties(source, target, random.normal(0.0, 3.0, len(source)), *np.zeros((2, len(source))))
    identity = identify(summaries, ties, chain(summaries, ties), search)
    assert len(clashes(summaries, identity)) == 0
    assert len(np.unique(identity)) < 20


@pytest.mark.parametrize("seed", range(5))
def test_chains_of_clear_evidence_survive_the_local_search(make_summaries: Make, seed: int) -> None:
    """Three vehicles through three cameras, one after the other: sure pairs are true, all others far from it."""
    start = np.concatenate([40.0 * np.arange(3) + 10.0 * camera for camera in range(3)])
    summaries = make_summaries(np.repeat([0, 1, 2], 3), start, start + 4.0)
    vehicle = np.tile([0, 1, 2], 3)
    source, target = np.array([(a, b) for a, b in itertools.permutations(range(9), 2) if start[a] < start[b]]).T
    random = np.random.default_rng(seed)
    next_to = (vehicle[source] == vehicle[target]) & (summaries.camera[target] - summaries.camera[source] == 1)
    value = np.where(next_to, 4.0, -4.0) + random.normal(size=len(source))
    ties = Ties(source, target, value, *np.zeros((2, len(source))))
    successor = chain(summaries, ties)
    assert (identities_of(successor) == vehicle).all()
    assert (identify(summaries, ties, successor, True) == vehicle).all()


def test_no_tracks(make_summaries: Make) -> None:
    summaries = make_summaries([], [], [], cameras=1)
    none = np.zeros(0, np.int64)
    ties = Ties(none, none, *np.zeros((3, 0)))
    assert len(identify(summaries, ties, chain(summaries, ties), True)) == 0
