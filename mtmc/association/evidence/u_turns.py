"""U-turns: a vehicle rarely goes back to the camera that it came from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RETURN_SHARE = 0.2
"""Probability that a vehicle goes back to the camera that it came from, relative to a vehicle that did not come from
there. Raising it finds more U-turns and more false ones. Development scenarios."""


def u_turn_log_ratio(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    probability: npt.NDArray[np.float64],
    *,
    camera: npt.NDArray[np.int32],
    cameras: int,
) -> npt.NDArray[np.float64]:
    """(m,) log, at most 0, of how much less likely a pair is because it would lead its vehicle back where it came from.

    On a two-way road, arrivals follow departures in both directions, so times alone make vehicles go back and forth.

    Args:
        source, target: (m,) tracks of each pair, in two different cameras.
        probability: (m,) probability of each pair, from the previous round.
        camera: (n,) camera of each track.
        cameras: number of cameras.
    """
    here, there = camera[source].astype(np.int64), camera[target].astype(np.int64)
    result = np.zeros(len(source))
    for came, goes in (
        (target * cameras + here, source * cameras + there),
        (source * cameras + there, target * cameras + here),
    ):
        keys, place = np.unique(came, return_inverse=True)
        seen = np.bincount(place.reshape(-1), probability, len(keys))
        at = np.minimum(np.searchsorted(keys, goes), max(len(keys) - 1, 0))
        known = np.where(keys[at] == goes, seen[at], 0.0) if len(keys) else np.zeros(len(goes))
        result += np.log(1.0 - (1.0 - RETURN_SHARE) * np.minimum(known, 1.0))
    return result
