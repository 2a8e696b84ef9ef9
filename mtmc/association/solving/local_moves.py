"""Local search over identities: merges (that may leave out conflicting tracks), splits, and swaps of tails.

A move is made only if the total evidence rises; a merge also if it brings more boxes together than it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.looks import Looks
from mtmc.association.evidence.resemblance import ELSEWHERE_SHARE
from mtmc.association.solving.bonds import BOND, Bonds
from mtmc.association.solving.chains import renumbered
from mtmc.association.track_summaries import TrackSummaries

UNRELATED = -3.0
"""Nats for a track in an identity whose earlier tracks no candidate pair ties it to. Raising it merges more.
Development scenarios."""
SECOND_SUCCESSOR = -4.0
"""Nats for a second successor of one track: a vehicle leaves a place once. Raising it merges more parallel tracks.
Development scenarios."""
ELSEWHERE = -3.0
"""Nats for being in two cameras at once although their fields of view do not overlap. Raising it merges more.
Development scenarios."""
MIN_SIMULTANEOUS = 1.0
"""Seconds for which two tracks must be in view at once to count as simultaneous. Raising it tolerates larger errors of
clocks. Theory: more than the error of clocks and of the ends of tracks."""
MIN_SHARED = 2
"""Number of simultaneous pairs of tracks with positive evidence from which the fields of view of two cameras overlap.
Raising it finds fewer overlaps. Theory: one pair can be a false one."""
APART = -6.0
"""Nats of ground evidence below which two tracks never share an identity. Raising it keeps more tracks apart.
Development scenarios."""
MIN_GAIN = 3.0
"""Nats that a merge must gain to leave out tracks that are tied as well. Raising it leaves out fewer tracks.
Development scenarios."""
MAX_DUPLICATE_DISTANCE = 1.5
"""Box sizes up to which two simultaneous tracks of one camera may lie on one vehicle. Raising it takes more tracks for
duplicates. Theory: the distance at which boxes of one vehicle still touch."""
DUPLICATE_POINTS = 9
"""Times at which this distance is measured. Raising it costs time. Theory: enough for a median."""
MIN_ALIKE = 1.0
"""Nats of similarity from which a merge is tried although the tie of the two tracks does not suggest it: the other
tracks of their identities may. Raising it saves time and finds fewer merges. Development scenarios."""
MIN_WORTH = -8.0
"""Nats of a tie below which it is not. Raising it saves time and finds fewer merges. Safety bound on time."""
PASSES = 3
"""Passes over all pairs and identities; fewer if one finds nothing. Raising it costs time. Safety bound on time."""


class LocalSearch:
    """Search over identities as sets of tracks. The evidence of a set is the sum, over its tracks, of the best tie to
    an earlier track, and of what the features of all earlier tracks say together."""

    def __init__(
        self,
        summaries: TrackSummaries,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        worth: npt.NDArray[np.float64],
        ground: npt.NDArray[np.float64],
        bonds: Bonds | None = None,
        *,
        looks: Looks | None = None,
    ) -> None:
        """Take pairs and their evidence.

        Args:
            summaries: the tracks.
            source, target: (m,) pairs of tracks, each pair once; the source starts first.
            worth: (m,) log odds in nats that the target continues the source, minus those of the threshold.
            ground: (m,) the part of it that comes from places on the ground.
            bonds: what is known about tracks.
            looks: what features of whole identities say; then `worth` leaves features out.
        """
        self._looks, self._evidence = looks, dict[tuple[int, ...], float]()
        self._unrelated = UNRELATED if looks is None else float(np.log(ELSEWHERE_SHARE / max(len(summaries), 1)))
        useful = np.flatnonzero((worth > self._unrelated) | (ground < APART))
        source, target, worth, ground = source[useful], target[useful], worth[useful], ground[useful]
        self._alike = np.zeros(len(useful)) if looks is None else looks.pairs(source, target)
        self._source, self._target, self._worth = source, target, worth + self._alike
        self._summaries = summaries
        self._ties: list[dict[int, float]] = [{} for _ in range(len(summaries))]
        self._apart: list[set[int]] = [set() for _ in range(len(summaries))]
        for i, j, w, g in zip(source.tolist(), target.tolist(), worth.tolist(), ground.tolist(), strict=True):
            if g < APART:
                self._apart[i].add(j)
                self._apart[j].add(i)
            elif w > self._unrelated:
                self._ties[j][i] = w
        known = bonds if bonds is not None else Bonds.none(len(summaries))
        self._vehicle = known.vehicle.tolist()
        self._settled = known.settled.tolist()
        self._bond = dict(zip(known.target.tolist(), known.source.tolist(), strict=True))
        for i, j in known.apart.tolist():
            self._apart[i].add(j)
            self._apart[j].add(i)
        self._overlapping = _overlapping(summaries, source, target, self._worth)
        self._rank = np.empty(len(summaries), np.int64)
        self._rank[np.lexsort((np.arange(len(summaries)), summaries.start))] = np.arange(len(summaries))

    def improve(self, identity: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(n,) identities after `PASSES` passes, or when no move helps any more; deterministic.

        Args:
            identity: (n,) initial identities, from 0, without clashes.
        """
        members: dict[int, list[int]] = {}
        for track in np.argsort(self._rank).tolist():
            members.setdefault(int(identity[track]), []).append(track)
        owner = identity.astype(np.int64).copy()
        order = np.lexsort((self._target, self._source, -self._worth))
        likely = (self._worth > 0) | ((self._alike > MIN_ALIKE) & (self._worth > MIN_WORTH))
        order = order[likely[order]]
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
        """Nats for these tracks, in order of start, being one vehicle against each being its own; -inf for a clash."""
        key = tuple(tracks)
        found = self._evidence.get(key)
        if found is None:
            found = self._evidence[key] = self._measured(tracks)
        return found

    def _measured(self, tracks: list[int]) -> float:
        """See `evidence`."""
        camera, start, end = self._summaries.camera, self._summaries.start, self._summaries.end
        total = 0.0
        left: set[int] = set()
        for place, track in enumerate(tracks):
            earlier = tracks[:place]
            ties = self._ties[track]
            best, parent = self._unrelated, -1
            total += ELSEWHERE * sum(other not in ties and self._elsewhere(other, track) for other in earlier)
            for other in earlier:
                if self._same_vehicle(other, track):
                    # Whatever else ties the track to others says nothing any more: it follows its bond.
                    best, parent = BOND, self._bond[track]
                    continue
                if self._settled[track] and self._settled[other]:
                    return -np.inf
                if other in self._apart[track] or (camera[other] == camera[track] and start[track] <= end[other]):
                    return -np.inf
                worth = ties.get(other, self._unrelated)
                if other in left and end[other] < start[track]:
                    worth += SECOND_SUCCESSOR
                if worth > best:
                    best, parent = worth, other
            if place:
                total += best
                if parent >= 0 and end[parent] < start[track]:
                    left.add(parent)
        return total if self._looks is None else total + self._looks.group(tracks)

    def _rejoined(self, first: list[int], second: list[int], i: int, j: int) -> list[list[int]] | None:
        """Best partition of two identities that joins tracks i and j, None if every one is worse than the present
        one."""
        now = self.evidence(first) + self.evidence(second)
        merged = self.ordered(first + second)
        choices = [[merged]]
        left_out = self._conflicting(merged)
        if left_out:
            choices = [[[t for t in merged if t not in left_out], *([t] for t in sorted(left_out))]]
        # Alternatively, cut both identities at the pair and swap the tails.
        head, tail = self._cut(first, i, after=True)
        other_head, other_tail = self._cut(second, j, after=False)
        if tail or other_head:
            joined = self.ordered(head + other_tail)
            rest = [other_head, tail] if other_head and tail else [other_head or tail]
            choices.append([joined, *rest])
            if other_head and tail:
                choices.append([joined, self.ordered(other_head + tail)])
        best, chosen = now + 1e-9, None
        for choice in choices:
            value = sum(self.evidence(piece) for piece in choice)
            if value > best:
                best, chosen = value, choice
        if chosen is None and left_out and self._pays(first, second, left_out):
            return choices[0]
        return chosen

    def _pays(self, first: list[int], second: list[int], left_out: set[int]) -> bool:
        """Whether two identities belong together except for duplicate tracks that have fewer boxes than are joined.

        The evidence counts ties regardless of the length of tracks, so a short duplicate track, tied as well as any
        other, would keep the long halves of a vehicle apart. But metrics count boxes. Simultaneous tracks in different
        places of one picture are not duplicates but two vehicles.
        """
        if any(self._at_once(a, b) and not self._duplicate(a, b) for a in first for b in second):
            return False
        if any(self._same_vehicle(t, other) for t in left_out for other in first + second if t != other):
            return False
        ours, theirs = ([t for t in part if t not in left_out] for part in (first, second))
        boxes = self._summaries.boxes
        lost = int(boxes[sorted(left_out)].sum())
        if min(int(boxes[ours].sum()), int(boxes[theirs].sum())) <= lost:
            return False
        together = self.evidence(self.ordered(ours + theirs))
        return together > self.evidence(ours) + self.evidence(theirs) + MIN_GAIN

    def _conflicting(self, tracks: list[int]) -> set[int]:
        """Of any two tracks (given in order of start) that cannot be one vehicle, the shorter and less supported one.

        A false track, or a duplicate one, must not keep two halves of an identity apart.
        """
        against = [
            (a, b)
            for place, b in enumerate(tracks)
            for a in tracks[:place]
            if a in self._apart[b] or self._at_once(a, b) or self._differ(a, b)
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
        """Whether one camera has both tracks in view at once; not if they are known to be one vehicle."""
        rows = self._summaries
        return bool(
            not self._same_vehicle(a, b)
            and rows.camera[a] == rows.camera[b]
            and max(rows.start[a], rows.start[b]) <= min(rows.end[a], rows.end[b])
        )

    def _elsewhere(self, a: int, b: int) -> bool:
        """Whether two cameras have the tracks in view at once although their fields of view do not overlap."""
        rows = self._summaries
        at_once = min(rows.end[a], rows.end[b]) - max(rows.start[a], rows.start[b]) > MIN_SIMULTANEOUS
        first, second = sorted((int(rows.camera[a]), int(rows.camera[b])))
        if self._same_vehicle(a, b):
            return False
        return bool(at_once and first != second and (first, second) not in self._overlapping)

    def _same_vehicle(self, a: int, b: int) -> bool:
        """Whether two tracks are known to be one vehicle."""
        return bool(self._vehicle[a] == self._vehicle[b])

    def _differ(self, a: int, b: int) -> bool:
        """Whether the vehicles of two tracks are known, and different."""
        return bool(self._settled[a] and self._settled[b] and not self._same_vehicle(a, b))

    def _duplicate(self, a: int, b: int) -> bool:
        """Whether two simultaneous tracks of one camera lie on the same vehicle: in one place for most of that time."""
        rows = self._summaries
        shape = rows.shape[rows.camera[a]]
        when = np.linspace(max(rows.start[a], rows.start[b]), min(rows.end[a], rows.end[b]), DUPLICATE_POINTS)
        place = []
        for track in (a, b):
            path = slice(rows.path_first[track], rows.path_first[track + 1])
            place.append([np.interp(when, rows.path_time[path], axis) for axis in rows.path_place[path].T])
        apart = np.hypot(*((np.array(place[0]) - place[1]) * shape[:, None]))
        size = np.sqrt(np.prod(np.minimum(rows.extent[a], rows.extent[b]) * shape))
        return bool(np.median(apart) <= MAX_DUPLICATE_DISTANCE * size)

    def _cut(self, tracks: list[int], at: int, after: bool) -> tuple[list[int], list[int]]:
        """Tracks before and after a cut, which is made after the track `at` or before it."""
        place = tracks.index(at) + (1 if after else 0)
        return tracks[:place], tracks[place:]

    def _weak_tail(self, tracks: list[int]) -> list[int]:
        """The tail whose removal raises the evidence most, empty if none does."""
        best, chosen = self.evidence(tracks) + 1e-9, 0
        for place in range(1, len(tracks)):
            value = self.evidence(tracks[:place]) + self.evidence(tracks[place:])
            if value > best:
                best, chosen = value, place
        return tracks[chosen:] if chosen else []

    def ordered(self, tracks: Iterable[int]) -> list[int]:
        """Tracks in order of start, as `evidence` takes them."""
        return sorted((int(track) for track in tracks), key=self._rank.__getitem__)


def _overlapping(
    summaries: TrackSummaries,
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    worth: npt.NDArray[np.float64],
) -> set[tuple[int, int]]:
    """Pairs of cameras (smaller index first) whose fields of view overlap: several simultaneous pairs of tracks
    match."""
    start, end = summaries.start, summaries.end
    at_once = np.minimum(end[source], end[target]) - np.maximum(start[source], start[target]) > MIN_SIMULTANEOUS
    rows = np.flatnonzero((worth > 0) & at_once)
    cameras = np.sort(np.stack([summaries.camera[source[rows]], summaries.camera[target[rows]]]), axis=0)
    found, count = np.unique(cameras, axis=1, return_counts=True)
    return {(int(a), int(b)) for a, b in found[:, count >= MIN_SHARED].T}
