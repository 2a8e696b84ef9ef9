"""The scripts in examples/: they run as they stand, without a main guard, from a file and from standard input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mtmc import load_scenario

TINY = """name: tiny
simulation: {layout: crossing, seed: 3, seconds: 2, cameras: 2, width: 480, height: 270}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts run, with a scenario that takes seconds."""
    path = tmp_path_factory.mktemp("examples")
    (path / "tiny.yaml").write_text(TINY)
    return path


def run(repository: Path, folder: Path, name: str, *arguments: str, stdin: bool = False) -> str:
    script = repository / "examples" / name
    done = subprocess.run(
        [sys.executable, "-" if stdin else str(script), *arguments],
        input=script.read_text() if stdin else "",
        cwd=folder,
        env={"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("stdin", [False, True])
def test_a_scenario_runs_from_a_script_and_from_standard_input(repository: Path, folder: Path, stdin: bool) -> None:
    told = run(repository, folder, "run_scenario.py", "tiny.yaml", stdin=stdin)
    assert "tiny (simulated)" in told and "ssbver" in told
    assert told.count("boxes of vehicles") == 1
    assert "c041" in (folder / "runs" / "tiny" / "report.html").read_text()


def test_own_tracks_and_vectors_become_identities(repository: Path, folder: Path) -> None:
    told = run(repository, folder, "own_tracks_and_vectors.py")
    right, vehicles = (int(word) for word in told.split() if word.isdigit())
    assert right >= 0.9 * vehicles


def test_one_video_becomes_tracks(repository: Path, folder: Path) -> None:
    video = load_scenario(folder / "tiny.yaml", cache=folder / "cache").cameras[0].video
    told = run(repository, folder, "track_one_camera.py", str(video), str(repository / "weights" / "detector.onnx"))
    assert "track 1: frames" in told


def test_a_scenario_is_replayed_as_if_its_cameras_were_running(repository: Path, folder: Path) -> None:
    told = run(repository, folder, "live_replay.py", "tiny.yaml")
    assert told.count("opened") == told.count("closed") > 0
    assert (folder / "live" / "tiny" / "live.sqlite").is_file()
