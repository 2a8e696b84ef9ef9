"""Association across cameras: from one row a track to one identity a vehicle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.appearance import normalised, similarities, take_means_off
from mtmc.association.candidates import LinkTable, Pairs, find_pairs
from mtmc.association.chains import cut_clashes, identities_of
from mtmc.association.discovery import LinkPrior, discover_links
from mtmc.association.evidence import Evidence, measure
from mtmc.association.exchange import from_links, to_links
from mtmc.association.fragments import find_fragments, fragment_log_ratio
from mtmc.association.learning import Learned, learn
from mtmc.association.links import Links
from mtmc.association.matching import best_pairs
from mtmc.association.settings import AssociationSettings
from mtmc.association.summaries import TrackSummaries
from mtmc.association.views import find_view_pairs
from mtmc.association.zones import TrackEnds, cluster_ends

CHAIN_REACH = 3
"""Tracks before and after that lend their features to a chain's."""
CHAIN_PASSES = 2


@dataclass(frozen=True, slots=True)
class Association:
    """Who is who.

    Attributes:
        identity: (n,) int64, from 1, of each row of the summaries; tracks that nothing links stand alone.
        dropped: (n,) bool, parked tracks that are linked to no other track.
        links: the zones and links that were given or learned.
        source, target: (m,) int64, candidate pairs as rows of the summaries.
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
        One identity a track, the links and the candidates with their evidence.
    """
    if links is None:
        entries, exits, table, prior = _discover(summaries, settings)
    else:
        entries, exits, table, prior = from_links(summaries, links)
    pairs, fixed = _candidates(summaries, table, entries.zone, exits.zone, len(entries.camera), settings)
    vector = _features(summaries, entries, settings)
    kind = np.concatenate([table.overlap, [False]])[np.minimum(pairs.link, len(table))]
    overlap, succession = kind, ~kind & (pairs.link < len(table))
    similarity = _similarity(summaries, vector, vector, pairs)
    evidence = measure(summaries, pairs, overlap, succession, entries, exits, similarity)
    learned = learn(summaries, pairs, evidence, fixed, table, prior, entries, exits, settings)
    successor = _join(summaries, learned, settings)
    if settings.chain_features and settings.appearance and vector.shape[1]:
        short = settings.model_copy(update={"rounds": min(settings.rounds, 4)})
        for _ in range(CHAIN_PASSES):
            behind, ahead = _chain_features(summaries, vector, successor)
            chain = _similarity(summaries, behind, ahead, learned.pairs)
            evidence = Evidence(
                chain,
                learned.evidence.traits,
                learned.evidence.label,
                learned.evidence.offset,
                learned.evidence.spread,
                learned.evidence.cameras,
            )
            learned = learn(
                summaries, learned.pairs, evidence, learned.fixed, table, prior, entries, exits, short, learned
            )
            successor = _join(summaries, learned, settings)
    identity = identities_of(successor) + 1
    alone = np.bincount(identity)[identity] == 1
    return Association(
        identity,
        summaries.parked & alone,
        links
        if links is not None
        else to_links(summaries, entries, exits, table, learned.mass, learned.share, learned.times),
        learned.pairs.source,
        learned.pairs.target,
        learned.probability,
        learned.terms,
    )


def _discover(
    summaries: TrackSummaries, settings: AssociationSettings
) -> tuple[TrackEnds, TrackEnds, LinkTable, LinkPrior]:
    """Zones and possible links, from the tracks alone."""
    cameras = len(summaries.cameras)
    entries = cluster_ends(summaries.camera, summaries.entry, summaries.entry_direction, cameras, settings.zones)
    exits = cluster_ends(summaries.camera, summaries.exit, summaries.exit_direction, cameras, settings.zones)
    table, prior = discover_links(
        summaries, entries, exits, settings.longest_travel, settings.longest_overlap, settings.candidate_budget
    )
    return entries, exits, table, prior


def _candidates(
    summaries: TrackSummaries,
    table: LinkTable,
    entry_zone: npt.NDArray[np.int64],
    exit_zone: npt.NDArray[np.int64],
    entry_zones: int,
    settings: AssociationSettings,
) -> tuple[Pairs, npt.NDArray[np.float64]]:
    """Pairs of all links, of fragments (link `len(table)`) and of views (links above), and what of them is fixed."""
    linked = find_pairs(summaries, entry_zone, exit_zone, entry_zones, table)
    parts, worth = [linked], [np.zeros(len(linked))]
    if settings.fragments:
        broken = find_fragments(summaries)
        ratio = fragment_log_ratio(summaries, broken)
        likely = ratio > -6.0
        parts.append(broken[likely].renumbered(len(table)))
        worth.append(ratio[likely])
    if settings.ground:
        views = find_view_pairs(summaries)
        parts.append(views.renumbered(len(table) + 1))
        worth.append(np.zeros(len(views)))
    return Pairs.concatenate(parts), np.concatenate(worth)


def _features(summaries: TrackSummaries, entries: TrackEnds, settings: AssociationSettings) -> npt.NDArray[np.float32]:
    if not settings.appearance or summaries.vector.shape[1] == 0:
        return np.zeros((len(summaries), 0), np.float32)
    if settings.camera_mean:
        return take_means_off(summaries.vector, summaries.weight, entries)
    return summaries.vector


def _similarity(
    summaries: TrackSummaries, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], pairs: Pairs
) -> npt.NDArray[np.float64]:
    known = (summaries.weight[pairs.source] > 0) & (summaries.weight[pairs.target] > 0)
    if a.shape[1] == 0 or not known.any():
        return np.full(len(pairs), np.nan)
    return np.where(known, similarities(a, b, pairs.source, pairs.target), np.nan)


def _join(summaries: TrackSummaries, learned: Learned, settings: AssociationSettings) -> npt.NDArray[np.int64]:
    """(n,) successor of each track, -1 where none."""
    pairs, n = learned.pairs, len(summaries)
    # Parallel pairs are one event told in two ways: their ratios add.
    key = pairs.source * n + pairs.target
    unique, inverse = np.unique(key, return_inverse=True)
    ratio = np.bincount(inverse.reshape(-1), np.exp(np.clip(learned.log_ratio, -60.0, 25.0)), len(unique))
    source, target = unique // max(n, 1), unique % max(n, 1)
    # The most probable set of chains: each pair against both tracks ending or starting on their own.
    worth = np.log(np.maximum(ratio, 1e-30)) - np.log(settings.threshold / (1.0 - settings.threshold))
    taken = best_pairs(source, target, worth, n)
    successor = np.full(n, -1, np.int64)
    gain = np.zeros(n)
    successor[source[taken]] = target[taken]
    gain[source[taken]] = worth[taken]
    return cut_clashes(summaries, successor, gain)


def _chain_features(
    summaries: TrackSummaries, vector: npt.NDArray[np.float32], successor: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Features of each track with those before it, and with those after it, in its chain."""
    n = len(successor)
    predecessor = np.full(n, -1, np.int64)
    joined = np.flatnonzero(successor >= 0)
    predecessor[successor[joined]] = joined
    sums = []
    for step in (predecessor, successor):
        total = vector * summaries.weight[:, None]
        at = step
        for _ in range(CHAIN_REACH):
            here = np.flatnonzero(at >= 0)
            total[here] += vector[at[here]] * summaries.weight[at[here], None]
            at = np.where(at >= 0, step[np.maximum(at, 0)], -1)
        sums.append(normalised(total))
    return sums[0], sums[1]
