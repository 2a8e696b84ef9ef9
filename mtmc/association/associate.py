"""Association across cameras: from one row per track to one identity per vehicle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from mtmc.association.confidence import JoinEvidence, Joins, identity_probability, join_evidence, join_probability
from mtmc.association.constraints import KnownVehicles
from mtmc.association.evidence.appearance import chain_features, similarities, subtract_means
from mtmc.association.evidence.common_views import OverlappingViews, find_overlapping_views
from mtmc.association.evidence.evidence import measure
from mtmc.association.evidence.fragments import find_fragments, fragment_log_ratio
from mtmc.association.evidence.looks import Looks
from mtmc.association.evidence.overlapping_views import find_view_pairs
from mtmc.association.evidence.resemblance import find_resemblances
from mtmc.association.evidence.screening import CandidatePruning
from mtmc.association.evidence.strangers import find_strangers
from mtmc.association.learning.em import Learned, learn
from mtmc.association.links.candidates import LinkTable, Pairs, find_pairs
from mtmc.association.links.discovery import LinkPrior, discover_links
from mtmc.association.links.zones import RawEnds, TrackEnds, cluster_ends
from mtmc.association.links_exchange import from_links, from_views, to_links, to_views
from mtmc.association.links_file import Links
from mtmc.association.settings import AssociationSettings
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.leftovers import join_leftovers
from mtmc.association.solving.second_look import look_again
from mtmc.association.solving.solve import Ties, chain, hold, identify, tie
from mtmc.association.solving.whole_identities import (
    AGAINST,
    MIN_EVIDENCE,
    compare_whole_identities,
    support_of,
)
from mtmc.association.track_summaries import TrackSummaries

CHAIN_PASSES = 2
"""How often whole chains are compared and joined again. Raising it costs time and changes little. Development
scenarios."""
IDENTITY_PASSES = 2
"""How often links and evidence are learned again from whole identities. Raising it costs time and changes little.
Development scenarios."""
IDENTITY_ROUNDS = 4
"""Rounds of learning in each pass of either kind. Raising it costs time. Theory: few, since learning starts from the
result of the previous pass."""
QUIET_LINK = 8.0
"""Vehicles on a typical link up to which whole identities need no evidence for what they join. Raising it keeps them
where links are known better than appearance. Development scenarios."""
STRANGER_STEPS = 8
"""Each track is compared with that many that start after it in its camera, to learn how alike different vehicles look.
Raising it costs time and steadies what is learned. Theory: more are rarely in view at once."""
STRANGERS = 20_000
"""Largest number of such pairs of each step. Raising it costs time. Safety bound on time."""
_NO_PAIRS = (np.zeros(0, np.int64), np.zeros(0, np.int64))
MAX_TRACKS = 600
"""Tracks up to which whole identities are compared, and those joined that look alike; above, chains of tracks are
compared. Raising it costs time, by the square of the tracks. Development scenarios."""
MIN_FRAGMENT = -6.0
"""Nats below which two tracks of one camera are not considered as fragments. Raising it leaves fewer candidate pairs.
Safety bound on time: such a pair is hopeless."""
MIN_KNOWN = 0.5
"""Share of tracks with features from which candidates are pruned by appearance. Raising it prunes by travel time more
often. Theory: travel times are known for all tracks, similarities only for those with features."""


@dataclass(frozen=True, slots=True)
class Association:
    """The identity of every track, and how it was found.

    Attributes:
        identity: (n,) int64, from 1, of each row of the summaries; a track that is linked to no other has its own.
        dropped: (n,) bool, parked tracks that are linked to no other track.
        links: the zones, links and overlapping fields of view that were given or learned.
        source, target: (m,) int64, candidate pairs as rows of the summaries; a pair may occur with several links.
        probability: (m,) float64, probability of each pair.
        terms: log-likelihood ratios of the pairs in nats by kind of evidence, each (m,).
        joins: the joins that make up the identities, with the probability that each is right; none where the method
            does not know them.
        sure: (n,) float64, probability that the identity of each row is one vehicle; empty where the method does not
            tell, NaN for tracks that are no vehicle.
        join_evidence: what the probabilities of the joins were computed from, where the method knows it.
    """

    identity: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.bool_]
    links: Links
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    terms: dict[str, npt.NDArray[np.float64]]
    joins: Joins = field(default_factory=Joins.empty)
    sure: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    join_evidence: JoinEvidence | None = None

    @classmethod
    def of(cls, identity: npt.NDArray[np.int64], links: Links) -> Association:
        """The result of a method that has nothing but identities to tell: no candidate pairs, nothing dropped."""
        nothing = np.zeros(0, np.int64)
        return cls(identity, np.zeros(len(identity), np.bool_), links, nothing, nothing, np.zeros(0), {})


def associate(
    summaries: TrackSummaries, links: Links | None, settings: AssociationSettings, known: KnownVehicles | None = None
) -> Association:
    """Join the tracks of each vehicle.

    Needs nothing but its arguments: `summarise` makes the summaries of tracks, clocks and picture sizes, and optionally
    of features and of calibrations. No files, global state or random state are used, so the result is deterministic.

    Args:
        summaries: all tracks of a scenario. Cameras may have no tracks, no features or no calibration.
        links: known zones, travel times and overlapping fields of view; None learns them from the tracks.
        settings: the decision threshold, bounds and switches.
        known: tracks that are known to be one vehicle, or different ones; none of them may be left out.

    Returns:
        One identity per track, the links, and the candidate pairs with their evidence.

    Raises:
        InputError: `links` has a zone in a camera that the summaries do not have.

    Example:
        >>> from mtmc.association.track_summaries import summarise
        >>> associate(summarise([]), None, AssociationSettings()).identity
        array([], dtype=int64)
    """
    pruning = None
    if links is None:
        entries, exits, table, prior, pruning = _discover(summaries, settings)
    else:
        entries, exits, table, prior = from_links(summaries, links)
    vector = _vectors(summaries, entries, settings)
    views = _overlapping_views(summaries, vector, links, settings)
    strangers = find_strangers(summaries, steps=STRANGER_STEPS, limit=STRANGERS) if vector.shape[1] else _NO_PAIRS
    bonds = Bonds.of(known, summaries) if known else None
    if bonds is not None and vector.shape[1]:
        first, second = (np.concatenate(rows) for rows in zip(strangers, bonds.apart.T, strict=True))
        strangers = first, second
    different = _similarity(summaries, vector, vector, *strangers)
    pairs = _candidates(
        summaries, table, entries, exits, views=views, settings=settings, keep=pruning.keeps if pruning else None
    )
    if links is None or links.unlisted:
        pairs = Pairs.concatenate([pairs, find_resemblances(summaries, vector, different)])
    if bonds is not None:
        pairs = bonds.complete(pairs)
    similarity = _similarity(summaries, vector, vector, pairs.source, pairs.target)
    evidence = measure(
        summaries,
        pairs,
        table=table,
        entries=entries,
        exits=exits,
        similarity=similarity,
        views=views,
        different=different,
        pruning=pruning,
    )
    learn_links = partial(learn, summaries, table=table, prior=prior, entries=entries, exits=exits, bonds=bonds)
    learned = learn_links(pairs, evidence, settings=settings)
    ties = _tie(summaries, learned, settings, bonds)
    successor = chain(summaries, ties, bonds)
    together = settings.joint_appearance and bool(vector.shape[1])
    short = settings.model_copy(update={"rounds": min(settings.rounds, IDENTITY_ROUNDS)})
    if together and len(summaries) > MAX_TRACKS:
        for _ in range(CHAIN_PASSES):
            behind, ahead = chain_features(vector, summaries.weight, successor)
            again = replace(
                learned.evidence,
                similarity=_similarity(summaries, behind, ahead, learned.pairs.source, learned.pairs.target),
                different=_similarity(summaries, behind, ahead, *strangers),
            )
            learned = learn_links(learned.pairs, again, settings=short, start=learned)
            ties = _tie(summaries, learned, settings, bonds)
            successor = chain(summaries, ties, bonds)
    identity = identify(summaries, ties, successor, settings.local_search, bonds)
    shared_views = to_views(summaries, views)
    looks: Looks | None = None
    compared = together and settings.local_search
    few = len(summaries) <= MAX_TRACKS
    if compared and few and not shared_views:
        for left in reversed(range(IDENTITY_PASSES + 1)):
            found = compare_whole_identities(
                summaries,
                vector,
                different,
                ties=ties,
                successor=successor,
                identity=identity,
                bonds=bonds,
                least=AGAINST if looks is not None or _links_are_quiet(learned) else MIN_EVIDENCE,
            )
            if found is None:
                break
            identity, looks = found
            if not left:
                break
            learned = learn_links(learned.pairs, learned.evidence, settings=short, start=learned, identity=identity)
            ties = _tie(summaries, learned, settings, bonds)
            successor = chain(summaries, ties, bonds)
    if compared:
        identity = look_again(
            summaries,
            vector,
            ties=ties,
            identity=identity,
            strangers=strangers,
            joins=few,
            untied=looks is not None and looks.sides,
            bonds=bonds,
        )
    support = None if looks is None else support_of(summaries, ties, bonds, looks, identity)
    if settings.by_time and links is None and not vector.shape[1]:
        identity = join_leftovers(summaries, identity, bonds)
    identity += 1
    alone = np.bincount(identity)[identity] == 1 if len(identity) else np.zeros(0, np.bool_)
    if links is None:
        links = to_links(
            summaries,
            entries,
            exits,
            table=table,
            mass=learned.mass,
            share=learned.share,
            times=learned.times,
            by_appearance=bool(vector.shape[1]),
        )
    links = links.model_copy(update={"overlapping_views": shared_views})
    pairs = learned.pairs
    evidence_of_joins = join_evidence(
        identity,
        summaries.start,
        pairs.source,
        pairs.target,
        log_ratio=learned.log_ratio,
        probability=learned.probability,
        support=support,
    )
    joins = join_probability(evidence_of_joins)
    return Association(
        identity,
        summaries.parked & alone,
        links,
        pairs.source,
        pairs.target,
        learned.probability,
        learned.terms,
        joins,
        identity_probability(identity, joins),
        evidence_of_joins,
    )


def _discover(
    summaries: TrackSummaries, settings: AssociationSettings
) -> tuple[TrackEnds, TrackEnds, LinkTable, LinkPrior, CandidatePruning | None]:
    """Zones and possible links, from the tracks alone, and how their candidate pairs are pruned if there are too
    many."""
    cameras = len(summaries.cameras)
    entries = cluster_ends(RawEnds.entries(summaries), cameras, settings.zones)
    exits = cluster_ends(RawEnds.exits(summaries), cameras, settings.zones)
    known = summaries.weight > 0
    recognised = settings.appearance and bool(known.any())

    def pruning(share: float) -> CandidatePruning:
        return CandidatePruning.of(_vectors(summaries, entries, settings), known, summaries.camera, share)

    by_appearance = recognised and known.mean() > MIN_KNOWN and np.ptp(summaries.camera[known]) > 0
    table, prior, chosen = discover_links(
        summaries,
        entries,
        exits,
        longest_travel=settings.longest_travel,
        longest_overlap=settings.longest_overlap,
        budget=settings.candidate_budget,
        returns=recognised,
        pruning=pruning if by_appearance else None,
    )
    return entries, exits, table, prior, chosen


def _overlapping_views(
    summaries: TrackSummaries, vector: npt.NDArray[np.float32], links: Links | None, settings: AssociationSettings
) -> OverlappingViews:
    """Overlapping fields of view of uncalibrated cameras: the given ones, else those that are found."""
    if not (settings.ground and settings.overlapping_views):
        return OverlappingViews.of({})
    if links is not None and links.overlapping_views is not None:
        return from_views(summaries, links.overlapping_views)
    return find_overlapping_views(summaries, vector)


def _candidates(
    summaries: TrackSummaries,
    table: LinkTable,
    entries: TrackEnds,
    exits: TrackEnds,
    *,
    views: OverlappingViews,
    settings: AssociationSettings,
    keep: Callable[[Pairs], npt.NDArray[np.bool_]] | None,
) -> Pairs:
    """Candidate pairs of links, then of fragments, then of overlapping fields of view."""
    parts = [find_pairs(summaries, entries, exits, table, keep)]
    if settings.fragments:
        broken = find_fragments(summaries)
        parts.append(broken[fragment_log_ratio(summaries, broken, np.zeros(len(broken))) > MIN_FRAGMENT])
    if settings.ground:
        parts.append(find_view_pairs(summaries, views))
    return Pairs.concatenate(parts)


def _vectors(summaries: TrackSummaries, entries: TrackEnds, settings: AssociationSettings) -> npt.NDArray[np.float32]:
    """(n, d) features to compare; d = 0 without appearance."""
    if not settings.appearance or summaries.vector.shape[1] == 0:
        return np.zeros((len(summaries), 0), np.float32)
    if settings.camera_mean:
        return subtract_means(summaries.vector, summaries.weight, entries)
    return summaries.vector


def _similarity(
    summaries: TrackSummaries,
    a: npt.NDArray[np.float32],
    b: npt.NDArray[np.float32],
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """(m,) cosine similarity of a[source] and b[target] for each pair, NaN where a feature is missing."""
    known = (summaries.weight[source] > 0) & (summaries.weight[target] > 0)
    if a.shape[1] == 0 or not known.any():
        return np.full(len(source), np.nan)
    return np.where(known, similarities(a, b, source, target), np.nan)


def _links_are_quiet(learned: Learned) -> bool:
    """Whether few vehicles take the link of a typical vehicle, so that its links say little about it."""
    return bool((learned.mass**2).sum() <= QUIET_LINK * learned.mass.sum())


def _tie(
    summaries: TrackSummaries, learned: Learned, settings: AssociationSettings, bonds: Bonds | None = None
) -> Ties:
    """Candidate pairs, each pair of tracks once, with the evidence for joining them."""
    ground = learned.terms.get("ground", np.zeros(len(learned.pairs)))
    appearance = learned.terms.get("appearance")
    pairs, log_ratio = learned.pairs, learned.log_ratio
    if bonds is not None:
        left = ~bonds.refutes(pairs.source, pairs.target)
        pairs, log_ratio, ground = pairs[left], log_ratio[left], ground[left]
        appearance = None if appearance is None else appearance[left]
    ties = tie(pairs, log_ratio, ground, len(summaries), settings.threshold, appearance)
    return ties if bonds is None else hold(ties, bonds)
