"""The best set of pairs in which each track has at most one successor and at most one predecessor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching


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
    result: npt.NDArray[np.int64] = np.sort(useful[found])
    return result
