"""Identities ranked by likeness: one exact matrix product, no index that could miss any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.web.identity_index import IdentityIndex


@dataclass(frozen=True, slots=True)
class Hit:
    """An identity that was found.

    Attributes:
        number: the identity.
        row: its passage that is most alike, or its longest one where nothing is compared.
        likeness: cosine similarity in [-1, 1]; None where nothing is compared.
    """

    number: int
    row: int
    likeness: float | None


def rank(
    index: IdentityIndex,
    kept: npt.NDArray[np.bool_],
    *,
    query: npt.NDArray[np.float32] | None = None,
    vector: npt.NDArray[np.float32] | None = None,
    known: npt.NDArray[np.bool_] | None = None,
    first: int = 0,
    limit: int = 60,
) -> tuple[list[Hit], int]:
    """The identities that pass a filter, the most alike first; without a query, by their start.

    An identity is as like as its most alike passage: a vehicle looks different from the front and from behind.

    Args:
        index: the identities.
        kept: (m,) which pass the filter.
        query: (d,) the vector to compare with.
        vector, known: (n, d) the features of the passages, and which are known (n,); needed with `query`.
        first, limit: which of the ranks to return.

    Returns:
        Hits, and the number of identities that were ranked.
    """
    if query is None or vector is None or known is None:
        places = np.flatnonzero(kept)
        order = places[np.argsort(index.start[places], kind="stable")]
        _, longest = index.best(index.passages.boxes.astype(np.float32))
        page = order[first : first + limit]
        return [Hit(int(index.number[k]), int(longest[k]), None) for k in page], len(order)
    likeness = np.where(known, vector @ query, np.float32(-2.0))
    best, row = index.best(likeness)
    places = np.flatnonzero(kept & (best > -2.0))
    wanted = min(first + limit, len(places))
    if wanted < len(places):
        # Only the front is sorted: of 100,000 identities nobody looks at the rest.
        front = places[np.argpartition(-best[places], wanted)[: wanted + 1]]
    else:
        front = places
    order = front[np.lexsort((index.number[front], -best[front]))][first:wanted]
    return [Hit(int(index.number[k]), int(row[k]), float(best[k])) for k in order], len(places)
