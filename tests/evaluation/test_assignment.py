"""The sparse assignment weighs as much as the best of all assignments."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from evaluation import assignment
from evaluation.assignment import heaviest_assignment

Pair = tuple[int, int, float]
PAIRS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(-2.0, 5.0, allow_subnormal=False)), max_size=8
)


@settings(deadline=None)
@given(PAIRS, st.sampled_from([1, 2, 256]))
def test_no_other_choice_of_pairs_weighs_more(pairs: list[Pair], rows_at_once: int) -> None:
    """Pairs may repeat, and weigh nothing or less."""
    row, column = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    weight = np.array([pair[2] for pair in pairs])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_ROWS_AT_ONCE", rows_at_once)
        chosen = heaviest_assignment(row, column, weight)
    assert len(set(row[chosen])) == len(set(column[chosen])) == len(chosen)
    assert (weight[chosen] > 0).all()
    choices = itertools.chain.from_iterable(itertools.combinations(pairs, k) for k in range(5))
    best = max(
        sum(w for _, _, w in choice)
        for choice in choices
        if len({r for r, _, _ in choice}) == len({c for _, c, _ in choice}) == len(choice)
    )
    assert weight[chosen].sum() == pytest.approx(best, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 4)))
def test_total_weight_equals_the_hungarian_methods_also_with_ties(table: np.ndarray) -> None:
    row, column = np.nonzero(table)
    weight = table[row, column]
    chosen = heaviest_assignment(row, column, weight)
    assert len(set(row[chosen].tolist())) == len(chosen) == len(set(column[chosen].tolist()))
    assert weight[chosen].sum() == table[linear_sum_assignment(table, maximize=True)].sum()


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5])
def test_large_components_are_solved_exactly(density: float) -> None:
    generator = np.random.default_rng(3)
    table = generator.random((600, 450)) * (generator.random((600, 450)) < density)
    row, column = np.nonzero(table)
    chosen = heaviest_assignment(row, column, table[row, column])
    assert table[row[chosen], column[chosen]].sum() == pytest.approx(
        table[linear_sum_assignment(table, maximize=True)].sum()
    )


def test_the_heaviest_of_several_pairs_with_the_same_row_and_column_counts() -> None:
    row, column, weight = np.array([0, 0, 0]), np.array([4, 4, 5]), np.array([1.0, 3.0, 2.5])
    assert heaviest_assignment(row, column, weight).tolist() == [1]


def test_no_pairs() -> None:
    none = np.zeros(0, np.int64)
    assert heaviest_assignment(none, none, none).tolist() == []
