import numpy as np
import pytest

from common.errors import InputError
from evaluation.expansion import expand_queries


def test_mean_with_the_nearest_in_blocks_of_any_size() -> None:
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=(7, 6)).astype(np.float32), random.normal(size=(20, 6)).astype(np.float32)
    itself = np.array([3, -1, 5, -1, -1, 0, 19])
    expected = []
    for row, vector in enumerate(query):
        unit = vector / np.linalg.norm(vector)
        units = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
        similarity = [-9.0 if column == itself[row] else float(unit @ other) for column, other in enumerate(units)]
        mean = np.mean([unit, *(units[column] for column in np.argsort(similarity)[::-1][:4])], axis=0)
        expected.append(mean / np.linalg.norm(mean))
    for chunk_bytes in (1, 200, 2**20):
        found = expand_queries(query, gallery, neighbours=4, itself=itself, chunk_bytes=chunk_bytes)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_small_galleries_and_empty_features() -> None:
    query = np.array([[3, 4], [0, 0]], np.float32)
    assert expand_queries(query, np.zeros((0, 2), np.float32)).tolist() == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0, 0],
    ]
    alone = expand_queries(query[:1], np.array([[1, 0]], np.float32), itself=np.array([0]))
    np.testing.assert_allclose(alone, [[0.6, 0.8]], rtol=1e-6)
    with pytest.raises(InputError, match="at least 1 neighbour, not 0"):
        expand_queries(query, query, neighbours=0)
    with pytest.raises(InputError, match="gallery row 1 is not finite"):
        expand_queries(query, np.array([[1, 0], [np.nan, 1]], np.float32))
