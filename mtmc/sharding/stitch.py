"""From the identities of shards to those of the whole: every track follows whom the shard that owns it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.confidence import Joins
from mtmc.association.constraints import KnownVehicles
from mtmc.sharding.plan import Shard

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solved:
    """What a method of association says of a shard's tracks.

    Attributes:
        identity: (m,) int64, of each row of the shard, in any numbering.
        dropped: (m,) bool, tracks that are no vehicle, or parked and alone.
        joins: the joins, as positions in the shard's rows; none where the method does not tell.
        sure: (m,) float64, or empty; NaN for tracks that are no vehicle.
    """

    identity: IntArray
    dropped: npt.NDArray[np.bool_]
    joins: Joins
    sure: FloatArray


def stitch(
    shards: Sequence[Shard], solved: Sequence[Solved], start: FloatArray, end: FloatArray, known: KnownVehicles
) -> tuple[IntArray, Joins]:
    """Join the shards by the tracks that they share.

    Tracks are taken by time. Each joins the identity of the track that it follows in the shard that owns it, which
    may be owned by an earlier shard. Two shards may see the tracks between them differently; so a track does not join
    an identity with a track that is still in view of another camera, or of its own, unless its shard has both in one
    identity. What has one shard keeps its identities as they are.

    Args:
        shards: each of the n tracks is owned by one.
        solved: the identities of each.
        start, end: (n,) seconds of each track.
        known: what the user knows of the n tracks.

    Returns:
        (n,) int64 identities from 1, numbered by their first row, and the joins that made them.
    """
    n = len(start)
    owner, place = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for number, shard in enumerate(shards):
        own = np.flatnonzero(shard.owned)
        owner[shard.rows[own]], place[shard.rows[own]] = number, own
    joined = [_sources(shard, each) for shard, each in zip(shards, solved, strict=True)]
    past = [_past(shard, each, start) for shard, each in zip(shards, solved, strict=True)]
    apart = _apart(known)
    identity = np.full(n, -1, np.int64)
    members: list[list[int]] = []
    latest: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int, float]] = []

    def fits(row: int, number: int, whose: int) -> bool:
        """Whether a track may join an identity."""
        if any(identity[other] == number for other in apart.get(row, ())):
            return False
        shard, own = shards[whose], solved[whose].identity
        for other in members[number]:
            if end[other] > start[row]:
                at = int(np.searchsorted(shard.rows, other))
                if at >= len(shard.rows) or shard.rows[at] != other or own[at] != own[place[row]]:
                    return False
        return True

    for row in np.lexsort((np.arange(n), start)).tolist():
        whose = int(owner[row])
        here = whose, int(solved[whose].identity[place[row]])
        source, probability = joined[whose].get(row, (-1, np.nan))
        choices = [source] if source >= 0 and identity[source] >= 0 else []
        choices += [latest[here]] if here in latest else []
        choices += [past[whose][here[1]]] if here[1] in past[whose] else []
        for before in choices:
            number = int(identity[before])
            if fits(row, number, whose):
                found.append((before, row, probability if before == source else np.nan))
                break
        else:
            number = len(members)
            members.append([])
        identity[row] = number
        # What ended before all that is still to come cannot be in view with it: only the latest need be kept.
        members[number] = [other for other in members[number] if end[other] > start[row]] + [row]
        latest[here] = row
    _, first = np.unique(identity, return_index=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(1, len(first) + 1)
    sources, targets, probabilities = (np.array(column) for column in zip(*found, strict=True)) if found else [[]] * 3
    told = any(len(each.joins) for each in solved)
    joins = Joins(
        np.asarray(sources, np.int64), np.asarray(targets, np.int64), np.nan_to_num(np.asarray(probabilities), nan=0.5)
    )
    return rank[identity], joins if told else Joins.empty()


def _sources(shard: Shard, solved: Solved) -> dict[int, tuple[int, float]]:
    """The row that ties each owned row to its identity, and the probability of that join."""
    joins = solved.joins
    own = shard.owned[joins.target]
    source, target = shard.rows[joins.source[own]], shard.rows[joins.target[own]]
    pairs = zip(source.tolist(), joins.probability[own].tolist(), strict=True)
    return dict(zip(target.tolist(), pairs, strict=True))


def _past(shard: Shard, solved: Solved, start: FloatArray) -> dict[int, int]:
    """The latest row of each identity of a shard that starts before all that the shard owns."""
    times = start[shard.rows]
    before = np.flatnonzero(times < times[shard.owned].min(initial=np.inf))
    before = before[np.argsort(times[before], kind="stable")]
    return dict(zip(solved.identity[before].tolist(), shard.rows[before].tolist(), strict=True))


def _apart(known: KnownVehicles) -> dict[int, list[int]]:
    """The rows that are known to be other vehicles than each row."""
    if not len(known.apart):
        return {}
    rows: dict[int, list[int]] = {}
    for row, vehicle in enumerate(known.vehicle.tolist()):
        rows.setdefault(vehicle, []).append(row)
    apart: dict[int, list[int]] = {}
    for a, b in known.apart.tolist():
        for one, other in ((a, b), (b, a)):
            for row in rows[one]:
                apart.setdefault(row, []).extend(rows[other])
    return apart
