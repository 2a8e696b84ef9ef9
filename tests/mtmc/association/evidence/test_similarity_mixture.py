"""How alike the tracks of one vehicle are, learned from all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.association.evidence.similarity_mixture import SimilarityMixture


def similarities(pairs: int, mean: float, others: int = 4000) -> np.ndarray:
    random = np.random.default_rng(6)
    return np.concatenate([random.normal(0.0, 0.09, others), random.normal(mean, 0.09, pairs)])


@pytest.mark.parametrize("mean", [0.3, 0.4, 0.6])
def test_the_less_similar_pairs_of_a_vehicle_count_too(mean: float) -> None:
    """The mean is that of all its pairs; of the more similar half of them it would be .07 higher."""
    found = SimilarityMixture.of(similarities(150, mean), 90)
    assert found is not None
    assert found.mean == pytest.approx(mean, abs=0.04)
    assert 100 < found.pairs < 200


def test_a_similarity_says_what_the_densities_do() -> None:
    found = SimilarityMixture.of(similarities(150, 0.4), 90)
    assert found is not None
    nats = found.scale.at(np.array([-0.1, 0.0, 0.2, 0.3, 0.5]))
    assert np.all(np.diff(nats) >= 0)
    # Two normal densities of deviation .09 around 0 and .4 are equal at .2.
    assert nats[1] < -3
    assert abs(nats[2]) < 2
    assert nats[4] > 3


def test_a_handful_of_pairs_teaches_nothing() -> None:
    assert SimilarityMixture.of(np.array([0.1, 0.9]), 3) is None
