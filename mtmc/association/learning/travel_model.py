"""Learned travel times: what the time of a pair says, given the times of the other pairs on its link."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.learning.visibility import source_cameras, take
from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.discovery import LinkPrior
from mtmc.association.links.travel_times import TravelTimes, fit_travel_times
from mtmc.association.links.zones import TrackEnds

TIMES_STRENGTH = 2.0
"""Strength of the prior travel times of a link, in vehicles. Raising it learns more slowly. Development scenarios."""
POOL_STRENGTH = 2.0
"""Number of vehicles on all links between two cameras at which their common travel times make up half of a link's
prior. Raising it shares less between links. Development scenarios."""
MIN_GAIN = 0.5
"""Nats per vehicle that are deducted from the agreement of a link's travel times: choosing the partners that agree best
gives as much by chance. Raising it removes more links. Development scenarios."""
MIN_GAIN_BY_TIME = 1.5
"""`MIN_GAIN` without appearance, where nothing but times chooses the partners. Raising it removes more links.
Development scenarios."""
NEGLIGIBLE_WEIGHT = 1e-3
"""Probability up to which a pair does not contribute to the travel times. Raising it saves time and loses faint links.
Safety bound on time."""


class TravelTimeModel:
    """Travel times of the links, estimated from weighted pairs and supported by prior and pooled travel times.

    Attributes:
        mass: (l,) expected number of vehicles that take each link.
        times: travel times of each link; the prior ones before anything was learned.
    """

    def __init__(
        self, table: LinkTable, prior: LinkPrior, entries: TrackEnds, exits: TrackEnds, *, cameras: int, by_time: bool
    ) -> None:
        """Start from the prior.

        Args:
            table: the links.
            prior: their prior travel times.
            entries, exits: the tracks' ends, for the cameras of zones.
            cameras: number of cameras.
            by_time: whether nothing but times chooses the partners.
        """
        self._prior = prior
        self._min_gain = MIN_GAIN_BY_TIME if by_time else MIN_GAIN
        self._links = len(table)
        # One pool for all links of a kind between two cameras.
        key = (table.overlap * cameras + source_cameras(table, entries, exits)) * cameras
        _, pool = np.unique(key + take(entries.camera, table.target), return_inverse=True)
        self._pool = pool.reshape(-1).astype(np.int64)
        self.mass = np.zeros(len(table))
        self.times = prior.times
        self._pool_mass = np.zeros(0)
        self._pool_times = prior.times
        self._learned = False

    def update(
        self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
    ) -> None:
        """Learn from pairs.

        Args:
            link, seconds: (m,) link and travel time of each pair.
            weight: (m,) its probability.
        """
        self.mass = np.asarray(np.bincount(link, weight, self._links), np.float64)
        pools = int(self._pool.max(initial=-1)) + 1
        self._pool_mass = np.asarray(np.bincount(self._pool[link], weight, pools), np.float64)
        worth = weight > NEGLIGIBLE_WEIGHT
        link, seconds, weight = link[worth], seconds[worth], weight[worth]
        own = weight * self._learned_part(link, seconds)
        self.times = fit_travel_times(link, seconds, own, self._links)
        self._pool_times = fit_travel_times(self._pool[link], seconds, weight, pools)
        self._learned = True

    def density(
        self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], probability: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """(m,) density of the travel time of each pair, per second.

        The pair's own contribution is deducted: it must not vouch for itself.

        Args:
            link, seconds: (m,) link and travel time of each pair.
            probability: (m,) its probability in the last update.
        """
        prior = self._prior
        if not self._learned:
            sure = prior.sure[link]
            return sure * prior.peak.at(link, seconds) + (1 - sure) * prior.times.at(link, seconds)
        mass, others = self.mass[link], np.maximum(self.mass[link] - probability, 0.0)
        own = probability * self.times.peak[link]
        density = np.maximum(mass * self.times.at(link, seconds) - own, 0.0)
        # Vehicles between other zones of the same two cameras support a link that few vehicles take.
        pool = self._pool[link]
        pooled = np.maximum(self._pool_mass[pool] - mass, 0.0)
        common = self._pool_mass[pool] * self._pool_times.at(pool, seconds) - mass * self.times.at(link, seconds)
        common = np.maximum(common, 0.0) / np.maximum(pooled, 1e-6)
        trust = pooled / (pooled + POOL_STRENGTH)
        broad = TIMES_STRENGTH * ((1 - trust) * prior.times.at(link, seconds) + trust * common)
        result: npt.NDArray[np.float64] = (density + broad) / (others + TIMES_STRENGTH)
        return result

    def agreement(
        self,
        link: npt.NDArray[np.int64],
        seconds: npt.NDArray[np.float64],
        weight: npt.NDArray[np.float64],
        chance: TravelTimes,
    ) -> npt.NDArray[np.float64]:
        """(l,) nats by which the travel times of a link agree with each other better than with chance.

        Vehicles that leave the network and others that enter it can be paired at any time; that is not a link.

        Args:
            link, seconds: (m,) link and travel time of each pair.
            weight: (m,) its probability.
            chance: travel times of unrelated pairs.
        """
        worth = weight > NEGLIGIBLE_WEIGHT
        link, seconds, weight = link[worth], seconds[worth], weight[worth]
        better = self.density(link, seconds, weight) / np.maximum(chance.at(link, seconds), 1e-9)
        gain = np.log(np.maximum(better, 1e-3)) - self._min_gain
        return np.asarray(np.bincount(link, weight * gain, self._links), np.float64)

    def _learned_part(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) probability that the time of a true pair comes from its link's learned times, not from the prior
        ones."""
        if not self._learned:
            return np.ones(len(link))
        learned = self.mass[link] * self.times.at(link, seconds)
        broad = TIMES_STRENGTH * self._prior.times.at(link, seconds)
        return learned / np.maximum(learned + broad, 1e-12)
