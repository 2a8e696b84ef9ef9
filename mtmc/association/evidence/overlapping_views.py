"""Overlapping views: tracks that are on the same spot at the same time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from mtmc.association.evidence.common_views import CommonViews
from mtmc.association.evidence.ground import MEETING, ground_offsets
from mtmc.association.links.candidates import LinkTable, Pairs, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds
from mtmc.association.track_summaries import TrackSummaries

SAMPLE = 400
"""Ground samples of a camera that are compared with other cameras'."""
EXPECTED_SHARE = 0.3
EXPECTED_STRENGTH = 4.0
"""Share of tracks that another camera with a common view is expected to continue, and how many tracks that is worth."""


def find_view_pairs(summaries: TrackSummaries, common: CommonViews) -> Pairs:
    """Pairs of tracks of two cameras, both calibrated or with a common view, that are seen at once, less than `MEETING`
    apart.

    The link is a number for each ordered two cameras that have such pairs, from 0; seconds count from start to start.
    """
    a, b = (np.concatenate(p) for p in zip(_meeting_cameras(summaries), (common.source, common.target), strict=True))
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    longest = float((summaries.end - summaries.start).max(initial=0.0))
    table = LinkTable(np.ones(len(a), np.bool_), a, b, np.zeros(len(a)), np.full(len(a), longest))
    count = len(summaries.cameras)
    entries = camera_ends(RawEnds.entries(summaries), count)
    exits = camera_ends(RawEnds.exits(summaries), count)
    pairs = find_pairs(summaries, entries, exits, table)
    offset, _ = place_offsets(summaries, common, pairs.source, pairs.target)
    return pairs[np.linalg.norm(np.nan_to_num(offset, nan=np.inf), axis=1) < MEETING]


def place_offsets(
    summaries: TrackSummaries, common: CommonViews, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Offset (m, 2) in metres of the target from the source over the time that both are seen, and its spread (m,): on
    the ground, or in a common view; NaN where neither tells."""
    offset, spread = ground_offsets(summaries, source, target)
    unknown = np.flatnonzero(~np.isfinite(spread))
    offset[unknown], spread[unknown] = common.offsets(summaries, source[unknown], target[unknown])
    return offset, spread


def view_log_prior(pairs: Pairs, probability: npt.NDArray[np.float64], links: int) -> npt.NDArray[np.float64]:
    """(m,) log of the odds that a pair is true before its distance is looked at.

    A share of a camera's tracks, learned for each two cameras, goes on in the other; which of the candidates it is,
    nothing says beforehand.

    Args:
        pairs: of `find_view_pairs`.
        probability: (m,) probability of each pair, from the round before.
        links: number of links.
    """
    if len(pairs) == 0:
        return np.zeros(0)
    _, group, count = np.unique(np.stack([pairs.link, pairs.source]), axis=1, return_inverse=True, return_counts=True)
    rivals = count[group.reshape(-1)]
    tracks = np.bincount(pairs.link, 1.0 / rivals, links)
    mass = np.bincount(pairs.link, probability, links)
    share = np.minimum(
        (mass + EXPECTED_STRENGTH * EXPECTED_SHARE) / (np.maximum(tracks, mass) + EXPECTED_STRENGTH), 0.95
    )
    result: npt.NDArray[np.float64] = np.log(share / (1.0 - share))[pairs.link] - np.log(rivals)
    return result


def _meeting_cameras(summaries: TrackSummaries) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ordered pairs of different cameras whose vehicles come near each other on the ground."""
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
        near = ((low[a] - MEETING < high) & (low - MEETING < high[a])).all(1)
        for b in np.flatnonzero(near):
            tree_b = trees[b]
            if a == b or tree_a is None or tree_b is None:
                continue
            distance, _ = tree_b.query(tree_a.data, distance_upper_bound=MEETING)
            if np.isfinite(distance).any():
                source.append(a)
                target.append(int(b))
    return np.array(source, np.int64), np.array(target, np.int64)
