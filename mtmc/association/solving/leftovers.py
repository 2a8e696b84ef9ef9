"""Leftovers: without features and where hardly any link was learned, what remains is to join tracks by time alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.chains import identities_of, renumbered
from mtmc.association.track_summaries import TrackSummaries

FEW_LEARNED = 1 / 3
"""Share of the tracks whose identity is seen by several cameras up to which the others are joined by time. Raising it
joins more tracks, most of them wrongly: where links explain more than a third, those that they leave out mostly belong
to vehicles that one camera sees. Development scenarios."""
LONGEST_GAP = 16.0
"""Seconds between two tracks up to which they are joined. Raising it joins more tracks, more of them wrongly.
Development scenarios: of 8, 16, 32 and 64 seconds, the best on average."""
NEXT = 8
"""Tracks that start next after the end of a track among which its continuation is sought. Raising it changes the result
only where many tracks of one camera start together. Safety bound on time."""


def join_leftovers(
    summaries: TrackSummaries, identity: npt.NDArray[np.int64], bonds: Bonds | None = None
) -> npt.NDArray[np.int64]:
    """(n,) identities from 0, in which those seen by one camera are joined by time if nearly all are.

    Each continues as the one of another camera that starts soonest after it ends; the shortest gaps come first. Most of
    these joins are wrong, but a track that is joined to none is worth nothing across cameras. Two calibrated cameras
    are left to geography, and tracks of which something is known to what is known.

    Args:
        summaries: the tracks.
        identity: (n,) identities from 0.
        bonds: what is known about tracks.
    """
    n = len(summaries)
    number = renumbered(identity)
    count = int(number.max(initial=-1)) + 1
    cameras = np.zeros((count, len(summaries.cameras)), np.bool_)
    cameras[number, summaries.camera] = True
    lone = cameras.sum(1) == 1
    if n == 0 or np.mean(~lone[number]) > FEW_LEARNED:
        return identity
    start, end = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(start, number, summaries.start)
    np.maximum.at(end, number, summaries.end)
    if bonds is not None:
        lone[number[bonds.settled]] = False
        lone[number[bonds.apart.ravel()]] = False
    rows = np.flatnonzero(lone)
    rows = rows[np.argsort(start[rows], kind="stable")]
    camera = cameras.argmax(1)
    place = np.searchsorted(start[rows], end[rows])[:, None] + np.arange(NEXT)
    source, target = np.repeat(rows, NEXT), rows[np.minimum(place, len(rows) - 1).ravel()]
    gap = start[target] - end[source]
    calibrated = summaries.calibrated[camera]
    good = (place.ravel() < len(rows)) & (gap <= LONGEST_GAP) & (camera[source] != camera[target])
    good &= ~(calibrated[source] & calibrated[target])
    source, target, gap = source[good], target[good], gap[good]
    following, taken = np.full(count, -1, np.int64), np.zeros(count, np.bool_)
    for row in np.argsort(gap, kind="stable"):
        i, j = source[row], target[row]
        if following[i] < 0 and not taken[j] and start[j] > start[i]:
            following[i], taken[j] = j, True
    return renumbered(identities_of(following)[number])
