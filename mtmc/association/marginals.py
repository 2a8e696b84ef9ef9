"""Marginal probabilities of pairs when each track has at most one successor and at most one predecessor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def pair_marginals(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    ratio: npt.NDArray[np.float64],
    n: int,
    sweeps: int = 30,
) -> npt.NDArray[np.float64]:
    """Belief propagation of Williams and Lau ("Approximate evaluation of marginal association probabilities with
    belief propagation", IEEE TAES 2014), on sparse pairs; parallel pairs (the same two tracks, another link) may occur.

    Args:
        source: (m,) the earlier track of each pair, in [0, n).
        target: (m,) the later track.
        ratio: (m,) likelihood ratio: joined against both ending or starting on their own.
        n: number of tracks.
        sweeps: message rounds; they converge geometrically.

    Returns:
        (m,) probabilities; those of one source, and those of one target, add to at most about 1.
    """
    back = np.ones(len(ratio))
    weight = np.minimum(ratio, 1e12)
    for _ in range(sweeps):
        sent = weight * back
        forward = weight / (1.0 + np.maximum(np.bincount(source, sent, n)[source] - sent, 0.0))
        new = 1.0 / (1.0 + np.maximum(np.bincount(target, forward, n)[target] - forward, 0.0))
        settled = len(new) == 0 or float(np.abs(new - back).max()) < 1e-4
        back = new
        if settled:
            break
    sent = weight * back
    probability: npt.NDArray[np.float64] = sent / (1.0 + np.bincount(source, sent, n)[source])
    return probability
