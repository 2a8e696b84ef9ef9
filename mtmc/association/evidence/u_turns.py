"""U-turns: a vehicle rarely goes back to the camera that it came from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RETURN_SHARE = 0.2
"""Probability that a vehicle goes back to the camera that it came from, relative to a vehicle that did not come from
there. Raising it finds more U-turns and more false ones. Development scenarios."""


class UTurns:
    """Which pairs lead back to where another pair comes from.

    On a two-way road, arrivals follow departures in both directions, so times alone make vehicles go back and forth.
    """

    def __init__(
        self,
        source: npt.NDArray[np.int64],
        target: npt.NDArray[np.int64],
        *,
        camera: npt.NDArray[np.int32],
        cameras: int,
    ) -> None:
        """Sort the pairs, once for all rounds.

        Args:
            source, target: (m,) tracks of each pair, in two different cameras.
            camera: (n,) camera of each track.
            cameras: number of cameras.
        """
        here, there = camera[source].astype(np.int64), camera[target].astype(np.int64)
        self._pairs = len(source)
        self._ways = []
        for came, goes in (
            (target * cameras + here, source * cameras + there),
            (source * cameras + there, target * cameras + here),
        ):
            keys, place = np.unique(came, return_inverse=True)
            at = np.minimum(np.searchsorted(keys, goes), max(len(keys) - 1, 0))
            rows = np.flatnonzero(keys[at] == goes)
            self._ways.append((place.reshape(-1), len(keys), rows, at[rows]))

    def log_ratio(self, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) log, at most 0, of how much less likely a pair is because it would lead its vehicle back where it came
        from.

        Args:
            probability: (m,) probability of each pair, from the previous round.
        """
        result = np.zeros(self._pairs)
        for place, keys, rows, at in self._ways:
            seen = np.bincount(place, probability, keys)
            result[rows] += np.log(1.0 - (1.0 - RETURN_SHARE) * np.minimum(seen[at], 1.0))
        return result
