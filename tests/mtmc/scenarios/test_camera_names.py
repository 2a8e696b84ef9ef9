"""Names and numbers of cameras."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtmc.scenarios.camera_names import camera_names, camera_number, fit_name


@pytest.mark.parametrize(
    ("name", "number"),
    [("c041", 41), ("gate", None), ("20240501103000", None), ("cam 7 east", 7), ("c123456", None), ("٣", 3)],
)
def test_the_number_of_a_camera(name: str, number: int | None) -> None:
    assert camera_number(name) == number


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=80),
        min_size=1,
        max_size=8,
    )
)
def test_names_are_unique_printable_and_valid_file_names(stems: list[str]) -> None:
    names = camera_names([Path(f"{stem}.{ending}") for stem in stems for ending in ("mp4", "mkv")])
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.isprintable() and len(f"{name}.txt".encode()) <= 255 for name in names)


def test_undecodable_names_can_be_written() -> None:
    fit_name(os.fsdecode(b"caf\xe9")).encode("utf-8")
