"""Which pairs look alike enough to be weighed, where there are too many to weigh them all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.appearance import similarities
from mtmc.association.links.candidates import Pairs

SAMPLE = 500_000
"""Random pairs of tracks that tell how similar unlike vehicles are."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Lets through the pairs that are more similar than most.

    Attributes:
        vector: (n, d) float32, features of the tracks.
        known: (n,) bool, which tracks have one; pairs with a track that has none do not pass.
        least: similarity from which on pairs pass.
        share: of pairs of unlike vehicles that pass.
    """

    vector: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    least: float
    share: float

    @classmethod
    def of(
        cls,
        vector: npt.NDArray[np.float32],
        known: npt.NDArray[np.bool_],
        camera: npt.NDArray[np.int32],
        share: float,
    ) -> Screen:
        """A screen that lets about `share` of the pairs of different cameras pass; deterministic."""
        tracks = np.flatnonzero(known)
        random = np.random.default_rng(0)
        a, b = tracks[random.integers(len(tracks), size=(2, SAMPLE))]
        apart = camera[a] != camera[b]
        found = similarities(vector, vector, a[apart], b[apart])
        return cls(vector, known, float(np.quantile(found, 1.0 - share)), share)

    def passes(self, pairs: Pairs) -> npt.NDArray[np.bool_]:
        """(m,) which pairs pass."""
        a, b = pairs.source, pairs.target
        alike = similarities(self.vector, self.vector, a, b) >= self.least
        return np.asarray(alike & self.known[a] & self.known[b], np.bool_)
