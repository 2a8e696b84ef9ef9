"""mAP and CMC against their definitions, junk rules, ties, chunks and draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from common.errors import InputError
from evaluation.ranking import Matches, Ranking, RepeatedRanking, find_matches, rank, rank_blocks


def _brute_force(distance: np.ndarray, matches: Matches) -> Ranking:
    """The definition, query by query, on a full sort; others at the same distance rank before matches."""
    average_precision, first_rank = np.full(len(distance), np.nan), np.zeros(len(distance), np.int64)
    for i, row in enumerate(distance):
        own = {
            int(g): bool(junk)
            for q, g, junk in zip(matches.query, matches.gallery, matches.junk, strict=True)
            if q == i
        }
        places = [j for j in range(len(row)) if not own.get(j, False)]
        places.sort(key=lambda j: (row[j], j in own))
        hits = [rank for rank, j in enumerate(places, start=1) if j in own]
        if hits:
            average_precision[i] = sum(n / rank for n, rank in enumerate(hits, start=1)) / len(hits)
            first_rank[i] = hits[0]
    return Ranking(average_precision, first_rank)


def _matches(
    generator: np.random.Generator, queries: int, gallery: int, vehicles: int = 6, cameras: int = 3
) -> Matches:
    return find_matches(
        generator.integers(0, vehicles, queries),
        generator.integers(0, vehicles - 1, gallery),  # the last vehicle has no match
        generator.integers(-1, cameras, queries),
        generator.integers(-1, cameras, gallery),
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 40), st.integers(1, 6))
def test_equals_the_definition_also_with_ties(seed: int, queries: int, gallery: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    matches = _matches(generator, queries, gallery)
    distance = generator.integers(0, levels, (queries, gallery)).astype(np.float32)
    expected = _brute_force(distance, matches)
    ranking = rank_blocks(lambda rows: distance[rows].copy(), matches, chunk_bytes=4 * gallery * 3)
    np.testing.assert_allclose(ranking.average_precision, expected.average_precision)
    assert ranking.first_rank.tolist() == expected.first_rank.tolist()


@pytest.mark.parametrize("cosine", [True, False])
def test_average_precision_is_that_of_scikit_learn(cosine: bool) -> None:
    generator = np.random.default_rng(0)
    query, gallery = generator.normal(size=(30, 16)), generator.normal(size=(200, 16))
    query_identity, gallery_identity = generator.integers(0, 8, 30), generator.integers(0, 8, 200)
    ranking = rank(query, gallery, find_matches(query_identity, gallery_identity), cosine=cosine)
    for i in range(30):
        if cosine:
            score = gallery @ query[i] / np.linalg.norm(gallery, axis=1)
        else:
            score = -np.linalg.norm(gallery - query[i], axis=1)
        expected = average_precision_score(gallery_identity == query_identity[i], score)
        assert ranking.average_precision[i] == pytest.approx(expected, abs=1e-12)


def test_cmc_counts_queries_by_their_nearest_match() -> None:
    # Nearest matches at ranks 1 and 3; the third query has none and is left out.
    distance = np.array([[0, 1, 2, 3], [2, 0, 1, 3], [0, 1, 2, 3]], np.float32)
    matches = find_matches(np.array([1, 1, 9]), np.array([1, 2, 2, 1]))
    ranking = rank_blocks(lambda rows: distance[rows].copy(), matches)
    assert (ranking.cmc(1), ranking.cmc(2), ranking.cmc(3)) == (0.5, 0.5, 1.0)
    assert (ranking.queries, ranking.left_out) == (2, 1)
    assert ranking.mean_average_precision == pytest.approx(((1 + 2 / 4) / 2 + (1 / 3 + 2 / 4) / 2) / 2)
    assert np.isnan(ranking.average_precision[2])


def test_images_from_the_querys_camera_are_removed() -> None:
    matches = find_matches(np.array([1]), np.array([1, 1, 2, 1]), np.array([5]), np.array([5, 6, 5, -1]))
    assert matches.gallery.tolist() == [0, 1, 3]
    assert matches.junk.tolist() == [True, False, False]
    distance = np.array([[0, 2, 1, 3]], np.float32)
    # Without the junk: others at rank 1, matches at 2 and 3.
    assert rank_blocks(lambda rows: distance[rows].copy(), matches).average_precision[0] == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )


def test_unknown_cameras_make_nothing_junk_and_the_query_itself_can_be_removed() -> None:
    identity, unknown = np.array([1, 1]), np.array([-1, -1])
    assert not find_matches(identity, identity, unknown, unknown).junk.any()
    matches = find_matches(identity, identity, unknown, unknown, itself=np.array([0, -1]))
    assert matches.junk.tolist() == [True, False, False, False]


def test_a_query_with_only_junk_is_left_out() -> None:
    matches = find_matches(np.array([1]), np.array([1, 2]), np.array([5]), np.array([5, 5]))
    ranking = rank(np.ones((1, 2)), np.ones((2, 2)), matches)
    assert (ranking.queries, ranking.left_out, ranking.mean_average_precision, ranking.cmc(1)) == (0, 1, 0.0, 0.0)


def test_features_that_are_all_the_same_gain_nothing() -> None:
    matches = find_matches(np.array([1]), np.array([1, 2, 3, 4]))
    assert rank(np.ones((1, 3)), np.ones((4, 3)), matches).first_rank.tolist() == [4]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_chunks_and_the_order_of_rows_do_not_matter(seed: int) -> None:
    generator = np.random.default_rng(seed)
    query, gallery = generator.normal(size=(9, 4)).round(1), generator.normal(size=(30, 4)).round(1)
    identity, camera = generator.integers(0, 4, 30), generator.integers(0, 3, 30)
    own = generator.integers(0, 4, 9), generator.integers(0, 3, 9)
    whole = rank(query, gallery, find_matches(own[0], identity, own[1], camera))
    order = generator.permutation(30)
    other = rank(
        query, gallery[order], find_matches(own[0], identity[order], own[1], camera[order]), chunk_bytes=4 * 30 * 2
    )
    np.testing.assert_allclose(whole.average_precision, other.average_precision)
    assert whole.first_rank.tolist() == other.first_rank.tolist()


def test_a_gallery_equal_to_the_queries_is_ranked_perfectly() -> None:
    features = np.eye(6, dtype=np.float32)
    ranking = rank(features, features, find_matches(np.arange(6), np.arange(6)))
    assert (ranking.mean_average_precision, ranking.cmc(1)) == (1.0, 1.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_features_of_any_precision_are_not_modified(dtype: type) -> None:
    generator = np.random.default_rng(1)
    query, gallery = generator.normal(size=(4, 8)).astype(dtype), generator.normal(size=(9, 8)).astype(dtype)
    before = gallery.copy()
    rank(query, gallery, find_matches(np.arange(4), np.arange(9) % 4))
    assert (gallery == before).all()


def test_wrong_features_are_named() -> None:
    features = np.ones((3, 2))
    broken = features.copy()
    broken[2, 1] = np.nan
    matches = find_matches(np.arange(3), np.arange(3))
    with pytest.raises(InputError, match="gallery row 2"):
        rank(features, broken, matches)
    with pytest.raises(InputError, match="query row 2"):
        rank(broken, features, matches)
    with pytest.raises(InputError, match="equal width"):
        rank(features, np.ones((3, 5)), matches)


def test_an_empty_gallery_leaves_every_query_out() -> None:
    ranking = rank(np.ones((2, 3)), np.ones((0, 3)), find_matches(np.arange(2), np.zeros(0, np.int64)))
    assert (ranking.queries, ranking.left_out) == (0, 2)


def test_repeated_draws_have_a_mean_and_a_standard_deviation() -> None:
    generator = np.random.default_rng(1)
    identity = np.repeat(np.arange(5), 3)
    draws = []
    for _ in range(4):
        features = generator.normal(size=(15, 8))
        draws.append(rank(features[5:], features[:5], find_matches(identity[5:], identity[:5])))
    repeated = RepeatedRanking(tuple(draws))
    means = [draw.mean_average_precision for draw in draws]
    assert len(set(means)) > 1
    assert repeated.mean_average_precision == (pytest.approx(np.mean(means)), pytest.approx(np.std(means, ddof=1)))
    assert repeated.cmc(1)[0] == pytest.approx(np.mean([draw.cmc(1) for draw in draws]))
    assert RepeatedRanking((draws[0],)).mean_average_precision == (means[0], 0.0)
