"""Identities over passages: which passages each has, in order, and what the filters of the page ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.web.passages import Passages

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filters:
    """What an identity must have; None asks nothing.

    Attributes:
        since, until: seconds; some passage must overlap this time.
        camera: index of a camera that it passes.
        label: COCO class of some passage.
        colour: index of a colour of some passage.
        min_height: pixels that some box is high.
        link: indices of two cameras that it passes one after the other.
        min_cameras: cameras that it passes.
    """

    since: float | None = None
    until: float | None = None
    camera: int | None = None
    label: int | None = None
    colour: int | None = None
    min_height: float | None = None
    link: tuple[int, int] | None = None
    min_cameras: int | None = None


class IdentityIndex:
    """The identities of a run. Made anew whenever identities change.

    Args:
        passages: the passages.
        identity: (n,) int32, the identity of each; -1 for none.

    Attributes:
        number: (m,) int32, the identities, ascending.
        order: (k,) rows of the passages that have one, by identity and start.
        begin: (m + 1,) where each identity starts in `order`.
        start, end: (m,) float64, seconds of its first and last box.
        cameras: (m,) int32, how many different cameras it passes.
        source, target: (j,) rows of successive passages of one identity.
    """

    def __init__(self, passages: Passages, identity: npt.NDArray[np.int32]) -> None:
        self.passages = passages
        self.identity = identity
        rows = np.flatnonzero(identity >= 0)
        self.order: Ints = rows[np.lexsort((passages.start[rows], identity[rows]))]
        self.number, begin = np.unique(identity[self.order], return_index=True)
        self.begin: Ints = np.append(begin, len(self.order)).astype(np.int64)
        self.start = passages.start[self.order[self.begin[:-1]]]
        self.end = self._any_max(passages.end)
        same = identity[self.order[1:]] == identity[self.order[:-1]]
        self.source, self.target = self.order[:-1][same], self.order[1:][same]
        owner = np.repeat(np.arange(len(self.number)), np.diff(self.begin))
        count = int(passages.camera.max(initial=0)) + 1
        stays = np.unique(owner * count + passages.camera[self.order])
        self.cameras = np.bincount(stays // count, minlength=len(self.number))

    def __len__(self) -> int:
        return len(self.number)

    def rows_of(self, number: int) -> Ints:
        """The passages of an identity by start; none if there is no such identity."""
        at = int(np.searchsorted(self.number, number))
        if at == len(self.number) or self.number[at] != number:
            return np.zeros(0, np.int64)
        return self.order[self.begin[at] : self.begin[at + 1]]

    def at(self, place: int) -> Ints:
        """The passages of the identity at index `place`."""
        return self.order[self.begin[place] : self.begin[place + 1]]

    def matching(self, filters: Filters, colour: npt.NDArray[np.int8]) -> Mask:
        """(m,) which identities have all that is asked for; `colour` (n,) holds the colour of each passage."""
        p = self.passages
        kept = np.ones(len(self), np.bool_)
        if filters.since is not None or filters.until is not None:
            low = -np.inf if filters.since is None else filters.since
            high = np.inf if filters.until is None else filters.until
            kept &= self._any((p.end >= low) & (p.start <= high))
        if filters.camera is not None:
            kept &= self._any(p.camera == filters.camera)
        if filters.label is not None:
            kept &= self._any(p.label == filters.label)
        if filters.colour is not None:
            kept &= self._any(colour == filters.colour)
        if filters.min_height is not None:
            kept &= self._any(p.height >= filters.min_height)
        if filters.min_cameras is not None:
            kept &= self.cameras >= filters.min_cameras
        if filters.link is not None:
            a, b = filters.link
            taken = (p.camera[self.source] == a) & (p.camera[self.target] == b)
            kept &= np.isin(self.number, self.identity[self.source[taken]])
        return kept

    def best(self, value: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], Ints]:
        """The largest value (m,) of each identity's passages, given one value a passage (n,), and whose it is."""
        found = self._any_max(value)
        owner = np.repeat(np.arange(len(self)), np.diff(self.begin))
        reached = np.flatnonzero(value[self.order] == found[owner])
        row = np.zeros(len(self), np.int64)
        row[owner[reached[::-1]]] = self.order[reached[::-1]]
        return found, row

    def _any(self, mask: Mask) -> Mask:
        if not len(self):
            return np.zeros(0, np.bool_)
        return np.logical_or.reduceat(mask[self.order], self.begin[:-1])

    def _any_max(self, value: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        if not len(self.order):
            return np.zeros(0, value.dtype)
        return np.maximum.reduceat(value[self.order], self.begin[:-1])


def carry_numbers(
    before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], weight: npt.NDArray[np.int32], taken: int = 0
) -> npt.NDArray[np.int32]:
    """The same groups as `after`, under the numbers that they had in `before`.

    Each group keeps the number with which it shares most weight; of two groups that ask for one number, the one that
    shares more gets it. Groups that are left get new numbers above all that were ever used.

    Args:
        before, after: (n,) identities, -1 for none.
        weight: (n,) how much a row counts (its boxes).
        taken: the highest number that was ever used.

    >>> before, after = np.array([4, 4, 7, 9], np.int32), np.array([1, 1, 1, 2], np.int32)
    >>> carry_numbers(before, after, np.array([5, 5, 3, 3], np.int32)).tolist()
    [4, 4, 4, 9]
    """
    result = np.full(len(after), -1, np.int32)
    kept = after >= 0
    highest = max(taken, int(before.max(initial=0)))
    groups, owner = np.unique(after[kept], return_inverse=True)
    both = np.stack([owner, before[kept]], 1)[before[kept] >= 0]
    number = np.full(len(groups), -1, np.int32)
    if len(both):
        pairs, place = np.unique(both, axis=0, return_inverse=True)
        shared = np.bincount(place.ravel(), weight[kept][before[kept] >= 0])
        used: set[int] = set()
        for row in np.lexsort((pairs[:, 0], -shared)).tolist():
            group, old = pairs[row].tolist()
            if number[group] < 0 and old not in used:
                number[group] = old
                used.add(old)
    fresh = np.flatnonzero(number < 0)
    number[fresh] = highest + 1 + np.arange(len(fresh))
    result[kept] = number[owner]
    return result


def changes(
    before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], named: Sequence[int] = ()
) -> list[tuple[int, int, int]]:
    """(row, identity before, identity after) of every passage that moved, those in `named` left out."""
    moved = np.flatnonzero(before != after)
    asked = set(named)
    return [(int(row), int(before[row]), int(after[row])) for row in moved if int(row) not in asked]
