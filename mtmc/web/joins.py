"""The pairs of passages that an association considered or joined, with what it knows about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.associate import Association

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Joins:
    """The pairs that the last solution joined or considered, each pair once.

    Attributes:
        source, target: (m,) int64, rows of the passages; of a join, the earlier and the later one.
        nats: (m,) float64, log-likelihood ratio of the pair, over all its links; -inf where there is no evidence, as
            for passages that were joined because of others.
        share: (m,) float64, probability that the one is the other's next passage.
        made: (m,) bool, whether the pair is one of the joins that make up the identities.
    """

    source: Ints
    target: Ints
    nats: Floats
    share: Floats
    made: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, found: Association) -> Joins:
        """The pairs of an association. A pair may be a candidate over several links: their evidence adds up."""
        n = max(len(found.identity), 1)
        source = np.concatenate([found.source, found.joins.source])
        target = np.concatenate([found.target, found.joins.target])
        key, first, place = np.unique(
            np.minimum(source, target) * n + np.maximum(source, target), return_index=True, return_inverse=True
        )
        candidate, made = np.split(place.reshape(-1), [len(found.source)])
        if found.terms:
            ratio = np.exp(np.clip(np.sum(list(found.terms.values()), axis=0), -60.0, 25.0))
        else:  # a method that tells probabilities alone
            ratio = found.probability / np.maximum(1.0 - found.probability, 1e-9)
        with np.errstate(divide="ignore"):
            nats = np.log(np.bincount(candidate, ratio, len(key)))
        share = np.minimum(np.bincount(candidate, found.probability, len(key)), 1.0)
        is_made = np.zeros(len(key), np.bool_)
        is_made[made] = True
        return cls(source[first], target[first], nats, share, is_made)

    def __getitem__(self, rows: Ints) -> Joins:
        """Some of the pairs."""
        return Joins(self.source[rows], self.target[rows], self.nats[rows], self.share[rows], self.made[rows])

    def between(self, pairs: Ints) -> tuple[float, float]:
        """Evidence of some of the pairs together, in nats, and the probability that one of them is successive.

        Args:
            pairs: (k,) which pairs.
        """
        if not len(pairs):
            return -np.inf, 0.0
        return float(np.logaddexp.reduce(self.nats[pairs])), float(min(self.share[pairs].sum(), 1.0))

    @classmethod
    def none(cls) -> Joins:
        """No pairs."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, np.zeros(0), np.zeros(0), np.zeros(0, np.bool_))
