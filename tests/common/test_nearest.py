"""The clause that names what the user may have meant."""

from __future__ import annotations

from common.nearest import nearest


def test_close_names_are_offered() -> None:
    assert nearest("yolo11m", ["yolo11n", "car", "yolo11s"]) == "; did you mean yolo11s or yolo11n?"


def test_without_a_close_name_what_exists_is_listed_up_to_a_limit() -> None:
    assert nearest("x", ["car", "bus", "car"]) == "; there are: bus, car"
    assert nearest("x", ["a1", "b2", "c3"], limit=2) == "; there are: a1, b2 and 1 more"


def test_nothing_is_said_where_nothing_exists() -> None:
    assert nearest("x", []) == ""
