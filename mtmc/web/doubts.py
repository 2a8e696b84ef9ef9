"""The queue of doubts: questions about pairs of passages whose answer is expected to move most boxes.

A join that is made is wrong with probability 1 - p, two identities that are apart are one vehicle with probability p;
if so, the answer moves the smaller side. The product is the expected number of boxes that an answer moves.

Probabilities are those of the result, not those that learning had on its way: a join's are calibrated by the
association, and those of pairs that were left apart here, where the association's own (that the one is the other's next
passage) is too small by a factor of five to ten. Two identities are asked about once, by their most probable pair; what
answers imply is not asked.
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
APART = (1.334, 0.518, 0.371)
"""Constant, factor of the evidence and factor of the log odds, in nats, of the probability that a candidate pair that
was left apart is one vehicle. Raising them asks more about merging and less about splitting. Development scenarios:
logistic regression on 59,426 such pairs, 83 of them one vehicle, of five simulated problems (corridor, crossing,
network, site; seeds 201 and 203; features of 60, 70 and 80 % mAP)."""
BOUND = 12.0
"""Nats to which evidence and log odds are limited, as in the association."""


@dataclass(frozen=True, slots=True)
class Joins:
    """The pairs that the last solution joined or considered, each pair once.

    Attributes:
        source, target: (m,) int64, rows of the passages; the source is the earlier one.
        probability: (m,) float64, that both are one vehicle.
        made: (m,) bool, whether the pair is one of the joins that make up the identities.
    """

    source: Ints
    target: Ints
    probability: npt.NDArray[np.float64]
    made: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, found: Association) -> Joins:
        """The pairs of an association. A pair may be a candidate over several links: their evidence adds up."""
        n = max(len(found.identity), 1)
        key, place = np.unique(found.source * n + found.target, return_inverse=True)
        place = place.reshape(-1)
        total = np.minimum(np.bincount(place, found.probability, len(key)), 1.0) if len(key) else np.zeros(0)
        if found.terms and len(key):
            total = _apart(np.sum(list(found.terms.values()), axis=0), place, total)
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
    settled = _Settled(index, answered)
    found: list[Doubt] = []
    for row in np.lexsort((target, source, -expected)).tolist():
        if expected[row] <= 0 or len(found) == limit:
            break
        a, b = int(source[row]), int(target[row])
        if settled.take(a, b):
            found.append(Doubt(a, b, float(joins.probability[row]), bool(joined[row]), float(expected[row])))
    return found


class _Settled:
    """What answers, or earlier questions of the queue, say already."""

    def __init__(self, index: IdentityIndex, answered: Collection[tuple[int, int]]) -> None:
        self._identity = index.identity
        self._place = np.full(len(index.passages), -1, np.int64)
        self._place[index.order] = np.arange(len(index.order))
        self._between: set[tuple[int, int]] = set()
        self._cuts: set[int] = set()
        self._alone = set(answered)
        for a, b in answered:
            one, other = self._sides(a, b)
            if one == other:
                # Both are one vehicle, and so is, in time, what lies between them.
                first, last = sorted((int(self._place[a]), int(self._place[b])))
                self._cuts.update(range(first, last))
            else:
                self._between.add((one, other))

    def take(self, a: int, b: int) -> bool:
        """Whether a pair need be asked about; it and what says the same need not from then on."""
        if (min(a, b), max(a, b)) in self._alone:
            return False
        one, other = self._sides(a, b)
        if one == other:
            cut = int(min(self._place[a], self._place[b]))
            if cut in self._cuts:
                return False
            self._cuts.add(cut)
            return True
        if (one, other) in self._between:
            return False
        self._between.add((one, other))
        return True

    def _sides(self, a: int, b: int) -> tuple[int, int]:
        """The identities of both, the smaller first; a passage without one stands for itself, by a negative number."""
        one, other = (int(self._identity[row]) if self._identity[row] >= 0 else -1 - row for row in (a, b))
        return min(one, other), max(one, other)


def _apart(nats: npt.NDArray[np.float64], place: Ints, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(k,) probability that pairs that were left apart are one vehicle.

    Args:
        nats: (m,) log-likelihood ratio of each candidate.
        place: (m,) the pair of each.
        share: (k,) the association's probability that they are successive.
    """
    evidence = np.log(np.maximum(np.bincount(place, np.exp(np.clip(nats, -60.0, 25.0)), len(share)), 1e-30))
    inside = np.clip(share, 1e-9, 1.0 - 1e-9)
    odds = np.log(inside) - np.log1p(-inside)
    constant, by_evidence, by_odds = APART
    value = constant + by_evidence * np.clip(evidence, -BOUND, BOUND) + by_odds * np.clip(odds, -BOUND, BOUND)
    return np.asarray(1.0 / (1.0 + np.exp(-value)), np.float64)


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
