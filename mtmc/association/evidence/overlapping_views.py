"""Pairs of tracks that overlapping fields of view show in the same place at the same time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.evidence.ground import MAX_OFFSET, ground_offsets
from mtmc.association.links.candidates import LinkTable, PairKind, Pairs, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds
from mtmc.association.track_summaries import TrackSummaries

SAMPLE = 400
"""Ground samples per camera that are compared with those of other cameras. Raising it costs time and finds smaller
overlaps. Safety bound on time."""
EXPECTED_SHARE = 0.3
"""Share of a camera's tracks that another camera with an overlapping field of view also sees, before learning. Raising
it joins more tracks. Development scenarios."""
EXPECTED_STRENGTH = 4.0
"""Strength of the prior `EXPECTED_SHARE`, in tracks. Raising it learns more slowly. Development scenarios."""
MAX_SHARE = 0.95
"""Largest share of a camera's tracks that another one also sees. Raising it joins more tracks. Safety bound: a share of
1 would be infinite evidence."""


def find_view_pairs(summaries: TrackSummaries, views: OverlappingViews) -> Pairs:
    """Pairs of simultaneous tracks, less than `MAX_OFFSET` apart, in two cameras that are both calibrated or whose
    fields of view overlap.

    The link is a number, from 0, of the ordered pair of cameras. Travel times are from start to start.

    Args:
        summaries: the tracks.
        views: overlapping fields of view of uncalibrated cameras.
    """
    a, b = (np.concatenate(p) for p in zip(_meeting_cameras(summaries), (views.source, views.target), strict=True))
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    longest = float((summaries.end - summaries.start).max(initial=0.0))
    table = LinkTable(np.ones(len(a), np.bool_), a, b, np.zeros(len(a)), np.full(len(a), longest))
    count = len(summaries.cameras)
    entries = camera_ends(RawEnds.entries(summaries), count)
    exits = camera_ends(RawEnds.exits(summaries), count)
    pairs = find_pairs(summaries, entries, exits, table)
    offset, _ = place_offsets(summaries, views, pairs.source, pairs.target)
    pairs = pairs[np.linalg.norm(np.nan_to_num(offset, nan=np.inf), axis=1) < MAX_OFFSET]
    return Pairs.of(pairs.source, pairs.target, pairs.link, pairs.seconds, kind=PairKind.OVERLAPPING_VIEW)


def place_offsets(
    summaries: TrackSummaries, views: OverlappingViews, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Offset (m, 2) in metres of the target from the source while both are in view, and its spread (m,) in metres.

    Measured on the ground, or else through an overlapping field of view; NaN where neither is possible.

    Args:
        summaries: the tracks.
        views: overlapping fields of view of uncalibrated cameras.
        source, target: (m,) tracks of each pair.
    """
    offset, spread = ground_offsets(summaries, source, target)
    unknown = np.flatnonzero(~np.isfinite(spread))
    offset[unknown], spread[unknown] = views.offsets(summaries, source[unknown], target[unknown])
    return offset, spread


def view_log_prior(pairs: Pairs, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m,) log of the prior odds that a pair is true, before its distance is considered.

    A share of a camera's tracks, learned for each ordered pair of cameras, is also seen by the other camera. All
    candidates of a track are equally likely to be that track.

    Args:
        pairs: result of `find_view_pairs`, or some rows of it.
        probability: (m,) probability of each pair, from the previous round.
    """
    if len(pairs) == 0:
        return np.zeros(0)
    _, group, count = np.unique(np.stack([pairs.link, pairs.source]), axis=1, return_inverse=True, return_counts=True)
    rivals = count[group.reshape(-1)]
    tracks = np.bincount(pairs.link, 1.0 / rivals)
    mass = np.bincount(pairs.link, probability)
    share = (mass + EXPECTED_STRENGTH * EXPECTED_SHARE) / (np.maximum(tracks, mass) + EXPECTED_STRENGTH)
    share = np.minimum(share, MAX_SHARE)
    result: npt.NDArray[np.float64] = np.log(share / (1.0 - share))[pairs.link] - np.log(rivals)
    return result


def _meeting_cameras(summaries: TrackSummaries) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ordered pairs of different cameras whose vehicles come within `MAX_OFFSET` of each other on the ground."""
    sound = np.isfinite(summaries.ground_place).all(1)
    owner = np.repeat(summaries.camera, np.diff(summaries.ground_first))[sound]
    place = summaries.ground_place[sound]
    trees: list[cKDTree | None] = []
    low = np.full((len(summaries.cameras), 2), np.inf)
    high = np.full((len(summaries.cameras), 2), -np.inf)
    for camera in range(len(summaries.cameras)):
        own = place[owner == camera]
        own = own[:: max(1, len(own) // SAMPLE)]
        trees.append(cKDTree(own) if len(own) else None)
        if len(own):
            low[camera], high[camera] = own.min(0), own.max(0)
    source, target = [], []
    for a, tree_a in enumerate(trees):
        near = ((low[a] - MAX_OFFSET < high) & (low - MAX_OFFSET < high[a])).all(1)
        for b in np.flatnonzero(near):
            tree_b = trees[b]
            if a == b or tree_a is None or tree_b is None:
                continue
            distance, _ = tree_b.query(tree_a.data, distance_upper_bound=MAX_OFFSET)
            if np.isfinite(distance).any():
                source.append(a)
                target.append(int(b))
    return np.array(source, np.int64), np.array(target, np.int64)
