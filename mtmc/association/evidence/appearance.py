"""Appearance: features that are comparable across cameras, and similarities of candidate pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.links.zones import TrackEnds

VIEW_STRENGTH = 10.0
"""Sum of weights of the tracks of a view (one entry zone of a camera) at which its own mean counts as much as its
camera's; the same for a camera's against the overall mean. Raising it uses coarser means. Development scenarios."""
CHAIN_REACH = 3
"""Tracks before, and after, a track whose features are averaged with its own. Raising it averages over longer chains,
with more wrongly joined tracks. Development scenarios."""
BLOCK = 200_000
"""Pairs whose features are held at once. Raising it uses more memory; the result does not change. Safety bound: 800 MB
at 512 dimensions."""
DENSE = 8
"""Pairs of tracks, for each that is asked for, up to which all are computed: a matrix product reads each feature once.
Raising it costs memory, 4 bytes a pair; but for rounding the result does not change. Safety bound on memory."""


def subtract_means(
    vector: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], entries: TrackEnds
) -> npt.NDArray[np.float32]:
    """Features minus the mean of their camera and view, L2-normalised again.

    The light of a camera and the angle of a view shift all features in one direction; that part carries no information
    about a vehicle.

    Args:
        vector: (n, d) features, zeros where missing.
        weight: (n,) their weights.
        entries: the tracks' entry zones; vehicles that enter through one zone show the same side.
    """
    zones = len(entries.camera)
    by_zone, zone_weight = _sums(vector, weight, entries.zone, zones)
    by_camera = np.zeros((int(entries.camera.max(initial=-1)) + 1, vector.shape[1]))
    camera_weight = np.zeros(len(by_camera))
    np.add.at(by_camera, entries.camera, by_zone)
    np.add.at(camera_weight, entries.camera, zone_weight)
    overall = by_camera.sum(0) / max(float(camera_weight.sum()), 1e-9)
    # The mean of a few tracks is poor, so it is drawn towards the next coarser one.
    mean = (by_camera + VIEW_STRENGTH * overall) / (camera_weight + VIEW_STRENGTH)[:, None]
    view = (by_zone + VIEW_STRENGTH * mean[entries.camera]) / (zone_weight + VIEW_STRENGTH)[:, None]
    centred = vector - view[entries.zone].astype(np.float32)
    return normalised(centred * (weight > 0)[:, None])


def normalised(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows scaled to length 1; rows of zeros stay zeros."""
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = (vector / np.maximum(length, 1e-9)).astype(np.float32)
    return result


def similarities(
    a: npt.NDArray[np.float32],
    b: npt.NDArray[np.float32],
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """(m,) dot products of a[source] and b[target], computed block by block, or from all of a and b if most are
    needed."""
    if len(a) * len(b) <= DENSE * len(source):
        return np.asarray((a @ b.T)[source, target], np.float64)
    result = np.zeros(len(source))
    for begin in range(0, len(source), BLOCK):
        rows = slice(begin, begin + BLOCK)
        result[rows] = np.einsum("md,md->m", a[source[rows]], b[target[rows]], dtype=np.float32)
    return result


def chain_features(
    vector: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], successor: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Features of each track averaged with those before it, and with those after it, in its chain; both (n, d).

    A neighbour is weighted by its similarity to the track itself, so that one that was joined wrongly contributes
    little.

    Args:
        vector: (n, d) features, zeros where missing.
        weight: (n,) their weights.
        successor: (n,) next track of each chain, -1 at its end.
    """
    predecessor = np.full(len(successor), -1, np.int64)
    joined = np.flatnonzero(successor >= 0)
    predecessor[successor[joined]] = joined
    sums = []
    for step in (predecessor, successor):
        total = vector * weight[:, None]
        at = step
        for _ in range(CHAIN_REACH):
            here = np.flatnonzero(at >= 0)
            lent = vector[at[here]]
            alike = np.maximum(np.einsum("md,md->m", vector[here], lent), 0.0)
            total[here] += lent * (alike * weight[at[here]])[:, None]
            at = np.where(at >= 0, step[np.maximum(at, 0)], -1)
        sums.append(normalised(total))
    return sums[0], sums[1]


def _sums(
    vector: npt.NDArray[np.float32],
    weight: npt.NDArray[np.float32],
    group: npt.NDArray[np.int64],
    groups: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weighted sum of vectors (groups, d), and sum of weights (groups,), of each group."""
    order = np.argsort(group, kind="stable")
    total = np.zeros((groups, vector.shape[1]))
    bounds = np.searchsorted(group[order], np.arange(groups + 1))
    weighted = vector[order] * weight[order, None]
    for index in np.flatnonzero(np.diff(bounds)):
        total[index] = weighted[bounds[index] : bounds[index + 1]].sum(0, dtype=np.float64)
    return total, np.asarray(np.bincount(group, weight, groups), np.float64)
