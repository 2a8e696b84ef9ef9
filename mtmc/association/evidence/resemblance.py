"""Resemblance: tracks so alike that no link is needed to join them.

Vehicles return, wait, or pass a camera that misses them; and where few vehicles pass, no link can be learned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import PairKind, Pairs
from mtmc.association.track_summaries import TrackSummaries

NEIGHBOURS = 5
"""Most similar tracks of each track that become candidates. Raising it costs time and adds pairs that are less alike.
Theory: more than the consecutive tracks on either side, together with those of overlapping views."""
QUANTILE = 0.99
"""Share of the pairs of different vehicles that lie below the similarity from which a pair is a candidate. Raising it
finds fewer, surer pairs. Theory: fewer than a few of a track's nearest neighbours are then due to chance."""
MIN_STRANGERS = 20
"""Number of such pairs below which every similarity passes. Raising it needs more tracks that are seen at once. Safety
bound against a quantile of a handful of values."""
MAX_TRACKS = 30_000
"""Tracks up to which the nearest neighbours are searched among all others. Raising it costs time by the square: then
there are enough vehicles to learn every link. Safety bound on time."""
BLOCK = 1024
"""Rows of the similarity matrix that are held at once. Raising it uses more memory; the result does not change. Safety
bound: 120 MB at 30,000 tracks."""
ELSEWHERE_SHARE = 0.2
"""Share of the tracks that continue in another camera later by no known link, before learning. Raising it joins more
tracks by appearance alone. Development scenarios."""
RETURN_SHARE = 0.02
"""Share of the tracks that continue in the same camera. Raising it joins more tracks by appearance alone. Development
scenarios."""
AT_ONCE_SHARE = 0.02
"""Share of the tracks of a camera that another one sees at once although no overlap of their views is known. Raising it
joins more tracks by appearance alone. Development scenarios."""
SHARE_STRENGTH = 20.0
"""Strength of the priors of these shares, in tracks. Raising it learns more slowly. Development scenarios."""


def find_resemblances(
    summaries: TrackSummaries, vector: npt.NDArray[np.float32], different: npt.NDArray[np.float64]
) -> Pairs:
    """Pairs of tracks that are nearest neighbours by appearance, sorted by (source, target).

    The link is 0 for a later track of another camera, 1 for one of the same camera, and for tracks in view at once 2
    and more, a number for each two cameras. Tracks that two calibrated cameras see at once are left to their places.

    Args:
        summaries: the tracks.
        vector: (n, d) their features; none are found with d = 0.
        different: (k,) similarities of different vehicles.
    """
    n = len(summaries)
    known = np.flatnonzero(summaries.weight > 0)
    none = np.zeros(0, np.int64)
    if vector.shape[1] == 0 or not 1 < len(known) <= MAX_TRACKS:
        return Pairs.of(none, none, none, np.zeros(0), kind=PairKind.RESEMBLANCE)
    threshold = float(np.quantile(different, QUANTILE)) if len(different) >= MIN_STRANGERS else -1.0
    camera, start, end = summaries.camera[known], summaries.start[known], summaries.end[known]
    calibrated = summaries.calibrated[camera]
    keys = [none]
    for begin in range(0, len(known), BLOCK):
        rows = np.arange(begin, min(begin + BLOCK, len(known)))
        similarity = vector[known[rows]] @ vector[known].T
        at_once = (start[rows, None] <= end) & (start <= end[rows, None])
        settled = (camera[rows, None] == camera) | (calibrated[rows, None] & calibrated)
        similarity[at_once & settled] = -np.inf
        count = min(NEIGHBOURS, len(known) - 1)
        near = np.argpartition(-similarity, count - 1, axis=1)[:, :count]
        close = np.take_along_axis(similarity, near, 1) > threshold
        a, b = known[np.repeat(rows, count)[close.ravel()]], known[near[close]]
        later = (summaries.start[b] > summaries.start[a]) | ((summaries.start[b] == summaries.start[a]) & (a < b))
        keys.append(np.where(later, a * n + b, b * n + a))
    pair = np.unique(np.concatenate(keys))
    a, b = pair // n, pair % n
    seconds = summaries.start[b] - summaries.end[a]
    cameras = np.sort(np.stack([summaries.camera[a], summaries.camera[b]]).astype(np.int64), axis=0)
    link = np.where(cameras[0] == cameras[1], 1, 0)
    link = np.where(seconds <= 0, 2 + cameras[0] * len(summaries.cameras) + cameras[1], link)
    return Pairs.of(a, b, link, seconds, kind=PairKind.RESEMBLANCE)


def resemblance_log_prior(
    pairs: Pairs, probability: npt.NDArray[np.float64], camera: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """(m,) log of the prior probability that a track continues as the other one of its pair, by no known link.

    Args:
        pairs: result of `find_resemblances`, or some rows of it.
        probability: (m,) probability of each pair, from the previous round.
        camera: (n,) camera of each track.
    """
    if len(pairs) == 0:
        return np.zeros(0)
    n = len(camera)
    size = np.bincount(camera)
    links, group = np.unique(pairs.link, return_inverse=True)
    group = group.reshape(-1)
    mass = np.bincount(group, probability, len(links))
    usual = np.array([ELSEWHERE_SHARE, RETURN_SHARE])[np.minimum(links, 1)]
    usual = np.where(links >= 2, AT_ONCE_SHARE, usual)
    # Any track can be the next one, but only those in view at the time can be seen at once.
    tracks = np.where(links >= 2, size[camera[pairs.source]][np.unique(group, return_index=True)[1]], n)
    share = (mass + SHARE_STRENGTH * usual) / (tracks + SHARE_STRENGTH) if probability.any() else usual
    result: npt.NDArray[np.float64] = np.log(share)[group] - np.log(n)
    return result
