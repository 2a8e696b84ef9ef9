"""Association across cameras: from one row a track to one identity a vehicle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.appearance import chain_features, similarities, take_means_off
from mtmc.association.evidence.common_views import CommonViews, find_common_views
from mtmc.association.evidence.evidence import measure
from mtmc.association.evidence.fragments import find_fragments, fragment_log_ratio
from mtmc.association.evidence.overlapping_views import find_view_pairs
from mtmc.association.evidence.reranking import rerank
from mtmc.association.evidence.screening import Screen
from mtmc.association.learning.em import Learned, learn
from mtmc.association.links.candidates import LinkTable, Pairs, find_pairs
from mtmc.association.links.discovery import LinkPrior, discover_links
from mtmc.association.links.zones import RawEnds, TrackEnds, cluster_ends
from mtmc.association.links_exchange import from_links, from_views, to_links, to_views
from mtmc.association.links_file import Links
from mtmc.association.settings import AssociationSettings
from mtmc.association.solving.solve import Ties, chain, identify, tie
from mtmc.association.track_summaries import TrackSummaries

CHAIN_PASSES = 2
"""How often whole chains are compared and joined anew."""
CHAIN_ROUNDS = 4
"""Rounds of learning in each of these passes."""
GATE = -4.0
"""Nats of all evidence but appearance above which a pair takes part in re-ranking."""
UNLIKELY_FRAGMENT = -6.0
"""Nats below which two tracks of one camera are not considered as pieces of one."""


@dataclass(frozen=True, slots=True)
class Association:
    """Who is who.

    Attributes:
        identity: (n,) int64, from 1, of each row of the summaries; tracks that nothing links stand alone.
        dropped: (n,) bool, parked tracks that are linked to no other track.
        links: the zones, links and common views that were given or learned.
        source, target: (m,) int64, candidate pairs as rows of the summaries; parallel pairs may occur.
        probability: (m,) float64, probability of each pair.
        terms: log-likelihood ratios of the pairs by kind of evidence, each (m,).
    """

    identity: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.bool_]
    links: Links
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    terms: dict[str, npt.NDArray[np.float64]]


def associate(summaries: TrackSummaries, links: Links | None, settings: AssociationSettings) -> Association:
    """Join the tracks of one vehicle.

    Args:
        summaries: all tracks of a scenario.
        links: zones and travel times that are known; None learns them from the tracks.
        settings: switches and the decision threshold.

    Returns:
        One identity a track, the links and the candidates with their evidence. Deterministic.

    Raises:
        InputError: `links` has a zone in a camera that the summaries do not have.
    """
    screen = None
    if links is None:
        entries, exits, table, prior, screen = _discover(summaries, settings)
    else:
        entries, exits, table, prior = from_links(summaries, links)
    vector = _vectors(summaries, entries, settings)
    common = _common_views(summaries, vector, links, settings)
    pairs = _candidates(summaries, table, entries, exits, common, settings, screen)
    similarity = _similarity(summaries, vector, vector, pairs)
    overlap = np.concatenate([table.overlap, [False]])[np.minimum(pairs.link, len(table))]
    succession = ~overlap & (pairs.link < len(table))
    evidence = measure(summaries, pairs, overlap, succession, entries, exits, similarity, common)
    if screen is not None:
        evidence = replace(evidence, screened=(screen.least, screen.share))
    learned = learn(summaries, pairs, evidence, table, prior, entries, exits, settings)
    ties = _tie(summaries, learned, settings)
    successor = chain(summaries, ties)
    if settings.appearance and vector.shape[1] and (settings.chain_features or settings.reranking):
        short = settings.model_copy(update={"rounds": min(settings.rounds, CHAIN_ROUNDS)})
        for _ in range(CHAIN_PASSES):
            behind, ahead = vector, vector
            if settings.chain_features:
                behind, ahead = chain_features(vector, summaries.weight, successor)
            similarity = _similarity(summaries, behind, ahead, learned.pairs)
            if settings.reranking:
                gated = learned.log_ratio - learned.terms.get("appearance", 0.0) > GATE
                similarity = rerank(learned.pairs.source, learned.pairs.target, similarity, gated, len(summaries))
            evidence = replace(learned.evidence, similarity=similarity)
            learned = learn(summaries, learned.pairs, evidence, table, prior, entries, exits, short, learned)
            ties = _tie(summaries, learned, settings)
            successor = chain(summaries, ties)
    identity = identify(summaries, ties, successor, settings.local_moves) + 1
    alone = np.bincount(identity)[identity] == 1 if len(identity) else np.zeros(0, np.bool_)
    if links is None:
        links = to_links(summaries, entries, exits, table, learned.mass, learned.share, learned.times)
    links = links.model_copy(update={"common_views": to_views(summaries, common)})
    found = learned.pairs
    return Association(
        identity, summaries.parked & alone, links, found.source, found.target, learned.probability, learned.terms
    )


def _discover(
    summaries: TrackSummaries, settings: AssociationSettings
) -> tuple[TrackEnds, TrackEnds, LinkTable, LinkPrior, Screen | None]:
    """Zones and possible links, from the tracks alone, and the screen for their pairs where there are too many."""
    cameras = len(summaries.cameras)
    entries = cluster_ends(RawEnds.entries(summaries), cameras, settings.zones)
    exits = cluster_ends(RawEnds.exits(summaries), cameras, settings.zones)
    known = summaries.weight > 0
    recognised = settings.appearance and bool(known.any())

    def screening(share: float) -> Screen:
        return Screen.of(_vectors(summaries, entries, settings), known, summaries.camera, share)

    table, prior, screen = discover_links(
        summaries,
        entries,
        exits,
        settings.longest_travel,
        settings.longest_overlap,
        settings.candidate_budget,
        returns=recognised,
        # Where few tracks have features, times must tell.
        screening=screening if recognised and known.mean() > 0.5 and np.ptp(summaries.camera[known]) > 0 else None,
    )
    return entries, exits, table, prior, screen


def _common_views(
    summaries: TrackSummaries, vector: npt.NDArray[np.float32], links: Links | None, settings: AssociationSettings
) -> CommonViews:
    """Overlapping views of cameras without calibration: given, else found."""
    if not (settings.ground and settings.common_views):
        return CommonViews.of({})
    if links is not None and links.common_views is not None:
        return from_views(summaries, links.common_views)
    return find_common_views(summaries, vector)


def _candidates(
    summaries: TrackSummaries,
    table: LinkTable,
    entries: TrackEnds,
    exits: TrackEnds,
    common: CommonViews,
    settings: AssociationSettings,
    screen: Screen | None,
) -> Pairs:
    """Pairs of all links, of fragments (link `len(table)`) and of views (links above)."""
    linked = find_pairs(summaries, entries, exits, table, screen.passes if screen is not None else None)
    parts = [linked]
    if settings.fragments:
        broken = find_fragments(summaries)
        likely = fragment_log_ratio(summaries, broken, np.zeros(len(broken))) > UNLIKELY_FRAGMENT
        parts.append(broken[likely].renumbered(len(table)))
    if settings.ground:
        parts.append(find_view_pairs(summaries, common).renumbered(len(table) + 1))
    return Pairs.concatenate(parts)


def _vectors(summaries: TrackSummaries, entries: TrackEnds, settings: AssociationSettings) -> npt.NDArray[np.float32]:
    if not settings.appearance or summaries.vector.shape[1] == 0:
        return np.zeros((len(summaries), 0), np.float32)
    if settings.camera_mean:
        return take_means_off(summaries.vector, summaries.weight, entries)
    return summaries.vector


def _similarity(
    summaries: TrackSummaries, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], pairs: Pairs
) -> npt.NDArray[np.float64]:
    """(m,) similarity of each pair, NaN where a feature is missing."""
    known = (summaries.weight[pairs.source] > 0) & (summaries.weight[pairs.target] > 0)
    if a.shape[1] == 0 or not known.any():
        return np.full(len(pairs), np.nan)
    return np.where(known, similarities(a, b, pairs.source, pairs.target), np.nan)


def _tie(summaries: TrackSummaries, learned: Learned, settings: AssociationSettings) -> Ties:
    ground = learned.terms.get("ground", np.zeros(len(learned.pairs)))
    return tie(learned.pairs, learned.log_ratio, ground, len(summaries), settings.threshold)
