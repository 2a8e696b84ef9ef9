"""IDF1, IDP and IDR are those of motmetrics, whatever the identities are called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evaluation.boxes import Boxes
from evaluation.comparison import compare
from evaluation.hota import hota_score
from evaluation.identity import identity_counts, identity_score, identity_score_by_camera

Scene = Callable[..., tuple[Boxes, Boxes]]
Reference = Callable[[Boxes, Boxes], dict[str, float]]


@st.composite
def tables(draw: st.DrawFn) -> Boxes:
    """Up to 30 boxes on a coarse grid, so that many coincide exactly and ties abound."""
    n = draw(st.integers(0, 30))
    column = [draw(hnp.arrays(np.int64, n, elements=st.integers(1, high))) for high in (3, 5, 6)]
    box = draw(hnp.arrays(np.int64, (n, 4), elements=st.integers(1, 4)))
    return Boxes.of(*column, box * 10).without_duplicates()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("room", [400.0, 30.0])
def test_equals_motmetrics_on_random_scenes(
    make_scene: Scene, motmetrics_figures: Reference, seed: int, room: float
) -> None:
    truth, predictions = make_scene(seed, room=room)
    score, expected = identity_score(compare(truth, predictions)), motmetrics_figures(truth, predictions)
    assert (score.idtp, score.idfp, score.idfn) == (expected["idtp"], expected["idfp"], expected["idfn"])
    for name in ("idf1", "idp", "idr"):
        assert getattr(score, name) == pytest.approx(expected[name], abs=1e-12)


def test_an_overlap_of_exactly_one_half_counts() -> None:
    truth = Boxes.of(1, [1, 1], [1, 2], [[0, 0, 10, 10], [0, 0, 10, 10]])
    predictions = Boxes.of(1, [5, 5], [1, 2], [[0, 0, 10, 20], [0, 0, 10, 21]])
    assert identity_score(compare(truth, predictions)).idtp == 1


def test_a_vehicle_split_into_two_identities_counts_for_the_longer_one() -> None:
    frames = np.arange(1, 11)
    boxes = np.tile([0.0, 0, 10, 10], (10, 1))
    truth = Boxes.of(1, np.ones(10), frames, boxes)
    predictions = Boxes.of(1, np.where(frames <= 7, 5, 6), frames, boxes)
    comparison = compare(truth, predictions)
    assert identity_score(comparison).idf1 == pytest.approx(0.7)
    counts = identity_counts(comparison)
    assert counts.predicted.tolist() == [5, 6]
    assert counts.frames.tolist() == [7, 3]
    assert counts.assigned.tolist() == [True, False]


def test_identities_are_global_and_cameras_are_also_scored_alone() -> None:
    box = [[0.0, 0, 10, 10]] * 4
    truth = Boxes.of([41, 41, 42, 42], [1, 1, 1, 1], [1, 2, 1, 2], box)
    predictions = Boxes.of([41, 41, 42, 42], [5, 5, 6, 6], [1, 2, 1, 2], box)
    comparison = compare(truth, predictions)
    assert identity_score(comparison).idf1 == 0.5
    assert {camera: score.idf1 for camera, score in identity_score_by_camera(comparison).items()} == {41: 1.0, 42: 1.0}


@pytest.mark.parametrize("seed", range(3))
def test_each_camera_is_scored_on_its_own(make_scene: Scene, seed: int) -> None:
    truth, predictions = make_scene(seed, room=60.0)
    by_camera = identity_score_by_camera(compare(truth, predictions))
    for camera, score in by_camera.items():
        alone = compare(truth[truth.camera == camera], predictions[predictions.camera == camera])
        assert score == identity_score(alone)


@settings(max_examples=60, deadline=None)
@given(tables(), tables(), st.integers(0, 2**31))
def test_identity_numbers_and_row_order_do_not_matter(truth: Boxes, predictions: Boxes, seed: int) -> None:
    generator = np.random.default_rng(seed)
    names = generator.permutation(1000)[:10]
    renamed = Boxes(predictions.camera, names[predictions.identity], predictions.frame, predictions.box)
    shuffled = renamed[generator.permutation(len(renamed))]
    before, after = compare(truth, predictions), compare(truth[generator.permutation(len(truth))], shuffled)
    assert identity_score(before) == identity_score(after)
    assert identity_score_by_camera(before) == identity_score_by_camera(after)


@settings(max_examples=60, deadline=None)
@given(tables(), tables())
def test_a_perfect_prediction_scores_1_and_none_scores_more(truth: Boxes, predictions: Boxes) -> None:
    perfect = identity_score(compare(truth, truth))
    assert perfect.idf1 == (1.0 if len(truth) else 0.0)
    assert hota_score(compare(truth, truth)).hota == pytest.approx(1.0 if len(truth) else 0.0)
    other = identity_score(compare(truth, predictions))
    assert 0 <= other.idf1 <= 1
    assert other.idtp + other.idfn == len(truth)


def test_empty_sides() -> None:
    boxes = Boxes.of(1, [1, 1], [1, 2], [[0, 0, 9, 9]] * 2)
    missed = identity_score(compare(boxes, Boxes.empty()))
    assert (missed.idtp, missed.idfp, missed.idfn, missed.idf1) == (0, 0, 2, 0.0)
    assert identity_score_by_camera(compare(boxes, Boxes.empty()))[1].idfn == 2
    assert identity_score(compare(Boxes.empty(), boxes)).idf1 == 0.0
    assert identity_score_by_camera(compare(Boxes.empty(), Boxes.empty())) == {}
