"""Marginal probabilities of pairs when each track has at most one successor and at most one predecessor."""

from __future__ import annotations

import numba
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
    weight = np.minimum(ratio, 1e12)
    probability: npt.NDArray[np.float64] = _compiled_marginals(source, target, weight, n, sweeps)
    return probability


@numba.njit(cache=True)
def _compiled_marginals(source, target, weight, n, sweeps):  # type: ignore[no-untyped-def]  # pragma: no cover
    m = len(weight)
    back = np.ones(m)
    forward = np.empty(m)
    by_source = np.empty(n)
    by_target = np.empty(n)
    for _ in range(sweeps):
        by_source[:] = 1.0
        by_target[:] = 1.0
        for e in range(m):
            by_source[source[e]] += weight[e] * back[e]
        for e in range(m):
            forward[e] = weight[e] / max(by_source[source[e]] - weight[e] * back[e], 1.0)
            by_target[target[e]] += forward[e]
        change = 0.0
        for e in range(m):
            new = 1.0 / max(by_target[target[e]] - forward[e], 1.0)
            change = max(change, abs(new - back[e]))
            back[e] = new
        if change < 1e-4:
            break
    by_source[:] = 1.0
    for e in range(m):
        by_source[source[e]] += weight[e] * back[e]
    for e in range(m):
        back[e] = weight[e] * back[e] / by_source[source[e]]
    return back
