"""Candidates by appearance alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtmc.association.associate import associate
from mtmc.association.evidence.resemblance import find_resemblances, resemblance_log_prior
from mtmc.association.links.candidates import PairKind, Pairs
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]


def look(vehicles: list[int], noise: float = 0.05, seed: int = 0) -> np.ndarray:
    """Features of length 1: one direction for each vehicle, with noise."""
    random = np.random.default_rng(seed)
    vector = random.normal(size=(max(vehicles) + 1, 64))[vehicles] + noise * random.normal(size=(len(vehicles), 64))
    return (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)


def test_the_most_similar_track_is_a_candidate_however_late_it_comes(make_summaries: Make) -> None:
    """Vehicle 0 is seen again after an hour; strangers look different."""
    start = np.array([0.0, 20.0, 40.0, 3600.0, 3620.0])
    vector = look([0, 1, 2, 0, 3])
    summaries = make_summaries([0, 0, 0, 1, 1], start, start + 6.0, vector=vector)
    pairs = find_resemblances(summaries, vector, np.linspace(-0.4, 0.4, 200))
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(0, 3)]
    assert (pairs.kind == PairKind.RESEMBLANCE).all()


def test_tracks_of_one_camera_at_once_are_no_candidates(make_summaries: Make) -> None:
    vector = look([0, 0, 1])
    summaries = make_summaries([0, 0, 1], [0.0, 1.0, 0.0], [6.0, 7.0, 6.0], vector=vector)
    pairs = find_resemblances(summaries, vector, np.linspace(-0.4, 0.4, 200))
    assert len(pairs) == 0


def test_the_prior_rises_with_the_pairs_that_are_believed() -> None:
    count = 30
    a = np.arange(count)
    pairs = Pairs.of(a, a + count, np.zeros(count, np.int64), np.ones(count), kind=PairKind.RESEMBLANCE)
    camera = np.repeat([0, 1], count).astype(np.int32)
    few, many = (resemblance_log_prior(pairs, np.full(count, p), camera) for p in (0.01, 0.9))
    assert (many > few + 0.5).all()


def test_few_vehicles_that_no_link_explains_are_joined(make_summaries: Make) -> None:
    """Twelve vehicles, each seen by two cameras minutes apart, at intervals that no two of them share."""
    random = np.random.default_rng(3)
    vehicles = list(range(12))
    first = 15.0 * np.arange(12)
    again = first + random.permutation(np.linspace(300.0, 2000.0, 12))
    order = np.argsort(again)
    vehicle = np.array(vehicles + order.tolist())
    start = np.concatenate([first, again[order]])
    summaries = make_summaries(np.repeat([0, 1], 12), start, start + 6.0, vector=look(vehicle.tolist()))
    identity = associate(summaries, None, AssociationSettings()).identity
    joined = identity[:12][:, None] == identity[12:]
    assert (joined == (vehicle[:12][:, None] == vehicle[12:])).mean() == 1.0
