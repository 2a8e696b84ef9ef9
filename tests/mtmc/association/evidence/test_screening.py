"""Candidate pruning by looks: the wanted share of strangers passes, and vehicles do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtmc.association.evidence.screening import CandidatePruning


def fleet(vehicles: int = 150, width: int = 32, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of vehicles that each of two cameras sees, and the cameras."""
    random = np.random.default_rng(seed)
    look = random.normal(size=(vehicles, width))
    vector = np.concatenate([look + 0.4 * random.normal(size=look.shape) for _ in range(2)])
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    return vector.astype(np.float32), np.repeat([0, 1], vehicles).astype(np.int32)


def between(source: np.ndarray, target: np.ndarray) -> Any:
    """Pairs as pruning reads them."""
    return SimpleNamespace(source=source, target=target)


def kept(pruning: CandidatePruning, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    return pruning.keeps(between(source, target))


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_about_the_wanted_share_of_pairs_passes_and_next_to_all_true_ones(share: float) -> None:
    vector, camera = fleet()
    pruning = CandidatePruning.of(vector, np.ones(len(vector), np.bool_), camera, share)
    first, second = (grid.ravel() for grid in np.meshgrid(np.arange(150), np.arange(150, 300), indexing="ij"))
    assert kept(pruning, first, second).mean() == pytest.approx(share, abs=0.01)
    assert kept(pruning, np.arange(150), np.arange(150, 300)).mean() > 0.98


def test_a_track_without_a_feature_passes_with_nobody() -> None:
    vector, camera = fleet()
    known = np.ones(len(vector), np.bool_)
    vector[0], known[0] = 0.0, False
    pruning = CandidatePruning.of(vector, known, camera, 1.0)
    source = np.zeros(10, np.int64)
    target = np.arange(150, 160)
    assert not kept(pruning, source, target).any()
    assert kept(pruning, source + 1, target).all()


def test_the_same_tracks_are_pruned_alike() -> None:
    vector, camera = fleet()
    known = np.ones(len(vector), np.bool_)
    source, target = np.arange(150), np.arange(150, 300)
    one, other = (kept(CandidatePruning.of(vector, known, camera, 0.01), source, target) for _ in range(2))
    assert (one == other).all()
