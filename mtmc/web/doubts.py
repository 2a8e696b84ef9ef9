"""The queue of doubts: questions about pairs of passages whose answer is expected to put most boxes right.

A join that is made is wrong with probability 1 - p, two identities that are apart are one vehicle with probability p
(`mtmc.web.sides`); if so, the answer puts boxes right. The product is the expected number of boxes. Two identities are
asked about once, by the pair that the association has most evidence for; what answers imply is not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mtmc.web.identity_index import IdentityIndex
from mtmc.web.joins import Ints, Joins
from mtmc.web.sides import Features, Sides

WEIGHED = 2000
"""Questions about merging, and about joins, that are weighed in full: those with most and those with least evidence.
Raising it costs a quarter of a millisecond each and finds a question that the association holds for hopeless. Safety
bound on time: nobody answers more in a sitting."""
COMES_IN, GOES_OUT = 0.55, 0.45
"""What a box is worth that comes into, or goes out of, an identity of several cameras, against one that is put right
in such an identity. Raising them asks more about tracks on their own. Theory: an identity of one camera does not count
in multi-camera tracking, so such a box changes hits and predictions: IDF1 = 2 hits / (predictions + truth) gains
2 - IDF1 or IDF1 of what two more hits are worth, at an IDF1 of 0.9."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A pair to ask about.

    Attributes:
        source, target: rows of the passages, by time.
        probability: that they are one vehicle.
        joined: whether they have one identity now.
        expected: the expected number of boxes that the answer puts right.
    """

    source: int
    target: int
    probability: float
    joined: bool
    expected: float


def find_doubts(
    joins: Joins,
    index: IdentityIndex,
    features: Features | None = None,
    *,
    limit: int = 50,
    answered: Collection[tuple[int, int]] = (),
) -> list[Doubt]:
    """The most rewarding questions first.

    Args:
        joins: candidate pairs.
        index: the present identities.
        features: of the passages, as `Sides` takes them.
        limit: how many.
        answered: pairs of rows, the smaller one first, that need not be asked again.
    """
    sides = Sides(index, features)
    found = []
    for q in [*_splits(joins, index), *_merges(joins, index)]:
        if not q.joined and sides.seen_at_once(q.first, q.second):
            continue
        p = sides.probability(q.first, q.second, q.nats, q.share)
        expected = (1.0 - p if q.joined else p) * _worth(index, q)
        found.append(Doubt(q.source, q.target, p, q.joined, expected))
    found.sort(key=lambda doubt: (-doubt.expected, doubt.source, doubt.target))
    settled = _Settled(index, answered)
    asked = (doubt for doubt in found if doubt.expected > 0 and settled.take(doubt.source, doubt.target))
    return list(islice(asked, limit))


def find_partners(
    joins: Joins, index: IdentityIndex, number: int, features: Features | None = None
) -> dict[int, float]:
    """The identities that the association considered for one, with the probability that both are one vehicle.

    Args:
        joins, index, features: as for `find_doubts`.
        number: the one identity.
    """
    mine = (index.identity[joins.source] == number) ^ (index.identity[joins.target] == number)
    sides = Sides(index, features)
    found: dict[int, float] = {}
    for q in _merges(joins[np.flatnonzero(mine)], index):
        one, other = int(index.identity[q.source]), int(index.identity[q.target])
        if min(one, other) >= 0 and not sides.seen_at_once(q.first, q.second):
            found[other if one == number else one] = sides.probability(q.first, q.second, q.nats, q.share)
    return found


@dataclass(frozen=True, slots=True)
class _Question:
    """A pair of passages, and what its answer would part or bring together.

    Attributes:
        source, target: rows of the passages.
        joined: whether they have one identity now.
        first, second: rows of both sides.
        nats, share: what the association knows about the pairs between the sides, see `Sides.probability`.
    """

    source: int
    target: int
    joined: bool
    first: Ints
    second: Ints
    nats: float
    share: float


def _splits(joins: Joins, index: IdentityIndex) -> Iterator[_Question]:
    """A question for each join within an identity, as if undoing it parted the identity in time."""
    identity, place = index.identity, _places(index)
    inside = np.flatnonzero((identity[joins.source] == identity[joins.target]) & (identity[joins.source] >= 0))
    inside = inside[np.argsort(identity[joins.source[inside]], kind="stable")]
    owner = identity[joins.source[inside]]
    made = inside[joins.made[inside]]
    for row in made[np.argsort(joins.nats[made], kind="stable")][:WEIGHED].tolist():
        a, b = int(joins.source[row]), int(joins.target[row])
        cut = min(place[a], place[b])
        mine = index.rows_of(int(identity[a]))
        pairs = inside[np.searchsorted(owner, identity[a]) : np.searchsorted(owner, identity[a], side="right")]
        apart = (place[joins.source[pairs]] <= cut) != (place[joins.target[pairs]] <= cut)
        nats, share = joins.between(pairs[apart])
        yield _Question(a, b, True, mine[place[mine] <= cut], mine[place[mine] > cut], nats, share)


def _merges(joins: Joins, index: IdentityIndex) -> Iterator[_Question]:
    """A question for each two identities that have candidate pairs, by the pair with most evidence."""
    identity, boxes = index.identity, index.passages.boxes
    n = len(identity)
    # A passage without an identity stands for itself, behind all identities.
    number = np.where(identity >= 0, identity, int(identity.max(initial=0)) + 1 + np.arange(n)).astype(np.int64)
    apart = np.flatnonzero(number[joins.source] != number[joins.target])
    if not len(apart):
        return
    a, b = number[joins.source[apart]], number[joins.target[apart]]
    size = np.bincount(number, boxes)
    order = np.lexsort((-joins.nats[apart], np.maximum(a, b), np.minimum(a, b)))
    apart, a, b = apart[order], np.minimum(a, b)[order], np.maximum(a, b)[order]
    begin = np.flatnonzero((np.diff(a, prepend=-1) != 0) | (np.diff(b, prepend=-1) != 0))
    end = np.append(begin[1:], len(apart))
    # The two kinds of evidence weigh about the same, and the logarithm of the boxes is of the same scale.
    promise = joins.nats[apart[begin]] + np.log(np.maximum(np.minimum(size[a[begin]], size[b[begin]]), 1))
    for k in np.argsort(-promise, kind="stable")[:WEIGHED].tolist():
        pairs = apart[begin[k] : end[k]]
        source, target = int(joins.source[pairs[0]]), int(joins.target[pairs[0]])
        sides = [
            index.rows_of(int(identity[row])) if identity[row] >= 0 else np.array([row]) for row in (source, target)
        ]
        nats, share = joins.between(pairs)
        yield _Question(source, target, False, sides[0], sides[1], nats, share)


def _worth(index: IdentityIndex, question: _Question) -> float:
    """Boxes that the answer puts right if it is not what the identities say now."""
    p = index.passages
    rows = question.first, question.second
    boxes = [float(p.boxes[side].sum()) for side in rows]
    several = [bool((p.camera[side] != p.camera[side[0]]).any()) for side in rows]
    if all(several):
        return min(boxes)
    alone = sum(n for n, many in zip(boxes, several, strict=True) if not many)
    return (GOES_OUT if question.joined else COMES_IN) * alone


def _side(index: IdentityIndex, row: int) -> Ints:
    """The passages of a passage's identity; without one, it stands for itself."""
    number = int(index.identity[row])
    return index.rows_of(number) if number >= 0 else np.array([row])


def _places(index: IdentityIndex) -> Ints:
    """(n,) where each passage stands in the order of the index; -1 for those without an identity."""
    place = np.full(len(index.passages), -1, np.int64)
    place[index.order] = np.arange(len(index.order))
    return place


class _Settled:
    """What answers, or earlier questions of the queue, say already."""

    def __init__(self, index: IdentityIndex, answered: Collection[tuple[int, int]]) -> None:
        self._identity = index.identity
        self._place = _places(index)
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
