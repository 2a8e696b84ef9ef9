"""HOTA is that of trackeval."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evaluation.boxes import Boxes
from evaluation.comparison import compare
from evaluation.hota import hota_score


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("room", [400.0, 60.0, 15.0])
def test_equals_trackeval_on_random_scenes(
    make_scene: Callable[..., tuple[Boxes, Boxes]],
    trackeval_figures: Callable[[Boxes, Boxes], dict[str, float]],
    seed: int,
    room: float,
) -> None:
    truth, predictions = make_scene(seed, room=room)
    score, expected = hota_score(compare(truth, predictions)), trackeval_figures(truth, predictions)
    assert score.hota == pytest.approx(expected["HOTA"], abs=1e-9)
    assert score.deta == pytest.approx(expected["DetA"], abs=1e-9)
    assert score.assa == pytest.approx(expected["AssA"], abs=1e-9)
    assert score.loca == pytest.approx(expected["LocA"], abs=1e-9)


def test_boxes_that_never_overlap() -> None:
    truth = Boxes.of(1, [1], [1], [[0, 0, 9, 9]])
    predictions = Boxes.of(1, [1], [1], [[90, 90, 9, 9]])
    score = hota_score(compare(truth, predictions))
    assert (score.hota, score.deta, score.assa) == (0.0, 0.0, 0.0)


def test_empty_sides() -> None:
    boxes = Boxes.of(1, [1], [1], [[0, 0, 9, 9]])
    assert hota_score(compare(boxes, Boxes.empty())).hota == 0.0
    assert hota_score(compare(Boxes.empty(), boxes)).hota == 0.0
