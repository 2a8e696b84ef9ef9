"""CLEAR figures are those of motmetrics, also where matches depend on earlier ones."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from evaluation.boxes import Boxes
from evaluation.clear import ClearScore, clear_score
from evaluation.comparison import compare

Reference = Callable[[Boxes, Boxes], dict[str, float]]


def _assert_equal(score: ClearScore, expected: dict[str, float]) -> None:
    assert score.mota == pytest.approx(expected["mota"], abs=1e-12)
    assert score.motp == pytest.approx(expected["motp"], abs=1e-12)
    assert score.switches == expected["num_switches"]
    assert score.false_positives == expected["num_false_positives"]
    assert score.misses == expected["num_misses"]
    assert score.fragmentations == expected["num_fragmentations"]
    assert score.mostly_tracked == expected["mostly_tracked"]
    assert score.partially_tracked == expected["partially_tracked"]
    assert score.mostly_lost == expected["mostly_lost"]
    assert score.recall == pytest.approx(expected["recall"])
    assert score.precision == pytest.approx(expected["precision"])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("room", [400.0, 30.0, 8.0])
def test_equals_motmetrics_on_random_scenes(
    make_scene: Callable[..., tuple[Boxes, Boxes]], motmetrics_figures: Reference, seed: int, room: float
) -> None:
    # The smaller the area, the more boxes could match several others.
    truth, predictions = make_scene(seed, room=room, noise=2.0 + seed)
    _assert_equal(clear_score(compare(truth, predictions)), motmetrics_figures(truth, predictions))


def test_an_earlier_match_is_kept_despite_a_closer_box(motmetrics_figures: Reference) -> None:
    truth = Boxes.of(1, [1, 1, 1], [1, 2, 9], [[0, 0, 40, 40]] * 3)
    # In frame 2 a new identity fits perfectly; the old one, farther off, keeps the vehicle, over the gap, too.
    boxes = [[left, 0, 40, 40] for left in (0, 8, 0, 9, 1)]
    predictions = Boxes.of(1, [7, 7, 8, 7, 8], [1, 2, 2, 9, 9], boxes)
    score = clear_score(compare(truth, predictions))
    assert (score.switches, score.false_positives, score.misses) == (0, 2, 0)
    _assert_equal(score, motmetrics_figures(truth, predictions))


def test_an_identity_that_two_vehicles_had_goes_to_the_first_row(motmetrics_figures: Reference) -> None:
    # Both vehicles were last matched to identity 7; in frame 3 both could keep it.
    box = [0, 0, 40, 40]
    truth = Boxes.of(1, [1, 2, 2, 1], [1, 2, 3, 3], [box, box, [4, 0, 40, 40], box])
    predictions = Boxes.of(1, [7, 7, 7, 8], [1, 2, 3, 3], [box, box, box, [6, 0, 40, 40]])
    _assert_equal(clear_score(compare(truth, predictions)), motmetrics_figures(truth, predictions))


def test_the_number_of_matches_comes_before_their_distance(motmetrics_figures: Reference) -> None:
    # The closest pair (truth 1, prediction 7) would leave truth 2 and prediction 8 without a partner.
    truth = Boxes.of(1, [1, 2], [1, 1], [[0, 0, 40, 40], [10, 0, 40, 40]])
    predictions = Boxes.of(1, [7, 8], [1, 1], [[2, 0, 40, 40], [-10, 0, 40, 40]])
    score = clear_score(compare(truth, predictions))
    assert score.matches == 2
    _assert_equal(score, motmetrics_figures(truth, predictions))


def test_a_perfect_prediction() -> None:
    truth = Boxes.of([1, 1, 2], [1, 2, 1], [1, 1, 1], np.array([[0, 0, 9, 9], [50, 0, 9, 9], [0, 0, 9, 9]]))
    score = clear_score(compare(truth, truth))
    assert (score.mota, score.motp, score.switches, score.mostly_tracked) == (1.0, 0.0, 0, 2)


def test_without_predictions_and_without_ground_truth() -> None:
    boxes = Boxes.of(1, [1, 1], [1, 2], [[0, 0, 9, 9]] * 2)
    lost = clear_score(compare(boxes, Boxes.empty()))
    assert (lost.mota, lost.misses, lost.mostly_lost) == (0.0, 2, 1)
    assert math.isnan(lost.motp)
    nothing = clear_score(compare(Boxes.empty(), boxes))
    assert (nothing.mota, nothing.false_positives, nothing.recall) == (0.0, 0, 0.0)
