"""Every script of benchmarks/ on the smallest problem that it accepts: that it still runs, not what it measures.

`make benchmarks` runs these; `make test` leaves them out.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

import mtmc
from detection.ultralytics_package import ultralytics_module
from mtmc.simulation.difficulty import read_visible
from mtmc.simulation.reid_set import simulate_reid

pytestmark = pytest.mark.benchmark

SCRIPTS = (
    "ablation", "adapted_city", "association_quality", "association_scale", "city", "constraints", "corrections",
    "decoding", "detectors", "extraction", "live", "live_kills", "online", "ranking", "real_reid", "reid_pairs",
    "reliability", "scoring", "search", "ssbver_gain", "ssbver_step", "table4", "table5", "timeline", "tracking",
    "whole_run",
)  # fmt: skip
LIBRARIES = ("rectangles", "simulated", "synthetic_tracks")
"""Modules of benchmarks/ without a command line."""
BY_HAND = ("first_page",)
"""Scripts that need a page that is being served, and a browser."""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames of a dark rectangle that moves."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(10):
            image = np.full((96, 160, 3), 180, np.uint8)
            image[40:64, 10 + 8 * number : 50 + 8 * number] = 40
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A YOLO11 with random weights, as ultralytics saves it."""
    if find_spec("ultralytics") is None:  # not `importorskip`: an unguarded import changes the process
        pytest.skip("the extra yolo is not installed")
    path = tmp_path / "random.pt"
    network = ultralytics_module("ultralytics", tmp_path / "settings").YOLO("yolo11n.yaml")
    network.model.names = {number: "car" if number == 2 else f"class {number}" for number in range(80)}
    network.save(str(path))
    return path


def run(script: str, folder: Path, *arguments: str | Path) -> str:
    """Run a script in an empty folder; gives its standard output."""
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(repository / "benchmarks" / f"{script}.py"), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_benchmark_is_run_here(repository: Path) -> None:
    found = {path.stem for path in (repository / "benchmarks").glob("*.py")}
    assert found == {*SCRIPTS, *LIBRARIES, *BY_HAND}


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_shows_how_to_call_it(script: str, tmp_path: Path) -> None:
    assert f"usage: {script}.py" in run(script, tmp_path, "--help")


def test_ablation(tmp_path: Path) -> None:
    told = run(
        "ablation",
        tmp_path,
        "--no-video",
        "--layouts",
        "corridor",
        "--seeds",
        "101",
        "--seconds",
        "20",
        "--workers",
        "1",
    )
    assert "share of ceiling" in told and "without travel_time" in told


def test_association_scale(tmp_path: Path) -> None:
    assert "growth" in run("association_scale", tmp_path, "--tracks", "200", "400")


def test_city(tmp_path: Path) -> None:
    assert "ms per clip" in run("city", tmp_path, "overhead", "--clips", "2", "--ways", "in-turn")
    assert "identities" in run("city", tmp_path, "clips", "--cameras", "2", "--ways", "in-turn", "--reid", "none")
    small = ("--seeds", "11", "--vehicles", "12", "--seconds", "100", "--overlap", "20")
    assert "in shards" in run("city", tmp_path, "seams", *small)
    sizes = ("--tracks", "300", "--cameras", "20", "--max-tracks", "100")
    assert "peak GiB" in run("city", tmp_path, "association", *sizes)
    assert "10,000" in run("city", tmp_path, "paper")


def test_constraints(tmp_path: Path) -> None:
    told = run("constraints", tmp_path, "--layouts", "site", "--vehicles", "10", "--seeds", "11")
    assert "with must-links" in told


def test_online(tmp_path: Path) -> None:
    assert "final answers" in run("online", tmp_path, "--layouts", "site", "--vehicles", "10", "--seeds", "601")


def test_reliability(tmp_path: Path) -> None:
    arguments = ["--layouts", "site", "--seeds", "801", "--vehicles", "12", "--workers", "1"]
    assert "calibration error" in run("reliability", tmp_path, *arguments)


def test_corrections(tmp_path: Path) -> None:
    told = run("corrections", tmp_path, "--quick", "--shares", "0", "5")
    assert "doubt" in told and "random" in told


def test_search(tmp_path: Path) -> None:
    assert "six filters" in run("search", tmp_path, "--identities", "200", "--dims", "8", "--repeats", "1")


def test_timeline(tmp_path: Path) -> None:
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        pytest.skip("no Chromium on the PATH (Debian: apt install chromium)")
    assert "other vehicles" in run("timeline", tmp_path, "--bars", "300", "--redraws", "4")


def test_decoding(tmp_path: Path, video: Path) -> None:
    assert "OpenCV VideoCapture" in run("decoding", tmp_path, "--video", video, "--rounds", "1")


def test_detectors(tmp_path: Path, video: Path, checkpoint: Path) -> None:
    told = run(
        "detectors",
        tmp_path,
        "--weights",
        checkpoint,
        "--video",
        video,
        "--frames",
        "2",
        "--rounds",
        "1",
        "--size",
        "160",
    )
    assert "ultralytics predict" in told and "ours float32" in told


def test_extraction(tmp_path: Path) -> None:
    told = run("extraction", tmp_path, "--weights", "baseline", "--crops", "2", "--rounds", "1")
    assert "Extractor, float32" in told


def test_ranking(tmp_path: Path) -> None:
    told = run("ranking", tmp_path, "--queries", "20", "--gallery", "200", "--dims", "16", "--rerank")
    assert "re-ranking" in told


def test_reid_pairs(tmp_path: Path, repository: Path) -> None:
    for method in ("baseline", "ssbver"):
        for seed in (1, 2):
            folder = tmp_path / "pairs" / f"{method}-seed{seed}"
            folder.mkdir(parents=True)
            shutil.copy(repository / "weights" / f"{method}.safetensors", folder / "model.safetensors")
    random = np.random.default_rng(0)
    data = tmp_path / "veri"
    write_veri(data, random)
    options = "--runs", "pairs", "--seeds", "1", "2", "--threads", "1"
    told = run("reid_pairs", tmp_path, *options, "--data-root", data, "--real", _vehicles(tmp_path / "real"))
    assert told.count("95 % interval") == 3
    assert "real, four wheels: 4 vehicles" in told and "real, motorcycles: 4 vehicles" in told


def test_scoring(tmp_path: Path) -> None:
    for package in ("motmetrics", "trackeval"):
        pytest.importorskip(package)
    assert "motmetrics" in run("scoring", tmp_path, "--boxes", "600", "--repeats", "1")


def test_ssbver_step(tmp_path: Path) -> None:
    told = run(
        "ssbver_step", tmp_path, "--backbone", "resnet18", "--batch", "4", "--size", "64", "--local-size", "32",
        "--outputs", "16", "--repeats", "1", "--threads", "1", "--precision", "float32", "--device", "cpu",
    )  # fmt: skip
    assert "overhead of the step" in told


def test_table4(tmp_path: Path) -> None:
    told = run("table4", tmp_path, "--layout", "crossing", "--seeds", "101", "--seconds", "2", "--workers", "1")
    assert "simulated, crossing" in told and "difference of IDF1" in told
    told = run("table4", tmp_path, "--like", "sim-S07", "--seeds", "301", "--seconds", "1", "--workers", "1")
    assert "simulated, sim-S07" in told and "difference of IDF1" in told


def test_table5(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = ["path,identity,camera,split"]
    for number in range(24):
        part = ("train", "query", "gallery")[number // 8]
        image = np.full((20, 20, 3), 20 * (number % 4), np.uint8) + random.integers(0, 20, (20, 20, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        rows.append(f"{number}.png,{number % 4},{number // 4 % 2 if part == 'train' else int(part == 'query')},{part}")
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n")
    command = [
        "--small", "--start", "none", "--methods", "baseline", "--data", f"tiny=csv:{tmp_path}",
        "--data", f"other=csv:{tmp_path}", "--option", "other:both_directions=true", "--mix", "--seeds", "1",
        "--steps", "10", "--identities", "4", "--size", "32", "--seconds", "0.01", "--output", tmp_path / "out",
    ]  # fmt: skip
    told = run("table5", tmp_path, *command)
    assert told.count("| baseline |") == 3  # cost, and accuracy on both sets
    assert "mAP, re-ranked" in told
    network = tmp_path / "out" / "mix" / "baseline-seed1" / "model.safetensors"
    before = network.stat().st_mtime_ns
    run("table5", tmp_path, *command)
    assert network.stat().st_mtime_ns == before  # done: not trained again


def test_tracking(tmp_path: Path) -> None:
    arguments = ["--objects", "5", "--frames", "30", "--rounds", "1"]
    installed = all(importlib.util.find_spec(name) for name in ("trackers", "trackforge"))
    told = run("tracking", tmp_path, *arguments, *([] if installed else ["--only-ours"]))
    assert "this project" in told
    if not installed:
        pytest.skip("run without the packages that it compares with: the extra benchmarks is not installed")


def test_whole_run(tmp_path: Path, video: Path, checkpoint: Path) -> None:
    pytest.importorskip("lap", reason="the extra benchmarks is not installed")
    told = run("whole_run", tmp_path, "--video", video, "--detector", checkpoint, "--rounds", "1")
    assert "mtmc.run" in told and "usual" in told


def test_live(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "name: tiny\nsimulation: {layout: crossing, seed: 3, seconds: 8, cameras: 2, width: 480, height: 270}\n"
    )
    told = run("live", tmp_path, "--scenario", "tiny.yaml")
    assert "tiny (simulated)" in told and "final" in told and "frames a second" in told


def test_a_day_of_live_tracks(tmp_path: Path) -> None:
    assert "hours of 20 vehicles" in run("live", tmp_path, "--day", "--vehicles", "20", "--minutes", "0.2")


def test_live_kills(tmp_path: Path) -> None:
    told = run("live_kills", tmp_path, "--kills", "1", "--vehicles", "3", "--stops", "1")
    assert "nothing was lost or doubled" in told or "SIGTERM" in told


def write_veri(root: Path, random: np.random.Generator) -> None:
    """Noise in VeRi-776's layout: four vehicles in two cameras."""
    import cv2

    for part, cameras in (("query", (1,)), ("test", (1, 2)), ("train", (1, 2))):
        names = [f"{vehicle:04d}_c{camera:03d}_00000000_0.jpg" for vehicle in range(1, 5) for camera in cameras]
        folder = root / f"image_{part}"
        folder.mkdir(parents=True)
        for name in names:
            cv2.imwrite(str(folder / name), random.integers(0, 256, (48, 64, 3), np.uint8))
        (root / f"name_{part}.txt").write_text("".join(f"{name}\n" for name in names))


def _vehicles(folder: Path) -> Path:
    """A CSV set of real_reid's form: one noisy picture of each vehicle from each of two cameras."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = ["path,identity,camera,split,kind"]
    for number in range(8):
        colour = random.integers(40, 216, 3)
        for camera, split in ((1, "query"), (2, "gallery")):
            noisy = np.clip(colour + random.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"{number}_{camera}.png")
            rows.append(f"{number}_{camera}.png,{number},{camera},{split},{('car', 'motorcycle')[number % 2]}")
    (folder / "data.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_real_reid(tmp_path: Path) -> None:
    told = run("real_reid", tmp_path, "--data-root", _vehicles(tmp_path / "real"), "--weights", "baseline")
    assert "four wheels: 4 vehicles" in told and "motorcycles: 4 vehicles" in told and "colour histogram" in told


def test_adapted_city(tmp_path: Path) -> None:
    simulation = "{layout: crossing, seed: 3, seconds: 4, cameras: 2, width: 480, height: 270}"
    (tmp_path / "sim-tiny.yaml").write_text(
        f"name: sim-tiny\nsplit: validation\nfps: 10\ncameras: {{c041: {{}}, c042: {{}}}}\nsimulation: {simulation}\n"
    )
    scenario = mtmc.load_scenario(tmp_path / "sim-tiny.yaml", cache=tmp_path / "cache", workers=1)
    crops = ["path,track,camera,start,end,identity baseline"]
    (tmp_path / "run" / "crops").mkdir(parents=True)
    (tmp_path / "run" / "baseline" / "tracks").mkdir(parents=True)
    for camera in scenario.cameras:
        assert camera.directory is not None
        tracks = []
        for frame, number, *box in read_visible(camera.directory)[:, :6]:
            tracks.append(f"{frame:.0f},{number:.0f},{','.join(map(str, box))},1,-1,-1,-1")
            if frame % 10 == 0 and min(box[2:]) >= 20:
                name = f"{camera.name}_{int(number):05d}_{int(frame):06d}.jpg"
                Image.new("RGB", (32, 32), (int(number) % 256, 80, 120)).save(tmp_path / "run" / "crops" / name)
                crops.append(f"{name},{camera.name}_{number:.0f}_{number:.0f},{camera.name},0,4,{number:.0f}")
        (tmp_path / "run" / "baseline" / "tracks" / f"{camera.name}.txt").write_text("\n".join(tracks) + "\n")
    (tmp_path / "run" / "crops" / "crops.csv").write_text("\n".join(crops) + "\n")
    told = run(
        "adapted_city", tmp_path, "--run", "run", "--scenario", "sim-tiny.yaml", "--output", "city",
        "--weights", "baseline", "ssbver",
    )  # fmt: skip
    assert "sim-tiny, held-out vehicles" in told
    assert (tmp_path / "city" / "adapt.csv").is_file()


def test_ssbver_gain(tmp_path: Path) -> None:
    for seed in (101, 102):
        simulate_reid(tmp_path / "sets" / f"set-{seed}", seed, 12, workers=1, cameras=3)
    told = run(
        "ssbver_gain",
        tmp_path,
        "--size",
        "tiny",
        "--data-root",
        tmp_path / "sets",
        "--real",
        _vehicles(tmp_path / "real"),
        "--device",
        "cpu",
        "--workers",
        "0",
    )
    assert "8 training vehicles, simulated test" in told and "8 training vehicles, real test" in told
    assert "devices" in told and "vehicle" in told
