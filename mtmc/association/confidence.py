"""How sure joins and identities are: probabilities that mean what they say.

Learning's probabilities are those of candidate pairs being consecutive tracks of a vehicle. The result is another one:
some joins are made by local search, tracks of overlapping views are no successors of each other, and evidence that is
not independent adds up. So the probability that the two tracks of a join are one vehicle is a logistic function of the
pair's evidence and of its probability (Platt scaling), and that of an identity being one vehicle a logistic function
of the product of its joins'. Both were fitted to simulated traffic, and tested on other seeds; see docs/association.md.

Source: J. Platt, "Probabilistic outputs for support vector machines", 1999.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.table import Table

JOIN = (0.5, 0.42, 0.136)
"""Constant, factor of the evidence and factor of the log odds of a join, in nats. Raising them gives joins more
probability. Development scenarios: fitted by `python benchmarks/reliability.py --fit`."""
IDENTITY = (0.219, 0.962)
"""Constant, in nats, and factor of the log odds of the product of an identity's joins. Raising them gives identities
more probability. Development scenarios: fitted by the same command."""
BOUND = 12.0
"""Nats to which evidence and log odds are limited. Raising it lets single pairs be surer. Theory: nothing is surer than
one in a hundred thousand."""
NO_PAIR = -6.0
"""Nats that stand for the evidence and the log odds of a join without a candidate pair. Raising it gives such joins
more probability. Theory: they follow from other pairs alone."""


@dataclass(frozen=True, slots=True)
class Joins(Table):
    """The joins that make up the identities: one for each track but the first of an identity.

    Attributes:
        source: (k,) int64, row of an earlier track of the identity: the one that ties the track to it.
        target: (k,) int64, row of the track.
        probability: (k,) float64, that both are one vehicle.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JoinEvidence:
    """What the probability of a join is computed from.

    Attributes:
        source, target: (k,) int64, see `Joins`.
        nats: (k,) float64, the log-likelihood ratio of the best candidate pair, or what all tracks of the identity
            say about the later one where whole identities were compared.
        log_odds: (k,) float64, of the probability that they are consecutive.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    nats: npt.NDArray[np.float64]
    log_odds: npt.NDArray[np.float64]


def join_evidence(
    identity: npt.NDArray[np.int64],
    start: npt.NDArray[np.float64],
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    *,
    log_ratio: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    support: npt.NDArray[np.float64] | None = None,
) -> JoinEvidence:
    """The joins of the identities and what is known about them.

    Args:
        identity: (n,) of each track.
        start: (n,) seconds of its first box.
        source, target: (m,) candidate pairs; the source starts first, a pair may occur several times.
        log_ratio: (m,) nats.
        probability: (m,) of the pair being consecutive.
        support: (n,) nats that the identity of each track loses without it, where whole identities were compared.
    """
    n = max(len(identity), 1)
    inside = np.flatnonzero(identity[source] == identity[target]) if len(source) else np.zeros(0, np.int64)
    key, pair = np.unique(source[inside] * n + target[inside], return_inverse=True)
    pair = pair.reshape(-1)
    nats = np.log(np.maximum(np.bincount(pair, np.exp(np.clip(log_ratio[inside], -60.0, 25.0)), len(key)), 1e-30))
    share = np.clip(np.bincount(pair, probability[inside], len(key)), 1e-9, 1.0 - 1e-9)
    log_odds = np.log(share) - np.log1p(-share)
    a, b = key // n, key % n
    best = np.full(len(identity), -1, np.int64)
    for row in np.argsort(nats, kind="stable").tolist():
        best[b[row]] = row
    order = np.lexsort((np.arange(len(identity)), start, identity))
    later = np.flatnonzero(np.diff(identity[order]) == 0) + 1
    tracks, before = order[later], order[later - 1]
    found = best[tracks]
    known = found >= 0
    row = np.maximum(found, 0)
    earlier, worth, odds = before, np.full(len(tracks), NO_PAIR), np.full(len(tracks), NO_PAIR)
    if len(key):
        earlier = np.where(known, a[row], before)
        worth, odds = np.where(known, nats[row], NO_PAIR), np.where(known, log_odds[row], NO_PAIR)
    if support is not None:
        worth = support[tracks]
    return JoinEvidence(earlier, tracks, np.clip(worth, -BOUND, BOUND), np.clip(odds, -BOUND, BOUND))


def join_probability(evidence: JoinEvidence) -> Joins:
    """The joins with their probabilities."""
    constant, nats, odds = JOIN
    value = constant + nats * evidence.nats + odds * evidence.log_odds
    return Joins(evidence.source, evidence.target, np.asarray(1.0 / (1.0 + np.exp(-value)), np.float64))


def identity_probability(identity: npt.NDArray[np.int64], joins: Joins) -> npt.NDArray[np.float64]:
    """(n,) probability that the identity of each track is one vehicle; 1 for a track on its own.

    >>> joins = Joins(np.array([0]), np.array([1]), np.array([0.9]))
    >>> identity_probability(np.array([1, 1, 2]), joins)[2].item()
    1.0
    """
    if not len(identity):
        return np.zeros(0)
    _, number = np.unique(identity, return_inverse=True)
    number = number.reshape(-1)
    total = np.bincount(number[joins.target], np.log(np.maximum(joins.probability, 1e-12)), int(number.max()) + 1)
    alone = np.bincount(number[joins.target], minlength=len(total)) == 0
    odds = np.clip(total - np.log(np.maximum(-np.expm1(np.minimum(total, -1e-12)), 1e-12)), -BOUND, BOUND)
    constant, factor = IDENTITY
    sure = np.where(alone, 1.0, 1.0 / (1.0 + np.exp(-(constant + factor * odds))))
    return np.asarray(sure[number], np.float64)
