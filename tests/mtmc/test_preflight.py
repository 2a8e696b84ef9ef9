"""What a run finds out before its first frame, and the plan that it prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_line import run_command
from mtmc.run import main

MakeCityflow = Callable[..., Path]


def run(tmp_path: Path, *arguments: object) -> int:
    folders = ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out"), "--workers", "1"]
    return run_command(main, [*map(str, arguments), *folders])


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    make_cityflow: MakeCityflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_cityflow()
    command = ["--data-root", root, "--scenario", "X01", "--reid", "none", "--tracks", "tc_ssd512"]
    assert run(tmp_path, *command, "--dry-run") == 0
    plan = capsys.readouterr().out
    assert "c101: 40 frames of 160 x 96, 0.00 to 3.90 s, 10 frames per second, ground truth; to observe" in plan
    assert "tracks tc_ssd512" in plan
    assert not (tmp_path / "out").exists()
    assert run(tmp_path, *command) == 0
    capsys.readouterr()
    assert run(tmp_path, *command, "--dry-run") == 0
    assert "in the cache" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["gt/gt.txt", "mtsc/mtsc_tc_ssd512.txt"])
def test_a_flat_box_is_named_before_any_frame_is_read(
    make_cityflow: MakeCityflow, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str
) -> None:
    root = make_cityflow()
    path = root / "validation" / "X01" / "c102" / part
    path.write_text(path.read_text() + "12,9,10,10,0,20,1,-1,-1,-1\n")
    line = len(path.read_text().splitlines())
    command = ["--data-root", root, "--scenario", "X01", "--reid", "none", "--tracks", "tc_ssd512"]
    assert run(tmp_path, *command) == 2
    assert f"{path}:{line}: the box is 0 x 20 pixels" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "observe").exists()


def test_a_damaged_detector_is_named_before_the_scenario_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged.onnx").write_bytes(b"no network")
    assert run(tmp_path, "--scenario", "sim-S06", "--reid", "none", "--detector", tmp_path / "damaged.onnx") == 2
    assert "damaged.onnx" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "simulated").exists()


def test_nothing_is_written_among_the_videos(
    make_cityflow: MakeCityflow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = tmp_path / "site"
    videos.mkdir()
    for camera in ("c101", "c102"):
        shutil.copy(make_cityflow() / "validation" / "X01" / camera / "vdo.avi", videos / f"{camera}.avi")
        shutil.rmtree(tmp_path / "cityflow")
    before = sorted(videos.iterdir())
    arguments = ["--scenario", str(videos), "--reid", "none", "--cache", str(tmp_path / "cache")]
    assert run_command(main, [*arguments, "--output", str(videos / "runs")]) == 2
    assert "lies in the folder of the videos" in capsys.readouterr().err
    assert sorted(videos.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    assert run(tmp_path, "--scenario", "sim-S06", "--reid", "none") == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_output_in_ascii(make_cityflow: MakeCityflow, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mtmc.run", "--data-root", str(make_cityflow()), "--scenario", "X01"]
    command += ["--reid", "none", "--tracks", "gt", "--workers", "1", "--cache", str(tmp_path / "cache")]
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": root}
    ended = subprocess.run(
        [*command, "--output", str(tmp_path / "out")], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "IDF1" in ended.stdout
