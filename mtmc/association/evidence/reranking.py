"""k-reciprocal re-ranking of candidate pairs: two tracks that agree on their other likely partners are alike."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

NEIGHBOURS = 6
"""Most alike partners of a track that are looked at."""
BLEND = 0.3
"""Weight of the neighbourhoods' agreement against the plain similarity."""
SHARPNESS = 5.0
"""How fast a partner's weight falls with its similarity."""


def rerank(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float64],
    gated: npt.NDArray[np.bool_],
    n: int,
) -> npt.NDArray[np.float64]:
    """Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, on sparse pairs.

    Only gated pairs count as neighbours, so the work grows with them.

    Args:
        source, target: (m,) tracks of each pair, in [0, n).
        similarity: (m,) cosine, NaN where not known.
        gated: (m,) whether the pair is possible by everything but appearance.
        n: number of tracks.

    Returns:
        (m,) similarities blended with the Jaccard agreement of the two neighbourhoods; NaN stays.
    """
    known = gated & np.isfinite(similarity)
    a = np.concatenate([source[known], target[known]])
    b = np.concatenate([target[known], source[known]])
    value = np.concatenate([similarity[known], similarity[known]])
    order = np.lexsort((b, -value, a))
    a, b, value = a[order], b[order], value[order]
    # One row for each two tracks, however many links could join them.
    first = np.ones(len(a), np.bool_)
    first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    a, b, value = a[first], b[first], value[first]
    begin = np.searchsorted(a, np.arange(n))
    close = np.arange(len(a)) - begin[a] < NEIGHBOURS
    a, b, value = a[close], b[close], value[close]
    mutual = np.isin(a * n + b, b * n + a)
    a, b, value = a[mutual], b[mutual], value[mutual]
    # Each track is its own best neighbour.
    own = np.arange(n)
    a, b = np.concatenate([a, own]), np.concatenate([b, own])
    weight = np.concatenate([np.exp(SHARPNESS * (value - 1.0)), np.ones(n)])
    order = np.lexsort((b, a))
    a, b, weight = a[order], b[order], weight[order]
    weight /= np.bincount(a, weight, n)[a]
    bounds = np.searchsorted(a, np.arange(n + 1))
    overlap = _overlap(source, target, bounds, b, weight)
    return (1.0 - BLEND) * similarity + BLEND * overlap / (2.0 - overlap)


def _overlap(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    neighbour: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """(m,) sum over common neighbours of the smaller weight."""
    result: npt.NDArray[np.float64] = _compiled_overlap(source, target, bounds, neighbour, weight)
    return result


@numba.njit(cache=True)
def _compiled_overlap(source, target, bounds, neighbour, weight):  # type: ignore[no-untyped-def]  # pragma: no cover
    result = np.zeros(len(source))
    for m in range(len(source)):
        p, p_end = bounds[source[m]], bounds[source[m] + 1]
        q, q_end = bounds[target[m]], bounds[target[m] + 1]
        while p < p_end and q < q_end:
            if neighbour[p] == neighbour[q]:
                result[m] += min(weight[p], weight[q])
                p += 1
                q += 1
            elif neighbour[p] < neighbour[q]:
                p += 1
            else:
                q += 1
    return result
