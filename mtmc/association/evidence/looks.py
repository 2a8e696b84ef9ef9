"""Looks: how alike the tracks of whole identities are, and what that says about a track and a group of tracks.

A pair of tracks compares two noisy features. Against a group, the noise of the group's features averages out, so the
same mean similarity says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage

from mtmc.association.evidence.appearance import similarities
from mtmc.association.evidence.likelihood_ratio import Scale, fit_scale
from mtmc.association.evidence.similarity_mixture import SimilarityMixture
from mtmc.association.track_summaries import TrackSummaries

SIMILARITY_MEAN = 2.5
"""Expected similarity of two tracks of one identity, in standard deviations of different ones above their mean. Raising
it expects better features. Development scenarios."""
SIMILARITY_DEVIATION = 1.0
"""Expected standard deviation of these similarities, in standard deviations of different ones. Raising it expects
features of more varied quality. Theory: equal variances."""
SIMILARITY_STRENGTH = 3.0
"""Strength of both priors, in pairs. Raising it learns more slowly. Development scenarios."""
UNLIKE_SHARE = 0.05
"""Expected share of pairs of one identity that look like two vehicles: a wrong track, or another side. Raising it lets
other evidence overrule a low similarity. Development scenarios."""
UNLIKE_STRENGTH = 10.0
"""Strength of this prior, in pairs. Raising it learns more slowly. Development scenarios."""
UNLIKE_ROUNDS = 5
"""Rounds in which this share and the similarities of the others are estimated in turn. Raising it costs time and
changes little. Safety bound on time."""
WITHIN = 20_000
"""Pairs within identities from which is learned. Raising it costs time and changes little. Safety bound on time."""
BETWEEN = 80_000
"""Pairs of different identities from which is learned. Raising it costs time and changes little. Safety bound on
time."""
GROUP_STRENGTH = 50.0
"""Pairs within identities at which a group is trusted half as much more than a pair as theory says. Raising it needs
more tracks before whole identities count for more. Development scenarios."""
MIN_WITHIN = 50
"""Pairs within identities below which nothing is learned from them, and pairs of tracks decide as before. Raising it
leaves small scenarios to the pairs. Safety bound against a density of a handful of values."""
ANOTHER_SIDE = -3.0
"""Nats for two groups of two or more tracks being one vehicle, beside what their similarities say. Raising it joins
more fronts with rears, and more vehicles of one model. Development scenarios."""
MIN_CORRELATION = 0.05
"""Smallest expected similarity of two tracks of one vehicle. Raising it adds less evidence in large groups. Safety
bound."""
MAX_CORRELATION = 0.95
"""Largest expected similarity of two tracks of one vehicle. Raising it changes next to nothing. Safety bound."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What the similarities of tracks say.

    Attributes:
        vector: (n, d) float32, features of length 1.
        known: (n,) bool, which tracks have one.
        scale: log-likelihood ratio of a similarity.
        unlike: share of the pairs of one vehicle that look unlike.
        correlation: mean similarity of the other pairs of one vehicle.
        trust: how much of what a group is worth beyond a pair counts, from 0 to 1.
        sides: whether tracks of one vehicle may show different sides, so that some are less alike than others.
    """

    vector: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    scale: Scale
    unlike: float
    correlation: float
    trust: float
    sides: bool = False

    def pairs(self, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(m,) nats for the two tracks of each pair being one vehicle; 0 where a feature is missing."""
        known = self.known[source] & self.known[target]
        return np.where(known, self._log_ratio(similarities(self.vector, self.vector, source, target)), 0.0)

    def group(self, tracks: Sequence[int]) -> float:
        """Nats for these tracks being one vehicle against each being its own."""
        rows = np.asarray(tracks, np.int64)
        own = self.vector[rows[self.known[rows]]]
        if len(own) < 2:
            return 0.0
        similarity = own @ own.T
        ratio = self._log_ratio(similarity)
        return self._merged(similarity, ratio) if self.sides else self._added(ratio)

    def _added(self, ratio: npt.NDArray[np.float64]) -> float:
        """Each track is compared with the mean of those before it, which holds a low similarity to any against it."""
        earlier = np.arange(1, len(ratio))
        mean = np.tril(ratio, -1).sum(1)[1:] / earlier
        return float((mean * self._gain(1.0, earlier)).sum())

    def _merged(self, similarity: npt.NDArray[np.float32], ratio: npt.NDArray[np.float64]) -> float:
        """The tracks are merged by average linkage, and each merge counts with the mean of its pairs: what tells the
        sides of a vehicle apart is held against it once, not against each of its tracks."""
        n = len(ratio)
        distance = np.maximum(1.0 - similarity[np.triu_indices(n, 1)], 0.0).astype(np.float64)
        total, size = np.zeros((2 * n - 1, 2 * n - 1)), np.ones(2 * n - 1)
        total[:n, :n] = ratio
        evidence = 0.0
        for merged, (a, b) in enumerate(linkage(distance, "average")[:, :2].astype(np.int64).tolist(), n):
            evidence += float(self._gain(size[a], size[b]) * total[a, b] / (size[a] * size[b]))
            if min(size[a], size[b]) > 1:
                evidence += ANOTHER_SIDE
            size[merged] = size[a] + size[b]
            total[merged] = total[a] + total[b]
            total[:, merged] = total[:, a] + total[:, b]
        return evidence

    def _gain(self, a: float, b: float | npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """How many times more the mean similarity of a tracks and b others says than that of a pair.

        If all features of a vehicle have correlation rho: ab (1 + rho) / (1 + (a + b - 1) rho). The fewer pairs the run
        has shown, the less of that gain counts.
        """
        theory = a * b * (1.0 + self.correlation) / (1.0 + self.correlation * (a + b - 1.0))
        return np.asarray(1.0 + self.trust * (theory - 1.0), np.float64)

    def _log_ratio(self, similarity: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        ratio = np.exp(self.scale.at(similarity.astype(np.float64)))
        return np.asarray(np.log((1.0 - self.unlike) * ratio + self.unlike), np.float64)


def fit_looks_to_all(summaries: TrackSummaries, vector: npt.NDArray[np.float32]) -> Looks | None:
    """Learn what similarities say from all tracks of different cameras at once; None if they are too few.

    Args:
        summaries: the tracks; few enough for all of their pairs.
        vector: (n, d) their features.
    """
    known = summaries.weight > 0
    tracks, camera = vector[known], summaries.camera[known]
    elsewhere = np.triu(camera[:, None] != camera)
    found = SimilarityMixture.of((tracks @ tracks.T)[elsewhere].astype(np.float64), len(tracks))
    if found is None:
        return None
    trust = found.pairs / (found.pairs + GROUP_STRENGTH)
    return Looks(vector, known, found.scale, 0.0, _bounded(found.mean), trust, sides=True)


def fit_looks(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    identity: npt.NDArray[np.int64],
    different: npt.NDArray[np.float64],
) -> Looks | None:
    """Learn what similarities say from the identities found so far; None if they are too few.

    Args:
        summaries: the tracks.
        vector: (n, d) their features.
        identity: (n,) identities; some may be wrong or incomplete.
        different: (k,) similarities of tracks that are different vehicles for certain.
    """
    known = summaries.weight > 0
    within = _thinned(_within(np.flatnonzero(known), identity), WITHIN)
    if within.shape[1] < MIN_WITHIN:
        return None
    between = _between(np.flatnonzero(known), identity, summaries.camera)
    similarity = similarities(vector, vector, *np.concatenate([within, between], axis=1))
    same = np.arange(len(similarity)) < within.shape[1]
    alike, unlike = same.astype(np.float64), UNLIKE_SHARE
    for _ in range(UNLIKE_ROUNDS):
        scale = fit_scale(
            similarity,
            probability=alike,
            rest=(~same).astype(np.float64),
            prior_mean=SIMILARITY_MEAN,
            prior_deviation=SIMILARITY_DEVIATION,
            strength=SIMILARITY_STRENGTH,
            different=different,
            robust=True,
        )
        ratio = np.exp(scale.at(similarity))
        part = same * unlike / ((1.0 - unlike) * ratio + unlike)
        unlike = (float(part.sum()) + UNLIKE_STRENGTH * UNLIKE_SHARE) / (within.shape[1] + UNLIKE_STRENGTH)
        alike = same - part
    mean = float(alike @ similarity) / max(float(alike.sum()), 1e-9)
    trust = within.shape[1] / (within.shape[1] + GROUP_STRENGTH)
    return Looks(vector, known, scale, unlike, _bounded(mean), trust)


def _bounded(correlation: float) -> float:
    return float(np.clip(correlation, MIN_CORRELATION, MAX_CORRELATION))


def _within(tracks: npt.NDArray[np.int64], identity: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(2, m) all pairs of these tracks within identities."""
    order = tracks[np.argsort(identity[tracks], kind="stable")]
    found = [np.zeros((2, 0), np.int64)]
    for lag in range(1, len(order)):
        same = identity[order[lag:]] == identity[order[:-lag]]
        if not same.any():
            break
        found.append(np.stack([order[:-lag][same], order[lag:][same]]))
    return np.concatenate(found, axis=1)


def _between(
    tracks: npt.NDArray[np.int64], identity: npt.NDArray[np.int64], camera: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """(2, m) pairs of these tracks in different identities and cameras, evenly spread, at most about `BETWEEN`."""
    n = len(tracks)
    lags = np.unique(np.linspace(1, max(n // 2, 1), min(max(n // 2, 1), max(BETWEEN // max(n, 1), 1))).astype(np.int64))
    a = np.tile(tracks, len(lags))
    b = np.concatenate([np.roll(tracks, -lag) for lag in lags]) if n else tracks
    good = (identity[a] != identity[b]) & (camera[a] != camera[b])
    return np.stack([a[good], b[good]])


def _thinned(pairs: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    return pairs[:, :: max(1, -(-pairs.shape[1] // limit))]
