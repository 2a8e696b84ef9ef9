"""Parts of the work in several calls, as docs/scale.md describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_line import run_command
from mtmc.run import main

OWN = """
import numpy as np


class Mean:
    def embed(self, crops):
        return np.array([crop.mean(axis=(0, 1)) for crop in crops], np.float32).reshape(-1, 3)
"""


@pytest.fixture
def run(tmp_path: Path, make_cityflow: Callable[..., Path], links_file: Path) -> Callable[..., int]:
    """The command on the tiny scenario, from given detections."""
    (tmp_path / "own.py").write_text(OWN)
    root = make_cityflow()

    def call(*more: str) -> int:
        given = ["--data-root", str(root), "--scenario", "X01", "--detections", "ssd512", "--links", str(links_file)]
        places = ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
        return run_command(main, [*given, *places, "--reid", f"{tmp_path / 'own.py'}:Mean", *more])

    return call


def test_parts_of_several_jobs_are_joined_by_a_last_call(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for camera in ("c101", "c102"):
        assert run("--only-camera", camera, "--stages", "observe,embed", "--executor", "in-turn") == 0
        assert capsys.readouterr().out == f"in the cache (observe,embed): {camera}\n"
    assert not (tmp_path / "out").exists()
    assert run() == 0
    log = capsys.readouterr().err
    assert "observe: reused" in log
    assert "embed: Mean split" in log
    assert "2 reused" in log


def test_observing_alone_leaves_the_extractors_out(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--stages", "observe", "--workers", "1") == 0
    assert capsys.readouterr().out == "in the cache (observe): c101, c102\n"
    assert (tmp_path / "cache" / "observe").is_dir()
    assert not (tmp_path / "cache" / "embed").exists()


def test_processes_and_this_process_give_the_same_result(run: Callable[..., int], tmp_path: Path) -> None:
    results = []
    for executor in ("in-turn", "processes"):
        assert run("--executor", executor, "--cache", str(tmp_path / executor)) == 0
        results.append((tmp_path / "out" / "track1.txt").read_bytes())
    assert results[0] == results[1]
    assert results[0]


def test_wrong_cameras_and_executors_are_refused(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--only-camera", "c103") == 2
    assert "--only-camera c103: X01 has no such camera; did you mean" in capsys.readouterr().err
    assert run("--executor", "proceses") == 2
    assert "did you mean processes?" in capsys.readouterr().err
