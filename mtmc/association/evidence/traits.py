"""Traits of a vehicle that are weak evidence each: size, class, lane, time in view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.likelihood_ratio import correlation_ratio

LABEL_NOISE = 0.3
"""Share of tracks whose class is as good as random, before learning. Raising it trusts classes less. Development
scenarios."""
LABEL_STRENGTH = 10.0
"""Strength of the prior `LABEL_NOISE`, in true pairs. Raising it learns more slowly. Development scenarios."""
MIN_LABEL_NOISE = 0.02
"""Smallest share of tracks whose class is as good as random. Raising it trusts classes less. Safety bound: no class may
rule a pair out."""
MAX_AGREEMENT = 0.999
"""Probability that two random tracks agree on the class above which classes are ignored. Raising it uses them in more
scenarios. Safety bound against a division by 0."""
MAX_CORRELATION = 0.9
"""Largest correlation of a trait. Raising it trusts traits more. Safety bound."""
MISMEASURED_SHARE = 0.1
"""Share of tracks whose trait is measured wrongly. Raising it trusts traits less. Safety bound: no single trait may
rule a pair out."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A property that a vehicle keeps from one track to the next, as normal scores of both tracks.

    Attributes:
        name: the switch in the settings, which is also the term of the evidence.
        u, v: (m,) float64, scores of the source and the target of each pair; NaN where the trait does not apply.
        prior: expected correlation of true pairs.
        strength: number of true pairs that this is worth.
    """

    name: str
    u: npt.NDArray[np.float64]
    v: npt.NDArray[np.float64]
    prior: float
    strength: float

    def log_ratio(self, probability: npt.NDArray[np.float64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(m,) log-likelihood ratios in nats, from the correlation of true pairs within each group.

        The correlation of a group with few true pairs is drawn towards that of all groups, and this towards the prior.

        Args:
            probability: (m,) probability of each pair, from the previous round.
            group: (m,) number of each pair's link, from 0.
        """
        known = np.isfinite(self.u) & np.isfinite(self.v)
        result = np.zeros(len(self.u))
        if not known.any():
            return result
        u, v, weight, where = self.u[known], self.v[known], probability[known], group[known]
        product = weight * u * v
        overall = (float(product.sum()) + self.strength * self.prior) / (float(weight.sum()) + self.strength)
        groups = int(where.max()) + 1
        # The pair's own contribution is left out: it must not vouch for itself.
        mass = np.bincount(where, weight, groups)[where] - weight
        rho = (np.bincount(where, product, groups)[where] - product + self.strength * overall) / (mass + self.strength)
        ratio = correlation_ratio(u, v, np.clip(rho, 0.0, MAX_CORRELATION))
        result[known] = np.log((1.0 - MISMEASURED_SHARE) * np.exp(ratio) + MISMEASURED_SHARE)
        return result


def label_log_ratio(
    a: npt.NDArray[np.int16],
    b: npt.NDArray[np.int16],
    probability: npt.NDArray[np.float64],
    label: npt.NDArray[np.int16],
) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratios in nats of two tracks' classes: agreement on a rare class is stronger evidence.

    Args:
        a, b: (m,) classes of the two tracks of each pair, -1 if unknown.
        probability: (m,) probability that each is a true pair.
        label: (n,) classes of all tracks, for their frequencies.
    """
    result = np.zeros(len(a))
    known = (a >= 0) & (b >= 0)
    if not known.any():
        return result
    classes, count = np.unique(label[label >= 0], return_counts=True)
    share = count / count.sum()
    by_chance = float((share**2).sum())
    if by_chance > MAX_AGREEMENT:
        return result
    same = a[known] == b[known]
    weight = probability[known]
    expected = 1 - LABEL_NOISE * (1 - by_chance)
    agree = (float(weight @ same) + LABEL_STRENGTH * expected) / (float(weight.sum()) + LABEL_STRENGTH)
    noise = np.clip((1 - agree) / (1 - by_chance), MIN_LABEL_NOISE, 1.0)
    rarity = share[np.searchsorted(classes, b[known])]
    result[known] = np.log(np.where(same, (1 - noise) / rarity, 0.0) + noise)
    return result
