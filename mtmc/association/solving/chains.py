"""Chains: each track with its successor, cut where a vehicle would be in one camera twice at the same time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.solving.bonds import Bonds
from mtmc.association.track_summaries import TrackSummaries


def identities_of(successor: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) number of each track's chain, from 0, in the order of the smallest track index of each chain.

    Args:
        successor: (n,) index of the next track of the same vehicle, -1 at the end; without cycles.

    Example:
        >>> identities_of(np.array([2, -1, 3, -1]))
        array([0, 1, 0, 0])
    """
    n = len(successor)
    root = np.where(successor >= 0, successor, np.arange(n))
    # Pointer doubling: after k rounds each track points 2^k steps ahead, or at the last track of its chain.
    while True:
        ahead = root[root]
        if (ahead == root).all():
            break
        root = ahead
    return renumbered(root)


def renumbered(group: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(n,) group numbers from 0, in the order of the first member of each group."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def clashes(
    summaries: TrackSummaries, identity: npt.NDArray[np.int64], bonds: Bonds | None = None
) -> npt.NDArray[np.int64]:
    """(k, 2) pairs of consecutive tracks of one camera and one identity that overlap in time; with bonds, not those
    that must be linked, but all of one identity that are different vehicles."""
    order = np.lexsort((summaries.start, summaries.camera, identity))
    together = (np.diff(identity[order]) == 0) & (np.diff(summaries.camera[order]) == 0)
    overlap = together & (summaries.start[order][1:] <= summaries.end[order][:-1])
    at = np.flatnonzero(overlap)
    found = np.stack([order[at], order[at + 1]], 1)
    if bonds is None:
        return found
    found = found[bonds.vehicle[found[:, 0]] != bonds.vehicle[found[:, 1]]]
    apart = bonds.apart[identity[bonds.apart[:, 0]] == identity[bonds.apart[:, 1]]]
    order = order[bonds.settled[order]]
    order = order[np.lexsort((summaries.start[order], identity[order]))]
    mixed = (np.diff(identity[order]) == 0) & (np.diff(bonds.vehicle[order]) != 0)
    return np.concatenate([found, apart, np.stack([order[:-1][mixed], order[1:][mixed]], 1)])


def cut_clashes(
    summaries: TrackSummaries,
    successor: npt.NDArray[np.int64],
    gain: npt.NDArray[np.float64],
    bonds: Bonds | None = None,
) -> npt.NDArray[np.int64]:
    """Cut each chain with a clash at its weakest step between the two tracks, until no clash is left.

    Args:
        summaries: the tracks.
        successor: (n,) as in `identities_of`.
        gain: (n,) evidence for the step from each track to its successor.
        bonds: what is known about tracks.
    """
    successor = successor.copy()
    while True:
        found = clashes(summaries, identities_of(successor), bonds)
        if len(found) == 0:
            return successor
        for a, b in found:
            path = _path(successor, int(a), int(b)) or _path(successor, int(b), int(a))
            if path:
                successor[min(path, key=lambda step: (gain[step], step))] = -1


def _path(successor: npt.NDArray[np.int64], a: int, b: int) -> list[int]:
    """Tracks from a to the one before b, along the chain; empty if b does not come after a."""
    path = []
    while a != b:
        path.append(a)
        a = int(successor[a])
        if a < 0:
            return []
    return path
