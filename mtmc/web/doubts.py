"""The queue of doubts: pairs of passages whose answer is expected to change most boxes.

A join that is made is wrong with probability 1 - p, one that is not made is wrong with probability p; if it is wrong,
the answer moves the smaller side. The product is the expected number of boxes that an answer moves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.associate import Association
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.passages import Passages

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Joins:
    """The pairs that the last solution joined or considered, each pair once.

    Attributes:
        source, target: (m,) int64, rows of the passages; the source is the earlier one.
        probability: (m,) float64, that both are one vehicle; of pairs that were not joined, that the target is the
            vehicle's next passage.
        made: (m,) bool, whether the pair is one of the joins that make up the identities.
    """

    source: Ints
    target: Ints
    probability: npt.NDArray[np.float64]
    made: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, found: Association) -> Joins:
        """The pairs of an association. A pair may be a candidate over several links: their probabilities add up."""
        n = max(len(found.identity), 1)
        key, place = np.unique(found.source * n + found.target, return_inverse=True)
        total = np.minimum(np.bincount(place, found.probability, len(key)), 1.0) if len(key) else np.zeros(0)
        done = found.joins
        first = np.where(done.source <= done.target, done.source * n + done.target, done.target * n + done.source)
        kept = ~np.isin(np.minimum(key // n, key % n) * n + np.maximum(key // n, key % n), first)
        made = np.concatenate([np.zeros(int(kept.sum()), np.bool_), np.ones(len(done.source), np.bool_)])
        return cls(
            np.concatenate([key[kept] // n, done.source]),
            np.concatenate([key[kept] % n, done.target]),
            np.concatenate([total[kept], done.probability]),
            made,
        )

    @classmethod
    def none(cls) -> Joins:
        """No pairs."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair to ask about.

    Attributes:
        source, target: rows of the passages, by time.
        probability: that they are one vehicle, as the association sees it.
        joined: whether they have one identity now.
        expected: the expected number of boxes that the answer moves.
    """

    source: int
    target: int
    probability: float
    joined: bool
    expected: float


def find_doubts(
    joins: Joins,
    index: IdentityIndex,
    *,
    limit: int = 50,
    answered: Collection[tuple[int, int]] = (),
) -> list[Doubt]:
    """The most rewarding questions first.

    Args:
        joins: candidate pairs.
        index: the present identities.
        limit: how many.
        answered: pairs of rows, the smaller one first, that need not be asked again.
    """
    p, identity = index.passages, index.identity
    source, target = joins.source, joins.target
    joined = (identity[source] == identity[target]) & (identity[source] >= 0)
    # Other pairs of one identity are no joins: what holds them together are the joins between them.
    open_pairs = np.where(joined, joins.made, ~_together(p, source, target))
    wrong = np.where(joined, 1.0 - joins.probability, joins.probability)
    expected = np.where(open_pairs, wrong * _moved(index, source, target, joined), 0.0)
    known = set(answered)
    found: list[Doubt] = []
    for row in np.lexsort((target, source, -expected)).tolist():
        if expected[row] <= 0 or len(found) == limit:
            break
        a, b = int(source[row]), int(target[row])
        if (min(a, b), max(a, b)) not in known:
            found.append(Doubt(a, b, float(joins.probability[row]), bool(joined[row]), float(expected[row])))
    return found


def _moved(index: IdentityIndex, source: Ints, target: Ints, joined: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(m,) boxes of the smaller side: of the two parts of one identity, or of two identities."""
    p, order = index.passages, index.order
    place = np.full(len(p), -1, np.int64)
    place[order] = np.arange(len(order))
    boxes = p.boxes.astype(np.float64)
    until = np.concatenate([[0.0], np.cumsum(boxes[order])])
    owner = np.searchsorted(index.number, index.identity)
    owner = np.minimum(owner, max(len(index) - 1, 0))
    first, last = index.begin[owner], index.begin[np.minimum(owner + 1, len(index.begin) - 1)]
    whole = np.where(place >= 0, until[last] - until[first], boxes)
    # As if a join that is undone parted the identity in time.
    before = until[np.minimum(place[source], place[target]) + 1] - until[first[source]]
    split = np.minimum(before, whole[source] - before)
    return np.where(joined, split, np.minimum(whole[source], whole[target]))


def _together(p: Passages, source: Ints, target: Ints) -> npt.NDArray[np.bool_]:
    """(m,) whether both are seen by one camera at once, so that they cannot be one vehicle."""
    together: npt.NDArray[np.bool_] = (
        (p.camera[source] == p.camera[target])
        & (p.first_frame[source] <= p.last_frame[target])
        & (p.first_frame[target] <= p.last_frame[source])
    )
    return together
