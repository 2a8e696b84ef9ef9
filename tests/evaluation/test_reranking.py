"""Sparse re-ranking gives the distances of the dense definition."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import InputError
from evaluation.ranking import find_matches, rank, rank_blocks
from evaluation.reranking import reranked_distances


def _dense(query: np.ndarray, gallery: np.ndarray, k1: int, k2: int, original_weight: float) -> np.ndarray:
    """The definition with sets, one image at a time, in float64."""
    features = np.concatenate((query, gallery))
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    n = len(features)
    squared = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    squared /= squared.max(axis=1, keepdims=True)
    order = np.argsort(squared, axis=1, kind="stable")

    def reciprocal(i: int, k: int) -> set[int]:
        return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}

    weights = np.zeros((n, n))
    for i in range(n):
        mine = reciprocal(i, k1)
        expanded = set(mine)
        for j in mine:
            candidate = reciprocal(j, int(np.around(k1 / 2)))
            if len(candidate & mine) > 2 / 3 * len(candidate):
                expanded |= candidate
        members = sorted(expanded)
        weights[i, members] = np.exp(-squared[i, members])
        weights[i] /= weights[i].sum()
    weights = np.array([weights[order[i, :k2]].mean(axis=0) for i in range(n)])
    q = len(query)
    shared = np.minimum(weights[:q, None], weights[None, q:]).sum(axis=2)
    return original_weight * squared[:q, q:] + (1 - original_weight) * (1 - shared / (2 - shared))


def _clusters(
    seed: int, queries: int, gallery: int, spread: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(8, 12))
    identity = generator.integers(0, 8, queries + gallery)
    features = centres[identity] + spread * generator.normal(size=(queries + gallery, 12))
    return features[:queries], features[queries:], identity[:queries], identity[queries:]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (7, 1, 0.3), (5, 3, 0.0), (3, 9, 0.8), (20, 6, 1.0)])
def test_equals_the_dense_definition(seed: int, k1: int, k2: int, weight: float) -> None:
    query, gallery, _, _ = _clusters(seed, 20, 90, 0.7)
    block = reranked_distances(query, gallery, k1=k1, k2=k2, original_weight=weight, chunk_bytes=4 * 110 * 13)
    expected = _dense(query, gallery, k1, k2, weight)
    np.testing.assert_allclose(block(slice(0, 20)), expected, atol=2e-6)
    np.testing.assert_allclose(block(slice(7, 15)), expected[7:15], atol=2e-6)


def test_it_helps_if_neighbourhoods_are_more_telling_than_distances() -> None:
    query, gallery, own, others = _clusters(5, 60, 400, 0.9)
    matches = find_matches(own, others)
    plain = rank(query, gallery, matches).mean_average_precision
    assert rank_blocks(reranked_distances(query, gallery), matches).mean_average_precision > plain + 0.02


def test_fewer_images_than_neighbours() -> None:
    query, gallery, _, _ = _clusters(0, 2, 3, 0.5)
    block = reranked_distances(query, gallery, k1=20, k2=6)(slice(0, 2))
    np.testing.assert_allclose(block, _dense(query, gallery, 20, 6, 0.3), atol=2e-6)


def test_copies_and_zeros_are_handled() -> None:
    copies = np.repeat(np.eye(4)[:2], [15, 15], axis=0)
    gallery = np.concatenate((copies, np.zeros((1, 4))))
    block = reranked_distances(np.eye(4)[:1], gallery)(slice(0, 1))
    assert np.isfinite(block).all()
    assert block[:, :15].max() < block[:, 15:].min()


def test_a_query_that_is_in_the_gallery_finds_itself() -> None:
    _, gallery, _, _ = _clusters(1, 0, 80, 0.5)
    block = reranked_distances(gallery[:10], gallery)(slice(0, 10))
    assert block.argmin(axis=1).tolist() == list(range(10))


def test_wrong_settings_and_features_are_named() -> None:
    features = np.ones((3, 2))
    with pytest.raises(InputError, match="k1"):
        reranked_distances(features, features, k1=0)
    with pytest.raises(InputError, match="gallery row 1"):
        reranked_distances(features, np.array([[1, 1], [np.nan, 1]]))
