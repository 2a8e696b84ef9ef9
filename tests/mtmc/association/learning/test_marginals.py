"""Belief propagation against the enumeration of all consistent choices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtmc.association.learning.marginals import pair_marginals

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def by_enumeration(source: Ints, target: Ints, ratio: Floats) -> Floats:
    """Exact marginals: every set of pairs without a shared source or target weighs the product of its ratios."""
    total, taken = 0.0, np.zeros(len(ratio))
    for bits in range(1 << len(ratio)):
        rows = np.flatnonzero([bits >> k & 1 for k in range(len(ratio))])
        if len(set(source[rows])) == len(set(target[rows])) == len(rows):
            weight = float(np.prod(ratio[rows]))
            total += weight
            taken[rows] += weight
    return taken / total


def random_graph(seed: int, tracks: int, pairs: int, acyclic: bool) -> tuple[Ints, Ints, Floats]:
    """Pairs from tracks [0, k) to tracks [k, 2 k) with log-normal ratios; acyclic: the bipartite graph is a forest."""
    random = np.random.default_rng(seed)
    found: list[tuple[int, int]] = []
    group = list(range(2 * tracks))
    for place in random.permutation(tracks * tracks).tolist():
        a, b = place // tracks, tracks + place % tracks
        if acyclic and group[a] == group[b]:
            continue
        group = [group[a] if g == group[b] else g for g in group]
        found.append((a, b))
    source, target = np.array(found[:pairs], np.int64).T
    return source, target, np.exp(random.normal(0.0, 1.5, len(source)))


@pytest.mark.parametrize("seed", range(12))
def test_is_exact_where_the_pairs_form_no_cycle(seed: int) -> None:
    source, target, ratio = random_graph(seed, tracks=5, pairs=9, acyclic=True)
    found = pair_marginals(source, target, ratio, 10)
    assert found == pytest.approx(by_enumeration(source, target, ratio), abs=2e-3)


@pytest.mark.parametrize("seed", range(12))
def test_is_close_where_they_do(seed: int) -> None:
    source, target, ratio = random_graph(seed, tracks=4, pairs=10, acyclic=False)
    found = pair_marginals(source, target, ratio, 8)
    exact = by_enumeration(source, target, ratio)
    assert np.abs(found - exact).max() < 0.1
    assert np.abs(found - exact).mean() < 0.03


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(5, 9), st.floats(-20.0, 20.0)), min_size=1, max_size=20)


@settings(deadline=None)
@given(PAIRS)
def test_probabilities_are_probabilities_and_each_track_shares_out_at_most_one(
    pairs: list[tuple[int, int, float]],
) -> None:
    source, target = (np.array([pair[k] for pair in pairs], np.int64) for k in range(2))
    found = pair_marginals(source, target, np.exp(np.clip([log for _, _, log in pairs], -6.0, 6.0)), 10, sweeps=2000)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    for end in (source, target):
        assert np.bincount(end, found).max() <= 1.02


@settings(deadline=None)
@given(PAIRS, st.floats(0.1, 5.0))
def test_a_pair_gains_and_its_rivals_lose_by_more_evidence_for_it(
    pairs: list[tuple[int, int, float]], more: float
) -> None:
    source, target = (np.array([pair[k] for pair in pairs], np.int64) for k in range(2))
    log_ratio = np.clip([log for _, _, log in pairs], -8.0, 8.0)
    before = pair_marginals(source, target, np.exp(log_ratio), 10, 500)
    log_ratio[0] += more
    after = pair_marginals(source, target, np.exp(log_ratio), 10, 500)
    rivals = np.flatnonzero((source == source[0]) & (target != target[0]))
    assert after[0] >= before[0] - 2e-3
    assert (after[rivals] <= before[rivals] + 2e-3).all()


def test_parallel_pairs_back_each_other() -> None:
    """Two links that could join the same two tracks; propagation takes them for rivals and stays below the truth."""
    source, target = np.array([0, 0, 0]), np.array([2, 2, 3])
    parallel = pair_marginals(source, target, np.array([1.0, 2.0, 1.5]), 4)
    best_alone = pair_marginals(source[1:], target[1:], np.array([2.0, 1.5]), 4)
    exact = (1.0 + 2.0) / (1.0 + 1.0 + 2.0 + 1.5)
    assert best_alone[0] < parallel[:2].sum() <= exact + 1e-6
    assert parallel[1] > parallel[0]


def test_a_certain_pair_and_no_pairs_at_all() -> None:
    certain = pair_marginals(np.array([0]), np.array([1]), np.array([np.inf]), 2)
    assert certain == pytest.approx([1.0])
    assert len(pair_marginals(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 3)) == 0


def test_parallel_pairs_share_the_probability_of_their_sum() -> None:
    """Two links between the same two tracks are alternatives: as likely together as one link with both ratios."""
    source, target = np.array([0, 0, 0, 1]), np.array([2, 2, 3, 3])
    ratio = np.array([2.0, 3.0, 1.0, 4.0])
    found = pair_marginals(source, target, ratio, 4)
    merged = pair_marginals(np.array([0, 0, 1]), np.array([2, 3, 3]), np.array([5.0, 1.0, 4.0]), 4)
    assert found[0] + found[1] == pytest.approx(merged[0])
    assert found[1] / found[0] == pytest.approx(1.5)
    assert found == pytest.approx(by_enumeration(source, target, ratio), abs=1e-6)
