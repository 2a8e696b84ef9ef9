"""Marginal probabilities of pairs if each track has at most one successor and at most one predecessor."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

MAX_RATIO = 1e12
"""Likelihood ratio above which a pair does not become surer. Raising it risks a loss of precision in the sums. Safety
bound of the arithmetic."""
TOLERANCE = 1e-4
"""Change of the messages below which they have converged. Raising it saves time and is less exact. Theory: well below
the probabilities that decide."""


def pair_marginals(
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    ratio: npt.NDArray[np.float64],
    n: int,
    sweeps: int = 30,
) -> npt.NDArray[np.float64]:
    """Approximate marginals by belief propagation on sparse pairs.

    Williams and Lau, "Approximate evaluation of marginal association probabilities with belief propagation", IEEE
    Transactions on Aerospace and Electronic Systems 50(4), 2014, https://arxiv.org/abs/1209.6299. Exact on trees. The
    same two tracks may occur in several pairs, with different links: these are alternatives, and form no cycle.

    Args:
        source: (m,) the earlier track of each pair, in [0, n).
        target: (m,) the later track.
        ratio: (m,) likelihood ratio of the pair against the source ending and the target starting on its own.
        n: number of tracks.
        sweeps: largest number of rounds of messages; they converge geometrically.

    Returns:
        (m,) probabilities; those of one source, and those of one target, add up to at most about 1.

    Example:
        Two targets compete for one source; the likelihood ratios 3 and 1 stand against 1 for "no successor".

        >>> pair_marginals(np.array([0, 0]), np.array([1, 2]), np.array([3.0, 1.0]), 3).round(3)
        array([0.6, 0.2])
    """
    weight = np.minimum(ratio, MAX_RATIO)
    _, first, pair = np.unique(source * max(n, 1) + target, return_index=True, return_inverse=True)
    pair = pair.reshape(-1)
    whole = np.bincount(pair, weight, len(first))
    joined: npt.NDArray[np.float64] = _compiled_marginals(source[first], target[first], whole, n, sweeps)
    return np.asarray(joined[pair] * weight / np.maximum(whole[pair], 1e-300), np.float64)


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
        if change < TOLERANCE:
            break
    by_source[:] = 1.0
    for e in range(m):
        by_source[source[e]] += weight[e] * back[e]
    for e in range(m):
        back[e] = weight[e] * back[e] / by_source[source[e]]
    return back
