from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtmc.association.solving.matching import best_pairs

Pair = tuple[int, int, float]
PAIRS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(4, 7), st.floats(-2.0, 5.0, allow_subnormal=False)), max_size=8
)


def columns(pairs: list[Pair]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source, target, gain = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(source, np.int64), np.array(target, np.int64), np.array(gain, np.float64)


@given(PAIRS)
def test_takes_the_best_of_all_consistent_choices(pairs: list[Pair]) -> None:
    source, target, gain = columns(pairs)
    taken = best_pairs(source, target, gain, 8)
    assert len(set(source[taken])) == len(set(target[taken])) == len(taken)
    choices = itertools.chain.from_iterable(itertools.combinations(pairs, k) for k in range(5))
    best = max(
        sum(g for _, _, g in choice)
        for choice in choices
        if len({s for s, _, _ in choice}) == len({t for _, t, _ in choice}) == len(choice)
    )
    assert gain[taken].sum() == pytest.approx(best, abs=1e-9)


def test_of_pairs_of_the_same_two_tracks_the_best_counts() -> None:
    source, target, gain = columns([(0, 4, 1.0), (0, 4, 3.0), (0, 5, 2.5)])
    assert best_pairs(source, target, gain, 8).tolist() == [1]
