"""Two tracks that agree on their other likely partners are alike."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.association.evidence.reranking import rerank


def all_pairs(vector: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source, target = np.triu_indices(len(vector), 1)
    return source.astype(np.int64), target.astype(np.int64), (vector @ vector.T)[source, target]


def test_a_shared_neighbourhood_lifts_a_pair_over_an_accidental_look_alike() -> None:
    """Tracks 0, 1, 2 are one vehicle and 3, 4 another; 0 is as much like 3 as like 1."""
    likeness = {(0, 1): 0.6, (0, 3): 0.6, (0, 2): 0.9, (1, 2): 0.9, (3, 4): 0.95, (0, 4): 0.2, (1, 3): 0.1}
    pairs = np.array(list(likeness), np.int64)
    value = np.array(list(likeness.values()))
    found = dict(zip(likeness, rerank(pairs[:, 0], pairs[:, 1], value, np.ones(len(value), np.bool_), 5), strict=True))
    assert found[0, 1] > found[0, 3]


def test_vehicles_are_found_more_often_than_by_plain_similarity() -> None:
    gain = []
    for seed in range(5):
        random = np.random.default_rng(seed)
        vehicle = np.repeat(np.arange(15), 4)
        vector = random.normal(size=(15, 12))[vehicle] + 0.9 * random.normal(size=(60, 12))
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        source, target, plain = all_pairs(vector)
        same = vehicle[source] == vehicle[target]
        score = []
        for value in (plain, rerank(source, target, plain, np.ones(len(plain), np.bool_), 60)):
            best = np.argsort(-value)[: same.sum()]
            score.append(same[best].mean())
        gain.append(score[1] - score[0])
    assert np.mean(gain) > 0.0


def test_unknown_stays_unknown_and_a_pair_without_neighbours_keeps_its_place() -> None:
    source, target = np.array([0, 1, 2]), np.array([3, 4, 5])
    found = rerank(source, target, np.array([0.9, np.nan, 0.3]), np.ones(3, np.bool_), 6)
    assert np.isnan(found[1])
    assert found[0] > found[2]


def test_impossible_pairs_are_not_neighbours() -> None:
    """The same likenesses, with and without the gate on the ties to the common neighbour."""
    source, target = np.array([0, 0, 1]), np.array([1, 2, 2])
    value = np.array([0.5, 0.9, 0.9])
    opened = rerank(source, target, value, np.ones(3, np.bool_), 3)
    gated = rerank(source, target, value, np.array([True, False, False]), 3)
    assert opened[0] > gated[0]


def test_the_order_and_the_number_of_parallel_pairs_do_not_matter() -> None:
    random = np.random.default_rng(3)
    vector = random.normal(size=(12, 4))
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    source, target, value = all_pairs(vector)
    known = np.ones(len(value), np.bool_)
    expected = rerank(source, target, value, known, 12)
    order = random.permutation(len(value))
    assert rerank(source[order], target[order], value[order], known, 12) == pytest.approx(expected[order])
    twice = [np.tile(column, 2) for column in (source, target, value, known)]
    assert rerank(*twice, 12)[: len(value)] == pytest.approx(expected)
