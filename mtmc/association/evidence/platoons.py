"""Platoons: vehicles that leave one after the other, in a queue or a platoon, travel about equally long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SLOT = 2.0
"""Seconds of exit time that are pooled. Raising it saves time and blurs which vehicles follow each other. Theory: about
one headway."""
REACH = 6
"""Slots on either side that contribute. Raising it costs time and adds little. Theory: `REACH * SLOT` is 1.5 times
`DECAY`."""
DECAY = 8.0
"""Seconds between two exits over which the weight of a neighbour falls by a factor of e. Raising it averages over
longer platoons. Development scenarios."""
MAX_SHARE = 0.8
"""Largest share of vehicles that keep to their platoon. Raising it trusts platoons more. Development scenarios."""
PRIOR_COUNT = 1.0
"""Number of neighbours at which half of `MAX_SHARE` is reached; also the strength of the prior `PRIOR_VARIANCE`.
Raising it trusts small platoons less. Development scenarios."""
PRIOR_VARIANCE = 1.0
"""Prior variance of the travel times within a platoon, in seconds squared. Raising it tolerates looser platoons.
Development scenarios."""
MIN_SPREAD = 0.25
"""Standard deviation in seconds that is added to that of the neighbours. Raising it tolerates looser platoons. Theory:
the error of the times at which tracks start and end."""


class Platoons:
    """Which pairs are neighbours. That depends on the pairs alone, so it is worked out once for all rounds."""

    def __init__(
        self,
        *,
        link: npt.NDArray[np.int64],
        source: npt.NDArray[np.int64],
        exit_time: npt.NDArray[np.float64],
        seconds: npt.NDArray[np.float64],
    ) -> None:
        """Sort the pairs.

        Args:
            link: (m,) link of each pair.
            source: (m,) source track.
            exit_time: (m,) second at which the source leaves.
            seconds: (m,) travel time.
        """
        self._seconds = seconds
        slot = np.floor((exit_time - exit_time.min(initial=np.inf)) / SLOT).astype(np.int64) + REACH
        span = int(slot.max(initial=0)) + REACH + 1
        keys, where = np.unique(link * span + slot, return_inverse=True)
        self._slots, self._slot = len(keys), where.reshape(-1)
        # The pairs of the same source and link are alternatives to this pair, not its neighbours.
        _, alternative = np.unique(source * (int(link.max(initial=0)) + 1) + link, return_inverse=True)
        self._alternative = alternative.reshape(-1)
        self._nearby = []
        for shift in range(-REACH, REACH + 1):
            at = np.minimum(np.searchsorted(keys, keys + shift), max(len(keys) - 1, 0))
            rows = np.flatnonzero(keys[at] == keys + shift)
            self._nearby.append((rows, at[rows], float(np.exp(-abs(shift) * SLOT / DECAY))))

    def density(
        self, probability: npt.NDArray[np.float64], density: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """(m,) density of travel times: the link's own, mixed with a normal one around those of the neighbours.

        Args:
            probability: (m,) probability of each pair.
            density: (m,) the link's density at its travel time, per second.
        """
        seconds, alternative = self._seconds, self._alternative
        sums = []
        for power in range(3):
            value = probability * seconds**power
            own, nearby = np.bincount(self._slot, value, self._slots), np.zeros(self._slots)
            for rows, at, weight in self._nearby:
                nearby[rows] += own[at] * weight
            sums.append(nearby[self._slot] - np.bincount(alternative, value)[alternative])
        count = np.maximum(sums[0], 0.0)
        mean = sums[1] / np.maximum(count, 1e-3)
        variance = np.maximum(sums[2] / np.maximum(count, 1e-3) - mean**2, 0.0)
        weight = count + PRIOR_COUNT
        spread = (variance * count + PRIOR_COUNT * PRIOR_VARIANCE) / weight * (1 + 1 / weight) + MIN_SPREAD**2
        deviation = np.sqrt(spread)
        local = np.exp(-0.5 * ((seconds - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
        share = MAX_SHARE * count / weight
        result: npt.NDArray[np.float64] = (1 - share) * density + share * local
        return result
