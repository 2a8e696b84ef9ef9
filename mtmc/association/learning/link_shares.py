"""Learned transition probabilities: the share of the vehicles at a zone that take each link."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, expit

from mtmc.association.links.discovery import LinkPrior

PROBABILITY_STRENGTH = 1.0
"""Strength of the prior probability of a link, in vehicles. Raising it learns more slowly. Theory: a Dirichlet prior of
a total weight of one vehicle."""
MIN_SHARE = 0.2
"""Share of its prior probability below which a link never falls. Raising it keeps more links that no vehicle seems to
take. Development scenarios."""
FEW_SEEN = 3.0
"""Number of vehicles at a link's source at which `LinkPrior.lone` counts half. Raising it keeps more rare links.
Development scenarios."""
MIN_AGREEMENT = 2.0
"""Nats of agreement of the travel times at which a link keeps half of what it has learned. Raising it removes more
links. Development scenarios."""
PRIOR_AGREEMENT = 20.0
"""Nats by which `MIN_AGREEMENT` is lowered for a link of prior probability 1. Raising it trusts geography more.
Development scenarios."""


class LinkShares:
    """Share of the vehicles at each link's source that take the link.

    Attributes:
        share: (l,) the shares.
    """

    def __init__(self, prior: LinkPrior) -> None:
        """Start from the prior."""
        self._prior = prior
        self._floor = prior.probability * MIN_SHARE
        self.share = prior.first.copy()

    def update(self, mass: npt.NDArray[np.float64], departures: npt.NDArray[np.float64]) -> None:
        """Learn the shares.

        Args:
            mass: (l,) expected number of vehicles that take each link.
            departures: (l,) expected number of vehicles that could have been seen to take it.
        """
        # The variational mean of a Dirichlet: links with one or two chance pairs fade instead of feeding themselves.
        count = mass + PROBABILITY_STRENGTH * self._prior.probability
        share = np.exp(digamma(count)) / (np.maximum(departures, mass) + PROBABILITY_STRENGTH)
        # A link that many vehicles could have taken, and none did, fades. Of a handful, any may be the first.
        few = FEW_SEEN / (departures + FEW_SEEN)
        self._floor = self._prior.probability * np.maximum(MIN_SHARE, self._prior.lone * few)
        self.share = np.maximum(share, self._floor)

    def fade(self, agreement: npt.NDArray[np.float64]) -> None:
        """Lower the shares of links without a pattern in their travel times.

        Args:
            agreement: (l,) nats, see `TravelTimeModel.agreement`.
        """
        floor = np.minimum(self.share, self._floor)
        kept = expit(agreement - MIN_AGREEMENT + PRIOR_AGREEMENT * self._prior.probability)
        self.share = floor + (self.share - floor) * kept
