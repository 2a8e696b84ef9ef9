"""The sparse assignment weighs as much as the best dense one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from evaluation import assignment
from evaluation.assignment import heaviest_assignment


@settings(max_examples=150, deadline=None)
@given(hnp.arrays(np.int64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 4)))
def test_weighs_as_much_as_the_hungarian_method_also_with_ties(table: np.ndarray) -> None:
    row, column = np.nonzero(table)
    weight = table[row, column]
    chosen = heaviest_assignment(row, column, weight)
    assert len(set(row[chosen].tolist())) == len(chosen) == len(set(column[chosen].tolist()))
    assert weight[chosen].sum() == table[linear_sum_assignment(table, maximize=True)].sum()


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5])
def test_large_parts_are_solved_without_a_dense_matrix(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assignment, "_DENSE_CELLS", 10)
    generator = np.random.default_rng(3)
    table = generator.random((60, 45)) * (generator.random((60, 45)) < density)
    row, column = np.nonzero(table)
    chosen = heaviest_assignment(row, column, table[row, column])
    assert table[row[chosen], column[chosen]].sum() == pytest.approx(
        table[linear_sum_assignment(table, maximize=True)].sum()
    )


def test_no_pairs() -> None:
    none = np.zeros(0, np.int64)
    assert heaviest_assignment(none, none, none).tolist() == []
