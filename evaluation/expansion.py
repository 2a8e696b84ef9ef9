"""Average query expansion: a query is replaced by its mean with the images that it finds first.

O. Chum et al., "Total Recall: Automatic Query Expansion with a Generative Feature Model for Object Retrieval",
ICCV 2007.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from evaluation.ranking import feature_distances

NEIGHBOURS = 5
"""Images that a query is averaged with. More help where a vehicle has many images, and let in more false ones."""


def expand_queries(
    query: npt.NDArray[np.floating],
    gallery: npt.NDArray[np.floating],
    *,
    neighbours: int = NEIGHBOURS,
    itself: npt.NDArray[np.int64] | None = None,
    chunk_bytes: int = 2**28,
) -> npt.NDArray[np.float32]:
    """Average each query with its nearest gallery images by cosine, all at length 1.

    No labels are used: an image from the query's own camera may be among them.

    Args:
        query: (q, d) features.
        gallery: (g, d) features.
        neighbours: number of images; at most g are used.
        itself: (q,) row of the gallery that is the query's own image, which is left out; -1: none.
        chunk_bytes: size of one block of distances in bytes.

    Returns:
        (q, d) expanded queries of length 1; a query of zeros stays as it is.

    Raises:
        InputError: fewer than one neighbour, or a feature that is not finite.

    >>> gallery = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    >>> print(expand_queries(np.array([[1, 0]], np.float32), gallery, neighbours=2).round(2))
    [[0.98 0.21]]
    """
    if neighbours < 1:
        raise InputError(f"query expansion: must average at least 1 neighbour, not {neighbours}")
    distances = feature_distances(query, gallery)
    own, others = _unit(query), _unit(gallery)
    count = min(neighbours, len(gallery))
    result = own.copy()
    rows = max(1, chunk_bytes // (4 * max(len(gallery), 1)))
    for start in range(0, len(query) if count else 0, rows):
        block = distances(slice(start, start + rows))
        if itself is not None:
            row = np.flatnonzero(itself[start : start + rows] >= 0)
            block[row, itself[start : start + rows][row]] = np.inf
        nearest = np.argpartition(block, count - 1, axis=1)[:, :count]
        found = np.isfinite(np.take_along_axis(block, nearest, axis=1))
        result[start : start + rows] += (others[nearest] * found[:, :, None]).sum(axis=1)
    return _unit(np.where((own != 0).any(axis=1)[:, None], result, 0.0))


def _unit(features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    values = np.asarray(features, np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, np.where(length > 0, length, 1), dtype=np.float32)
