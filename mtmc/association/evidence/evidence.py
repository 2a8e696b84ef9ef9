"""What is measured once of each candidate pair, and what it is worth, given how probable the pairs are by now."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.common_views import CommonViews
from mtmc.association.evidence.ground import ground_log_ratio
from mtmc.association.evidence.likelihood_ratio import fit_scale
from mtmc.association.evidence.overlapping_views import place_offsets
from mtmc.association.evidence.traits import Trait, label_log_ratio
from mtmc.association.links.candidates import Pairs
from mtmc.association.links.zones import TrackEnds, standardise
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries

UNLIKE_SHARE = 0.1
"""Share of true pairs whose similarity says nothing: no view and no crop is common to both."""
SIZE_CORRELATION, SIZE_STRENGTH = 0.7, 100.0
"""Expected correlation of a vehicle's sizes in two tracks, and how many true pairs that is worth. Much: where a platoon
is paired with a shift, sizes agree no better than chance, and would be learned to say nothing."""
ZONE_STRENGTH = 10.0
"""Tracks that a zone needs before sizes are compared within it rather than within its camera."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measured values of candidate pairs, one row a pair.

    Attributes:
        similarity: (m,) float64, cosine of the two features, NaN where one is missing.
        traits: size, lane and the like.
        label: (m, 2) int16, classes of both tracks.
        offset, spread: (m, 2) and (m,), of `place_offsets`, for overlaps.
        cameras: (m,) int64, a number for each two cameras.
        screened: least similarity of the pairs that were let in, and the share of pairs of unlike vehicles that reach
            it; None where all were.
    """

    similarity: npt.NDArray[np.float64]
    traits: tuple[Trait, ...]
    label: npt.NDArray[np.int16]
    offset: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]
    cameras: npt.NDArray[np.int64]
    screened: tuple[float, float] | None = None

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Evidence:
        traits = tuple(Trait(t.name, t.u[rows], t.v[rows], t.prior, t.strength) for t in self.traits)
        return Evidence(
            self.similarity[rows],
            traits,
            self.label[rows],
            self.offset[rows],
            self.spread[rows],
            self.cameras[rows],
            self.screened,
        )

    def log_ratios(
        self,
        probability: npt.NDArray[np.float64],
        together: npt.NDArray[np.bool_],
        link: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int16],
        settings: AssociationSettings,
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Log-likelihood ratios (m,) by term; terms that are switched off or not measured are left out.

        Args:
            probability: (m,) probability of each pair, from the round before.
            together: (m,) whether both are held to be the same vehicle, if only by way of others: with many views of
                one vehicle most of its pairs are not next to each other, and must not be taken for false ones.
            link: (m,) link of each pair.
            labels: (n,) classes of all tracks.
            settings: the switches.
        """
        terms: dict[str, npt.NDArray[np.float64]] = {}
        if settings.appearance and np.isfinite(self.similarity).any():
            rest = np.where(together, 0.0, np.clip(1.0 - probability, 0.0, 1.0))
            scale = fit_scale(self.similarity, probability, rest, prior_mean=2.5, prior_deviation=1.0, strength=10.0)
            ratio = scale.at(self.similarity)
            if self.screened is not None:
                # Learned among look-alikes; that a pair is one of them is evidence already.
                ratio = ratio - np.where(self.similarity >= self.screened[0], np.log(self.screened[1]), 0.0)
            # Front and rear of a vehicle may look like two: a share of true pairs is as unlike as false ones.
            terms["appearance"] = np.log((1.0 - UNLIKE_SHARE) * np.exp(ratio) + UNLIKE_SHARE)
        for trait in self.traits:
            if getattr(settings, trait.name):
                terms[trait.name] = terms.get(trait.name, 0.0) + trait.log_ratio(probability, link)
        if settings.label:
            terms["label"] = label_log_ratio(self.label[:, 0], self.label[:, 1], probability, labels)
        if settings.ground and np.isfinite(self.spread).any():
            terms["ground"] = ground_log_ratio(self.offset, self.spread, probability, self.cameras)
        return terms


def measure(
    summaries: TrackSummaries,
    pairs: Pairs,
    overlap: npt.NDArray[np.bool_],
    succession: npt.NDArray[np.bool_],
    entries: TrackEnds,
    exits: TrackEnds,
    similarity: npt.NDArray[np.float64],
    common: CommonViews,
) -> Evidence:
    """Measure candidate pairs.

    Args:
        summaries: the tracks.
        pairs: (m) candidates.
        overlap, succession: (m,) kinds; neither: a fragment.
        entries, exits: the tracks' ends.
        similarity: (m,) as in `Evidence`.
        common: views of cameras without calibration that overlap.
    """
    a, b = pairs.source, pairs.target
    count = len(summaries.cameras)
    size_in, size_out = _sizes(summaries, entries), _sizes(summaries, exits)
    stay = standardise(summaries.end - summaries.start, entries.zone, len(entries.camera))
    nan = np.nan
    traits = (
        Trait("size", size_out[a], size_in[b], prior=SIZE_CORRELATION, strength=SIZE_STRENGTH),
        Trait(
            "lane",
            np.where(succession, exits.lateral[a], nan),
            np.where(succession, entries.lateral[b], nan),
            prior=0.2,
            strength=15.0,
        ),
        Trait(
            "travel_time", np.where(overlap, stay[a], nan), np.where(overlap, stay[b], nan), prior=0.4, strength=15.0
        ),
    )
    offset = np.full((len(pairs), 2), nan)
    spread = np.full(len(pairs), nan)
    # Whenever both are seen at once, also where a succession would join them: one vehicle is in one place.
    rows = np.flatnonzero((summaries.start[b] <= summaries.end[a]) & (summaries.camera[a] != summaries.camera[b]))
    if len(rows):
        offset[rows], spread[rows] = place_offsets(summaries, common, a[rows], b[rows])
    cameras = summaries.camera[a].astype(np.int64) * count + summaries.camera[b]
    _, cameras = np.unique(cameras, return_inverse=True)
    label = np.column_stack([summaries.label[a], summaries.label[b]])
    return Evidence(similarity, traits, label, offset, spread, cameras.reshape(-1).astype(np.int64))


def _sizes(summaries: TrackSummaries, ends: TrackEnds) -> npt.NDArray[np.float64]:
    """(n,) normal scores of the sizes among tracks that are seen alike: of the same zone, where it has enough of them,
    else of the same camera."""
    within = standardise(summaries.size, ends.zone, len(ends.camera))
    around = standardise(summaries.size, summaries.camera.astype(np.int64), len(summaries.cameras))
    count = np.bincount(ends.zone, minlength=len(ends.camera))[ends.zone]
    trust = count / (count + ZONE_STRENGTH)
    result: npt.NDArray[np.float64] = trust * within + (1.0 - trust) * around
    return result
