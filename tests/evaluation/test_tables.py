"""Tables of results in every form."""

from __future__ import annotations

import csv
import io
import json

import pytest

from evaluation.boxes import Boxes
from evaluation.identity import IdentityScore
from evaluation.scoring import score_boxes
from evaluation.tables import Result, ResultTable, score_table


@pytest.fixture
def table() -> ResultTable:
    """Three extractors; the second is better than the first, the third was run where no ground truth exists."""
    rows = [
        Result("baseline", IdentityScore(60, 40, 40)),
        Result("ssbver", IdentityScore(75, 25, 25)),
        Result("a|b", None),
    ]
    return ResultTable("sim-S06 (simulated)", rows)


def test_differences_are_relative_to_the_first_row(table: ResultTable) -> None:
    assert table.difference(0) is None
    assert table.difference(1) == pytest.approx(0.15)
    assert table.difference(2) is None


def test_the_terminal_shows_percentages_and_missing_ground_truth(table: ResultTable) -> None:
    text = table.to_text()
    assert "simulated" in text
    for cell in ("60.00", "75.00", "+15.00", "no ground truth"):
        assert cell in text


def test_markdown_has_a_row_per_extractor(table: ResultTable) -> None:
    lines = table.to_markdown().splitlines()
    assert lines[0] == "**sim-S06 (simulated)**"
    assert lines[4] == "| baseline | 60.00 | 60.00 | 60.00 |  |  |"
    assert lines[5] == "| ssbver | 75.00 | 75.00 | 75.00 | +15.00 |  |"
    assert lines[6].startswith(r"| a\|b | no ground truth")


def test_programs_get_fractions(table: ResultTable) -> None:
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [row["extractor"] for row in rows] == ["baseline", "ssbver", "a|b"]
    assert float(rows[1]["idf1"]) == 0.75
    assert rows[2]["idf1"] == rows[0]["difference"] == ""
    assert json.loads(json.dumps(table.to_json()))[2]["idf1"] is None


def test_without_ground_truth_in_the_first_row_there_is_no_difference() -> None:
    table = ResultTable("S06", [Result("baseline", None), Result("ssbver", None)])
    assert table.difference(1) is None
    assert table.to_text().count("no ground truth") == 2


def test_all_figures_of_one_score() -> None:
    boxes = Boxes.of([41, 42], [1, 1], [1, 1], [[0, 0, 9, 9]] * 2)
    text = score_table(score_boxes(boxes, boxes, {"duplicate": 3, "nothing": 0}), "a title")
    assert "a title" in text
    assert "c042" in text
    assert "3 predicted boxes left out: duplicate" in text
    assert "nothing" not in text
    assert "-" in score_table(score_boxes(boxes, Boxes.empty()), "no matches, so no MOTP")
