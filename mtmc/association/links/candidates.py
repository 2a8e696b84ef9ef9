"""Candidate pairs: two tracks whose zones may be linked and whose times fit, found by time windows, never all pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.links.zones import RawEnds, TrackEnds, describe_ends
from mtmc.association.track_summaries import TrackSummaries

AT_ONCE = 2_000_000
"""Pairs that are looked at at a time where most are thrown away."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs, sorted by (source, target, link).

    Attributes:
        source: (m,) int64, the track that starts first (ties: the smaller index).
        target: (m,) int64, the other track.
        link: (m,) int64, the link that would join them, see `LinkTable`.
        seconds: (m,) float64, travel time: from the source's exit (succession) or entry (overlap) on.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    link: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Pairs:
        return Pairs(self.source[rows], self.target[rows], self.link[rows], self.seconds[rows])

    def renumbered(self, by: int) -> Pairs:
        """The pairs with `by` added to the numbers of their links."""
        return Pairs(self.source, self.target, self.link + by, self.seconds)

    @classmethod
    def concatenate(cls, parts: Sequence[Pairs]) -> Pairs:
        """All pairs of `parts`, in their order."""
        return cls(
            np.concatenate([p.source for p in parts]),
            np.concatenate([p.target for p in parts]),
            np.concatenate([p.link for p in parts]),
            np.concatenate([p.seconds for p in parts]),
        )


@dataclass(frozen=True, slots=True)
class LinkTable:
    """The links that are considered, sorted by (overlap, source zone, target zone).

    A succession goes from an exit zone to an entry zone. An overlap goes from the entry zone of the camera that sees a
    vehicle first to the entry zone of another that sees it at the same time.

    Attributes:
        overlap: (l,) bool.
        source: (l,) int64, an exit zone, or an entry zone for an overlap.
        target: (l,) int64, an entry zone.
        low, high: (l,) float64, the window of travel times in seconds.
    """

    overlap: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.source)


def find_pairs(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    links: LinkTable,
    passes: Callable[[Pairs], npt.NDArray[np.bool_]] | None = None,
) -> Pairs:
    """All pairs of tracks that one of `links` may join.

    Two tracks of one camera must not overlap in time. Parallel pairs (one succession, one overlap) may come out.

    Args:
        summaries: the tracks.
        entries, exits: their ends in zones.
        links: what may join them.
        passes: (m,) bool, which of m pairs are wanted; None: all. The unwanted are never held all at once.
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
        # Cuts between tracks, so that each part has about so many pairs.
        parts = max(int(first[-1] // AT_ONCE), 1) if passes is not None else 1
        cuts = np.unique(np.searchsorted(first, np.linspace(0, first[-1], parts + 1)))
        cuts[0], cuts[-1] = 0, len(zone)
        for begin, stop in pairwise(cuts.tolist()):
            source, position, which = _window_pairs(*arguments, first, begin, stop)
            target = order[position]
            pairs = Pairs(source, target, rows[which], starts[position] - time[source])
            pairs = pairs[_possible(summaries, pairs, overlap)]
            found.append(pairs if passes is None else pairs[passes(pairs)])
    if not found:
        none = np.zeros(0, np.int64)
        return Pairs(none, none, none, np.zeros(0))
    joined = Pairs.concatenate(found)
    return joined[np.lexsort((joined.link, joined.target, joined.source))]


def _possible(summaries: TrackSummaries, pairs: Pairs, overlap: bool) -> npt.NDArray[np.bool_]:
    """Which pairs are in order, may be one vehicle, and are of the kind of their link."""
    a, b = pairs.source, pairs.target
    ordered = (summaries.start[a] < summaries.start[b]) | ((summaries.start[a] == summaries.start[b]) & (a < b))
    together = summaries.start[b] <= summaries.end[a]
    possible = ordered & ~(together & (summaries.camera[a] == summaries.camera[b]))
    return np.asarray(possible & together if overlap else possible, np.bool_)


def _window_starts(*arguments: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = _compiled_counts(*arguments)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _window_pairs(*arguments: object) -> tuple[npt.NDArray[np.int64], ...]:
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
    """Ends of which each camera is one zone, with their own times."""
    zone = ends.camera.astype(np.int64)
    sorted_in = describe_ends(ends, zone, cameras, np.arange(cameras, dtype=np.int32))
    return replace(sorted_in, time=ends.time)
