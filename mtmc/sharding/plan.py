"""Which tracks are solved together: cameras that links connect, cut by time with an overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mtmc.association.links_file import Links

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shard:
    """Tracks that are solved together.

    Attributes:
        rows: (m,) int64, ascending, the tracks: those that it decides on, and those before and after that they may
            belong to.
        owned: (m,) bool, the tracks that it decides on: whom each of them follows. Each track has one such shard.
        begin, end: seconds that it sees, infinite at the ends of the recording.
    """

    rows: IntArray
    owned: npt.NDArray[np.bool_]
    begin: float
    end: float


def plan_shards(
    camera: npt.NDArray[np.int32],
    start: FloatArray,
    end: FloatArray,
    *,
    group: IntArray,
    max_tracks: int,
    overlap: float,
) -> list[Shard]:
    """Split tracks into shards of at most `max_tracks`, or of the shortest time that the overlap allows.

    A shard owns the tracks that start in its part of the time. It also holds those that end less than `overlap` before
    that part or start less than `overlap` after it: all that one of its own can follow, and what else these can be
    followed by.

    Args:
        camera: (n,) camera index of each track.
        start, end: (n,) seconds of its first and last box.
        group: (c,) number of the group of cameras that each camera is in; groups have no vehicles in common.
        max_tracks: of a shard, with its overlap.
        overlap: seconds.

    Returns:
        The shards, group by group, by time.
    """
    shards: list[Shard] = []
    member = group[camera]
    order = np.argsort(member, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(member[order])) + 1):
        if not len(rows):
            continue
        starts, ends = np.sort(start[rows]), np.sort(end[rows])
        bounds = _bounds(starts, ends, max_tracks, overlap)
        for begin, until in pairwise(bounds):
            inside = rows[(end[rows] >= begin - overlap) & (start[rows] < until + overlap)]
            owned = (start[inside] >= begin) & (start[inside] < until)
            if owned.any():
                shards.append(Shard(inside, owned, begin - overlap, until + overlap))
    return shards


def _bounds(starts: FloatArray, ends: FloatArray, max_tracks: int, overlap: float) -> list[float]:
    """The times between shards, with -inf and inf at the ends. Both arrays are sorted."""
    bounds = [-np.inf]
    begin = float(starts[0])
    while True:
        past = int(np.searchsorted(ends, bounds[-1] - overlap))
        full = past + max_tracks
        if full >= len(starts):
            return [*bounds, np.inf]
        # A part of no length would own nothing: it is at least as long as the overlap, or lasts to the next start.
        later = starts[min(int(np.searchsorted(starts, begin, "right")), len(starts) - 1)]
        begin = max(float(starts[full]) - overlap, begin + overlap, float(later))
        if begin <= bounds[-1] or begin > starts[-1]:
            return [*bounds, np.inf]
        bounds.append(begin)


def groups_of_cameras(names: Sequence[str], links: Links | None, count: IntArray, max_tracks: int) -> IntArray:
    """The group (c,) of each camera: cameras that links or overlapping views connect are in one.

    Small groups are put together up to `max_tracks`, since each shard costs a start-up and learns the better, the more
    it sees. Without links, or if vehicles may go where no link leads, all cameras are one group.

    Args:
        names: of the cameras.
        links: zones and links; None: not known.
        count: (c,) tracks of each camera.
        max_tracks: of a group of several parts.
    """
    if links is None or links.unlisted or not (links.links or links.overlapping_views):
        return np.zeros(len(names), np.int64)
    index = {name: number for number, name in enumerate(names)}
    zone = {each.name: index[each.camera] for each in links.zones if each.camera in index}
    pairs = [(zone[k.source], zone[k.target]) for k in links.links if k.source in zone and k.target in zone]
    views = (view.cameras for view in links.overlapping_views or ())
    pairs += [(index[a], index[b]) for a, b in views if a in index and b in index]
    edges = np.array(pairs, np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(names), len(names)))
    _, part = connected_components(graph, directed=False)
    tracks = np.bincount(part, count, minlength=int(part.max(initial=-1)) + 1)
    group, filled, number = np.zeros(len(tracks), np.int64), 0.0, -1
    for each, size in enumerate(tracks.tolist()):
        if number < 0 or filled + size > max_tracks:
            number, filled = number + 1, 0.0
        group[each] = number
        filled += size
    return np.asarray(group[part], np.int64)


def longest_travel(links: Links, limit: float) -> float:
    """The longest travel time of all links in seconds, at most `limit`."""
    return min(limit, max((float(link.travel_time.edges[-1]) for link in links.links), default=limit))
