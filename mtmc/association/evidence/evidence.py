"""What is measured once for each candidate pair, and what it is worth given the current probabilities of the pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.evidence.ground import ground_log_ratio
from mtmc.association.evidence.likelihood_ratio import fit_scale
from mtmc.association.evidence.overlapping_views import place_offsets
from mtmc.association.evidence.screening import CandidatePruning
from mtmc.association.evidence.traits import Trait, label_log_ratio
from mtmc.association.links.candidates import LinkTable, PairKind, Pairs
from mtmc.association.links.zones import TrackEnds, standardise
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries

SIMILARITY_MEAN = 2.5
"""Expected similarity of true pairs, in standard deviations of false pairs above their mean. Raising it expects better
features. Development scenarios."""
SIMILARITY_DEVIATION = 1.0
"""Expected standard deviation of the similarity of true pairs, in standard deviations of false pairs. Raising it
expects features of more varied quality. Theory: equal variances."""
SIMILARITY_STRENGTH = 10.0
"""Strength of the priors `SIMILARITY_MEAN` and `SIMILARITY_DEVIATION`, in true pairs. Raising it learns more slowly.
Development scenarios."""
UNLIKE_SHARE = 0.05
"""Expected share of true pairs whose similarity is uninformative because the tracks show different sides of the
vehicle. Raising it lets other evidence overrule a low similarity until the run has taught better. Development
scenarios."""
UNLIKE_STRENGTH = 10.0
"""Strength of the prior `UNLIKE_SHARE`, and of the share of all pairs in that of two cameras, in true pairs. Raising it
learns more slowly. Development scenarios."""
UNLIKE_ROUNDS = 3
"""Rounds in which the share of unlike pairs and the similarities of the others are estimated in turn. Raising it costs
time and changes little. Safety bound on time: learning repeats them."""
SIZE_CORRELATION = 0.7
"""Expected correlation of a vehicle's sizes in two tracks. Raising it trusts sizes more. Development scenarios."""
SIZE_STRENGTH = 100.0
"""Strength of the prior `SIZE_CORRELATION`, in true pairs. Raising it learns more slowly. It is large because sizes
agree only by chance where a platoon is paired with a shift by one vehicle, and would be learned to be useless.
Development scenarios."""
LANE_CORRELATION = 0.2
"""Expected correlation of the lanes in which a vehicle leaves and enters. Raising it trusts lanes more. Development
scenarios."""
LANE_STRENGTH = 15.0
"""Strength of the prior `LANE_CORRELATION`, in true pairs. Raising it learns more slowly. Development scenarios."""
STAY_CORRELATION = 0.4
"""Expected correlation of the times for which a vehicle is in view of two overlapping cameras. Raising it trusts them
more. Development scenarios."""
STAY_STRENGTH = 15.0
"""Strength of the prior `STAY_CORRELATION`, in true pairs. Raising it learns more slowly. Development scenarios."""
ZONE_STRENGTH = 10.0
"""Number of tracks in a zone at which sizes are compared half within the zone and half within its camera. Raising it
compares more within the camera. Development scenarios."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measured values of candidate pairs, one row per pair.

    Attributes:
        similarity: (m,) float64, cosine similarity of the two features, NaN where one is missing.
        traits: size, lane and the time in view.
        label: (m, 2) int16, classes of both tracks.
        offset: (m, 2) float64, see `place_offsets`.
        spread: (m,) float64, see `place_offsets`.
        cameras: (m,) int64, a number for each ordered pair of cameras.
        different: (k,) float64, similarities of tracks that are different vehicles for certain.
        pruning: how the candidate pairs were pruned by appearance; None if they were not.
    """

    similarity: npt.NDArray[np.float64]
    traits: tuple[Trait, ...]
    label: npt.NDArray[np.int16]
    offset: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    cameras: npt.NDArray[np.int64]
    different: npt.NDArray[np.float64]
    pruning: CandidatePruning | None = None

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Evidence:
        traits = tuple(Trait(t.name, t.u[rows], t.v[rows], t.prior, t.strength) for t in self.traits)
        return Evidence(
            self.similarity[rows],
            traits,
            self.label[rows],
            self.offset[rows],
            self.spread[rows],
            self.cameras[rows],
            self.different,
            self.pruning,
        )

    def log_ratios(
        self,
        probability: npt.NDArray[np.float64],
        together: npt.NDArray[np.bool_],
        group: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int16],
        settings: AssociationSettings,
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Log-likelihood ratios in nats by term, each (m,); terms that are off or were not measured are left out.

        Args:
            probability: (m,) probability of each pair, from the previous round.
            together: (m,) whether both tracks are believed to be the same vehicle, perhaps through other tracks. When
                many cameras see one vehicle, most pairs of its tracks are not consecutive, and must not count as
                examples of different vehicles.
            group: (m,) number of each pair's link, see `Pairs.group`.
            labels: (n,) classes of all tracks.
            settings: the switches.
        """
        terms: dict[str, npt.NDArray[np.float64]] = {}
        if settings.appearance and np.isfinite(self.similarity).any():
            terms["appearance"] = self._appearance(probability, together)
        for trait in self.traits:
            if getattr(settings, trait.name):
                terms[trait.name] = terms.get(trait.name, 0.0) + trait.log_ratio(probability, group)
        if settings.label:
            terms["label"] = label_log_ratio(self.label[:, 0], self.label[:, 1], probability, labels)
        if settings.ground and np.isfinite(self.spread).any():
            terms["ground"] = ground_log_ratio(self.offset, self.spread, probability, self.cameras)
        return terms

    def _appearance(
        self, probability: npt.NDArray[np.float64], together: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        """(m,) log-likelihood ratios of the similarities in nats."""
        rest = np.where(together, 0.0, np.clip(1.0 - probability, 0.0, 1.0))
        different, pruning = self.different, self.pruning
        if pruning is not None:
            different = different[different >= pruning.min_similarity]
        # Front and rear of a vehicle can look like two vehicles: such true pairs are as dissimilar as false ones.
        alike, known = probability, np.isfinite(self.similarity)
        ratio, unlike = np.zeros(len(probability)), np.zeros(0)
        for _ in range(UNLIKE_ROUNDS):
            scale = fit_scale(
                self.similarity,
                probability=alike,
                rest=rest,
                prior_mean=SIMILARITY_MEAN,
                prior_deviation=SIMILARITY_DEVIATION,
                strength=SIMILARITY_STRENGTH,
                different=different,
            )
            ratio = np.exp(scale.at(self.similarity))
            if not len(unlike):
                unlike = np.full(len(ratio), UNLIKE_SHARE)
            part = np.where(known, probability * unlike / ((1.0 - unlike) * ratio + unlike), 0.0)
            unlike = self._unlike_share(part, np.where(known, probability, 0.0))
            alike = probability - part
        if pruning is not None:
            # The scale was learned among similar pairs; that a pair is one of these is evidence of its own.
            ratio = ratio / np.where(self.similarity >= pruning.min_similarity, pruning.share, 1.0)
        return np.asarray(np.log((1.0 - unlike) * ratio + unlike), np.float64)

    def _unlike_share(
        self, unlike: npt.NDArray[np.float64], probability: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """(m,) share of the true pairs of the same two cameras that look unlike, drawn towards that of all pairs.

        Args:
            unlike: (m,) probability that a pair is true and looks unlike.
            probability: (m,) probability that it is true.
        """
        strength = UNLIKE_STRENGTH
        overall = (float(unlike.sum()) + strength * UNLIKE_SHARE) / (float(probability.sum()) + strength)
        own, every = np.bincount(self.cameras, unlike), np.bincount(self.cameras, probability)
        return np.asarray(((own + strength * overall) / (every + strength))[self.cameras], np.float64)


def measure(
    summaries: TrackSummaries,
    pairs: Pairs,
    *,
    table: LinkTable,
    entries: TrackEnds,
    exits: TrackEnds,
    similarity: npt.NDArray[np.float64],
    views: OverlappingViews,
    different: npt.NDArray[np.float64] | None = None,
    pruning: CandidatePruning | None = None,
) -> Evidence:
    """Measure candidate pairs.

    Args:
        summaries: the tracks.
        pairs: the candidate pairs.
        table: the links.
        entries, exits: the tracks' ends.
        similarity: (m,) cosine similarity, NaN where unknown.
        views: overlapping fields of view of uncalibrated cameras.
        different: (k,) similarities of tracks that are different vehicles for certain.
        pruning: how the candidate pairs were pruned by appearance, if they were.
    """
    a, b = pairs.source, pairs.target
    count = len(summaries.cameras)
    overlap, succession = np.zeros(len(pairs), np.bool_), np.zeros(len(pairs), np.bool_)
    linked = pairs.of_kind(PairKind.LINK)
    overlap[linked] = table.overlap[pairs.link[linked]]
    succession[linked] = ~overlap[linked]
    size_in, size_out = _sizes(summaries, entries), _sizes(summaries, exits)
    stay = standardise(summaries.end - summaries.start, entries.zone, len(entries.camera))
    nan = np.nan
    traits = (
        Trait("size", size_out[a], size_in[b], prior=SIZE_CORRELATION, strength=SIZE_STRENGTH),
        Trait(
            "lane",
            np.where(succession, exits.lateral[a], nan),
            np.where(succession, entries.lateral[b], nan),
            prior=LANE_CORRELATION,
            strength=LANE_STRENGTH,
        ),
        Trait(
            "travel_time",
            np.where(overlap, stay[a], nan),
            np.where(overlap, stay[b], nan),
            prior=STAY_CORRELATION,
            strength=STAY_STRENGTH,
        ),
    )
    offset = np.full((len(pairs), 2), nan)
    spread = np.full(len(pairs), nan)
    # Whenever both tracks are in view at once, even if a succession would join them: a vehicle is in one place.
    rows = np.flatnonzero((summaries.start[b] <= summaries.end[a]) & (summaries.camera[a] != summaries.camera[b]))
    if len(rows):
        offset[rows], spread[rows] = place_offsets(summaries, views, a[rows], b[rows])
    cameras = summaries.camera[a].astype(np.int64) * count + summaries.camera[b]
    _, cameras = np.unique(cameras, return_inverse=True)
    label = np.column_stack([summaries.label[a], summaries.label[b]])
    different = np.zeros(0) if different is None else different
    return Evidence(similarity, traits, label, offset, spread, cameras.reshape(-1).astype(np.int64), different, pruning)


def _sizes(summaries: TrackSummaries, ends: TrackEnds) -> npt.NDArray[np.float64]:
    """(n,) normal scores of the sizes among comparable tracks: of the same zone if it has enough of them, else of the
    same camera."""
    within = standardise(summaries.size, ends.zone, len(ends.camera))
    around = standardise(summaries.size, summaries.camera.astype(np.int64), len(summaries.cameras))
    count = np.bincount(ends.zone, minlength=len(ends.camera))[ends.zone]
    trust = count / (count + ZONE_STRENGTH)
    result: npt.NDArray[np.float64] = trust * within + (1.0 - trust) * around
    return result
