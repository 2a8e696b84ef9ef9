"""Inputs as people bring them, each by its name: what the program makes of it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch

import mtmc
from common.command_line import run_command
from detection.loading import load_detector
from detection.video import open_video
from mtmc.run import main
from reid.backbones import build_backbone
from reid.backbones.pretrained import fill_backbone, read_weights
from reid.evaluate import main as evaluate_reid
from reid.settings import ModelConfig
from tests.mtmc.conftest import write_video

CAR = [270, 290, 100, 60]
SIDE = 256
"""Pixels of the made videos, which hold the boxes of the made texts."""
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def cases(shared: Path) -> ModuleType:
    """The module that makes the cases."""
    path = shared / "cases" / "make_cases.py"
    if not path.is_file():
        pytest.skip("no ../shared/cases")
    spec = importlib.util.spec_from_file_location("make_cases", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(cases: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of one part of the cases, made when it is first asked for."""
    folder = tmp_path_factory.mktemp("cases")
    frames = cases.grey
    done: set[str] = set()

    def make(part: str) -> Path:
        if part not in done:
            done.add(part)
            cases.OUT = folder
            # Flat grey of any side; smaller pictures are made and read in less time.
            cases.grey = lambda count=60, width=SIDE, height=SIDE: frames(count, width, height)
            getattr(cases, part)()
        return folder / part.removesuffix("_networks")

    return make


@pytest.fixture(scope="module")
def clip(cases: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one clip of 640 x 640."""
    folder = tmp_path_factory.mktemp("clip") / "site"
    cases.write_video(folder / "c1.mp4", [np.full((640, 640, 3), 90, np.uint8)] * 6)
    return folder


class Run:
    """Runs the program on a scenario, with a cache and an output of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.output, self._capsys = folder, folder / "out", capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        folders = ["--cache", self.folder / "cache", "--output", self.output, "--workers", "1"]
        try:
            status = run_command(main, [str(argument) for argument in (*arguments, *folders)])
        finally:
            self.out, self.err = self._capsys.readouterr()
        return status

    def refused(self, *arguments: object) -> str:
        """The one line with which the arguments are refused."""
        assert self(*arguments) == 2
        assert self.err.count("error: ") == 1 and "Traceback" not in self.err
        return self.err.strip().splitlines()[-1]

    def plan(self, *arguments: object) -> str:
        """What `--dry-run` prints."""
        assert self("--dry-run", "--reid", "none", *arguments) == 0, self.err
        return self.out

    def rows(self, camera: str) -> list[str]:
        """The boxes of a camera."""
        return (self.output / "tracks" / f"{camera}.txt").read_text().splitlines()


def boxes(run: Run, *cameras: str, last: int = 20) -> list[object]:
    """Boxes to start from, so that no detector is needed: one car for the first frames."""
    folder = run.folder / "boxes"
    folder.mkdir(exist_ok=True)
    for camera in cameras:
        rows = [f"{frame},-1,{20 + frame},50,40,30,0.9,-1,-1,-1\n" for frame in range(1, last + 1)]
        (folder / f"{camera}.txt").write_text("".join(rows))
    return ["--detections", folder]


def length(path: Path) -> tuple[int, float]:
    """Frames of a video, and its seconds as its container counts them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None and stream.time_base is not None
        return stream.frames, float(stream.duration * stream.time_base)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


@pytest.mark.parametrize(
    ("name", "box"),
    [
        ("control", CAR),
        ("yolov5", CAR),
        ("rtdetr", CAR),
        ("segmentation-end2end", CAR),
        ("oriented", [290, 270, 60, 100]),
        ("size-1280", [135, 145, 50, 30]),
        ("class-Cars", CAR),
    ],
)
def test_detectors(made: Make, name: str, box: list[float]) -> None:
    (found,) = load_detector(made("detectors") / f"{name}.onnx").detect([np.full((640, 640, 3), 90, np.uint8)])
    np.testing.assert_allclose(found.box, [box], atol=0.01)
    assert found.label.tolist() == [2]


def test_detectors_in_a_run(run: Run, made: Make, clip: Path) -> None:
    assert run("--scenario", clip, "--reid", "none", "--detector", made("detectors") / "yolov5.onnx") == 0, run.err
    assert [row.split(",")[2:6] for row in run.rows("c1")] == [["270.00", "290.00", "100.00", "60.00"]] * 6
    assert "detector: yolov5 layout, input 640x640 pixels, vehicles: car, motorcycle, bus, truck" in " ".join(
        run.err.split()
    )


def test_detectors_classifier(run: Run, made: Make, clip: Path) -> None:
    error = run.refused("--scenario", clip, "--reid", "none", "--detector", made("detectors") / "classifier.onnx")
    assert "classifier.onnx: not a detector" in error and "yolov8 (batch, 4 + classes" in error


def test_detectors_class_object(run: Run, made: Make, clip: Path) -> None:
    command = ["--scenario", clip, "--reid", "none", "--detector", made("detectors") / "class-object.onnx"]
    assert "--set 'detection.classes={object: car}'" in run.refused(*command)
    plan = run.plan(*command[:2], *command[4:], "--set", "detection.classes={object: car}")
    assert "vehicles: object as car" in plan


@pytest.mark.parametrize("spelling", ["bf16", "bfloat16", "float16", "FP16", "fp32"])
def test_detection_precision(run: Run, made: Make, clip: Path, spelling: str) -> None:
    """Each spelling is understood; a processor that does not compute in it is a reason of its own."""
    command = ["--scenario", clip, "--reid", "none", "--detector", made("detectors") / "control.onnx", "--dry-run"]
    status = run(*command, "--set", f"detection.precision={spelling}")
    assert status == 0 or (status == 2 and "this CPU does not compute in it; use float32" in run.err)


def test_videos_thumbnail_first(run: Run, made: Make) -> None:
    folder = made("videos") / "thumbnail-first"
    assert f"cam1: 60 frames of {SIDE} x {SIDE}" in run.plan("--scenario", folder, *boxes(run, "cam1"))
    (camera,) = mtmc.load_scenario(folder).cameras
    assert sum(1 for _ in open_video(str(camera.video)).frames()) == 60


def test_videos_variable_rate(run: Run, made: Make) -> None:
    folder = made("videos") / "variable-rate"
    arguments = ["--scenario", folder, "--reid", "none", *boxes(run, "cam1", "cam2"), "--videos", "--mosaic"]
    clock = mtmc.load_scenario(folder).cameras[0].clock
    np.testing.assert_allclose(clock.at([1, 31, 60]), [0.0, 1.0, 6.8], atol=0.005)
    assert run(*arguments) == 0, run.err
    assert "cam1: frame rate varies" in run.err
    assert "frame rate varies" in json.loads((run.output / "run.json").read_text())["notes"][0]
    frames, seconds = length(run.output / "videos" / "cam1.mp4")
    assert (frames, seconds) == (60, pytest.approx(7.0, abs=0.15))
    assert length(run.output / "mosaic.mp4")[1] == pytest.approx(6.9, abs=0.15)


def test_videos_joined(run: Run, made: Make) -> None:
    folder = made("videos") / "joined"
    assert run("--scenario", folder, "--reid", "none", *boxes(run, "cam1"), "--videos", "--mosaic") == 0, run.err
    assert "could not be read" not in run.err
    (camera,) = mtmc.load_scenario(folder).cameras
    assert camera.frame_count == 60
    assert camera.clock.at([60])[0] == pytest.approx(2.36, abs=0.01)
    assert length(run.output / "videos" / "cam1.mp4") == (60, pytest.approx(2.4, abs=0.01))
    assert length(run.output / "mosaic.mp4")[1] == pytest.approx(2.4, abs=0.15)


@pytest.mark.parametrize(
    ("folder", "cameras"),
    [
        ("same-stem", {"gate.mp4": 60, "gate.mkv": 50}),
        ("named-by-time", {"20240501103000": 60, "20240501103005": 60}),
        ("dot-files", {"c1": 60}),
        ("pictures", {"c1": 60, "c2": 60}),
    ],
)
def test_videos_cameras(run: Run, made: Make, folder: str, cameras: dict[str, int]) -> None:
    plan = run.plan("--scenario", made("videos") / folder, *boxes(run, *cameras))
    assert f"{folder}: {len(cameras)} cameras" in plan
    assert all(f"{name}: {frames} frames" in plan for name, frames in cameras.items())


def test_videos_endings(run: Run, made: Make) -> None:
    plan = run.plan("--scenario", made("videos") / "endings", *boxes(run, "c1", "c2", "c3"))
    assert all(f"{name}: 60 frames" in plan for name in ("c1", "c2", "c3"))
    assert "left out: c4: " in plan and "is a link to nowhere.mp4, which does not exist" in plan


@pytest.fixture
def cityflow(made: Make, tmp_path: Path) -> Path:
    """The case's copy of CityFlow without its bad row."""
    root = tmp_path / "cityflow"
    shutil.copytree(made("texts") / "cityflow", root)
    truth = root / "train" / "S90" / "c002" / "gt" / "gt.txt"
    truth.write_text(truth.read_text().replace(",0,40,", ",40,40,"))
    return root


def test_texts_cityflow(run: Run, made: Make, cityflow: Path) -> None:
    assert f"c002: 60 frames of {SIDE} x {SIDE}, 1.64 to 7.54 s" in run.plan(
        "--data-root", cityflow, "--scenario", "S90", "--tracks", "gt"
    )
    error = run.refused(
        "--data-root", made("texts") / "cityflow", "--scenario", "S90", "--reid", "none", "--tracks", "gt"
    )
    assert f"{Path('c002') / 'gt' / 'gt.txt'}:52: the box is 0 x 40 pixels" in error
    assert not (run.folder / "cache" / "observe").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stamp-nan", "S90.txt:1: the number of c001 must be finite"),
        ("stamp-wrong-name", "S90.txt:1: there is no camera C001"),
    ],
)
def test_texts_stamps(run: Run, made: Make, cityflow: Path, name: str, said: str) -> None:
    shutil.copy(made("texts") / f"{name}.txt", cityflow / "cam_timestamp" / "S90.txt")
    assert said in run.refused("--data-root", cityflow, "--scenario", "S90", "--reid", "none")


def test_texts_bad_knots(run: Run, made: Make, cityflow: Path) -> None:
    file = made("texts") / "bad-knots.yaml"
    error = run.refused("--data-root", cityflow, "--scenario", file, "--reid", "none")
    assert f"{file}: key 'cameras.c001.clock': a clock's frames and seconds must both increase" in error


def test_texts_decimal_comma(run: Run, made: Make, cityflow: Path) -> None:
    (run.folder / "boxes").mkdir()
    for camera in ("c001", "c002"):
        shutil.copy(made("texts") / "decimal-comma.txt", run.folder / "boxes" / f"{camera}.txt")
    command = ["--data-root", cityflow, "--scenario", "S90", "--reid", "none", "--detections", run.folder / "boxes"]
    assert "c001.txt:1: 11 columns, at most 10 are known" in run.refused(*command)


def test_reid_foreign_network(run: Run, made: Make) -> None:
    network = made("reid_networks") / "foreign-float32.onnx"
    scenario = ["--scenario", made("videos") / "dot-files", *boxes(run, "c1")]
    assert run(*scenario, "--reid", network) == 0, run.err
    assert "input (n, 3, 256, 256) float32, 64 dimensions; assumed: RGB, values 0..1, mean 0.485/" in run.err
    assert run(*scenario, "--reid", f"{network}:bgr,mean=0.5,std=0.5", "--dry-run") == 0
    assert "as given: BGR, values 0..1, mean 0.5/0.5/0.5, deviation 0.5/0.5/0.5" in run.err


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("base", "base."), ("dino", "teacher.backbone."), ("compiled", "_orig_mod."), ("torchreid", "module.")],
)
def test_reid_pretrained(made: Make, name: str, prefix: str) -> None:
    backbone = build_backbone(ModelConfig(backbone="resnet18"))
    path = made("reid_networks") / f"resnet18-{name}.pth"
    weights = read_weights(path)
    assert fill_backbone(backbone, weights, str(path)).endswith(prefix)
    stem = next(value for key, value in weights.items() if key.endswith(f"{prefix}conv1.weight"))
    assert any(torch.equal(value, stem) for value in backbone.state_dict().values())


def test_reid_by_identity(made: Make, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("reid_networks")
    command = ["--weights", f"{folder / 'foreign-float32.onnx'}", "--dataset", "folder"]
    status = run_command(evaluate_reid, [*command, "--data-root", str(folder / "by-identity"), "--json"])
    said = capsys.readouterr()
    assert status == 0, said.err
    assert json.loads(said.out)["queries"] == 16


def test_a_disk_that_fills_while_a_detector_is_exported(
    run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch, shared: Path
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("Exception from src/core.cpp:1: No space left on device")

    monkeypatch.setattr("detection.openvino_network.ov.save_model", full)
    weights = shared / "weights" / "yolo11n_from_int8.pt"
    error = run.refused("--scenario", clip, "--reid", "none", "--detector", weights)
    assert f"error: {run.folder / 'cache' / 'detectors'}" in error and "the disk is full" in error
    assert not list((run.folder / "cache" / "detectors").rglob("*.xml"))


def test_output_in_ascii_and_without_a_main_guard(cityflow: Path, tmp_path: Path) -> None:
    program = (
        "import mtmc\n"
        f"scenario = mtmc.load_scenario('S90', {str(cityflow)!r})\n"
        "result = mtmc.run_scenario(scenario, reid='none', tracks='gt', workers=2)\n"
        "print(result.table())\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": root}
    ended = subprocess.run(
        [sys.executable, "-"], input=program, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    assert "IDF1" in ended.stdout and "Traceback" not in ended.stderr


def test_a_scenario_as_an_absolute_path_leaves_its_folder_alone(
    run: Run, made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = (made("videos") / "dot-files").resolve()
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(run.folder)
    arguments = [
        "--scenario",
        str(folder),
        "--reid",
        "none",
        *map(str, boxes(run, "c1")),
        "--cache",
        "kept",
        "--workers",
        "1",
    ]
    assert run_command(main, arguments) == 0
    assert (run.folder / "runs" / "dot-files" / "report.html").is_file()
    assert sorted(folder.rglob("*")) == before


def test_a_video_of_four_frames_a_minute(run: Run, cases: ModuleType) -> None:
    folder = run.folder / "slow"
    frames = [np.full((96, 160, 3), 20 + 9 * i, np.uint8) for i in range(6)]
    cases.write_video(folder / "c1.mp4", frames, fps=10, times=[15.0 * i for i in range(6)])
    command = ["--scenario", folder, "--reid", "none", *boxes(run, "c1", last=6), "--videos", "--mosaic"]
    assert run(*command) == 0, run.err
    assert "could not be read" not in run.err
    assert "c1: 6 frames of 160 x 96, 0.00 to 75.00 s" in run.plan(*command)
    frames_written, seconds = length(run.output / "videos" / "c1.mp4")
    assert frames_written == 6
    assert 75 < seconds <= 91  # the last frame stays for about as long as the others


def test_two_cameras_with_the_same_file(run: Run) -> None:
    folder = run.folder / "site"
    folder.mkdir()
    write_video(folder / "north.mp4", [np.full((96, 160, 3), 90, np.uint8)] * 20)
    (folder / "south.mp4").symlink_to(folder / "north.mp4")
    write_video(folder / "west.mp4", [np.full((96, 160, 3), 20, np.uint8)] * 20)
    command = ["--scenario", folder, "--reid", "none", *boxes(run, "north", "south", "west")]
    note = "north and south have the same video"
    assert note in run.plan(*command)
    assert run(*command) == 0, run.err
    assert note in run.err
    assert note in (run.output / "report.html").read_text()
    assert any(note in each for each in json.loads((run.output / "run.json").read_text())["notes"])


def test_a_damaged_network_is_told_before_anything_is_read(run: Run, made: Make) -> None:
    damaged = run.folder / "damaged.onnx"
    damaged.write_bytes(b"x" * 1000)
    for network, said in (
        (damaged, "not a readable network"),
        (made("detectors") / "control.onnx", "supported are (n, d)"),
    ):
        error = run.refused("--scenario", made("videos") / "dot-files", "--reid", network)
        assert str(network) in error and said in error
        assert len(run.err.strip().splitlines()) == 1
    assert not (run.folder / "cache").exists()
