"""Chains of successors, and how they are cut where a vehicle would be in one camera twice at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtmc.association.solving.chains import clashes, cut_clashes, identities_of
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


@given(st.lists(st.integers(0, 12), max_size=12))
def test_identities_are_the_connected_chains(choices: list[int]) -> None:
    """Each track may go on to a later one that nobody else goes on to."""
    successor, taken = np.full(len(choices), -1, np.int64), set()
    for track, choice in enumerate(choices):
        if track < choice < len(choices) and choice not in taken:
            successor[track] = choice
            taken.add(choice)
    identity = identities_of(successor)
    expected = list(range(len(choices)))
    for track in range(len(choices)):
        if successor[track] >= 0:
            expected[successor[track]] = expected[track]
    assert ((identity[:, None] == identity) == (np.array(expected)[:, None] == np.array(expected))).all()
    first_seen = list(dict.fromkeys(identity.tolist()))
    assert first_seen == list(range(len(first_seen)))


def test_a_long_chain_is_one_identity() -> None:
    assert not identities_of(np.append(np.arange(1, 5000), -1)).any()


def random_chains(make_summaries: Make, seed: int, tracks: int = 14) -> tuple[TrackSummaries, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    start = np.sort(random.uniform(0, 30, tracks))
    # In the order of cameras, but with successors in the order of time.
    camera = random.integers(0, 3, tracks)
    rows = np.lexsort((start, camera))
    summaries = make_summaries(camera[rows], start[rows], start[rows] + random.uniform(1, 8, tracks), cameras=3)
    order = np.argsort(summaries.start)
    successor = np.full(tracks, -1, np.int64)
    for part in (order[0::2], order[1::2]):
        successor[part[:-1]] = part[1:]
    return summaries, successor, random.random(tracks)


@pytest.mark.parametrize("seed", range(10))
def test_no_conflict_remains_and_steps_are_only_removed(make_summaries: Make, seed: int) -> None:
    summaries, successor, gain = random_chains(make_summaries, seed)
    assert len(clashes(summaries, identities_of(successor)))
    cut = cut_clashes(summaries, successor, gain)
    identity = identities_of(cut)
    assert len(clashes(summaries, identity)) == 0
    for a, b in itertools.combinations(range(len(identity)), 2):
        if identity[a] == identity[b] and summaries.camera[a] == summaries.camera[b]:
            assert max(summaries.start[a], summaries.start[b]) > min(summaries.end[a], summaries.end[b])
    assert ((cut == successor) | (cut == -1)).all()


def test_the_weakest_step_between_the_two_is_cut(make_summaries: Make) -> None:
    """Tracks 0 and 1 of one camera overlap; the chain is 3, 0, 2, 1."""
    summaries = make_summaries([0, 0, 1, 1], [10.0, 13.0, 11.0, 0.0], [14.0, 20.0, 12.0, 1.0])
    successor = np.array([2, -1, 1, 0])
    assert cut_clashes(summaries, successor, np.array([5.0, 0.0, 2.0, 1.0])).tolist() == [2, -1, -1, 0]
    assert cut_clashes(summaries, successor, np.array([2.0, 0.0, 5.0, 1.0])).tolist() == [-1, -1, 1, 0]


def test_chains_without_a_clash_stay(make_summaries: Make) -> None:
    summaries = make_summaries([0, 0, 1], [0.0, 10.0, 5.0], [4.0, 14.0, 9.0])
    assert cut_clashes(summaries, np.array([2, -1, 1]), np.zeros(3)).tolist() == [2, -1, 1]
