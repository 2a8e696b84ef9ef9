"""A whole run on one clip, compared with the usual pipeline: `ultralytics` track and a ResNet-50 on every box.

    python benchmarks/whole_run.py --video CLIP.mp4 --detector yolo11n.pt

Both sides get the same detector weights and a ResNet-50 with random weights at 256 x 256. Ours is `python -m mtmc.run`
as users call it: decoding, detection, tracking, crops, features of tracks, association, report. The other side is
`ultralytics` `track` (ByteTrack) and torchvision's ResNet-50 on all boxes of a frame in one batch. CPU time of whole
processes, run in turn, medians. Exports exist before the measurement starts, as on a second run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reid.checkpoint import save_model
from reid.models import build_model
from reid.settings import ModelConfig

USUAL = """
import sys, torch, cv2, numpy as np
from torchvision.models import resnet50
from ultralytics import YOLO
network = resnet50(weights=None).eval()
boxes = 0
with torch.inference_mode():
    for result in YOLO(sys.argv[2]).track(sys.argv[1], stream=True, verbose=False, persist=True, device="cpu",
                                          tracker="bytetrack.yaml", classes=[2, 3, 5, 7]):
        crops = [cv2.resize(result.orig_img[max(int(t), 0):int(b) + 1, max(int(l), 0):int(r) + 1], (256, 256))
                 for l, t, r, b in result.boxes.xyxy.tolist()]
        if crops:
            batch = torch.from_numpy(np.stack(crops)[..., ::-1].copy()).permute(0, 3, 1, 2).float().div(255)
            network(batch)
        boxes += len(crops)
print(boxes)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, required=True, help="the clip")
    parser.add_argument("--detector", default="yolo11n.pt", help="a YOLO name or checkpoint (default: yolo11n.pt)")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        box = Path(name)
        (box / "clips" / "one").mkdir(parents=True)
        shutil.copy(arguments.video, box / "clips" / "one")
        weights = box / "resnet50.safetensors"
        save_model(weights, build_model(ModelConfig(backbone="resnet50", last_stride=2)), {"note": "random weights"})
        detector = Path(arguments.detector)
        detector_text = str(detector.resolve()) if detector.exists() else arguments.detector
        ours = [sys.executable, "-m", "mtmc.run", "--data-root", str(box / "clips"), "--scenario", "one"]
        ours += ["--detector", detector_text, "--reid", str(weights), "--cache", str(box / "cache")]
        ours += ["--output", str(box / "out"), "--device", "cpu"]
        usual = [sys.executable, "-c", USUAL, str(arguments.video.resolve()), detector_text]
        _cpu_seconds(ours, box)
        times: dict[str, list[float]] = {"ours": [], "usual": []}
        wall = 0.0
        for _ in range(arguments.rounds):
            for stage in ("observe", "detect", "embed", "associate"):
                shutil.rmtree(box / "cache" / stage, ignore_errors=True)
            start = time.perf_counter()
            times["ours"].append(_cpu_seconds(ours, box))
            wall = time.perf_counter() - start
            times["usual"].append(_cpu_seconds(usual, box))
        stages = json.loads((box / "out" / "run.json").read_text())
        _print(times, stages, wall)


def _cpu_seconds(command: list[str], folder: Path) -> float:
    """User and system seconds of a process and its children."""
    environment = {**os.environ, "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder)}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _print(times: dict[str, list[float]], run: dict[str, list[dict[str, Any]]], wall: float) -> None:
    ours, usual = (statistics.median(times[name]) for name in ("ours", "usual"))
    print(f"CPU seconds, medians of {len(times['ours'])}: mtmc.run {ours:.1f}, usual {usual:.1f}; {usual / ours:.2f}x")
    print("wall seconds of the last run:")
    heavy = 0.0
    for camera in run["cameras"]:
        for part, seconds in camera["seconds"].items():
            print(f"  {part:10} {seconds:7.2f}")
            heavy += seconds if part in ("decode", "detect") else 0.0
    for stage in run["stages"]:
        if stage["name"] != "observe":
            print(f"  {stage['name']} {stage['part']}: {stage['seconds']:.2f}")
            heavy += stage["seconds"] if stage["name"] == "embed" else 0.0
    rest = wall - heavy
    print(f"all but decoding and the two networks, start-up included: {rest:.1f} of {wall:.1f} s, {rest / wall:.0%}")


if __name__ == "__main__":
    main()
