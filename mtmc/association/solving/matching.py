"""The best set of pairs in which each track has at most one successor and at most one predecessor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

ROUNDS = 8
"""Passes that look for pairs which some best matching contains, before the rest is solved as a whole. Raising it leaves
less to solve; the result does not change. Theory: each pass frees the rivals of the last, and few passes find nearly
all."""


def best_pairs(
    source: npt.NDArray[np.int64], target: npt.NDArray[np.int64], gain: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.int64]:
    """Maximum-weight bipartite matching on sparse pairs; pairs without positive gain are never taken.

    Args:
        source, target: (m,) track indices in [0, n); of pairs of the same two tracks the best counts.
        gain: (m,) what taking a pair adds.
        n: number of tracks.

    Returns:
        Indices of the pairs taken, ascending.
    """
    useful = np.flatnonzero(gain > 0)
    if len(useful) == 0:
        return useful
    useful = useful[np.lexsort((-gain[useful], target[useful], source[useful]))]
    first = np.ones(len(useful), np.bool_)
    first[1:] = (np.diff(source[useful]) != 0) | (np.diff(target[useful]) != 0)
    useful = useful[first]
    sure, useful = _dominant(source, target, gain, useful, n)
    if len(useful) == 0:
        return np.sort(sure)
    rows, row = np.unique(source[useful], return_inverse=True)
    columns, column = np.unique(target[useful], return_inverse=True)
    # Each source also has a column of its own, "no successor", with gain 0, so a full matching always exists. SciPy
    # drops explicit zeros: everything is shifted by one.
    alone = len(columns) + np.arange(len(rows))
    top = float(gain[useful].max()) + 1.0
    cost = csr_matrix(
        (
            np.concatenate([top - gain[useful], np.full(len(rows), top)]),
            (np.concatenate([row.reshape(-1), np.arange(len(rows))]), np.concatenate([column.reshape(-1), alone])),
        ),
        shape=(len(rows), len(columns) + len(rows)),
    )
    matched_row, matched_column = min_weight_full_bipartite_matching(cost)
    taken = matched_column < len(columns)
    key = rows[matched_row[taken]] * n + columns[matched_column[taken]]
    keys = source[useful] * n + target[useful]
    order = np.argsort(keys, kind="stable")
    found = order[np.searchsorted(keys[order], key)]
    result: npt.NDArray[np.int64] = np.sort(np.concatenate([sure, useful[found]]))
    return result


def _dominant(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    gain: npt.NDArray[np.float64],
    useful: npt.NDArray[np.int64],
    n: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pairs that some best matching takes for certain, and those of the rest that are still to be decided.

    A pair that gains as much as the best other pair of its source and the best other one of its target together can
    replace both. That settles nearly all of a large scenario, in which a matching takes long.
    """
    taken: list[npt.NDArray[np.int64]] = []
    for _ in range(ROUNDS):
        worth = gain[useful]
        leads = np.ones(len(useful), np.bool_)
        rivals = np.zeros(len(useful))
        for end in (source[useful], target[useful]):
            order = np.lexsort((-worth, end))
            first = np.ones(len(order), np.bool_)
            first[1:] = np.diff(end[order]) != 0
            best = np.zeros(len(order), np.bool_)
            best[order[first]] = True
            second = np.zeros(n)
            np.maximum.at(second, end[~best], worth[~best])
            leads &= best
            rivals += second[end]
        chosen = useful[leads & (worth >= rivals)]
        if not len(chosen):
            break
        taken.append(chosen)
        useful = useful[~np.isin(source[useful], source[chosen]) & ~np.isin(target[useful], target[chosen])]
    return np.concatenate([np.zeros(0, np.int64), *taken]), useful
