"""Atomic writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.files import atomic


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "result.txt"
    with atomic(target) as aside:
        aside.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [entry.name for entry in target.parent.iterdir()] == ["result.txt"]


def test_nothing_appears_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic(tmp_path / "folder") as aside:
        aside.mkdir()
        (aside / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_first_of_two_folders_stays(tmp_path: Path) -> None:
    with atomic(tmp_path / "folder") as late:
        late.mkdir()
        (late / "text").write_text("late")
        with atomic(tmp_path / "folder") as early:
            early.mkdir()
            (early / "text").write_text("early")
    assert (tmp_path / "folder" / "text").read_text() == "early"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]
