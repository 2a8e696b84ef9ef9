"""Candidate pairs: two tracks that a link may join at a plausible time. They are found by time windows, never by
enumerating all pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt

from common.table import Table
from mtmc.association.links.zones import RawEnds, TrackEnds, describe_ends
from mtmc.association.track_summaries import TrackSummaries

CHUNK_PAIRS = 2_000_000
"""Pairs that are generated at a time when most of them are pruned. Raising it uses more memory (about 100 bytes per
pair) and fewer passes; the result does not change. Safety bound: 200 MB."""


class PairKind(IntEnum):
    """What kind of event would join the two tracks of a candidate pair."""

    LINK = 0
    """The vehicle takes a link; `Pairs.link` is a row of the `LinkTable`."""
    FRAGMENT = 1
    """The track of one vehicle broke within a camera; `Pairs.link` is 0."""
    OVERLAPPING_VIEW = 2
    """Two cameras see one place at the same time; `Pairs.link` numbers the ordered pair of cameras."""
    RESEMBLANCE = 3
    """The two tracks are among the most similar ones; `Pairs.link` is explained in `find_resemblances`."""


@dataclass(frozen=True, slots=True)
class Pairs(Table):
    """Candidate pairs, one row each. The same two tracks may occur with several links.

    Attributes:
        source: (m,) int64, the track that starts first (the smaller index if both start at once).
        target: (m,) int64, the other track.
        link: (m,) int64, the link that would join them, numbered within each kind; see `PairKind`.
        seconds: (m,) float64, travel time: from the source's exit (succession, fragment) or entry (overlap) to the
            target's entry.
        kind: (m,) int8, a `PairKind`.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    link: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    kind: npt.NDArray[np.int8]

    @classmethod
    def of(
        cls,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        link: npt.NDArray[np.int64],
        seconds: npt.NDArray[np.float64],
        *,
        kind: PairKind = PairKind.LINK,
    ) -> Pairs:
        """Pairs that are all of one kind."""
        return cls(source, target, link, seconds, np.full(len(source), kind, np.int8))

    def of_kind(self, kind: PairKind) -> npt.NDArray[np.int64]:
        """Rows of one kind, ascending."""
        return np.flatnonzero(self.kind == kind)

    @property
    def group(self) -> npt.NDArray[np.int64]:
        """(m,) int64, a number for each (kind, link), from 0."""
        count = np.zeros(len(PairKind), np.int64)
        np.maximum.at(count, self.kind, self.link + 1)
        return self.link + (np.cumsum(count) - count)[self.kind]


@dataclass(frozen=True, slots=True)
class LinkTable(Table):
    """Possible links, sorted by (overlap, source zone, target zone).

    A succession leads from an exit zone to an entry zone. An overlap leads from the entry zone of the camera that sees
    a vehicle first to the entry zone of another camera that sees it at the same time.

    Attributes:
        overlap: (l,) bool, whether the link is an overlap.
        source: (l,) int64, an exit zone, or an entry zone for an overlap.
        target: (l,) int64, an entry zone.
        low, high: (l,) float64, bounds of the travel time in seconds.
    """

    overlap: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def find_pairs(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    links: LinkTable,
    keep: Callable[[Pairs], npt.NDArray[np.bool_]] | None = None,
) -> Pairs:
    """All pairs of tracks that one of the links may join, sorted by (source, target, link).

    Two tracks of one camera must not overlap in time. Two tracks may be joined by a succession and by an overlap; then
    both pairs are returned.

    Args:
        summaries: the tracks.
        entries, exits: the tracks' entries and exits, sorted into zones.
        links: the possible links.
        keep: returns an (m,) bool mask of the pairs to keep; None keeps all. It is called on chunks, so that the
            rejected pairs never have to be held at once.
    """
    order = np.lexsort((entries.time, entries.zone))
    starts = entries.time[order]
    bounds = np.searchsorted(entries.zone[order], np.arange(len(entries.camera) + 1))
    found = []
    for overlap, zone, time in ((False, exits.zone, exits.time), (True, entries.zone, entries.time)):
        rows = np.flatnonzero(links.overlap == overlap)
        if len(rows) == 0:
            continue
        rows = rows[np.argsort(links.source[rows], kind="stable")]
        zones = int(max(zone.max(initial=-1), links.source[rows].max())) + 1
        span = np.searchsorted(links.source[rows], np.arange(zones + 1))
        arguments = (zone, time, span, links.target[rows], links.low[rows], links.high[rows], starts, bounds)
        first = _window_starts(*arguments)
        # Chunks end between tracks and hold about `CHUNK_PAIRS` pairs each.
        chunks = max(int(first[-1] // CHUNK_PAIRS), 1) if keep is not None else 1
        cuts = np.unique(np.searchsorted(first, np.linspace(0, first[-1], chunks + 1)))
        cuts[0], cuts[-1] = 0, len(zone)
        for begin, stop in pairwise(cuts.tolist()):
            source, position, which = _window_pairs(*arguments, first, begin, stop)
            target = order[position]
            pairs = Pairs.of(source, target, rows[which], starts[position] - time[source])
            pairs = pairs[_possible(summaries, pairs, overlap)]
            found.append(pairs if keep is None else pairs[keep(pairs)])
    joined = Pairs.concatenate(found)
    return joined[np.lexsort((joined.link, joined.target, joined.source))]


def _possible(summaries: TrackSummaries, pairs: Pairs, overlap: bool) -> npt.NDArray[np.bool_]:
    """(m,) whether the source starts first, both tracks can be one vehicle, and an overlap has them overlap in time."""
    a, b = pairs.source, pairs.target
    ordered = (summaries.start[a] < summaries.start[b]) | ((summaries.start[a] == summaries.start[b]) & (a < b))
    simultaneous = summaries.start[b] <= summaries.end[a]
    possible = ordered & ~(simultaneous & (summaries.camera[a] == summaries.camera[b]))
    return np.asarray(possible & simultaneous if overlap else possible, np.bool_)


def _window_starts(*arguments: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """(n + 1,) number of pairs before each track."""
    counts: npt.NDArray[np.int64] = _compiled_counts(*arguments)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _window_pairs(*arguments: object) -> tuple[npt.NDArray[np.int64], ...]:
    """Source track, position of the target in the sorted entries, and link of each pair of a range of tracks."""
    found: tuple[npt.NDArray[np.int64], ...] = _compiled_pairs(*arguments)
    return found


@numba.njit(cache=True)
def _compiled_counts(zone, time, span, target, low, high, starts, bounds):  # type: ignore[no-untyped-def]  # pragma: no cover
    counts = np.zeros(len(zone), np.int64)
    for i in range(len(zone)):
        for k in range(span[zone[i]], span[zone[i] + 1]):
            a, b = bounds[target[k]], bounds[target[k] + 1]
            counts[i] += np.searchsorted(starts[a:b], time[i] + high[k], "right")
            counts[i] -= np.searchsorted(starts[a:b], time[i] + low[k], "left")
    return counts


@numba.njit(cache=True)
def _compiled_pairs(zone, time, span, target, low, high, starts, bounds, first, begin_track, stop_track):  # type: ignore[no-untyped-def]  # pragma: no cover
    count = first[stop_track] - first[begin_track]
    source = np.empty(count, np.int64)
    position = np.empty(count, np.int64)
    which = np.empty(count, np.int64)
    for i in range(begin_track, stop_track):
        at = first[i] - first[begin_track]
        for k in range(span[zone[i]], span[zone[i] + 1]):
            a, b = bounds[target[k]], bounds[target[k] + 1]
            begin = a + np.searchsorted(starts[a:b], time[i] + low[k], "left")
            stop = a + np.searchsorted(starts[a:b], time[i] + high[k], "right")
            for p in range(begin, stop):
                source[at] = i
                position[at] = p
                which[at] = k
                at += 1
    return source, position, which


def camera_ends(ends: RawEnds, cameras: int) -> TrackEnds:
    """Track ends with each camera as a single zone, at the times of the ends themselves."""
    zone = ends.camera.astype(np.int64)
    sorted_in = describe_ends(ends, zone, cameras, np.arange(cameras, dtype=np.int32))
    return replace(sorted_in, time=ends.time)
