"""Whether a disk has room for a run is known before its first frame."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_line import run_command
from common.errors import InputError
from mtmc.observation.disk_space import FRAME_BYTES, check_space
from mtmc.run import main

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the bytes that every disk has left."""

    def leave(count: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - count, count))

    return leave


def test_the_error_names_the_folder_that_exists_and_both_sizes(tmp_path: Path, free: Callable[[int], None]) -> None:
    free(3_000_000)
    check_space(tmp_path / "not" / "there", 2_999_999, "the results", "--cache")
    with pytest.raises(
        InputError, match=r"3 MB are free, about 9 MB are needed for the results.*with --cache"
    ) as caught:
        check_space(tmp_path / "not" / "there", 9_000_000, "the results", "--cache")
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_only_what_has_yet_to_be_done_needs_room(
    make_cityflow: Callable[..., Path], tmp_path: Path, free: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--data-root", str(make_cityflow()), "--scenario", "X01", "--reid", "none", "--tracks", "gt"]
    command += ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out"), "--workers", "1"]
    free(79 * FRAME_BYTES)
    for run in (command, [*command, "--dry-run"]):
        assert run_command(main, run) == 2
        assert "are needed for the 80 frames to observe" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "observe").exists()
    free(80 * FRAME_BYTES)
    assert run_command(main, command) == 0
    capsys.readouterr()
    free(20 * FRAME_BYTES)
    assert run_command(main, command) == 0, "everything is in the cache"
    free(1000)
    assert run_command(main, [*command, "--mosaic"]) == 2
    assert "are needed for the videos" in capsys.readouterr().err
