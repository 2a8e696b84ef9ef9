"""Traits of a vehicle that are weak each by itself: size, class, lane, length of stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.likelihood_ratio import correlation_ratio

LABEL_NOISE = 0.3
"""Share of tracks whose class is as good as drawn at random, before the run has shown better."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A value that a vehicle carries from one track to the next, as normal scores of both tracks.

    Attributes:
        name: the settings' switch that it belongs to.
        u, v: (m,) scores of the source and the target of each pair; NaN where it does not apply.
        prior: correlation of true pairs that is expected.
        strength: how many true pairs that expectation is worth.
    """

    name: str
    u: npt.NDArray[np.float64]
    v: npt.NDArray[np.float64]
    prior: float
    strength: float

    def log_ratio(self, probability: npt.NDArray[np.float64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(m,) log-likelihood ratios, from the correlation within each group (link) that the pairs' probabilities show.

        A group with few true pairs leans on the correlation over all groups, and that on the prior.
        """
        known = np.isfinite(self.u) & np.isfinite(self.v)
        result = np.zeros(len(self.u))
        if not known.any():
            return result
        u, v, weight, where = self.u[known], self.v[known], probability[known], group[known]
        product = weight * u * v
        overall = (float(product.sum()) + self.strength * self.prior) / (float(weight.sum()) + self.strength)
        groups = int(where.max()) + 1
        # A pair's own product is left out: it must not vouch for itself.
        mass = np.bincount(where, weight, groups)[where] - weight
        rho = (np.bincount(where, product, groups)[where] - product + self.strength * overall) / (mass + self.strength)
        ratio = correlation_ratio(u, v, np.clip(rho, 0.0, 0.9))
        # One track in ten is measured wrongly: no single trait may rule a pair out.
        result[known] = np.log(0.9 * np.exp(ratio) + 0.1)
        return result


def label_log_ratio(
    a: npt.NDArray[np.int16],
    b: npt.NDArray[np.int16],
    probability: npt.NDArray[np.float64],
    label: npt.NDArray[np.int16],
) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratios of two tracks' classes: agreement on a rare class says more.

    Args:
        a, b: (m,) classes of the two tracks of each pair, -1 unknown.
        probability: (m,) probability that each is a true pair.
        label: (n,) classes of all tracks, for how frequent each is.
    """
    result = np.zeros(len(a))
    known = (a >= 0) & (b >= 0)
    if not known.any():
        return result
    classes, count = np.unique(label[label >= 0], return_counts=True)
    share = count / count.sum()
    by_chance = float((share**2).sum())
    if by_chance > 0.999:
        return result
    same = a[known] == b[known]
    weight = probability[known]
    agree = (float(weight @ same) + 10.0 * (1 - LABEL_NOISE * (1 - by_chance))) / (float(weight.sum()) + 10.0)
    noise = np.clip((1 - agree) / (1 - by_chance), 0.02, 1.0)
    rarity = share[np.searchsorted(classes, b[known])]
    result[known] = np.log(np.where(same, (1 - noise) / rarity, 0.0) + noise)
    return result
