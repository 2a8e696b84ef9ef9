"""k-reciprocal re-ranking with sparse neighbourhoods: the dense definition's distances without an n x n matrix.

Zhong et al. 2017, "Re-ranking Person Re-identification with k-reciprocal Encoding",
https://arxiv.org/abs/1701.08398.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from common.errors import InputError
from evaluation.ranking import Blocks

_ROWS_AT_ONCE = 8192
_PAIRS_AT_ONCE = 8192
_QUERIES_AT_ONCE = 64
_SAMPLE = 32


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """The nearest images of each of n images, over queries and gallery together.

    Attributes:
        index: (n, k) int64, nearest first; each image is its own first neighbour.
        farthest: (n,) float32, the squared distance to the farthest image, the unit of each row's distances.
    """

    index: npt.NDArray[np.int64]
    farthest: npt.NDArray[np.float32]


def reranked_distances(
    query: npt.NDArray[np.floating],
    gallery: npt.NDArray[np.floating],
    *,
    k1: int = 20,
    k2: int = 6,
    original_weight: float = 0.3,
    chunk_bytes: int = 2**28,
) -> Blocks:
    """Re-ranked distances of queries to the gallery, for `evaluation.ranking.rank_blocks`.

    The distance is `original_weight` times the squared distance of the L2-normalised features (in units of the row's
    largest) plus the rest times the Jaccard distance of the k-reciprocal neighbourhoods.

    Only the k1 nearest images of each image, and what follows from them, are kept. Every distance still equals that of
    the dense definition, because images without shared neighbours have a Jaccard distance of 1.

    Args:
        query: (q, d) features.
        gallery: (g, d) features.
        k1: size of the neighbourhoods; raising it finds more matches, and more false ones.
        k2: neighbours over which an image's neighbourhood is averaged; 1 averages nothing.
        original_weight: weight of the original distance, lambda in the paper.
        chunk_bytes: size of one block of distances in bytes.

    Raises:
        InputError: k1 or k2 below 1, or a feature that is not finite.
    """
    if k1 < 1 or k2 < 1:
        raise InputError(f"re-ranking: k1 and k2 must be at least 1, not {k1} and {k2}")
    features = _normalised(query, gallery)
    neighbours = _nearest(features, max(k1 + 1, k2), chunk_bytes)
    encoding = _encode(features, neighbours, k1)
    encoding = _average(encoding, neighbours.index[:, :k2])
    queries = len(query)
    own = encoding[:queries]
    holders = encoding[queries:].T.tocsr()  # for each image, the gallery images in whose neighbourhood it is
    unit = neighbours.farthest[:queries]

    def block(rows: slice) -> npt.NDArray[np.float32]:
        distance = _squared_distances(features[:queries][rows], features[queries:])
        distance *= (original_weight / unit[rows])[:, None]
        start = range(queries)[rows].start
        for first in range(0, len(distance), _QUERIES_AT_ONCE):
            part = slice(first, min(first + _QUERIES_AT_ONCE, len(distance)))
            shared = _shared(own[start + part.start : start + part.stop], holders)
            # 1 - shared / (2 - shared), both encodings summing to 1
            distance[part] += (1 - original_weight) * (1 - shared / (2 - shared))
        return distance

    return block


def _normalised(query: npt.NDArray[np.floating], gallery: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """(q + g, d) float32 features of length 1; a vector of zeros stays as it is."""
    features = np.concatenate((query, gallery), dtype=np.float32, casting="same_kind")
    length = np.sqrt(np.einsum("ij,ij->i", features, features))
    if not np.isfinite(length).all():
        wrong = int(np.flatnonzero(~np.isfinite(length))[0])
        name, row = ("query", wrong) if wrong < len(query) else ("gallery", wrong - len(query))
        raise InputError(f"features: {name} row {row} is not finite; leave that image out or extract it again")
    features /= np.where(length > 0, length, 1)[:, None]
    return features


def _squared_distances(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n, m) squared Euclidean distances of vectors of length 1."""
    distance: npt.NDArray[np.float32] = np.multiply(a, -2, dtype=np.float32) @ b.T
    distance += 2
    return np.maximum(distance, 0, out=distance)


def _nearest(features: npt.NDArray[np.float32], k: int, chunk_bytes: int) -> _Neighbours:
    n = len(features)
    k = min(k, n)
    index = np.empty((n, k), np.int64)
    farthest = np.empty(n, np.float32)
    rows = max(1, chunk_bytes // (4 * max(n, 1)))
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        block = _squared_distances(features[start:stop], features)
        block[np.arange(stop - start), np.arange(start, stop)] = -1  # itself first, before exact copies
        np.max(block, axis=1, out=farthest[start:stop])
        # The k-th smallest of some columns is never below the k-th smallest of all: few columns are left to sort.
        limit = np.partition(block[:, :: max(1, n // (_SAMPLE * k))], k - 1, axis=1)[:, k - 1]
        for i in range(stop - start):
            near = np.flatnonzero(block[i] <= limit[i])
            index[start + i] = near[np.argsort(block[i, near], kind="stable")[:k]]
    return _Neighbours(index, np.where(farthest > 0, farthest, 1).astype(np.float32))


def _reciprocal(index: npt.NDArray[np.int64]) -> csr_array:
    """(n, n) pattern: j is a neighbour of i and i is one of j."""
    n, k = index.shape
    forward = csr_array((np.ones(n * k, np.float32), index.reshape(-1), np.arange(0, n * k + 1, k)), shape=(n, n))
    return csr_array(forward.multiply(forward.T))


def _encode(features: npt.NDArray[np.float32], neighbours: _Neighbours, k1: int) -> csr_array:
    """(n, n) each row the weights, summing to 1, of an image's expanded k-reciprocal neighbours."""
    near = _reciprocal(neighbours.index[:, : k1 + 1])
    # Neighbourhoods of half the size vote on the expansion; halves are rounded to even, as the authors' code does.
    small = _reciprocal(neighbours.index[:, : int(np.around(k1 / 2)) + 1])
    size = np.diff(small.indptr)
    parts = []
    for start in range(0, len(features), _ROWS_AT_ONCE):
        mine = near[start : start + _ROWS_AT_ONCE]
        common = csr_array((mine @ small.T).multiply(mine))
        common.data = (common.data > 2 / 3 * size[common.indices]).astype(np.float32)
        common.eliminate_zeros()
        parts.append(_weigh(csr_array(mine + common @ small), features, neighbours.farthest, start))
    return csr_array(vstack(parts, format="csr"))


def _weigh(
    pattern: csr_array, features: npt.NDArray[np.float32], farthest: npt.NDArray[np.float32], start: int
) -> csr_array:
    """The rows from `start` on: exp(-distance) at each place of `pattern`, each row divided by its sum."""
    row = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    weight = np.empty(len(row), np.float32)
    for first in range(0, len(row), _PAIRS_AT_ONCE):
        pair = slice(first, first + _PAIRS_AT_ONCE)
        a, b = start + row[pair], pattern.indices[pair]
        distance = np.maximum(2 - 2 * np.einsum("ij,ij->i", features[a], features[b]), 0)
        distance[a == b] = 0
        weight[pair] = np.exp(-distance / farthest[a])
    total = np.bincount(row, weights=weight, minlength=pattern.shape[0])
    return csr_array(((weight / total[row]).astype(np.float32), pattern.indices, pattern.indptr), shape=pattern.shape)


def _average(encoding: csr_array, index: npt.NDArray[np.int64]) -> csr_array:
    """Each row replaced by the mean of its neighbours' rows (local query expansion)."""
    n, k = index.shape
    mean = csr_array((np.full(n * k, 1 / k, np.float32), index.reshape(-1), np.arange(0, n * k + 1, k)), shape=(n, n))
    return csr_array(mean @ encoding)


def _shared(own: csr_array, holders: csr_array) -> npt.NDArray[np.float32]:
    """(c, g) the sum over images of the smaller of the weights that a query and a gallery image give it."""
    queries, gallery = own.shape[0], holders.shape[1]
    query = np.repeat(np.arange(queries), np.diff(own.indptr))
    first = holders.indptr[own.indices].astype(np.int64)
    count = holders.indptr[own.indices + 1] - first
    begin = np.repeat(first - (np.cumsum(count) - count), count)
    entry = begin + np.arange(len(begin))
    smaller = np.minimum(np.repeat(own.data, count), holders.data[entry])
    place = np.repeat(query * gallery, count) + holders.indices[entry]
    total = np.bincount(place, weights=smaller, minlength=queries * gallery)
    return total.reshape(queries, gallery).astype(np.float32)
