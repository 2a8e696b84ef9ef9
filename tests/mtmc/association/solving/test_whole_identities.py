"""Identities when the features of all their tracks are compared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import PairKind, Pairs
from mtmc.association.solving.solve import tie
from mtmc.association.solving.whole_identities import compare_whole_identities, support_of
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
VEHICLES, VIEWS = 24, 5


def compared(make_summaries: Make, latent: npt.NDArray[np.float64], noise: float) -> npt.NDArray[np.int64]:
    """Identities of vehicles with these features that five cameras see at any time; no pair of tracks is tied."""
    random = np.random.default_rng(8)
    vehicle, camera = np.tile(np.arange(VEHICLES), VIEWS), np.repeat(np.arange(VIEWS), VEHICLES)
    vector = latent[vehicle] + noise * random.normal(size=(len(vehicle), latent.shape[1]))
    vector = (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)
    start = random.permutation(len(vehicle)) * 10.0
    summaries = make_summaries(camera, start, start + 5.0, vector=vector)
    n = len(vehicle)
    first, second = np.triu_indices(n, 1)
    swap = start[first] > start[second]
    source, target = np.where(swap, second, first), np.where(swap, first, second)
    pairs = Pairs.of(source, target, np.zeros(len(source), np.int64), np.zeros(len(source)), kind=PairKind.RESEMBLANCE)
    ties = tie(pairs, np.full(len(source), -5.0), np.zeros(len(source)), n, 0.5)
    found = compare_whole_identities(
        summaries,
        vector,
        np.zeros(0),
        ties=ties,
        successor=np.full(n, -1, np.int64),
        identity=np.arange(n),
        bonds=None,
    )
    if found is None:
        return np.arange(n)
    identity, looks = found
    support = support_of(summaries, ties, None, looks, identity)
    alone = np.bincount(identity)[identity] == 1
    assert np.all(support[alone] == 0)
    assert np.all(support[~alone] > 0)
    return identity


def shares(identity: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Share of the pairs of one vehicle that are joined, and share of the joined pairs that are of one vehicle."""
    vehicle = np.tile(np.arange(VEHICLES), VIEWS)
    joined = np.triu(identity[:, None] == identity, 1)
    same = np.triu(vehicle[:, None] == vehicle, 1)
    right = float((joined & same).sum())
    return right / float(same.sum()), right / float(joined.sum()) if joined.any() else 1.0


def test_vehicles_are_found_though_no_identity_was_known_before(make_summaries: Make) -> None:
    recall, precision = shares(compared(make_summaries, np.random.default_rng(1).normal(size=(VEHICLES, 64)), 1.0))
    assert recall > 0.8
    assert precision > 0.9


def test_vehicles_of_one_model_are_not_joined(make_summaries: Make) -> None:
    """They pass the same cameras, which one vehicle would hardly do."""
    random = np.random.default_rng(2)
    model = random.normal(size=(VEHICLES // 3, 64)).repeat(3, axis=0)
    latent = np.sqrt(0.75) * model + np.sqrt(0.25) * random.normal(size=(VEHICLES, 64))
    assert shares(compared(make_summaries, latent, 0.3))[1] > 0.9
