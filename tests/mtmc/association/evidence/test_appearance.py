"""Features made comparable across cameras, and lent along chains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.evidence.appearance import chain_features, normalised, similarities, subtract_means
from mtmc.association.links.zones import TrackEnds

Vectors = npt.NDArray[np.float32]
VEHICLES, WIDTH = 60, 16


def entries(camera_of_zone: list[int], zone: npt.NDArray[np.int64]) -> TrackEnds:
    count, n = len(camera_of_zone), len(zone)
    none = np.zeros((count, 2))
    return TrackEnds(zone, np.array(camera_of_zone, np.int32), none, none, np.zeros(n), np.zeros(n))


def seen_by_two_cameras(light: float) -> Vectors:
    """Features of the same vehicles in two cameras, each of which moves all of its features in one direction."""
    random = np.random.default_rng(0)
    look = random.normal(size=(VEHICLES, WIDTH))
    shift = light * random.normal(size=(2, WIDTH))
    seen = np.concatenate([look + shift[c] + 0.3 * random.normal(size=look.shape) for c in range(2)])
    return normalised(seen.astype(np.float32))


def found_first(vector: Vectors) -> float:
    """Share of vehicles whose most similar feature of the other camera is their own."""
    return float(((vector[:VEHICLES] @ vector[VEHICLES:].T).argmax(1) == np.arange(VEHICLES)).mean())


def test_a_camera_s_light_does_not_keep_its_features_from_matching() -> None:
    vector = seen_by_two_cameras(light=3.0)
    off = subtract_means(vector, np.ones(len(vector), np.float32), entries([0, 1], np.repeat([0, 1], VEHICLES)))
    assert found_first(off) > found_first(vector) + 0.1
    assert found_first(off) > 0.9
    assert np.linalg.norm(off, axis=1) == pytest.approx(np.ones(len(off)), abs=1e-4)


def test_missing_features_stay_missing_and_change_no_mean() -> None:
    vector = seen_by_two_cameras(light=1.0)
    weight = np.ones(len(vector), np.float32)
    zones = np.repeat([0, 1], VEHICLES)
    expected = subtract_means(vector, weight, entries([0, 1], zones))
    with_gaps = np.insert(vector, [3, 70], 0.0, axis=0).astype(np.float32)
    weight = np.insert(weight, [3, 70], 0.0).astype(np.float32)
    found = subtract_means(with_gaps, weight, entries([0, 1], np.insert(zones, [3, 70], [0, 1])))
    assert not found[weight == 0].any()
    assert found[weight > 0] == pytest.approx(expected, abs=1e-5)


def test_a_view_with_a_single_track_leans_on_its_camera() -> None:
    """Its own mean is the track itself; taken off, nothing would be left of it."""
    vector = seen_by_two_cameras(light=1.0)
    zones = np.repeat([0, 1], VEHICLES)
    zones[0] = 2
    alone = entries([0, 1, 0], zones)
    found = subtract_means(vector, np.ones(len(vector), np.float32), alone)
    together = subtract_means(
        vector, np.ones(len(vector), np.float32), replace(alone, zone=np.repeat([0, 1], VEHICLES))
    )
    assert found[0] @ together[0] > 0.95


def test_similarities_are_cosines_whatever_the_number_of_pairs() -> None:
    random = np.random.default_rng(1)
    a, b = (normalised(random.normal(size=(50, 8)).astype(np.float32)) for _ in range(2))
    source, target = random.integers(0, 50, (2, 450_001))
    found = similarities(a, b, source, target)
    rows = [0, 199_999, 200_000, 400_000, 450_000]
    assert found[rows] == pytest.approx([float(a[source[r]] @ b[target[r]]) for r in rows], abs=1e-5)
    assert len(similarities(a, b, source[:0], target[:0])) == 0


def test_a_chain_lends_its_features_in_both_directions() -> None:
    """Three noisy pictures of one vehicle: with its neighbours a track looks more like the vehicle."""
    random = np.random.default_rng(2)
    look = normalised(random.normal(size=(1, 64)).astype(np.float32))[0]
    vector = normalised((look + 0.1 * random.normal(size=(3, 64))).astype(np.float32))
    behind, ahead = chain_features(vector, np.ones(3, np.float32), np.array([1, 2, -1]))
    assert behind[2] @ look > vector[2] @ look
    assert ahead[0] @ look > vector[0] @ look
    assert behind[0] == pytest.approx(vector[0], abs=1e-6), "nothing comes before the first"
    assert ahead[2] == pytest.approx(vector[2], abs=1e-6), "nothing comes after the last"


def test_an_unlike_neighbour_lends_nothing() -> None:
    vector = np.array([[1.0, 0.0], [-0.6, 0.8]], np.float32)
    _, ahead = chain_features(vector, np.ones(2, np.float32), np.array([1, -1]))
    assert ahead[0] == pytest.approx(vector[0], abs=1e-6)
