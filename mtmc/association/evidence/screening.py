"""Candidate pruning: keep the pairs of similar appearance when there are too many pairs to weigh them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.appearance import similarities
from mtmc.association.links.candidates import Pairs

SAMPLE = 500_000
"""Random pairs of tracks from which the similarity of different vehicles is estimated. Raising it costs time and
steadies the threshold. Theory: a quantile of 1 in 10,000 still rests on 50 pairs."""


@dataclass(frozen=True, slots=True)
class CandidatePruning:
    """Keeps the pairs that are more similar than most pairs of different vehicles.

    Attributes:
        vector: (n, d) float32, features of the tracks.
        known: (n,) bool, which tracks have a feature; pairs with a track without one are dropped.
        min_similarity: cosine similarity from which a pair is kept.
        share: share of the pairs of different vehicles that are kept.
    """

    vector: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    min_similarity: float
    share: float

    @classmethod
    def of(
        cls,
        vector: npt.NDArray[np.float32],
        known: npt.NDArray[np.bool_],
        camera: npt.NDArray[np.int32],
        share: float,
    ) -> CandidatePruning:
        """Choose the threshold so that about `share` of the pairs of two cameras are kept; deterministic.

        Args:
            vector: (n, d) float32, features of the tracks.
            known: (n,) bool, which tracks have one; they must lie in at least two cameras.
            camera: (n,) int32, the camera of each track.
            share: in (0, 1].
        """
        tracks = np.flatnonzero(known)
        random = np.random.default_rng(0)
        a, b = tracks[random.integers(len(tracks), size=(2, SAMPLE))]
        apart = camera[a] != camera[b]
        found = similarities(vector, vector, a[apart], b[apart])
        return cls(vector, known, float(np.quantile(found, 1.0 - share)), share)

    def keeps(self, pairs: Pairs) -> npt.NDArray[np.bool_]:
        """(m,) which pairs are kept."""
        a, b = pairs.source, pairs.target
        alike = similarities(self.vector, self.vector, a, b) >= self.min_similarity
        return np.asarray(alike & self.known[a] & self.known[b], np.bool_)
