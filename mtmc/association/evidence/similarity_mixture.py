"""Similarity mixture: how alike the tracks of one vehicle are, from the similarities of all tracks at once.

No pair needs to be labelled. Tracks of different vehicles are nearly all of the pairs, and their similarities are as
often below their middle as above it; what there is too much of above is vehicles seen again. Unlike what is learned
from pairs that are believed, this does not leave out the less similar of them. On the other hand it cannot tell
vehicles seen again from vehicles of one model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.stats import norm

from mtmc.association.evidence.likelihood_ratio import CELLS, MAX_LOG_RATIO, Scale, kernel_density

OTHERS = 3.0
"""Expected number of tracks in other cameras, for each track, of the same vehicle. Raising it expects more pairs of one
vehicle. Development scenarios."""
OTHERS_STRENGTH = 30.0
"""Strength of this prior, in pairs. Raising it learns more slowly. Development scenarios."""
SIMILARITY_MEAN = 2.5
"""Expected similarity of two tracks of one vehicle, in standard deviations of different ones above their middle.
Raising it expects better features. Development scenarios."""
SIMILARITY_DEVIATION = 1.0
"""Expected standard deviation of these similarities, in standard deviations of different ones. Raising it expects
features of more varied quality. Theory: equal variances."""
SIMILARITY_STRENGTH = 10.0
"""Strength of both priors, in pairs. Raising it learns more slowly. Development scenarios."""
MAX_DEVIATION = 1.2
"""Largest standard deviation of these similarities around a mean m, in those of different ones times 1 - m^2. Raising
it takes more vehicles of one model for one vehicle. Theory: 1, as of a correlation coefficient (Fisher, "Frequency
distribution of the values of the correlation coefficient", 1915), and some for features of varied quality."""
MAX_MEAN = 0.9
"""Mean m from which this bound does not fall any more. Raising it helps features that are nearly perfect. Safety
bound."""
WIDE_SHARE = 0.02
"""Share of a wide normal density in that of different vehicles. Raising it makes high similarities weaker evidence.
Development scenarios."""
WIDE_DEVIATION = 1.6
"""Its standard deviation, in those of different vehicles. Raising it does so for higher ones. Development scenarios."""
ROUNDS = 60
"""Rounds of expectation-maximisation. Raising it costs time and changes little. Safety bound on time."""
MIN_PAIRS = 40
"""Number of pairs below which nothing is fitted. Raising it leaves small scenarios out. Safety bound against a density
of a handful of values."""


@dataclass(frozen=True, slots=True)
class SimilarityMixture:
    """What the similarities of all pairs say.

    Attributes:
        scale: log-likelihood ratio of a similarity.
        mean: mean similarity of two tracks of one vehicle.
        pairs: expected number of pairs of one vehicle.
    """

    scale: Scale
    mean: float
    pairs: float

    @classmethod
    def of(cls, similarity: npt.NDArray[np.float64], tracks: int) -> SimilarityMixture | None:
        """Fit it by expectation-maximisation (Dempster, Laird and Rubin 1977); None if there are too few pairs.

        Args:
            similarity: (m,) similarities of all pairs of tracks of two cameras, or of a fair sample of them.
            tracks: number of tracks.
        """
        if len(similarity) < MIN_PAIRS:
            return None
        usual = min(OTHERS / tracks, 0.5)
        middle = float(np.quantile(similarity, 0.5 * (1.0 - usual)))
        below = similarity[similarity < middle] - middle
        deviation = max(float(np.sqrt(np.mean(below**2))), 1e-6)
        z, below = (similarity - middle) / deviation, below / deviation
        grid = np.linspace(min(float(z.min()), -4.0) - 0.5, max(float(z.max()), 6.0) + 0.5, CELLS)
        mirrored = np.concatenate([below, -below])
        different = (1.0 - WIDE_SHARE) * kernel_density(mirrored, np.ones(len(mirrored)), grid)
        different += WIDE_SHARE * norm.pdf(grid, scale=WIDE_DEVIATION)
        unlike = np.interp(z, grid, different)
        mean, spread, share = SIMILARITY_MEAN, SIMILARITY_DEVIATION, usual
        for _ in range(ROUNDS):
            alike = share * norm.pdf(z, mean, spread)
            part = alike / (alike + (1.0 - share) * unlike)
            count = float(part.sum())
            share = (count + OTHERS_STRENGTH) / (len(z) + OTHERS_STRENGTH / usual)
            strength = count + SIMILARITY_STRENGTH
            mean = (float(part @ z) + SIMILARITY_STRENGTH * SIMILARITY_MEAN) / strength
            variance = (float(part @ (z - mean) ** 2) + SIMILARITY_STRENGTH * SIMILARITY_DEVIATION**2) / strength
            bound = MAX_DEVIATION * (1.0 - float(np.clip(middle + mean * deviation, 0.0, MAX_MEAN)) ** 2)
            spread = min(float(np.sqrt(variance)), bound)
        same = norm.pdf(grid, mean, spread)
        ratio = norm.logpdf(grid, mean, spread) - np.log(different)
        ratio = isotonic_regression(np.clip(ratio, -MAX_LOG_RATIO, MAX_LOG_RATIO), weights=same + different).x
        return cls(Scale(middle + grid * deviation, ratio), middle + mean * deviation, share * len(z))
