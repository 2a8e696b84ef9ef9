"""Crops to vectors, and vectors to one feature per track."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mtmc.appearance.embedding import embed_crops
from mtmc.appearance.settings import EmbeddingSettings
from mtmc.crops.table import Crops


class ByColour:
    """An extractor whose vector is the crop's mean colour."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        means = np.array([crop.reshape(-1, 3).mean(axis=0) for crop in crops], np.float32)
        means[means.max(axis=1) < 5] = np.nan  # black crops stand for a network that fails
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def crops(rows: list[tuple[int, float, float, tuple[int, int, int]]]) -> Crops:
    """One crop per row: track, quality, occlusion, BGR colour."""
    images = [cv2.imencode(".png", np.full((8, 8, 3), colour, np.uint8))[1].tobytes() for *_, colour in rows]
    track, quality, occlusion, _ = zip(*rows, strict=True)
    return Crops.of(track, range(1, len(rows) + 1), np.tile([0, 0, 8, 8], (len(rows), 1)), quality, occlusion, images)


BLUE, RED, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def test_better_crops_weigh_more() -> None:
    features = embed_crops(crops([(3, 0.9, 0.0, BLUE), (3, 0.3, 0.0, RED)]), ByColour(), EmbeddingSettings()).by_track()
    assert features.track.tolist() == [3]
    assert np.linalg.norm(features.vector[0]) == pytest.approx(1)
    assert features.vector[0, 0] == pytest.approx(3 * features.vector[0, 2], rel=1e-5)


def test_occluded_crops_are_left_out_unless_there_is_no_other() -> None:
    table = crops([(1, 0.9, 0.8, RED), (1, 0.2, 0.1, BLUE), (2, 0.9, 0.9, BLUE), (2, 0.5, 0.6, RED)])
    features = embed_crops(table, ByColour(), EmbeddingSettings(max_occlusion=0.35)).by_track()
    np.testing.assert_allclose(features.vector, [[1, 0, 0], [0, 0, 1]], atol=1e-6)


def test_a_vector_that_is_not_finite_does_not_spoil_the_others() -> None:
    table = crops([(1, 0.9, 0.0, BLACK), (1, 0.5, 0.0, BLUE), (2, 0.9, 0.0, BLACK)])
    features = embed_crops(table, ByColour(), EmbeddingSettings()).by_track()
    assert features.track.tolist() == [1]
    np.testing.assert_allclose(features.vector, [[1, 0, 0]], atol=1e-6)


def test_a_camera_without_vehicles_has_no_features() -> None:
    features = embed_crops(Crops.empty(), ByColour(), EmbeddingSettings()).by_track()
    assert len(features.track) == len(features.vector) == len(features.weight) == 0
