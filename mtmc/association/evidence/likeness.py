"""Likeness: how similar two groups of tracks are, and what that says about both being one vehicle.

The similarity of two tracks is high for two vehicles of one model, too. The mean similarity of two groups says more:
noise averages out, and what is left tells one vehicle from another of its model. How alike the halves of a vehicle are,
and how alike vehicles are, is learned from the identities of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from mtmc.association.evidence.likelihood_ratio import Scale, fit_scale
from mtmc.association.track_summaries import TrackSummaries

MIN_GROUP = 2
"""Tracks of a group. Raising it compares fewer groups, with less noise. Theory: the similarity within a group has to be
known."""
MIN_GROUPS = 6
"""Groups below which nothing is learned. Raising it leaves small scenarios as they are. Safety bound against a density
of a handful of values."""
MIN_HALVED = 4
"""Identities with two halves below which nothing is learned. Raising it does the same. Safety bound likewise."""
OWN_STRENGTH = 10.0
"""Pairs of tracks that the usual similarity within groups is worth beside a group's own. Raising it trusts the
similarity within small groups less. Development scenarios."""
MIN_OWN = 0.05
"""Smallest similarity within a group. Raising it makes groups of poor features less alike. Safety bound."""
MEAN = 8.0
"""Expected likeness of halves of one vehicle, in standard deviations of that of two vehicles above its mean. Raising it
splits more where identities are few. Development scenarios."""
DEVIATION = 1.0
"""Expected standard deviation of it, in the same. Raising it splits less where identities are few. Theory: equal
variances."""
STRENGTH = 1.0
"""Strength of both, in identities. Raising it learns more slowly. Development scenarios."""
UNUSUAL_SHARE = 0.01
"""Share of vehicles with halves that look unlike, such as a broken feature. Raising it splits less. Development
scenarios."""
MAX_LIKENESS = 1.5
"""Bound of likeness. Raising it changes nothing. Safety bound: noise brings it a little above 1."""
PAIRS = 80_000
"""Pairs of groups from which is learned. Raising it costs time and changes little. Safety bound on time."""

Halves = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What the likeness of two groups says.

    Attributes:
        vector: (n, d) float32, features of length 1.
        usual: similarity within a typical group.
        middle: likeness of the halves of a typical vehicle.
        scale: log-likelihood ratio of a likeness: of halves of one vehicle against two vehicles.
        single: the same for a track and a group; None if not learned.
    """

    vector: npt.NDArray[np.float32]
    usual: float
    middle: float
    scale: Scale
    single: Scale | None

    def of(self, groups: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
        """(k, k) likeness of each two of k groups of tracks."""
        return _likeness(self.vector, groups, self.usual)

    def log_ratio(self, likeness: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Nats for two groups of this likeness being one vehicle."""
        return _log_ratio(self.scale, likeness)

    def between(self, groups: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.float64]:
        """(k, k) nats for each two of k groups being one vehicle; 0 for two single tracks."""
        alone = np.array([len(group) < MIN_GROUP for group in groups])
        likeness = self.of(groups)
        ratio = self.log_ratio(likeness)
        one = alone[:, None] != alone
        ratio[one] = _log_ratio(self.single, likeness[one]) if self.single is not None else 0.0
        ratio[alone[:, None] & alone] = 0.0
        return ratio


def _log_ratio(scale: Scale, likeness: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.log((1.0 - UNUSUAL_SHARE) * np.exp(scale.at(likeness)) + UNUSUAL_SHARE), np.float64)


def fit_likeness(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    identity: npt.NDArray[np.int64],
    strangers: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    *,
    singles: bool = False,
) -> Likeness | None:
    """Learn what likeness says from identities; None if they are too few.

    Args:
        summaries: the tracks.
        vector: (n, d) their features.
        identity: (n,) identities found so far; some may be wrong.
        strangers: tracks that are different vehicles for certain.
        singles: whether to learn what the likeness of a track and a group says, too.
    """
    groups = groups_of(summaries, identity)
    halved = [halves for group in groups if (halves := halves_of(vector, group)) is not None]
    if len(groups) < MIN_GROUPS or len(halved) < MIN_HALVED:
        return None
    usual = _usual(vector, groups)
    scaled = _scaled(vector, groups, usual)
    alike = np.array([_likeness(vector, halves, usual)[0, 1] for halves in halved])
    others = _bounded(np.einsum("md,md->m", *(scaled[each] for each in _spread(len(groups)))))
    number = _number(summaries, groups)
    first, second = (number[each] for each in strangers)
    seen = (first >= 0) & (second >= 0) & (first != second)
    certain = np.unique(np.sort([first[seen], second[seen]], axis=0), axis=1)
    different = _bounded(np.einsum("md,md->m", *(scaled[each] for each in certain)))
    single = _single(summaries, vector, groups, usual, strangers) if singles else None
    return Likeness(vector, usual, float(np.median(alike)), _scale(alike, others, different), single)


def _single(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    groups: Sequence[npt.NDArray[np.int64]],
    usual: float,
    strangers: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> Scale | None:
    """See `Likeness.single`: learned from each track and the rest of its identity, against tracks and other groups."""
    larger = [group for group in groups if len(group) > MIN_GROUP]
    rest = [(np.array([track]), group[group != track]) for group in larger for track in group.tolist()]
    if len(rest) < MIN_HALVED:
        return None
    alike = np.array([_likeness(vector, pair, usual)[0, 1] for pair in rest])
    own, scaled = vector / np.sqrt(max(usual, MIN_OWN)), _scaled(vector, groups, usual)
    number = _number(summaries, groups)

    def likeness(track: npt.NDArray[np.int64], group: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        other = number[track] != group
        return _bounded(np.einsum("md,md->m", own[track[other]], scaled[group[other]]))

    known = np.flatnonzero(summaries.weight > 0)
    lags = np.unique(np.linspace(0, len(groups) - 1, min(len(groups), max(PAIRS // len(known), 1))).astype(np.int64))
    near = np.concatenate([(np.arange(len(known)) + lag) % len(groups) for lag in lags.tolist()])
    seen = np.concatenate([np.stack([a, number[b]]) for a, b in (strangers, strangers[::-1])], axis=1)
    seen = np.unique(seen[:, (seen[1] >= 0) & (summaries.weight[seen[0]] > 0)], axis=1)
    return _scale(alike, likeness(np.tile(known, len(lags)), near), likeness(seen[0], seen[1]))


def _number(summaries: TrackSummaries, groups: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """(n,) the group of each track, -1 for none."""
    number = np.full(len(summaries), -1, np.int64)
    for place, group in enumerate(groups):
        number[group] = place
    return number


def _scale(
    alike: npt.NDArray[np.float64], others: npt.NDArray[np.float64], different: npt.NDArray[np.float64]
) -> Scale:
    value = np.concatenate([alike, others])
    same = np.arange(len(value)) < len(alike)
    return fit_scale(
        value,
        probability=same.astype(np.float64),
        rest=(~same).astype(np.float64),
        prior_mean=MEAN,
        prior_deviation=DEVIATION,
        strength=STRENGTH,
        different=different,
        robust=True,
    )


def _bounded(likeness: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.clip(likeness, -MAX_LIKENESS, MAX_LIKENESS), np.float64)


def groups_of(
    summaries: TrackSummaries, identity: npt.NDArray[np.int64], least: int = MIN_GROUP
) -> list[npt.NDArray[np.int64]]:
    """The tracks with features of each identity that has at least that many of them."""
    known = np.flatnonzero(summaries.weight > 0)
    order = known[np.argsort(identity[known], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(identity[order])) + 1)
    return [group for group in groups if len(group) >= least]


def halves_of(vector: npt.NDArray[np.float32], tracks: npt.NDArray[np.int64]) -> Halves | None:
    """The last two clusters of average linkage, the larger one first; None if one has less than `MIN_GROUP` tracks."""
    if len(tracks) < 2 * MIN_GROUP:
        return None
    distance = np.maximum(1.0 - (vector[tracks] @ vector[tracks].T).astype(np.float64), 0.0)
    np.fill_diagonal(distance, 0.0)
    first = fcluster(linkage(squareform(distance, checks=False), "average"), 2, "maxclust") == 1
    halves = sorted((tracks[first], tracks[~first]), key=len, reverse=True)
    return (halves[0], halves[1]) if len(halves[1]) >= MIN_GROUP else None


def _sums(
    vector: npt.NDArray[np.float32], groups: Sequence[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(k, d) sums of the features of groups, (k,) numbers of tracks and (k,) mean similarities within them."""
    total = np.array([vector[group].sum(0, dtype=np.float64) for group in groups])
    size = np.array([len(group) for group in groups], np.float64)
    return total, size, ((total**2).sum(1) - size) / np.maximum(size * (size - 1.0), 1.0)


def _usual(vector: npt.NDArray[np.float32], groups: Sequence[npt.NDArray[np.int64]]) -> float:
    """Similarity within a typical group, of the larger ones if there are any."""
    _, size, own = _sums(vector, groups)
    larger = size > MIN_GROUP
    return float(np.median(own[larger] if larger.any() else own))


def _scaled(
    vector: npt.NDArray[np.float32], groups: Sequence[npt.NDArray[np.int64]], usual: float
) -> npt.NDArray[np.float64]:
    """(k, d) mean features of groups, of which the scalar product is the likeness.

    Likeness is the mean similarity between two groups over that within them: 1 if only noise tells them apart. It is a
    correlation corrected for attenuation (Spearman, "The proof and measurement of association between two things",
    1904).
    """
    total, size, own = _sums(vector, groups)
    pairs = size * (size - 1.0) / 2.0
    own = np.maximum((pairs * own + OWN_STRENGTH * usual) / (pairs + OWN_STRENGTH), MIN_OWN)
    return np.asarray(total / (size * np.sqrt(own))[:, None], np.float64)


def _likeness(
    vector: npt.NDArray[np.float32], groups: Sequence[npt.NDArray[np.int64]], usual: float
) -> npt.NDArray[np.float64]:
    scaled = _scaled(vector, groups, usual)
    return _bounded(scaled @ scaled.T)


def _spread(n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of n groups, evenly spread, about `PAIRS` at most."""
    half = max(n // 2, 1)
    lags = np.unique(np.linspace(1, half, min(half, max(PAIRS // n, 1))).astype(np.int64))
    return np.tile(np.arange(n), len(lags)), np.concatenate([np.roll(np.arange(n), -lag) for lag in lags.tolist()])
