"""Local moves on identities: merges (leaving out what is in the way), splits and swaps of tails.

Each is taken only where the whole evidence rises; a merge also where more boxes come together than are left out for it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.solving.chains import renumbered
from mtmc.association.track_summaries import TrackSummaries

UNRELATED = -3.0
"""Nats that a track costs in an identity where no candidate pair ties it to an earlier track."""
SECOND_WAY = -4.0
"""Nats for a second successor of one track: a vehicle leaves a place once."""
ELSEWHERE, TOGETHER = -3.0, 1.0
"""Nats for being in two cameras at once for more than so many seconds, where their views do not overlap."""
SHARED = 2
"""Pairs of tracks that two cameras see at once and that belong together: so many say that the views overlap."""
APART = -6.0
"""Pairs with less ground evidence than this never share an identity."""
SURELY = 3.0
"""Nats by which two identities must belong together for tracks to be left out for it that are tied as well."""
SECOND = 1.5
"""Box sizes by which two tracks of one vehicle in one camera may lie apart."""
COMMON = 9
"""Times at which that is looked at."""
PASSES = 3


class LocalSearch:
    """Identities as sets of tracks, and the evidence of a set: each track's best tie to an earlier one of it."""

    def __init__(
        self,
        summaries: TrackSummaries,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        worth: npt.NDArray[np.float64],
        ground: npt.NDArray[np.float64],
    ) -> None:
        """Take pairs and their evidence.

        Args:
            summaries: the tracks.
            source, target: (m,) pairs of tracks, the source starts first; each pair once.
            worth: (m,) log of the odds that the target goes on from the source, less the decision threshold.
            ground: (m,) the part of it that comes from places on the ground.
        """
        useful = np.flatnonzero((worth > UNRELATED) | (ground < APART))
        self._source, self._target, self._worth = source[useful], target[useful], worth[useful]
        self._summaries = summaries
        self._ties: list[dict[int, float]] = [{} for _ in range(len(summaries))]
        self._apart: list[set[int]] = [set() for _ in range(len(summaries))]
        for i, j, w, g in zip(
            self._source.tolist(), self._target.tolist(), self._worth.tolist(), ground[useful].tolist(), strict=True
        ):
            if g < APART:
                self._apart[i].add(j)
                self._apart[j].add(i)
            elif w > UNRELATED:
                self._ties[j][i] = w
        self._overlapping = _overlapping(summaries, source, target, worth)
        self._rank = np.empty(len(summaries), np.int64)
        self._rank[np.lexsort((np.arange(len(summaries)), summaries.start))] = np.arange(len(summaries))

    def improve(self, identity: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(n,) identities after moves until none helps (or a few passes); deterministic.

        Args:
            identity: (n,) starting identities, from 0; no clashes.
        """
        members: dict[int, list[int]] = {}
        for track in np.argsort(self._rank).tolist():
            members.setdefault(int(identity[track]), []).append(track)
        owner = identity.astype(np.int64).copy()
        order = np.lexsort((self._target, self._source, -self._worth))
        order = order[self._worth[order] > 0]
        fresh = int(identity.max(initial=-1)) + 1
        for _ in range(PASSES):
            moved = False
            for pair in order[owner[self._source[order]] != owner[self._target[order]]].tolist():
                i, j = int(self._source[pair]), int(self._target[pair])
                if owner[i] == owner[j]:
                    continue
                pieces = self._rejoined(members[int(owner[i])], members[int(owner[j])], i, j)
                if pieces is None:
                    continue
                moved = True
                numbers = [int(owner[i]), int(owner[j]), *range(fresh, fresh + max(len(pieces) - 2, 0))]
                fresh += max(len(pieces) - 2, 0)
                members[numbers[1]] = []
                for number, piece in zip(numbers, pieces, strict=False):
                    members[number] = piece
                    owner[piece] = number
            for number in sorted(members):
                tail = self._weak_tail(members[number])
                if tail:
                    moved = True
                    members[number] = [t for t in members[number] if t not in tail]
                    members[fresh] = list(tail)
                    owner[members[fresh]] = fresh
                    fresh += 1
            if not moved:
                break
        return renumbered(owner)

    def evidence(self, tracks: list[int]) -> float:
        """Nats for these tracks (in order of start) being one vehicle against each being alone; -inf for a clash."""
        camera, start, end = self._summaries.camera, self._summaries.start, self._summaries.end
        total = 0.0
        left: set[int] = set()
        for place, track in enumerate(tracks):
            earlier = tracks[:place]
            ties = self._ties[track]
            best, parent = UNRELATED, -1
            total += ELSEWHERE * sum(other not in ties and self._elsewhere(other, track) for other in earlier)
            for other in earlier:
                if other in self._apart[track] or (camera[other] == camera[track] and start[track] <= end[other]):
                    return -np.inf
                worth = ties.get(other, UNRELATED)
                if other in left and end[other] < start[track]:
                    worth += SECOND_WAY
                if worth > best:
                    best, parent = worth, other
            if place:
                total += best
                if parent >= 0 and end[parent] < start[track]:
                    left.add(parent)
        return total

    def _rejoined(self, first: list[int], second: list[int], i: int, j: int) -> list[list[int]] | None:
        """The best way to bring tracks i and j of two identities together, None where all stay worse than now."""
        now = self.evidence(first) + self.evidence(second)
        merged = self._sorted(first + second)
        choices = [[merged]]
        left_out = self._in_the_way(merged)
        if left_out:
            choices = [[[t for t in merged if t not in left_out], *([t] for t in sorted(left_out))]]
        # Or cut both at the pair and swap the tails.
        head, tail = self._cut(first, i, after=True)
        other_head, other_tail = self._cut(second, j, after=False)
        if tail or other_head:
            joined = self._sorted(head + other_tail)
            rest = [other_head, tail] if other_head and tail else [other_head or tail]
            choices.append([joined, *rest])
            if other_head and tail:
                choices.append([joined, self._sorted(other_head + tail)])
        best, chosen = now + 1e-9, None
        for choice in choices:
            value = sum(self.evidence(piece) for piece in choice)
            if value > best:
                best, chosen = value, choice
        if chosen is None and left_out and self._pays(first, second, left_out):
            return choices[0]
        return chosen

    def _pays(self, first: list[int], second: list[int], left_out: set[int]) -> bool:
        """Whether two identities belong together but for second tracks that weigh less than what comes together.

        The evidence counts ties, whatever hangs on them: a second track on a vehicle, tied as well as any other, would
        keep its long halves apart for good. What is scored is boxes. Tracks that are in different places of a picture
        at once are no second tracks but two vehicles.
        """
        if any(self._at_once(a, b) and not self._second(a, b) for a in first for b in second):
            return False
        ours, theirs = ([t for t in part if t not in left_out] for part in (first, second))
        boxes = self._summaries.boxes
        lost = int(boxes[sorted(left_out)].sum())
        if min(int(boxes[ours].sum()), int(boxes[theirs].sum())) <= lost:
            return False
        together = self.evidence(self._sorted(ours + theirs))
        return together > self.evidence(ours) + self.evidence(theirs) + SURELY

    def _in_the_way(self, tracks: list[int]) -> set[int]:
        """Of each two tracks (in order of start) that cannot be one vehicle, the shorter that fewer others speak for.

        A false track, or a second one on the same vehicle, must not keep two halves of an identity apart.
        """
        against = [
            (a, b)
            for place, b in enumerate(tracks)
            for a in tracks[:place]
            if a in self._apart[b] or self._at_once(a, b)
        ]
        if not against:
            return set()
        support = dict.fromkeys(tracks, 0.0)
        for place, b in enumerate(tracks):
            for a in tracks[:place]:
                worth = max(self._ties[b].get(a, 0.0), 0.0)
                support[a] += worth
                support[b] += worth
        out: set[int] = set()
        for a, b in against:
            if a not in out and b not in out:
                out.add(min((a, b), key=lambda t: (support[t] * self._summaries.boxes[t], t)))
        return out

    def _at_once(self, a: int, b: int) -> bool:
        """Whether one camera sees both tracks at once."""
        rows = self._summaries
        return bool(
            rows.camera[a] == rows.camera[b] and max(rows.start[a], rows.start[b]) <= min(rows.end[a], rows.end[b])
        )

    def _elsewhere(self, a: int, b: int) -> bool:
        """Whether two cameras see the tracks at once though their views do not overlap."""
        rows = self._summaries
        at_once = min(rows.end[a], rows.end[b]) - max(rows.start[a], rows.start[b]) > TOGETHER
        first, second = sorted((int(rows.camera[a]), int(rows.camera[b])))
        return bool(at_once and first != second and (first, second) not in self._overlapping)

    def _second(self, a: int, b: int) -> bool:
        """Whether two tracks that a camera sees at once lie on the same vehicle: in one place most of that time."""
        rows = self._summaries
        shape = rows.shape[rows.camera[a]]
        when = np.linspace(max(rows.start[a], rows.start[b]), min(rows.end[a], rows.end[b]), COMMON)
        place = []
        for track in (a, b):
            path = slice(rows.path_first[track], rows.path_first[track + 1])
            place.append([np.interp(when, rows.path_time[path], axis) for axis in rows.path_place[path].T])
        apart = np.hypot(*((np.array(place[0]) - place[1]) * shape[:, None]))
        size = np.sqrt(np.prod(np.minimum(rows.extent[a], rows.extent[b]) * shape))
        return bool(np.median(apart) <= SECOND * size)

    def _cut(self, tracks: list[int], at: int, after: bool) -> tuple[list[int], list[int]]:
        """Tracks up to and from a place: after track `at`, or before it."""
        place = tracks.index(at) + (1 if after else 0)
        return tracks[:place], tracks[place:]

    def _weak_tail(self, tracks: list[int]) -> list[int]:
        """The tail whose cutting off raises the evidence most, empty where none does."""
        best, chosen = self.evidence(tracks) + 1e-9, 0
        for place in range(1, len(tracks)):
            value = self.evidence(tracks[:place]) + self.evidence(tracks[place:])
            if value > best:
                best, chosen = value, place
        return tracks[chosen:] if chosen else []

    def _sorted(self, tracks: list[int]) -> list[int]:
        return sorted(tracks, key=lambda track: int(self._rank[track]))


def _overlapping(
    summaries: TrackSummaries,
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    worth: npt.NDArray[np.float64],
) -> set[tuple[int, int]]:
    """Cameras, in order, whose views overlap: several pairs of tracks that both see at once belong together."""
    start, end = summaries.start, summaries.end
    at_once = np.minimum(end[source], end[target]) - np.maximum(start[source], start[target]) > TOGETHER
    rows = np.flatnonzero((worth > 0) & at_once)
    cameras = np.sort(np.stack([summaries.camera[source[rows]], summaries.camera[target[rows]]]), axis=0)
    found, count = np.unique(cameras, axis=1, return_counts=True)
    return {(int(a), int(b)) for a, b in found[:, count >= SHARED].T}
