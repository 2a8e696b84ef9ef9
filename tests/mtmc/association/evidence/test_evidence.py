"""What is measured of candidate pairs, and that it tells true pairs from false ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.evidence.evidence import Evidence, measure
from mtmc.association.links.candidates import LinkTable, Pairs, find_pairs
from mtmc.association.links.zones import RawEnds, cluster_ends
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
VEHICLES = 60


def street(make: Make, seed: int = 0) -> tuple[TrackSummaries, Pairs, LinkTable, Any]:
    """Sixty vehicles pass two cameras; sizes, classes and lanes are kept, features are noisy."""
    random = np.random.default_rng(seed)
    size, label = random.normal(size=VEHICLES), random.choice([2, 2, 2, 7], VEHICLES)
    lane = np.where(random.random(VEHICLES) < 0.5, 0.4, 0.6)
    look = random.normal(size=(VEHICLES, 32))
    start = np.concatenate([10.0 * np.arange(VEHICLES) + delay for delay in (0.0, 30.0)])
    place = [np.tile(np.column_stack([np.full(VEHICLES, x), lane]), (2, 1)) for x in (0.1, 0.9)]
    vector = np.tile(look, (2, 1)) + 0.7 * random.normal(size=(2 * VEHICLES, 32))
    summaries = make(
        np.repeat([0, 1], VEHICLES),
        start,
        start + 6.0,
        entry=place[0],
        exit=place[1],
        size=np.tile(size, 2) + 0.3 * random.normal(size=2 * VEHICLES),
        label=np.tile(label, 2).astype(np.int16),
        vector=vector / np.linalg.norm(vector, axis=1, keepdims=True),
    )
    entries, exits = (cluster_ends(side(summaries), 2, split=False) for side in (RawEnds.entries, RawEnds.exits))
    table = LinkTable(np.zeros(1, np.bool_), np.zeros(1, np.int64), np.ones(1, np.int64), np.zeros(1), np.full(1, 60.0))
    pairs = find_pairs(summaries, entries, exits, table)
    return summaries, pairs, table, SimpleNamespace(entries=entries, exits=exits)


def measured(summaries: TrackSummaries, pairs: Pairs, table: LinkTable, ends: Any) -> Evidence:
    similarity = np.einsum("md,md->m", summaries.vector[pairs.source], summaries.vector[pairs.target]).astype(float)
    return measure(
        summaries,
        pairs,
        table=table,
        entries=ends.entries,
        exits=ends.exits,
        similarity=similarity,
        views=OverlappingViews.of({}),
    )


def terms(
    evidence: Evidence, summaries: TrackSummaries, pairs: Pairs, **switches: bool
) -> dict[str, npt.NDArray[np.float64]]:
    true = pairs.target - pairs.source == VEHICLES
    return evidence.log_ratios(
        np.where(true, 0.8, 0.05), true, pairs.link, summaries.label, AssociationSettings(**switches)
    )


@pytest.mark.parametrize("term", ["appearance", "size", "lane", "label"])
def test_each_kind_of_evidence_speaks_for_true_pairs(make_summaries: Make, term: str) -> None:
    summaries, pairs, table, ends = street(make_summaries)
    true = pairs.target - pairs.source == VEHICLES
    assert true.sum() == VEHICLES
    found = terms(measured(summaries, pairs, table, ends), summaries, pairs)[term]
    assert found[true].mean() > 0.1 > 0.0 > found[~true].mean()
    assert np.isfinite(found).all()


def test_what_is_switched_off_or_not_measured_has_no_term(make_summaries: Make) -> None:
    summaries, pairs, table, ends = street(make_summaries)
    evidence = measured(summaries, pairs, table, ends)
    assert "ground" not in terms(evidence, summaries, pairs)
    for name in ("appearance", "size", "lane", "label"):
        assert name not in terms(evidence, summaries, pairs, **{name: False})
    blind = replace(evidence, similarity=np.full(len(pairs), np.nan))
    assert "appearance" not in terms(blind, summaries, pairs)


def test_a_missing_feature_is_no_evidence_about_its_pair(make_summaries: Make) -> None:
    summaries, pairs, table, ends = street(make_summaries)
    evidence = measured(summaries, pairs, table, ends)
    evidence.similarity[0] = np.nan
    assert terms(evidence, summaries, pairs)["appearance"][0] == pytest.approx(0.0, abs=1e-9)


def test_places_on_the_ground_are_compared_where_both_are_seen_at_once(make_summaries: Make) -> None:
    """Tracks 0 and 2 are on one spot, 0 and 3 not; 1 and 3 are seen at other times."""
    path = np.column_stack([5.0 * np.arange(13), np.zeros(13)])
    start = np.array([0.0, 100.0, 0.0, 0.0])
    ground = [path, path, path, path + np.array([0.0, 15.0])]
    summaries = make_summaries([0, 0, 1, 1], start, start + 6.0, ground=ground, recorded=(0.0, 200.0))
    entries, exits = (cluster_ends(side(summaries), 2, split=False) for side in (RawEnds.entries, RawEnds.exits))
    table = LinkTable(
        np.array([False, True]), np.array([1, 0]), np.array([0, 1]), np.array([0.0, 0.0]), np.array([200.0, 60.0])
    )
    pairs = find_pairs(summaries, entries, exits, table)
    evidence = measure(
        summaries,
        pairs,
        table=table,
        entries=entries,
        exits=exits,
        similarity=np.full(len(pairs), np.nan),
        views=OverlappingViews.of({}),
    )
    off = {
        (int(a), int(b)): offset
        for a, b, offset in zip(pairs.source, pairs.target, np.linalg.norm(evidence.offset, axis=1), strict=True)
    }
    assert off[0, 2] == pytest.approx(0.0)
    assert off[0, 3] == pytest.approx(15.0)
    assert np.isnan(off[3, 1])


def test_rows_of_the_evidence_stay_with_their_pairs(make_summaries: Make) -> None:
    summaries, pairs, table, ends = street(make_summaries)
    evidence, rows = measured(summaries, pairs, table, ends), np.arange(0, len(pairs), 3)
    part = measured(summaries, pairs[rows], table, ends)
    assert evidence[rows].similarity == pytest.approx(part.similarity)
    assert evidence[rows].traits[0].u == pytest.approx(part.traits[0].u)
    assert (evidence[rows].label == part.label).all()


def test_a_low_similarity_says_more_where_true_pairs_look_alike(make_summaries: Make) -> None:
    """How much a low similarity speaks against a pair is learned: less where true pairs often look unlike."""
    summaries, pairs, table, ends = street(make_summaries)
    evidence = measured(summaries, pairs, table, ends)
    true = pairs.target - pairs.source == VEHICLES
    lowest = int(np.argmin(np.where(true, np.inf, evidence.similarity)))
    alike = terms(evidence, summaries, pairs)["appearance"][lowest]
    blurred = evidence.similarity.copy()
    blurred[np.flatnonzero(true)[::2]] = np.median(blurred[~true])
    unlike = terms(replace(evidence, similarity=blurred), summaries, pairs)["appearance"][lowest]
    assert alike < unlike - 0.5
