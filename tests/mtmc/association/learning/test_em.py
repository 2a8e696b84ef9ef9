"""What a user relies on: probabilities that rise with the evidence and mean what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.associate import associate
from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.evidence.evidence import measure
from mtmc.association.learning.em import Learned, learn
from mtmc.association.links.candidates import find_pairs
from mtmc.association.links.discovery import discover_links
from mtmc.association.links.zones import RawEnds, cluster_ends
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries, summarise

Make = Callable[..., Any]


def learned(summaries: TrackSummaries, **switches: Any) -> Learned:
    """The first round of learning that `associate` does, with plain cosine similarities."""
    settings = AssociationSettings(**switches)
    count = len(summaries.cameras)
    entries, exits = (cluster_ends(side(summaries), count) for side in (RawEnds.entries, RawEnds.exits))
    table, prior, _ = discover_links(
        summaries,
        entries,
        exits,
        longest_travel=settings.longest_travel,
        longest_overlap=settings.longest_overlap,
        budget=settings.candidate_budget,
        returns=settings.appearance and summaries.vector.shape[1] > 0,
    )
    pairs = find_pairs(summaries, entries, exits, table)
    similarity = np.full(len(pairs), np.nan)
    if summaries.vector.shape[1]:
        similarity = np.einsum("md,md->m", summaries.vector[pairs.source], summaries.vector[pairs.target]).astype(float)
    evidence = measure(
        summaries,
        pairs,
        table=table,
        entries=entries,
        exits=exits,
        similarity=similarity,
        views=OverlappingViews.of({}),
    )
    return learn(summaries, pairs, evidence, table=table, prior=prior, entries=entries, exits=exits, settings=settings)


def next_to(summaries: TrackSummaries, truth: npt.NDArray[np.int64], found: Learned) -> npt.NDArray[np.bool_]:
    """Which pairs are two tracks of one vehicle that follow each other."""
    order = np.lexsort((summaries.start, truth))
    same = truth[order][1:] == truth[order][:-1]
    successor = np.full(len(truth), -1)
    successor[order[:-1][same]] = order[1:][same]
    return np.asarray(successor[found.pairs.source] == found.pairs.target, np.bool_)


def of_roads(make_road: Make, roads: int, **options: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Probabilities and truth of all pairs of some roads; vehicles follow each other closely and scatter in time."""
    probability, true = [], []
    for seed in range(roads):
        road = make_road(seed=seed, vehicles=60, headway=4.0, **options)
        summaries = summarise(road.cameras)
        found = learned(summaries)
        probability.append(found.probability)
        true.append(next_to(summaries, road.truth, found))
    return np.concatenate(probability), np.concatenate(true)


@pytest.mark.parametrize("pixels", [False, True])
def test_probabilities_mean_what_they_say(make_road: Make, pixels: bool) -> None:
    """Of pairs of probability p, a share of p is true: by times alone, and with features that leave little open."""
    probability, true = of_roads(make_road, 4, scatter=3.0, pixels=pixels)
    assert probability.sum() == pytest.approx(true.sum(), rel=0.15)
    off = []
    for low, high in pairwise([0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.01]):
        rows = (probability >= low) & (probability < high)
        off.append(abs(float(probability[rows].mean()) - float(true[rows].mean())) * rows.sum())
        assert rows.sum() < 100 or off[-1] < 0.15 * rows.sum(), f"between {low} and {high}"
    assert sum(off[1:]) < 0.1 * (probability > 0.05).sum()


def test_more_evidence_makes_true_pairs_more_certain(make_road: Make) -> None:
    """Travel times that scatter less, then features as well."""
    sure = []
    for options in ({"scatter": 6.0}, {"scatter": 1.0}, {"scatter": 1.0, "pixels": True}):
        probability, true = of_roads(make_road, 2, **options)
        sure.append(probability[true].mean())
        assert probability[true].mean() > 10.0 * probability[~true].mean()
    assert sure[0] + 0.05 < sure[1] < sure[2]


def test_the_links_of_the_road_are_learned_with_their_shares_and_times(make_road: Make) -> None:
    road = make_road(seed=3, vehicles=80, travel=25.0, scatter=1.0)
    summaries = summarise(road.cameras)
    found = learned(summaries)
    true = next_to(summaries, road.truth, found)
    taken = np.flatnonzero(found.mass > 10.0)
    assert len(taken) == 4, "three cameras, both ways"
    for link in taken:
        assert found.mass[link] == pytest.approx(true[found.pairs.link == link].sum(), rel=0.1)
        assert found.share[link] > 0.7
        assert found.times.quantile(0.5)[link] == pytest.approx(25.0, abs=1.0)
    assert found.mass.sum() - found.mass[taken].sum() < 0.1 * true.sum(), "the other links have faded"


def test_looks_keep_most_vehicles_of_two_roads_apart(make_road: Make) -> None:
    """Cameras that share no vehicle, each as busy as the other: chance links explain some arrivals, not most."""
    joined = 0.0
    for seed in range(4):
        roads = [
            make_road(seed=10 * seed + k, vehicles=60, headway=10.0, both_ways=False, pixels=True) for k in range(2)
        ]
        summaries = summarise([replace(road.cameras[0], camera=f"c{k}") for k, road in enumerate(roads)])
        joined += float(associate(summaries, None, AssociationSettings()).probability.sum())
    assert joined < 0.4 * 4 * 60


def test_the_terms_add_up_to_the_evidence_and_each_vehicle_is_counted_once(make_road: Make) -> None:
    road = make_road(seed=5, vehicles=40, scatter=2.0, headway=5.0, pixels=True)
    summaries = summarise(road.cameras)
    found = learned(summaries)
    assert np.sum(list(found.terms.values()), axis=0) == pytest.approx(found.log_ratio)
    assert {"appearance", "travel_time", "transitions"} <= set(found.terms)
    for end in (found.pairs.source, found.pairs.target):
        assert np.bincount(end, found.probability).max() < 1.05


def test_what_was_learned_is_a_starting_point_that_does_not_drift(make_road: Make) -> None:
    road = make_road(seed=6, vehicles=60, scatter=1.0)
    summaries = summarise(road.cameras)
    twelve, twenty = (learned(summaries, rounds=rounds) for rounds in (12, 20))
    assert np.abs(twelve.probability - twenty.probability).max() < 0.1


def test_no_tracks_teach_nothing(make_summaries: Make) -> None:
    found = learned(make_summaries([], [], [], cameras=2))
    assert len(found.probability) == len(found.mass) == 0
