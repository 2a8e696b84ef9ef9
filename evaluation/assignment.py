"""The heaviest one-to-one assignment in a sparse table of weights, exactly and without a dense matrix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

_DENSE_CELLS = 4_000_000


def heaviest_assignment(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: npt.NDArray[np.floating | np.integer]
) -> npt.NDArray[np.int64]:
    """Choose pairs, no row and no column twice, such that the sum of their weights is largest.

    Pairs that must be in an optimal assignment are taken first, all at once: those that weigh more than the best
    rival in their row and the best rival in their column together. What is left falls into small connected parts,
    each solved by the Hungarian method. Where several assignments weigh the same, one of them is returned.

    Args:
        row: (p,) rows of the pairs that exist, at least 0; each (row, column) at most once.
        column: (p,) their columns, at least 0.
        weight: (p,) their weights, above 0.

    Returns:
        Indices of the chosen pairs, ascending.
    """
    left = np.arange(len(row))
    chosen: list[npt.NDArray[np.int64]] = []
    while len(left):
        r, c, w = row[left], column[left], weight[left]
        certain = w > _best_rival(r, w) + _best_rival(c, w)
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
    return np.sort(np.concatenate(chosen)) if chosen else left


def _best_rival(
    group: npt.NDArray[np.int64], weight: npt.NDArray[np.floating | np.integer]
) -> npt.NDArray[np.floating | np.integer]:
    """For each pair the largest weight among the other pairs of its group, 0 where it is alone."""
    order = np.lexsort((-weight, group))
    grouped, sorted_weight = group[order], weight[order]
    start = np.flatnonzero(np.concatenate(([True], grouped[1:] != grouped[:-1])))
    size = np.diff(np.concatenate((start, [len(group)])))
    rival = np.repeat(sorted_weight[start], size)
    second = sorted_weight[np.minimum(start + 1, len(group) - 1)]
    rival[start] = np.where(size > 1, second, 0)
    result = np.empty_like(rival)
    result[order] = rival
    return result


def _assign_parts(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: npt.NDArray[np.floating | np.integer]
) -> npt.NDArray[np.int64]:
    """Indices of the chosen pairs, part by connected part."""
    rows, r = np.unique(row, return_inverse=True)
    columns, c = np.unique(column, return_inverse=True)
    n = len(rows) + len(columns)
    graph = coo_array((np.ones(len(r), np.bool_), (r, len(rows) + c)), shape=(n, n))
    _, part_of_node = connected_components(graph, directed=False)
    part = part_of_node[r]
    order = np.argsort(part, kind="stable")
    cuts = np.flatnonzero(np.diff(part[order])) + 1
    return np.concatenate([pairs[_assign(r[pairs], c[pairs], weight[pairs])] for pairs in np.split(order, cuts)])


def _assign(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], weight: npt.NDArray[np.floating | np.integer]
) -> npt.NDArray[np.int64]:
    """Indices of the chosen pairs of one connected part."""
    rows, r = np.unique(row, return_inverse=True)
    columns, c = np.unique(column, return_inverse=True)
    if len(rows) == 1 or len(columns) == 1:
        return np.array([np.argmax(weight)])
    pair = coo_array((np.arange(1, len(r) + 1), (r, c)), shape=(len(rows), len(columns)))
    if len(rows) * len(columns) <= _DENSE_CELLS:
        dense = np.zeros(pair.shape, weight.dtype)
        dense[r, c] = weight
        chosen = linear_sum_assignment(dense, maximize=True)
        number = pair.toarray()[chosen]
    else:
        # Each row gets a column of its own that stands for "unassigned", so that a full matching always exists.
        highest = float(weight.max()) + 1
        own = np.arange(len(rows))
        cost = csr_array(
            (
                np.concatenate((highest - weight, np.full(len(rows), highest))),
                (np.concatenate((r, own)), np.concatenate((c, len(columns) + own))),
            ),
            shape=(len(rows), len(columns) + len(rows)),
        )
        chosen = min_weight_full_bipartite_matching(cost)
        assigned = chosen[1] < len(columns)
        number = np.asarray(pair.tocsr()[chosen[0][assigned], chosen[1][assigned]]).reshape(-1)
    indices: npt.NDArray[np.int64] = number[number > 0].astype(np.int64) - 1
    return indices
