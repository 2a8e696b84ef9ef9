"""The clause of an error line that suggests names."""

from __future__ import annotations

from common.nearest import nearest


def test_close_names_are_offered() -> None:
    assert nearest("yolo11m", ["yolo11n", "car", "yolo11s"]) == "; did you mean yolo11s or yolo11n?"


def test_without_a_close_name_the_existing_ones_are_listed_up_to_a_limit() -> None:
    assert nearest("x", ["car", "bus", "car"]) == "; there are: bus, car"
    assert nearest("x", ["a1", "b2", "c3"], limit=2) == "; there are: a1, b2 and 1 more"


def test_without_names_the_clause_is_empty() -> None:
    assert nearest("x", []) == ""
