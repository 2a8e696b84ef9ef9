"""Atomic writes."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.errors import InputError
from common.files import DISK_FULL, atomic


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


def full_disk() -> OSError:
    """What Python raises while it writes to an open file."""
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "error",
    [
        full_disk(),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("parquet: underlying IO error: No space left on device (os error 28)"),
    ],
    ids=str,
)
def test_a_full_disk_is_named_with_the_path_and_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    target = tmp_path / "sub" / "result.parquet"
    with pytest.raises(OSError) as caught, atomic(target) as aside:
        aside.write_text("half")
        raise error
    assert caught.value.filename == str(target)
    assert caught.value.errno in DISK_FULL
    assert list(target.parent.iterdir()) == []


def test_a_stream_that_fails_on_a_small_disk_is_put_down_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, expected in ((9 << 20, OSError), (9 << 30, RuntimeError)):
        monkeypatch.setattr("common.files.shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        with pytest.raises(expected), atomic(tmp_path / "model.xml"):
            raise RuntimeError("basic_ios::clear: iostream error")


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    for error in (InputError("no space left on device"), ValueError("x"), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(type(error), match=str(error.args[-1])), atomic(tmp_path / "a"):
            raise error
    assert list(tmp_path.iterdir()) == []
