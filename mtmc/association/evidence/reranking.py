"""k-reciprocal re-ranking of candidate pairs: two tracks with the same other likely partners are similar."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

NEIGHBOURS = 6
"""Number of most similar partners of a track that form its neighbourhood. Raising it includes less similar ones.
Development scenarios."""
BLEND = 0.3
"""Weight of the agreement of the neighbourhoods, against the plain similarity. Raising it relies more on neighbours.
The paper uses 0.7 on images; neighbourhoods of tracks are much smaller. Development scenarios."""
SHARPNESS = 5.0
"""How fast the weight of a neighbour falls with its distance, per unit of cosine similarity. Raising it concentrates on
the nearest neighbours. Development scenarios."""


def rerank(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float64],
    gated: npt.NDArray[np.bool_],
    n: int,
) -> npt.NDArray[np.float64]:
    """Re-rank similarities by k-reciprocal neighbours, on sparse pairs.

    Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017,
    https://arxiv.org/abs/1701.08398. Only gated pairs count as neighbours, so time grows with their number.

    Args:
        source, target: (m,) tracks of each pair, in [0, n).
        similarity: (m,) cosine similarity, NaN where unknown.
        gated: (m,) whether the pair is plausible by all evidence other than appearance.
        n: number of tracks.

    Returns:
        (m,) similarities blended with the Jaccard similarity of the two neighbourhoods; NaN stays NaN.
    """
    known = gated & np.isfinite(similarity)
    a = np.concatenate([source[known], target[known]])
    b = np.concatenate([target[known], source[known]])
    value = np.concatenate([similarity[known], similarity[known]])
    order = np.lexsort((b, -value, a))
    a, b, value = a[order], b[order], value[order]
    # One row per pair of tracks, however many links may join them.
    first = np.ones(len(a), np.bool_)
    first[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    a, b, value = a[first], b[first], value[first]
    begin = np.searchsorted(a, np.arange(n))
    close = np.arange(len(a)) - begin[a] < NEIGHBOURS
    a, b, value = a[close], b[close], value[close]
    mutual = np.isin(a * n + b, b * n + a)
    a, b, value = a[mutual], b[mutual], value[mutual]
    # Each track is its own nearest neighbour.
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
    """(m,) sum of the smaller of the two weights over the common neighbours of each pair."""
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
