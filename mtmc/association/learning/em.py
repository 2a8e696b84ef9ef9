"""Expectation-maximisation over the candidate pairs: learns links and evidence from the run itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from evaluation.assignment import heaviest_assignment
from mtmc.association.evidence.evidence import Evidence
from mtmc.association.evidence.fragments import fragment_log_ratio
from mtmc.association.evidence.overlapping_views import view_log_prior
from mtmc.association.evidence.platoons import Platoons
from mtmc.association.evidence.resemblance import resemblance_log_prior
from mtmc.association.evidence.u_turns import UTurns
from mtmc.association.learning.link_shares import LinkShares
from mtmc.association.learning.marginals import pair_marginals
from mtmc.association.learning.travel_model import TravelTimeModel
from mtmc.association.learning.visibility import Visibility
from mtmc.association.links.candidates import LinkTable, PairKind, Pairs
from mtmc.association.links.discovery import LinkPrior
from mtmc.association.links.travel_times import TravelTimes
from mtmc.association.links.zones import TrackEnds
from mtmc.association.settings import AssociationSettings
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.solve import MAX_LOG_RATIO, MIN_LOG_RATIO
from mtmc.association.track_summaries import TrackSummaries

HARDNESS = 0.5
"""Weight of the single best choice of pairs in learning, against the marginal probabilities over all choices. Raising
it commits earlier. Development scenarios."""
IDENTITY_WEIGHT = 0.8
"""Weight of whole identities in learning again, against the marginal probabilities. Raising it learns more from what
only the other tracks of an identity show. Development scenarios."""
SETTLED = 0.97
"""Probability above which a pair belongs to the best choice without a search among its rivals. Raising it searches
more. Theory: its rivals share the remaining 3 %."""
OPTIMISM = 2.5
"""Nats added to every pair in the first round. Raising it starts with more pairs, true and false. From too little
belief no link ever grows. Development scenarios."""
OPTIMISTIC_ROUNDS = 7
"""Rounds over which the optimism fades to 0, and after which links without a pattern fade. Raising it needs more rounds
in total. Development scenarios."""
PLATOON_ROUND = 3
"""Round from which platoons count; the first rounds do not know yet which vehicles follow each other. Raising it uses
them later. Development scenarios."""
USUAL_BREAKS = 0.05
"""Share of tracks that break, before learning. Raising it joins fewer fragments when few tracks break. Development
scenarios."""
BREAKS_STRENGTH = 3.0
"""Strength of the prior `USUAL_BREAKS`, in breaks. Raising it learns more slowly. Development scenarios."""
MIN_BREAKS = -1.0
"""Nats by which learning lowers the evidence of fragments at most. Raising it joins more fragments with a tracker that
rarely breaks. Safety bound."""
MAX_BREAKS = 1.5
"""Nats by which learning raises the evidence of fragments at most. Raising it joins more fragments with a tracker that
often breaks. Safety bound."""
NEGLIGIBLE = 1e-4
"""Likelihood ratio up to which pairs are dropped in the rounds of `DROP_ROUNDS`. Raising it saves time and may lose
true pairs. Safety bound on time."""
DROP_ROUNDS = (2, 5)
"""Rounds after which negligible pairs are dropped. Raising them saves less time and drops fewer true pairs. Safety
bound on time."""
DROP_PAIRS = 100_000
"""Number of pairs above which negligible ones are dropped. Raising it costs time. Safety bound on time."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What the run has taught.

    Attributes:
        pairs: the remaining candidate pairs.
        evidence: their measured values.
        terms: log-likelihood ratios in nats by term, each (m,).
        log_ratio: (m,) their sum.
        probability: (m,) marginal probability of each pair.
        mass: (l,) expected number of vehicles that take each link.
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
    *,
    table: LinkTable,
    prior: LinkPrior,
    entries: TrackEnds,
    exits: TrackEnds,
    settings: AssociationSettings,
    start: Learned | None = None,
    bonds: Bonds | None = None,
    identity: npt.NDArray[np.int64] | None = None,
) -> Learned:
    """Alternate between the probabilities of pairs (E-step) and what they say about links and evidence (M-step).

    Args:
        summaries: the tracks.
        pairs: the candidate pairs.
        evidence: their measured values.
        table: the links.
        prior: what is believed about the links beforehand.
        entries, exits: the tracks' ends.
        settings: switches and the number of rounds.
        start: result of an earlier call on the same pairs; its probabilities are the starting point.
        bonds: pairs that are known; they count as true ones.
        identity: (n,) identities found from it, which show more than pairs do; needs `start`.
    """
    model = _Model(summaries, table, prior, entries, exits, settings=settings)
    belief = probability = np.zeros(len(pairs)) if start is None else start.probability
    together = np.zeros(len(pairs), np.bool_)
    if start is not None and identity is None:
        together = _together(pairs, _best_choice(pairs, probability, start.log_ratio, len(summaries)), len(summaries))
        model.update(pairs, probability, settled=True)
    elif start is not None and identity is not None:
        follows = _follows(summaries, pairs, identity, start.log_ratio)
        belief = (1.0 - IDENTITY_WEIGHT) * probability + IDENTITY_WEIGHT * follows
        together = identity[pairs.source] == identity[pairs.target]
        model.update(pairs, belief, settled=True)
    terms: dict[str, npt.NDArray[np.float64]] = {}
    log_ratio = np.zeros(len(pairs))
    for step in range(settings.rounds):
        terms = evidence.log_ratios(belief, together, pairs.group, summaries.label, settings)
        terms |= model.log_ratios(pairs, belief, platoons=settings.platoons and step >= PLATOON_ROUND)
        log_ratio = np.sum(list(terms.values()), axis=0) if terms else np.zeros(len(pairs))
        if bonds is not None:
            bounded = np.clip(log_ratio, MIN_LOG_RATIO, MAX_LOG_RATIO)
            terms["constraints"] = bonds.lift(pairs, bounded, MIN_LOG_RATIO, MAX_LOG_RATIO)
            log_ratio = log_ratio + terms["constraints"]
        lift = 0.0 if start is not None else OPTIMISM * max(0.0, 1.0 - step / OPTIMISTIC_ROUNDS)
        ratio = np.exp(np.clip(log_ratio + lift, MIN_LOG_RATIO, MAX_LOG_RATIO))
        probability = pair_marginals(pairs.source, pairs.target, ratio, len(summaries))
        # Vehicles at regular headways can be paired with a shift by one. Then all pairs are a little likely, and travel
        # times learned from them are broad, which keeps them likely. The best consistent choice breaks the tie.
        belief = (1.0 - HARDNESS) * probability
        chosen = _best_choice(pairs, probability, np.log(ratio), len(summaries))
        belief[chosen] += HARDNESS
        together = _together(pairs, chosen, len(summaries))
        model.update(pairs, belief, settled=start is not None or step >= OPTIMISTIC_ROUNDS)
        if step in DROP_ROUNDS and len(pairs) > DROP_PAIRS:
            kept = np.flatnonzero((log_ratio > np.log(NEGLIGIBLE)) | (pairs.kind != PairKind.LINK))
            pairs, evidence, probability, belief = pairs[kept], evidence[kept], probability[kept], belief[kept]
            together = together[kept]
    terms = {name: term[-len(log_ratio) :] for name, term in terms.items()}
    return Learned(
        pairs, evidence, terms, log_ratio, probability, model.travel.mass, model.shares.share, model.travel.times
    )


def _best_choice(
    pairs: Pairs, probability: npt.NDArray[np.float64], log_ratio: npt.NDArray[np.float64], n: int
) -> npt.NDArray[np.int64]:
    """Rows of the single best consistent choice of pairs.

    Only what the probabilities leave open is searched: in a large scenario nearly everything is settled.
    """
    settled = np.flatnonzero(probability > SETTLED)
    left, reached = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    left[pairs.source[settled]] = True
    reached[pairs.target[settled]] = True
    open_ = np.flatnonzero((probability > 1.0 - SETTLED) & ~left[pairs.source] & ~reached[pairs.target])
    best = heaviest_assignment(pairs.source[open_], pairs.target[open_], log_ratio[open_])
    return np.concatenate([settled, open_[best]])


def _together(pairs: Pairs, chosen: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
    """(m,) whether the chosen pairs join the two tracks of each pair, directly or through other tracks."""
    edges = (np.ones(len(chosen), np.bool_), (pairs.source[chosen], pairs.target[chosen]))
    _, vehicle = connected_components(coo_array(edges, shape=(n, n)), directed=False)
    result: npt.NDArray[np.bool_] = vehicle[pairs.source] == vehicle[pairs.target]
    return result


def _follows(
    summaries: TrackSummaries, pairs: Pairs, identity: npt.NDArray[np.int64], log_ratio: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(m,) 1 for the pair of each track and the next one of its identity, shared by the links that may join them."""
    n = len(summaries)
    order = np.lexsort((np.arange(n), summaries.start, identity))
    following = np.full(n, -1, np.int64)
    same = np.diff(identity[order]) == 0
    following[order[:-1][same]] = order[1:][same]
    rows = np.flatnonzero(following[pairs.source] == pairs.target)
    ratio = np.exp(np.clip(log_ratio[rows], MIN_LOG_RATIO, MAX_LOG_RATIO))
    result = np.zeros(len(pairs))
    # A track has one next track: the source stands for the pair.
    result[rows] = ratio / np.bincount(pairs.source[rows], ratio, n)[pairs.source[rows]]
    return result


@dataclass(frozen=True, slots=True)
class _Linked:
    """What does not change from round to round as long as the pairs do not.

    Attributes:
        pairs: the pairs.
        rows: (k,) those of links.
        linked: they themselves.
        platoons: the neighbours of each.
        between: those of them (rows of `linked`) that are successions between two cameras.
        u_turns: which of these lead back.
    """

    pairs: Pairs
    rows: npt.NDArray[np.int64]
    linked: Pairs
    platoons: Platoons
    between: npt.NDArray[np.int64]
    u_turns: UTurns

    @classmethod
    def of(
        cls, pairs: Pairs, table: LinkTable, exit_time: npt.NDArray[np.float64], summaries: TrackSummaries
    ) -> _Linked:
        rows = pairs.of_kind(PairKind.LINK)
        linked, camera = pairs[rows], summaries.camera
        source, target, link = linked.source, linked.target, linked.link
        platoons = Platoons(link=link, source=source, exit_time=exit_time[source], seconds=linked.seconds)
        between = np.flatnonzero((camera[source] != camera[target]) & ~table.overlap[link])
        u_turns = UTurns(source[between], target[between], camera=camera, cameras=len(summaries.cameras))
        return cls(pairs, rows, linked, platoons, between, u_turns)


class _Model:
    """The learned travel times and shares of all links, and what they say about pairs."""

    def __init__(
        self,
        summaries: TrackSummaries,
        table: LinkTable,
        prior: LinkPrior,
        entries: TrackEnds,
        exits: TrackEnds,
        *,
        settings: AssociationSettings,
    ) -> None:
        """Start from the prior."""
        self._summaries, self._table, self._prior, self._settings = summaries, table, prior, settings
        self._exit_time = exits.time
        self._linked: _Linked | None = None
        by_time = not (settings.appearance and bool((summaries.weight > 0).any()))
        self._visibility = Visibility(summaries, table, entries, exits)
        self.shares = LinkShares(prior)
        self.travel = TravelTimeModel(table, prior, entries, exits, cameras=len(summaries.cameras), by_time=by_time)

    def update(self, pairs: Pairs, probability: npt.NDArray[np.float64], *, settled: bool) -> None:
        """Learn from the probabilities of pairs; once settled, links without a pattern fade."""
        rows = pairs.of_kind(PairKind.LINK)
        link, seconds, weight = pairs.link[rows], pairs.seconds[rows], probability[rows]
        departures = self._visibility.departures(self.travel.times)
        self.travel.update(link, seconds, weight)
        self.shares.update(self.travel.mass, departures)
        if settled and self._prior.chance is not None:
            self.shares.fade(self.travel.agreement(link, seconds, weight, self._prior.chance))

    def log_ratios(
        self, pairs: Pairs, probability: npt.NDArray[np.float64], *, platoons: bool
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Log-likelihood ratios of place and time, each (m,)."""
        settings, links = self._settings, len(self._table)
        if self._linked is None or self._linked.pairs is not pairs:
            self._linked = _Linked.of(pairs, self._table, self._exit_time, self._summaries)
        rows, linked = self._linked.rows, self._linked.linked
        belief, link, seconds = probability[rows], linked.link, linked.seconds
        if settings.travel_time:
            density = self.travel.density(link, seconds, belief)
            if platoons:
                density = self._linked.platoons.density(belief, density)
        else:
            density = 1.0 / (self._table.high - self._table.low)[link]
        share = self.shares.share
        if not settings.transitions:
            share = np.full(links, float(np.mean(share)) if links else 0.0)
        leaving = self._visibility.leaving(share, self.travel.times)
        arriving = self._visibility.arriving(self.travel.mass, self.travel.times)
        travel, transition, fragments = (np.zeros(len(pairs)) for _ in range(3))
        travel[rows] = np.log(np.maximum(density, 1e-12)) - np.log(arriving[linked.target])
        transition[rows] = np.log(np.maximum(share[link], 1e-9)) - np.log(leaving[linked.source])
        views = pairs.of_kind(PairKind.OVERLAPPING_VIEW)
        transition[views] = view_log_prior(pairs[views], probability[views])
        alike = pairs.of_kind(PairKind.RESEMBLANCE)
        likely = resemblance_log_prior(pairs[alike], probability[alike], self._summaries.camera)
        usual = np.log(self._visibility.arrivals() / arriving)
        transition[alike] = likely + usual[pairs.target[alike]] - np.log(leaving[pairs.source[alike]])
        broken = pairs.of_kind(PairKind.FRAGMENT)
        fragments[broken] = self._fragment_log_ratio(pairs[broken], probability[broken])
        terms = {"travel_time": travel, "transitions": transition, "fragments": fragments}
        if settings.u_turn_prior:
            terms["u_turn_prior"] = np.zeros(len(pairs))
            between = self._linked.between
            terms["u_turn_prior"][rows[between]] = self._linked.u_turns.log_ratio(belief[between])
        return terms

    def _fragment_log_ratio(self, pairs: Pairs, probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) evidence of fragments; how often tracks break depends on the tracker and is learned."""
        if len(pairs) == 0:
            return np.zeros(0)
        expected = USUAL_BREAKS * len(self._summaries) + BREAKS_STRENGTH
        often = np.log((probability.sum() + BREAKS_STRENGTH) / expected)
        often = float(np.clip(often, MIN_BREAKS, MAX_BREAKS))
        return fragment_log_ratio(self._summaries, pairs, probability) + often
