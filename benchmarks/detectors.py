"""CPU time of this project's YOLO runtime and agreement with `ultralytics` predict: same weights, same frames.

    python benchmarks/detectors.py --weights yolo11n.pt --video VIDEO [--int8] [--rounds 5]

Rounds of all runtimes are interleaved, so that other load affects them equally; medians over the rounds without the
first. Both sides get decoded frames: `benchmarks/decoding.py` measures decoding. With a `.pt`, `predict` also pads
frames to the smallest rectangle, so both sides use the same input size, which is printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.command_line import run_command
from common.devices import fastest_cpu_precision
from detection.boxes import overlap
from detection.detections import Detections
from detection.letterbox import Letterbox
from detection.loading import load_detector
from detection.ultralytics_package import ultralytics_module
from detection.vehicle_classes import VEHICLES
from detection.video import open_video

Frames = list[npt.NDArray[np.uint8]]


def main(argv: Sequence[str] | None) -> int:
    """Measure, compare and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", required=True, type=Path, help="an ultralytics checkpoint (.pt)")
    parser.add_argument("--video", required=True, type=Path)
    parser.add_argument("--frames", type=int, default=40, help="frames per round (default: 40)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--size", type=int, default=640, help="longer side of the network's input in pixels (default: 640)"
    )
    parser.add_argument("--score", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all (default: 0)")
    parser.add_argument(
        "--int8", action="store_true", help="also an int8 network, calibrated on this video (needs nncf)"
    )
    parser.add_argument("--cache-dir", type=Path, help="keep exports here (default: a temporary folder)")
    options = parser.parse_args(argv)

    video = open_video(options.video)
    step = max(video.info.frames // options.frames, 1)
    frames = [frame for _, frame in video.frames(step=step)][: options.frames]
    fit = Letterbox.smallest((video.info.height, video.info.width), options.size, 32)
    with tempfile.TemporaryDirectory() as scratch:
        cache = options.cache_dir or Path(scratch)
        runs: dict[str, Callable[[], list[Detections]]] = {
            "ultralytics predict": ultralytics_run(options.weights, frames, options.size, options.score, cache)
        }
        for precision in ("float32", "auto", *(["int8"] if options.int8 else [])):
            detector = load_detector(
                options.weights,
                device="cpu",
                score=options.score,
                image_size=options.size,
                cache_dir=cache,
                threads=options.threads,
                precision=precision,
                calibration=[options.video],
            )
            detector.prepare(video.info.height, video.info.width)
            name = f"ours {fastest_cpu_precision() if precision == 'auto' else precision}"
            runs.setdefault(name, partial(detector.detect, frames))
        cpu: dict[str, list[float]] = {name: [] for name in runs}
        wall: dict[str, list[float]] = {name: [] for name in runs}
        found: dict[str, list[Detections]] = {}
        for turn in range(options.rounds + 1):
            for name, run in runs.items():
                started, used = time.perf_counter(), time.process_time()
                found[name] = run()
                if turn:
                    cpu[name].append((time.process_time() - used) / len(frames) * 1000)
                    wall[name].append((time.perf_counter() - started) / len(frames) * 1000)
    print(f"{options.video.name}: {len(frames)} frames of {video.info.width}x{video.info.height} per round; network")
    print(f"input {fit.network[1]}x{fit.network[0]}, score above {options.score:g}; medians of {options.rounds} rounds")
    report(cpu, wall, found)
    return 0


def ultralytics_run(
    weights: Path, frames: Frames, size: int, score: float, cache: Path
) -> Callable[[], list[Detections]]:
    """`predict` frame by frame, as on a video, with our classes and our non-maximum suppression."""
    model = ultralytics_module("ultralytics", cache / "ultralytics").YOLO(weights)

    def run() -> list[Detections]:
        tables = []
        for position, frame in enumerate(frames, start=1):
            result: Any = model.predict(
                frame, imgsz=size, conf=score, iou=0.7, classes=list(VEHICLES), agnostic_nms=True, device="cpu",
                verbose=False,
            )[0].boxes.numpy()  # fmt: skip
            box = np.asarray(result.xyxy, np.float32).reshape(-1, 4).copy()
            box[:, 2:] -= box[:, :2]
            tables.append(Detections.of(np.full(len(box), position), box, result.conf, result.cls))
        return tables

    return run


def report(cpu: dict[str, list[float]], wall: dict[str, list[float]], found: dict[str, list[Detections]]) -> None:
    """Print one line per runtime; the first one is the reference."""
    reference = next(iter(cpu))
    base = statistics.median(cpu[reference])
    print(f"{'':22}{'CPU ms':>8}{'wall ms':>9}{'faster':>8}{'boxes':>7}  share of reference boxes at IoU .5 / .9 / .95")
    for name in cpu:
        median = statistics.median(cpu[name])
        line = f"{name:22}{median:8.1f}{statistics.median(wall[name]):9.1f}{base / median:7.2f}x"
        line += f"{sum(map(len, found[name])):7d}"
        if name != reference:
            best = best_overlaps(found[reference], found[name])
            back = best_overlaps(found[name], found[reference])
            if len(best) and len(back):
                shares = " / ".join(f"{(best >= level).mean():.3f}" for level in (0.5, 0.9, 0.95))
                found_again = f"{(back >= 0.5).mean():.3f}"
                line += f"  {shares}; of ours in reference at .5: {found_again}; median IoU {np.median(best):.4f}"
            else:
                line += "  nothing to compare: a side has no boxes"
        print(line)


def best_overlaps(tables: list[Detections], others: list[Detections]) -> npt.NDArray[np.float32]:
    """For each box, the highest IoU with a box of the same frame in the other table."""
    best = []
    for table, other in zip(tables, others, strict=True):
        if len(table):
            iou = overlap(corners(table), corners(other))
            best.append(iou.max(1) if len(other) else np.zeros(len(table), np.float32))
    return np.concatenate(best) if best else np.zeros(0, np.float32)


def corners(table: Detections) -> npt.NDArray[np.float32]:
    """Left, top, right, bottom."""
    return np.concatenate((table.box[:, :2], table.box[:, :2] + table.box[:, 2:]), axis=1)


if __name__ == "__main__":
    sys.exit(run_command(main))
