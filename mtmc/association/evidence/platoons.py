"""Vehicles that leave one after the other travel about equally long: a queue or a platoon keeps together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SLOT = 2.0
"""Seconds of exit time that are looked at together."""
REACH = 6
"""Slots on either side that still tell something."""
FADE = 8.0
"""Seconds after which a neighbour says about a third."""
TRUST = 0.8
"""Share of vehicles, at most, that keep with their neighbours."""
LEAST_SPREAD = 0.25
"""Seconds."""


def order_density(
    link: npt.NDArray[np.int64],
    exit_time: npt.NDArray[np.float64],
    source: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    density: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """(m,) density of travel times that mixes the link's own with a normal one around what its neighbours needed.

    Args:
        link: (m,) link of each pair.
        exit_time: (m,) second at which the source leaves.
        source: (m,) source track.
        seconds: (m,) travel time.
        probability: (m,) probability of each pair.
        density: (m,) the link's density at that time.
    """
    if len(link) == 0:
        return density
    slot = np.floor((exit_time - exit_time.min()) / SLOT).astype(np.int64) + REACH
    span = int(slot.max()) + REACH + 1
    key = link * span + slot
    keys, where = np.unique(key, return_inverse=True)
    where = where.reshape(-1)
    # The pairs of the same source and link are alternatives to this pair, not its neighbours.
    group = source * (int(link.max()) + 1) + link
    _, alternative = np.unique(group, return_inverse=True)
    alternative = alternative.reshape(-1)
    sums = []
    for power in range(3):
        value = probability * seconds**power
        per_slot = np.bincount(where, value, len(keys))
        spread = np.zeros(len(keys))
        for shift in range(-REACH, REACH + 1):
            at = np.searchsorted(keys, keys + shift)
            at = np.minimum(at, len(keys) - 1)
            hit = keys[at] == keys + shift
            spread += np.where(hit, per_slot[at], 0.0) * np.exp(-abs(shift) * SLOT / FADE)
        sums.append(spread[where] - np.bincount(alternative, value)[alternative])
    count = np.maximum(sums[0], 0.0)
    mean = sums[1] / np.maximum(count, 1e-3)
    variance = np.maximum(sums[2] / np.maximum(count, 1e-3) - mean**2, 0.0)
    deviation = np.sqrt((variance * count + 1.0) / (count + 1.0) * (1 + 1 / (count + 1.0)) + LEAST_SPREAD**2)
    local = np.exp(-0.5 * ((seconds - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    share = TRUST * count / (count + 1.0)
    result: npt.NDArray[np.float64] = (1 - share) * density + share * local
    return result
