"""Entry and exit zones: where in a camera's picture tracks start and end, found by clustering the track ends."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from mtmc.association.track_summaries import TrackSummaries

DIRECTION_WEIGHT = 0.35
"""Half of the distance between two opposite directions, in picture sizes, when track ends are clustered. Raising it
splits zones by direction more readily. Theory: larger than the distance between opposite lanes, so that they part."""
MAX_DISTANCE = 0.3
"""Mean distance, in picture sizes, up to which two groups of track ends are merged into one zone. Raising it makes
fewer, larger zones. Development scenarios."""
MIN_SPEED = 0.3
"""Box sizes per second up to which a vehicle is standing and its time is not extrapolated, since it may move on at any
time. Raising it extrapolates fewer times. Development scenarios."""
TIMED_SHARE = 0.8
"""Share of a zone's tracks that reach the line at which they are timed; the times of the others are extrapolated.
Raising it moves the line into the picture, extrapolates fewer times and shortens the path behind the line. Development
scenarios."""
MAX_SHIFT = 3.0
"""Seconds by which a time is extrapolated beyond the end of a track at most. Raising it extrapolates farther, with
larger errors. Safety bound."""
SAMPLE = 500
"""Track ends per camera that are clustered; the others go to the nearest zone. Raising it costs time, with its square.
Safety bound on time."""
MIN_DIRECTION = 0.2
"""Length of the mean of the tracks' unit vectors from which a zone has a direction. Raising it leaves more zones
without one. Safety bound against directions made of noise."""


@dataclass(frozen=True, slots=True)
class TrackEnds:
    """One end of every track (all entries, or all exits), sorted into zones that are numbered across all cameras.

    Attributes:
        zone: (n,) int64, the zone of each track's end.
        camera: (z,) int32, the camera of each zone.
        centre: (z, 2) float64, mean place, divided by the picture's width and height.
        direction: (z, 2) float64, mean direction of motion, of length 1 or 0.
        time: (n,) float64, second at which each track passes, or would pass, a line across its zone that most of the
            zone's tracks reach. Detectors find and lose vehicles at varying distances; the line stays in one place.
        lateral: (n,) float64, place across the zone's direction (the lane), as a normal score within the zone.
    """

    zone: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int32]
    centre: npt.NDArray[np.float64]
    direction: npt.NDArray[np.float64]
    time: npt.NDArray[np.float64]
    lateral: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RawEnds:
    """One end of every track, before it is sorted into zones.

    Attributes:
        camera: (n,) int32, camera index, ascending.
        place: (n, 2) float64, divided by the picture's width and height.
        direction: (n, 2) float64, unit vectors or zeros.
        speed: (n, 2) float64, picture sizes per second.
        reach: (n,) float64, size of the box, in picture sizes.
        time: (n,) float64, seconds.
        path_first, path_time, path_place: the tracks' paths, as in `TrackSummaries`.
        entry: whether these are the entries.
    """

    camera: npt.NDArray[np.int32]
    place: npt.NDArray[np.float64]
    direction: npt.NDArray[np.float64]
    speed: npt.NDArray[np.float64]
    reach: npt.NDArray[np.float64]
    time: npt.NDArray[np.float64]
    path_first: npt.NDArray[np.int64]
    path_time: npt.NDArray[np.float64]
    path_place: npt.NDArray[np.float32]
    entry: bool

    @classmethod
    def entries(cls, summaries: TrackSummaries) -> RawEnds:
        """Where tracks start."""
        s = summaries
        reach, paths = s.extent.mean(1), (s.path_first, s.path_time, s.path_place)
        return cls(s.camera, s.entry, s.entry_direction, s.entry_speed, reach, s.start, *paths, entry=True)

    @classmethod
    def exits(cls, summaries: TrackSummaries) -> RawEnds:
        """Where tracks end."""
        s = summaries
        reach, paths = s.extent.mean(1), (s.path_first, s.path_time, s.path_place)
        return cls(s.camera, s.exit, s.exit_direction, s.exit_speed, reach, s.end, *paths, entry=False)


def cluster_ends(ends: RawEnds, cameras: int, split: bool = True) -> TrackEnds:
    """Find the zones of one kind, camera by camera, by average-linkage clustering of places and directions.

    Args:
        ends: all entries, or all exits.
        cameras: number of cameras.
        split: whether to cluster; False makes each camera a single zone.
    """
    zone = np.zeros(len(ends.camera), np.int64)
    count = 0
    bounds = np.searchsorted(ends.camera, np.arange(cameras + 1))
    points = np.column_stack([ends.place, DIRECTION_WEIGHT * ends.direction])
    for index in range(cameras):
        a, b = bounds[index], bounds[index + 1]
        if a == b:
            continue
        groups = _groups(points[a:b]) if split else np.zeros(b - a, np.int64)
        zone[a:b] = count + groups
        count += int(groups.max()) + 1
    return describe_ends(ends, zone, count)


def describe_ends(
    ends: RawEnds, zone: npt.NDArray[np.int64], count: int, zone_camera: npt.NDArray[np.int32] | None = None
) -> TrackEnds:
    """Centres, directions, times and lanes of zones to which track ends were sorted.

    Args:
        ends: all entries, or all exits.
        zone: (n,) in [0, count).
        count: number of zones.
        zone_camera: (count,) camera of each zone; None if every zone has a track end.
    """
    place, direction = ends.place, ends.direction
    size = np.maximum(np.bincount(zone, minlength=count), 1)
    centre = np.stack([np.bincount(zone, p, count) / size for p in place.T], 1)
    mean = np.stack([np.bincount(zone, p, count) / size for p in direction.T], 1)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    mean = np.where(length > MIN_DIRECTION, mean / np.maximum(length, 1e-9), 0.0)
    across = np.column_stack([-mean[:, 1], mean[:, 0]])
    offset = ((place - centre[zone]) * across[zone]).sum(1)
    if zone_camera is None:
        zone_camera = np.zeros(count, np.int32)
        zone_camera[zone] = ends.camera
    lateral = standardise(offset, zone, count)
    return TrackEnds(zone, zone_camera, centre, mean, _passing_time(ends, zone, centre, mean), lateral)


def _passing_time(
    ends: RawEnds, zone: npt.NDArray[np.int64], centre: npt.NDArray[np.float64], direction: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n,) second at which each vehicle passes the line across its zone that `TIMED_SHARE` of the zone's tracks reach.

    A track that crosses the line is timed there; the time of one that does not is extrapolated at the speed of its end.
    """
    if len(zone) == 0:
        return np.zeros(0)
    along = ((ends.place - centre[zone]) * direction[zone]).sum(1)
    order = np.lexsort((along, zone))
    size = np.bincount(zone, minlength=len(centre))
    first = np.cumsum(size) - size
    share = TIMED_SHARE if ends.entry else 1.0 - TIMED_SHARE
    at = first + np.round(share * np.maximum(size - 1, 0)).astype(np.int64)
    line = np.where(size > 0, along[order][np.minimum(at, len(order) - 1)], 0.0)
    speed = (ends.speed * direction[zone]).sum(1)
    speed = np.where(speed > MIN_SPEED * ends.reach, speed, 0.0)
    result: npt.NDArray[np.float64] = _compiled_passing(
        ends.path_first, ends.path_time, ends.path_place, zone, centre, direction, line, speed, ends.entry,
        MAX_SHIFT,
    )  # fmt: skip
    return result


@numba.njit(cache=True)
def _compiled_passing(path_first, path_time, path_place, zone, centre, direction, line, speed, entry, longest):  # type: ignore[no-untyped-def]  # pragma: no cover
    result = np.empty(len(zone))
    for i in range(len(zone)):
        z = zone[i]
        begin, stop = path_first[i], path_first[i + 1] - 1
        # From the end of the track inwards, to the first step that crosses the line.
        here, last, step = (begin, stop, 1) if entry else (stop, begin, -1)
        sign = 1.0 if entry else -1.0
        off = line[z]
        for k in range(2):
            off -= (path_place[here, k] - centre[z, k]) * direction[z, k]
        off *= sign
        if off <= 0.0:
            # The track does not reach the line: its vehicle passed it earlier (entry) or will pass it later (exit).
            shift = min(off / speed[i], 0.0) if speed[i] > 0.0 else 0.0
            result[i] = path_time[here] + sign * max(shift, -longest)
            continue
        result[i] = path_time[last]
        while here != last:
            after = line[z]
            for k in range(2):
                after -= (path_place[here + step, k] - centre[z, k]) * direction[z, k]
            after *= sign
            if after <= 0.0:
                part = off / (off - after)
                result[i] = path_time[here] + part * (path_time[here + step] - path_time[here])
                break
            off = after
            here += step
    return result


def standardise(values: npt.NDArray[np.float64], group: npt.NDArray[np.int64], groups: int) -> npt.NDArray[np.float64]:
    """Normal scores of values within their groups: quantiles of a standard normal at their ranks. Outliers weigh
    little.

    Args:
        values: (n,).
        group: (n,) in [0, groups).
        groups: number of groups.
    """
    if len(values) == 0:
        return np.zeros(0)
    order = np.lexsort((values, group))
    size = np.bincount(group, minlength=groups)
    first = np.cumsum(size) - size
    rank = np.empty(len(values))
    rank[order] = np.arange(len(values)) - first[group[order]]
    # Equal values get their mean rank.
    key = np.stack([group.astype(np.float64), values], 1)
    _, inverse, ties = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    rank = (np.bincount(inverse, rank) / ties)[inverse]
    scores: npt.NDArray[np.float64] = ndtri((rank + 0.5) / size[group])
    return scores


def _groups(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(n,) group of each point (n, 4), from 0, by average-linkage clustering of an evenly spaced sample."""
    if len(points) == 1:
        return np.zeros(1, np.int64)
    sample = points[:: max(1, -(-len(points) // SAMPLE))]
    if len(sample) == 1:
        return np.zeros(len(points), np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage  # slow to import, and processes that watch cameras do without

    found = fcluster(linkage(sample, "average"), MAX_DISTANCE, "distance").astype(np.int64) - 1
    size = np.bincount(found)
    centres = np.stack([np.bincount(found, column) / size for column in sample.T], 1)
    nearest = ((points[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
    _, groups = np.unique(nearest, return_inverse=True)
    return groups.reshape(-1).astype(np.int64)
