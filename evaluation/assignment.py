"""Maximum-weight one-to-one assignment in a sparse table: exact, and without a dense matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Weights = npt.NDArray[np.floating] | npt.NDArray[np.integer]

_ROWS_AT_ONCE = 256
"""Rows of small connected components that are solved together. The solver's time grows with the square of the rows, and
each call of it has a fixed cost; the measured optimum is flat from 100 to 1000."""


def heaviest_assignment(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: Weights
) -> npt.NDArray[np.int64]:
    """Choose pairs with the largest total weight that use no row and no column twice.

    Pairs that belong to some optimal assignment are taken first, all at once: those that weigh at least as much as the
    heaviest rival in their row and the heaviest rival in their column together, since they can replace both. That
    settles nearly all of a large scene. The rest falls into connected components, which the Jonker-Volgenant algorithm
    for sparse matrices solves. If several assignments weigh the same, one of them is returned.

    Args:
        row: (p,) rows of the candidate pairs, at least 0.
        column: (p,) their columns, at least 0.
        weight: (p,) their weights. Pairs of weight 0 or below are never chosen; of several pairs with the same row and
            column, the heaviest counts.

    Returns:
        Indices of the chosen pairs, ascending.

    >>> heaviest_assignment(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([5, 4, 3])).tolist()
    [1, 2]
    """
    left = np.flatnonzero(weight > 0)
    chosen = [left[:0]]
    while len(left):
        r, c, w = row[left], column[left], weight[left]
        best_of_row, rival_in_row = _best(r, w)
        best_of_column, rival_in_column = _best(c, w)
        certain = best_of_row & best_of_column & (w >= rival_in_row + rival_in_column)
        if not certain.any():
            break
        chosen.append(left[certain])
        taken_row = np.zeros(r.max() + 1, np.bool_)
        taken_row[r[certain]] = True
        taken_column = np.zeros(c.max() + 1, np.bool_)
        taken_column[c[certain]] = True
        left = left[~(taken_row[r] | taken_column[c])]
    if len(left):
        chosen.append(left[_assign_parts(row[left], column[left], weight[left])])
    return np.sort(np.concatenate(chosen))


def _best(group: npt.NDArray[np.int64], weight: Weights) -> tuple[npt.NDArray[np.bool_], Weights]:
    """For each pair: is it the heaviest of its group (the first of equals), and the weight of the group's second."""
    heaviest = np.zeros(group.max() + 1, weight.dtype)
    np.maximum.at(heaviest, group, weight)
    candidates = np.flatnonzero(weight == heaviest[group])
    first = np.empty(len(heaviest), np.int64)
    first[group[candidates[::-1]]] = candidates[::-1]
    best = np.zeros(len(group), np.bool_)
    best[first[group[candidates]]] = True
    second = np.zeros_like(heaviest)
    np.maximum.at(second, group[~best], weight[~best])
    return best, second[group]


def _assign_parts(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: Weights) -> npt.NDArray[np.int64]:
    """Indices of the chosen pairs; connected components are solved in batches of about `_ROWS_AT_ONCE` rows."""
    # Imported here: it takes a quarter of a second, and small scenes are settled before.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, r = np.unique(row, return_inverse=True)
    columns, c = np.unique(column, return_inverse=True)
    n = len(rows) + len(columns)
    graph = coo_array((np.ones(len(r), np.bool_), (r, len(rows) + c)), shape=(n, n))
    parts, part_of_node = connected_components(graph, directed=False)
    rows_before = np.cumsum(np.bincount(part_of_node[: len(rows)], minlength=parts)) // _ROWS_AT_ONCE
    batch = rows_before[part_of_node[r]]
    order = np.argsort(batch, kind="stable")
    cuts = np.flatnonzero(np.diff(batch[order])) + 1
    return np.concatenate([pairs[_assign(r[pairs], c[pairs], weight[pairs])] for pairs in np.split(order, cuts)])


def _assign(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: Weights) -> npt.NDArray[np.int64]:
    """Indices of the chosen pairs of a small table."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    heaviest_last = np.lexsort((weight, column, row))
    repeated = (np.diff(row[heaviest_last]) == 0) & (np.diff(column[heaviest_last]) == 0)
    kept = heaviest_last[np.append(~repeated, True)]
    rows, r = np.unique(row[kept], return_inverse=True)
    columns, c = np.unique(column[kept], return_inverse=True)
    # Each row gets an extra column of its own that stands for "unassigned", so that a full matching always exists.
    # SciPy takes an explicit zero for a missing pair: all costs are at least 1.
    highest = float(weight.max()) + 1
    own = np.arange(len(rows))
    cost = csr_array(
        (
            np.concatenate((highest - weight[kept], np.full(len(rows), highest))),
            (np.concatenate((r, own)), np.concatenate((c, len(columns) + own))),
        ),
        shape=(len(rows), len(columns) + len(rows)),
    )
    matched_row, matched_column = min_weight_full_bipartite_matching(cost)
    assigned = matched_column < len(columns)
    key = matched_row[assigned].astype(np.int64) * len(columns) + matched_column[assigned]
    indices: npt.NDArray[np.int64] = kept[np.searchsorted(r * len(columns) + c, key)]
    return indices
