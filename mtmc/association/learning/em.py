"""Learning links and evidence from the run itself: expectation-maximisation over the candidate pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import digamma, expit

from mtmc.association.evidence.evidence import Evidence
from mtmc.association.evidence.fragments import fragment_log_ratio
from mtmc.association.evidence.overlapping_views import view_log_prior
from mtmc.association.evidence.platoons import order_density
from mtmc.association.learning.marginals import pair_marginals
from mtmc.association.links.candidates import LinkTable, Pairs
from mtmc.association.links.discovery import LinkPrior
from mtmc.association.links.travel_times import TravelTimes, fit_travel_times
from mtmc.association.links.zones import TrackEnds
from mtmc.association.settings import AssociationSettings
from mtmc.association.solving.matching import best_pairs
from mtmc.association.track_summaries import TrackSummaries

TIMES_STRENGTH = 2.0
"""How many vehicles the broad travel times of a link are worth against the learned ones."""
POOL_STRENGTH = 2.0
"""Vehicles on all links between two cameras that make their common travel times count half of a link's prior."""
PROBABILITY_STRENGTH = 1.0
"""How many vehicles the prior probability of a link is worth."""
LEAST_SHARE, FEW_SEEN = 0.2, 3.0
"""Share of its prior that a link never falls below, and how many vehicles count as few."""
HARDNESS = 0.5
"""How much the single best choice of pairs counts in learning, against all choices by their probability."""
SETTLED = 0.97
"""Probability above which a pair belongs to the best choice, and its rivals need not be looked at."""
OPTIMISM, OPTIMISTIC_ROUNDS = 2.5, 7
"""Nats that all pairs are lifted by in the first round, fading to none over some rounds."""
RETURN_SHARE = 0.2
"""How likely a vehicle goes back to the camera that it came from, against one that did not come from there."""
FRESH_SHARE, FRESH_SHARE_CALIBRATED = 0.5, 0.2
"""Least share of arrivals that count as new, however many links explain: else links that explain all by chance stay.
Fewer where calibration speaks against chance links."""
LEAST_PATTERN = 2.0
"""Nats that the travel times of a link must agree better than chance to count half."""
LEAST_GAIN, LEAST_GAIN_BY_TIME = 0.5, 1.5
"""Nats of each vehicle's time that do not count: choosing the partners that agree best gives as much by chance. More
where nothing but time chooses them."""
PRIOR_PATTERN = 20.0
"""Nats that a link which geography makes certain needs less."""
USUAL_BREAKS = 0.05
"""Share of tracks that break off, before the run has told."""
LEAST_LEAVING = 0.05
"""Least share of vehicles that end their journey (or are missed by the tracker) at any exit."""
NEGLIGIBLE = 1e-4
"""Pairs whose likelihood ratio stays below this are dropped while learning."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run has taught.

    Attributes:
        pairs: the candidate pairs that are left; link `len(table)` stands for fragments, those above for views.
        evidence: their measured values.
        terms: log-likelihood ratios by term, each (m,).
        log_ratio: (m,) their sum.
        probability: (m,) marginal probability of each pair.
        mass: (l,) expected number of vehicles of each link.
        share: (l,) probability that a vehicle at the link's source takes it.
        times: learned travel times of each link.
    """

    pairs: Pairs
    evidence: Evidence
    terms: dict[str, npt.NDArray[np.float64]]
    log_ratio: npt.NDArray[np.float64]
    probability: npt.NDArray[np.float64]
    mass: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    times: TravelTimes


def learn(
    summaries: TrackSummaries,
    pairs: Pairs,
    evidence: Evidence,
    table: LinkTable,
    prior: LinkPrior,
    entries: TrackEnds,
    exits: TrackEnds,
    settings: AssociationSettings,
    start: Learned | None = None,
) -> Learned:
    """Alternate between the pairs' probabilities and what they say of links, travel times and evidence.

    Args:
        summaries: the tracks.
        pairs, evidence: candidates, see `Learned`.
        table, prior: the links and what is believed of them beforehand.
        entries, exits: the tracks' ends.
        settings: switches and the number of rounds.
        start: what an earlier call learned on the same pairs; its links and probabilities are the starting point.
    """
    links = len(table)
    model = _LinkModel(summaries, table, prior, entries, exits, settings)
    belief = probability = np.zeros(len(pairs)) if start is None else start.probability
    together = np.zeros(len(pairs), np.bool_)
    if start is not None:
        together = _together(pairs, _best_choice(pairs, probability, start.log_ratio, len(summaries)), len(summaries))
    terms: dict[str, npt.NDArray[np.float64]] = {}
    log_ratio = np.zeros(len(pairs))
    if start is not None:
        model.learn(pairs, probability, settled=True)
    for step in range(settings.rounds):
        terms = evidence.log_ratios(belief, together, pairs.link, summaries.label, settings)
        terms |= model.log_ratios(pairs, belief, ordered=settings.order and step >= 3)
        log_ratio = np.sum(list(terms.values()), axis=0) if terms else np.zeros(len(pairs))
        # Learning starts by believing that vehicles are seen again: from too little belief no link ever grows.
        lift = 0.0 if start is not None else OPTIMISM * max(0.0, 1.0 - step / OPTIMISTIC_ROUNDS)
        ratio = np.exp(np.clip(log_ratio + lift, -60.0, 25.0))
        probability = pair_marginals(pairs.source, pairs.target, ratio, len(summaries))
        # Whoever leaves at regular distances can be paired with a shift: every pair is a little likely then, and travel
        # times learned from that are broad, which keeps them so. The best consistent choice breaks the tie.
        belief = (1.0 - HARDNESS) * probability
        chosen = _best_choice(pairs, probability, np.log(ratio), len(summaries))
        belief[chosen] += HARDNESS
        together = _together(pairs, chosen, len(summaries))
        model.learn(pairs, belief, settled=start is not None or step >= OPTIMISTIC_ROUNDS)
        if step in (2, 5) and len(pairs) > 100_000:
            kept = np.flatnonzero((log_ratio > np.log(NEGLIGIBLE)) | (pairs.link >= links))
            pairs, evidence, probability, belief = pairs[kept], evidence[kept], probability[kept], belief[kept]
            together = together[kept]
    terms = {name: term[-len(log_ratio) :] for name, term in terms.items()}
    return Learned(pairs, evidence, terms, log_ratio, probability, model.mass, model.share, model.blended_times())


def _best_choice(
    pairs: Pairs, probability: npt.NDArray[np.float64], log_ratio: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.int64]:
    """Indices of the single best consistent choice of pairs.

    Only what the probabilities leave open is searched: in a large scenario nearly all is settled.
    """
    settled = np.flatnonzero(probability > SETTLED)
    left, reached = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    left[pairs.source[settled]] = True
    reached[pairs.target[settled]] = True
    open_ = np.flatnonzero((probability > 1.0 - SETTLED) & ~left[pairs.source] & ~reached[pairs.target])
    best = best_pairs(pairs.source[open_], pairs.target[open_], log_ratio[open_], n)
    return np.concatenate([settled, open_[best]])


def _together(pairs: Pairs, chosen: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
    """(m,) whether the chosen pairs join both tracks of each pair, directly or by way of others."""
    edges = (np.ones(len(chosen), np.bool_), (pairs.source[chosen], pairs.target[chosen]))
    _, vehicle = connected_components(coo_array(edges, shape=(n, n)), directed=False)
    result: npt.NDArray[np.bool_] = vehicle[pairs.source] == vehicle[pairs.target]
    return result


class _LinkModel:
    """Shares and travel times of the links, and what a pair's time says under them."""

    def __init__(
        self,
        summaries: TrackSummaries,
        table: LinkTable,
        prior: LinkPrior,
        entries: TrackEnds,
        exits: TrackEnds,
        settings: AssociationSettings,
    ) -> None:
        self._table = table
        self._prior = prior
        self._settings = settings
        self._summaries = summaries
        self._n = len(summaries)
        recognised = settings.appearance and bool((summaries.weight > 0).any())
        self._least_gain = LEAST_GAIN if recognised else LEAST_GAIN_BY_TIME
        self._entry_zone = entries.zone
        self._end = exits.time
        self._start = entries.time
        recorded = summaries.recorded
        source_camera = np.where(
            table.overlap, _take(entries.camera, table.source), _take(exits.camera, table.source)
        ).astype(np.int64)
        self._source_window = recorded[source_camera]
        target_camera = _take(entries.camera, table.target)
        pools = (table.overlap * len(recorded) + source_camera) * len(recorded) + target_camera
        _, pool = np.unique(pools, return_inverse=True)
        self._pool = pool.reshape(-1).astype(np.int64)
        self._target_window = recorded[_take(entries.camera, table.target)]
        length = np.maximum(recorded[:, 1] - recorded[:, 0], 1.0)
        self._zone_length = length[entries.camera]
        self._arrivals = np.bincount(entries.zone, minlength=len(entries.camera)).astype(np.float64)
        self._fresh = np.where(summaries.calibrated[entries.camera], FRESH_SHARE_CALIBRATED, FRESH_SHARE)
        # Which links each track could take from its end, and by which it could have come.
        self._out_track, self._out_link = _members(exits.zone, table.source, ~table.overlap)
        over_track, over_link = _members(entries.zone, table.source, table.overlap)
        self._over_track, self._over_link = over_track, over_link
        self._in_track, self._in_link = _members(entries.zone, table.target, ~table.overlap)
        self.mass = np.zeros(len(table))
        self.share = prior.first.copy()
        self._times = prior.times
        self._pool_mass = np.zeros(0)
        self._pool_times = prior.times
        self._learned = False

    def blended_times(self) -> TravelTimes:
        """The learned travel times (the starting ones before anything was learned)."""
        return self._times

    def learn(self, pairs: Pairs, probability: npt.NDArray[np.float64], settled: bool) -> None:
        """Shares and travel times from the pairs' probabilities; once settled, links without a pattern fade."""
        links = len(self._table)
        real = pairs.link < links
        link, weight = pairs.link[real], probability[real]
        self.mass = np.asarray(np.bincount(link, weight, links), np.float64)
        seen = np.asarray(np.bincount(self._out_link, self._seen_ahead(), links), np.float64)
        seen += np.bincount(self._over_link, minlength=links)
        # The variational mean of a Dirichlet: links with a chance pair or two fade instead of feeding themselves.
        count = self.mass + PROBABILITY_STRENGTH * self._prior.probability
        share = np.exp(digamma(count)) / (np.maximum(seen, self.mass) + PROBABILITY_STRENGTH)
        # What many vehicles could have done and none did fades; of a handful, any may do what no other does.
        few = FEW_SEEN / (seen + FEW_SEEN)
        least = self._prior.probability * np.maximum(LEAST_SHARE, self._prior.alone * few)
        self.share = np.maximum(share, least)
        worth = weight > 1e-3
        own = weight[worth] * self._learned_part(link[worth], pairs.seconds[real][worth])
        self._times = fit_travel_times(link[worth], pairs.seconds[real][worth], own, links)
        pools = int(self._pool.max(initial=-1)) + 1
        self._pool_mass = np.asarray(np.bincount(self._pool[link], weight, pools), np.float64)
        self._pool_times = fit_travel_times(self._pool[link[worth]], pairs.seconds[real][worth], weight[worth], pools)
        self._learned = True
        if settled and self._prior.chance is not None:
            pattern = self._pattern(link[worth], pairs.seconds[real][worth], weight[worth], self._prior.chance)
            floor = np.minimum(self.share, least)
            self.share = floor + (self.share - floor) * expit(
                pattern - LEAST_PATTERN + PRIOR_PATTERN * self._prior.probability
            )

    def _pattern(
        self,
        link: npt.NDArray[np.int64],
        seconds: npt.NDArray[np.float64],
        weight: npt.NDArray[np.float64],
        chance: TravelTimes,
    ) -> npt.NDArray[np.float64]:
        """(l,) nats by which a link's travel times agree with each other better than with chance.

        Vehicles that leave the network and others that enter it can be paired at any time; that is no link.
        """
        better = self._density(link, seconds, weight) / np.maximum(chance.at(link, seconds), 1e-9)
        gain = np.log(np.maximum(better, 1e-3)) - self._least_gain
        nats = np.bincount(link, weight * gain, len(self._table)).astype(np.float64)
        return np.asarray(nats, np.float64)

    def log_ratios(
        self, pairs: Pairs, probability: npt.NDArray[np.float64], ordered: bool
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Terms of place and time, each (m,): travel time, transitions and, for fragments, place."""
        links = len(self._table)
        real = pairs.link < links
        link, seconds = pairs.link[real], pairs.seconds[real]
        window = self._table.high - self._table.low
        if self._settings.travel_time:
            density = self._density(link, seconds, probability[real])
            if ordered:
                density = order_density(
                    link, self._end[pairs.source[real]], pairs.source[real], seconds, probability[real], density
                )
        else:
            density = 1.0 / window[link]
        share = (
            self.share if self._settings.transitions else np.full(links, float(np.mean(self.share)) if links else 0.0)
        )
        leaving = self._leaving(share)
        arriving = self._arriving()
        travel = np.zeros(len(pairs))
        transition = np.zeros(len(pairs))
        travel[real] = np.log(np.maximum(density, 1e-12)) - np.log(arriving[pairs.target[real]])
        transition[real] = np.log(np.maximum(share[link], 1e-9)) - np.log(leaving[pairs.source[real]])
        views = np.flatnonzero(pairs.link > links)
        if len(views):
            shown = pairs[views].renumbered(-links - 1)
            transition[views] = view_log_prior(shown, probability[views], int(shown.link.max()) + 1)
        pieces = np.zeros(len(pairs))
        broken = np.flatnonzero(pairs.link == links)
        if len(broken):
            chance = probability[broken]
            # How often tracks break depends on the tracker; the run tells.
            often = np.log((chance.sum() + 3.0) / (USUAL_BREAKS * self._n + 3.0))
            pieces[broken] = fragment_log_ratio(self._summaries, pairs[broken], chance) + np.clip(often, -1.0, 1.5)
        terms = {"travel_time": travel, "transitions": transition, "fragments": pieces}
        if self._settings.returns:
            terms["returns"] = np.zeros(len(pairs))
            terms["returns"][real] = self._returning(pairs[real], probability[real])
        return terms

    def _returning(self, pairs: Pairs, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) log of how much rarer a pair is because it leads its vehicle back to where it came from.

        Arrivals follow departures in both directions of a road, so times alone make vehicles go to and fro.
        """
        camera = self._summaries.camera.astype(np.int64)
        here, there = camera[pairs.source], camera[pairs.target]
        onward = np.flatnonzero((here != there) & ~self._table.overlap[pairs.link])
        source, target = pairs.source[onward], pairs.target[onward]
        here, there = here[onward], there[onward]
        count = len(self._summaries.cameras)
        result = np.zeros(len(pairs))
        for came, goes in (
            (target * count + here, source * count + there),
            (source * count + there, target * count + here),
        ):
            keys, place = np.unique(came, return_inverse=True)
            seen = np.bincount(place.reshape(-1), probability[onward], len(keys))
            at = np.minimum(np.searchsorted(keys, goes), max(len(keys) - 1, 0))
            known = np.where(keys[at] == goes, seen[at], 0.0) if len(keys) else np.zeros(len(goes))
            result[onward] += np.log(1.0 - (1.0 - RETURN_SHARE) * np.minimum(known, 1.0))
        return result

    def _density(
        self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], probability: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Density of the travel time, of which a pair's own share is taken off: it must not vouch for itself."""
        if not self._learned:
            sure = self._prior.sure[link]
            return sure * self._prior.peak.at(link, seconds) + (1 - sure) * self._prior.times.at(link, seconds)
        mass, others = self.mass[link], np.maximum(self.mass[link] - probability, 0.0)
        own = probability * self._times.peak[link]
        density = np.maximum(mass * self._times.at(link, seconds) - own, 0.0)
        # What vehicles between other zones of the same two cameras took backs a link that few take.
        pool = self._pool[link]
        pooled = np.maximum(self._pool_mass[pool] - mass, 0.0)
        common = self._pool_mass[pool] * self._pool_times.at(pool, seconds) - mass * self._times.at(link, seconds)
        common = np.maximum(common, 0.0) / np.maximum(pooled, 1e-6)
        trust = pooled / (pooled + POOL_STRENGTH)
        broad = TIMES_STRENGTH * ((1 - trust) * self._prior.times.at(link, seconds) + trust * common)
        result: npt.NDArray[np.float64] = (density + broad) / (others + TIMES_STRENGTH)
        return result

    def _learned_part(self, link: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) probability that a true pair's time comes from the link's learned times, not from the broad ones."""
        if not self._learned:
            return np.ones(len(link))
        learned = self.mass[link] * self._times.at(link, seconds)
        broad = TIMES_STRENGTH * self._prior.times.at(link, seconds)
        return learned / np.maximum(learned + broad, 1e-12)

    def _seen_ahead(self) -> npt.NDArray[np.float64]:
        """Of each (track, link it could take): the probability that the arrival falls into the target's clip."""
        link, end = self._out_link, self._end[self._out_track]
        times = self._times if self._learned else self._prior.times
        later = times.mass_below(link, self._target_window[link, 1] - end)
        return np.maximum(later - times.mass_below(link, self._target_window[link, 0] - end), 0.0)

    def _leaving(self, share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n,) probability that no camera sees a track's vehicle again."""
        taken = np.bincount(self._out_track, share[self._out_link] * self._seen_ahead(), self._n)
        taken += np.bincount(self._over_track, share[self._over_link], self._n)
        result: npt.NDArray[np.float64] = np.maximum(1.0 - taken, LEAST_LEAVING)
        return result

    def _arriving(self) -> npt.NDArray[np.float64]:
        """(n,) vehicles a second that enter a track's entry zone at its start and were not seen before."""
        zones = len(self._arrivals)
        explained = np.bincount(self._table.target, self.mass, zones) if len(self._table) else np.zeros(zones)
        fresh = np.maximum(self._arrivals - explained, self._fresh * self._arrivals + 0.3) / self._zone_length
        link, start = self._in_link, self._start[self._in_track]
        times = self._times if self._learned else self._prior.times
        before = times.mass_below(link, start - self._source_window[link, 0])
        seen = np.maximum(before - times.mass_below(link, start - self._source_window[link, 1]), 0.0)
        links = len(self._table)
        usual = np.bincount(link, seen, links) / np.maximum(np.bincount(link, minlength=links), 1)
        flow = self.mass / np.maximum(usual, 0.2) / self._zone_length[self._table.target]
        unseen = np.bincount(self._in_track, flow[link] * (1.0 - seen), self._n)
        result: npt.NDArray[np.float64] = fresh[self._entry_zone] + unseen
        return result


def _take(values: npt.NDArray[np.int32], index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """values[index], with 0 where the index belongs to a longer array (the other kind of zone)."""
    if len(values) == 0:
        return np.zeros(len(index), np.int64)
    return np.where(index < len(values), values[np.minimum(index, len(values) - 1)], 0).astype(np.int64)


def _members(
    zone: npt.NDArray[np.int64], link_zone: npt.NDArray[np.int64], of_kind: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All (track, link) of which the track's zone is the link's zone, for links of one kind."""
    links = np.flatnonzero(of_kind)
    links = links[np.argsort(link_zone[links], kind="stable")]
    low = np.searchsorted(link_zone[links], zone, "left")
    count = np.searchsorted(link_zone[links], zone, "right") - low
    track = np.repeat(np.arange(len(zone)), count)
    place = np.arange(len(track)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return track, links[place]
