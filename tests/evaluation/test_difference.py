"""How far a difference of IDF1 may be off by chance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.boxes import Boxes
from evaluation.difference import idf1_difference_interval
from evaluation.identity import VehicleCounts
from evaluation.scoring import Score, score_boxes
from evaluation.tables import Result, ResultTable


def _scene(vehicles: int, frames: int = 6) -> Boxes:
    """Vehicles side by side, each for some frames."""
    identity = np.repeat(np.arange(vehicles), frames)
    frame = np.tile(np.arange(1, frames + 1), vehicles)
    box = np.stack([identity * 20.0, 0.0 * identity, 0.0 * identity + 10, 0.0 * identity + 10], axis=1)
    return Boxes.of(np.ones(len(identity)), identity, frame, box)


def _split(boxes: Boxes, vehicles: int) -> Boxes:
    """The first vehicles change their identity half way."""
    wrong = (boxes.identity < vehicles) & (boxes.frame > 3)
    return Boxes.of(boxes.camera, np.where(wrong, boxes.identity + 1000, boxes.identity), boxes.frame, boxes.box)


def _vehicles(score: Score) -> VehicleCounts:
    assert score.vehicles is not None
    return score.vehicles


@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 5))
def test_vehicles_add_up_to_the_score(vehicles: int, wrong: int, strays: int) -> None:
    truth = _scene(vehicles)
    stray = Boxes.of([1] * strays, [500] * strays, range(1, strays + 1), [[0.0, 500.0, 9.0, 9.0]] * strays)
    parts = [_split(truth, wrong), stray] if strays else [_split(truth, wrong)]
    predicted = Boxes.of(
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("camera", "identity", "frame", "box"))
    )
    score = score_boxes(truth, predicted)
    counts = _vehicles(score)
    assert counts.idtp.sum() == score.identity.idtp
    assert counts.boxes.sum() == len(truth)
    assert counts.predicted.sum() + counts.elsewhere == len(predicted)
    assert counts.elsewhere == strays


def test_equal_runs_differ_by_nothing() -> None:
    counts = _vehicles(score_boxes(_scene(9), _split(_scene(9), 3)))
    assert idf1_difference_interval(counts, counts) == (0.0, 0.0)


def test_one_vehicle_of_many_may_be_chance_and_half_of_them_is_not() -> None:
    truth = _scene(40)
    right, one, half = (_vehicles(score_boxes(truth, _split(truth, n))) for n in (0, 1, 20))
    low, high = idf1_difference_interval(one, right)
    assert low == 0.0 < high < 0.05
    low, high = idf1_difference_interval(half, right)
    assert 0.1 < low < high < 0.4
    assert idf1_difference_interval(right, half) == (-high, -low)


def test_runs_on_other_vehicles_cannot_be_compared() -> None:
    counts = [_vehicles(score_boxes(_scene(n), _scene(n))) for n in (3, 4)]
    with pytest.raises(ValueError, match="different vehicles"):
        idf1_difference_interval(*counts)


def test_the_table_shows_the_interval() -> None:
    truth = _scene(40)
    rows = [Result.of(name, score_boxes(truth, _split(truth, n))) for name, n in (("baseline", 20), ("ssbver", 0))]
    table = ResultTable("S06", rows)
    low, high = table.interval(1) or (0.0, 0.0)
    assert f"{100 * low:+.2f} to {100 * high:+.2f}" in table.to_text()
    assert table.to_json()[1]["difference_low"] == low
    assert table.to_json()[0]["difference_high"] is None
