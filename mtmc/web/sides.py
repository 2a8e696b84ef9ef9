"""How likely two groups of passages are one vehicle: two identities, or an identity before and after a join.

One logistic regression answers for both, on what the association knows about the pairs of passages between the two
sides, and on what it does not look at: how alike the sides are as wholes, and whether two cameras that see no vehicle
at once would have had to.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log1p

import numpy as np
import numpy.typing as npt

from mtmc.web.identity_index import IdentityIndex
from mtmc.web.joins import Ints
from mtmc.web.passages import Passages

Vectors = npt.NDArray[np.float32]
Features = tuple[Vectors, npt.NDArray[np.bool_]]
"""The feature of each passage (n, d), and which passages have one (n,)."""
BOUND = 12.0
"""Nats to which evidence and log odds are limited, as in the association."""
FAR = 6.0
"""Standard deviations to which the likeness of two sides is limited. Raising it lets likeness alone outweigh all else.
Theory: the tail beyond is not known."""
UNKNOWN = 2.0
"""Likeness, in standard deviations, of two sides of which one has no feature. Raising it asks about them sooner.
Theory: about where the likeness speaks neither for nor against."""
SAMPLE = 400
"""Identities whose pairs show how alike different vehicles are. Raising it costs time. Theory: 80,000 pairs are enough
for a mean and a deviation."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the logistic regression; each is what one unit adds to the log odds, in nats.

    Attributes:
        constant: of two sides of which all else is zero.
        nats: log-likelihood ratio of the passages between the sides, each counted.
        odds: log odds that some passage of one is the next of one of the other.
        at_once: ln(1 + seconds) in two cameras that see no vehicle at once.
        gap: ln(1 + seconds) from the end of the one side to the start of the other.
        likeness: cosine similarity of the mean features, in standard deviations above that of any two identities.
    """

    constant: float
    nats: float
    odds: float
    at_once: float
    gap: float
    likeness: float


WITH_FEATURES = Weights(constant=-2.7, nats=0.17, odds=0.23, at_once=-2.5, gap=-0.25, likeness=1.37)
"""Development scenarios: regression on 59,670 pairs of sides, 3,156 of them one vehicle, of 35 simulated problems
(corridor, route, site, network, crossing; seeds 201 to 204; features of 70 to 80 % mAP)."""
WITHOUT_FEATURES = Weights(constant=0.36, nats=0.16, odds=0.45, at_once=-0.87, gap=0.0, likeness=0.0)
"""The same on 36,670 pairs, 1,200 of them one vehicle, of 12 problems without features."""


class Sides:
    """Tells how likely two sides are one vehicle.

    Args:
        index: the present identities.
        features: of the passages, without what cameras add (`centred`); None: there are none.
    """

    def __init__(self, index: IdentityIndex, features: Features | None = None) -> None:
        self._passages: Passages = index.passages
        self._shared_views = _shared_views(index)
        self._vector: Vectors | None = None
        self._known = np.zeros(len(index.passages), np.bool_)
        self._means: dict[tuple[int, int, int], Vectors | None] = {}
        if features is not None and features[0].shape[1] and features[1].any():
            self._known = features[1]
            self._vector = features[0]
            self._mean, self._deviation = self._of_any_two(index)

    def probability(self, first: Ints, second: Ints, nats: float, share: float) -> float:
        """That both are one vehicle.

        Args:
            first, second: rows of the passages of each side.
            nats: log-likelihood ratio of the pairs of passages between them.
            share: probability that a passage of the one is the next of one of the other.
        """
        p = self._passages
        both = np.minimum(p.end[first][:, None], p.end[second]) - np.maximum(p.start[first][:, None], p.start[second])
        a, b = p.camera[first][:, None], p.camera[second]
        at_once = float(np.where(self._shared_views[a, b] | (a == b), 0.0, both.clip(0.0)).sum())
        gap = max(
            float(p.start[second].min() - p.end[first].max()), float(p.start[first].min() - p.end[second].max()), 0.0
        )
        inside = min(max(share, 1e-9), 1.0 - 1e-9)
        w = WITHOUT_FEATURES if self._vector is None else WITH_FEATURES
        value = (
            w.constant
            + w.nats * _bounded(nats)
            + w.odds * _bounded(log(inside) - log1p(-inside))
            + w.at_once * log1p(at_once)
            + w.gap * log1p(gap)
            + w.likeness * self._likeness(first, second)
        )
        return 1.0 / (1.0 + exp(-value))

    def seen_at_once(self, first: Ints, second: Ints) -> bool:
        """Whether one camera sees both sides at once, so that they cannot be one vehicle."""
        p = self._passages
        here = p.camera[first][:, None] == p.camera[second]
        both = (p.first_frame[first][:, None] <= p.last_frame[second]) & (
            p.first_frame[second] <= p.last_frame[first][:, None]
        )
        return bool((here & both).any())

    def _likeness(self, first: Ints, second: Ints) -> float:
        """Standard deviations by which the sides are more alike than any two identities are on average."""
        if self._vector is None:
            return 0.0
        means = [self._mean_of(rows) for rows in (first, second)]
        if means[0] is None or means[1] is None:
            return UNKNOWN
        return _bounded((float(means[0] @ means[1]) - self._mean) / self._deviation, FAR)

    def _mean_of(self, rows: Ints) -> Vectors | None:
        """(d,) mean feature of length 1; None without one."""
        assert self._vector is not None
        # A side is a stretch of an identity in time, so this tells it from all others.
        side = int(rows[0]), int(rows[-1]), len(rows)
        if side not in self._means:
            known = rows[self._known[rows]]
            self._means[side] = _unit(self._vector[known].mean(axis=0, keepdims=True))[0] if len(known) else None
        return self._means[side]

    def _of_any_two(self, index: IdentityIndex) -> tuple[float, float]:
        """Mean and standard deviation of the similarity of two identities."""
        chosen = np.unique(np.linspace(0, len(index) - 1, min(SAMPLE, len(index))).astype(np.int64))
        means = [mean for mean in (self._mean_of(index.at(place)) for place in chosen.tolist()) if mean is not None]
        if len(means) < 2:
            return 0.0, 1.0
        table = np.stack(means) @ np.stack(means).T
        some = table[np.triu_indices(len(table), 1)]
        return float(some.mean()), max(float(some.std()), 1e-3)


def _shared_views(index: IdentityIndex) -> npt.NDArray[np.bool_]:
    """(cameras, cameras) which two cameras see a vehicle at once, as the present identities have it."""
    p = index.passages
    count = int(p.camera.max(initial=0)) + 1
    at_once = p.end[index.source] > p.start[index.target]
    a, b = p.camera[index.source[at_once]], p.camera[index.target[at_once]]
    seen = np.zeros((count, count), np.bool_)
    seen[a, b] = seen[b, a] = True
    return seen


def centred(features: Features, camera: npt.NDArray[np.int32]) -> Features:
    """Features of length 1 without the mean of their camera, so that one camera's passages are not alike for that."""
    vector, known = np.array(features[0], np.float32), features[1]
    for number in np.unique(camera[known]).tolist():
        rows = np.flatnonzero(known & (camera == number))
        vector[rows] -= vector[rows].mean(axis=0)
    return _unit(vector), known


def _bounded(value: float, bound: float = BOUND) -> float:
    return min(max(value, -bound), bound)


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / np.maximum(np.linalg.norm(vector, axis=1, keepdims=True), 1e-9), np.float32)
