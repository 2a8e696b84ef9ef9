"""CPU time and accuracy of tracking in one camera, compared with the `trackers` and `trackforge` packages.

All trackers get the same simulated detections, with noise, misses, occlusion and false positives. Their runs are
interleaved, so that other load affects them equally; medians of the CPU time per frame.

    python benchmarks/tracking.py --objects 10 100 500
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detection.detections import Detections
from evaluation.boxes import Boxes
from evaluation.clear import clear_score
from evaluation.comparison import compare
from evaluation.identity import identity_score
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.tracker import Tracker
from mtmc.tracking.tracks import Tracks

FPS = 10.0
PICTURE = np.array([1920.0, 1080.0])
LOST_FRAMES = 10


@dataclass(frozen=True)
class World:
    """Simulated ground truth and simulated detections, one table per frame."""

    truth: Tracks
    detections: list[Detections]


def simulate(objects: int, frames: int, seed: int) -> World:
    """About `objects` vehicles in the image at any time: some drive straight, some turn, some stop and start again."""
    rng = np.random.default_rng(seed)
    number = np.arange(objects)
    centre, speed, size = _enter(rng, objects)
    centre += speed * rng.uniform(0, 8, (objects, 1))
    throttle, goal = np.ones(objects), np.ones(objects)
    turn = rng.normal(0, 0.15, objects) * (rng.random(objects) < 0.3)
    rows: list[Tracks] = []
    detections: list[Detections] = []
    for frame in range(1, frames + 1):
        goal = np.where(rng.random(objects) < np.where(goal > 0, 0.01, 0.05), 1 - goal, goal)
        throttle += (goal - throttle) * 0.2
        along, across = np.cos(turn * throttle / FPS), np.sin(turn * throttle / FPS)
        speed = np.column_stack(
            (speed[:, 0] * along - speed[:, 1] * across, speed[:, 0] * across + speed[:, 1] * along)
        )
        centre = centre + speed * throttle[:, None] / FPS
        gone = ((centre < -size / 2) | (centre > PICTURE + size / 2)).any(axis=1)
        if gone.any():
            centre[gone], speed[gone], size[gone] = _enter(rng, int(gone.sum()))
            number[gone] = number.max() + 1 + np.arange(gone.sum())
        box = np.column_stack((centre - size / 2, size))
        hidden = _hidden(box)
        shown = hidden < 0.9
        rows.append(Tracks.of(number[shown] + 1, np.full(shown.sum(), frame), box[shown]))
        detections.append(_detect(rng, frame, box, hidden))
    return World(Tracks.concatenate(rows), detections)


def _enter(rng: np.random.Generator, n: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Centres on the left or right border, speeds in pixels per second, and sizes of new vehicles."""
    width = rng.uniform(40, 110, n)
    size = np.column_stack((width, width * rng.uniform(0.6, 0.9, n)))
    leftwards = rng.random(n) < 0.5
    centre = np.column_stack((np.where(leftwards, PICTURE[0] - 1.0, 1.0), rng.uniform(40, PICTURE[1] - 40, n)))
    pace = rng.uniform(0.5, 3.0, n) * width
    speed = np.column_stack((np.where(leftwards, -pace, pace), rng.normal(0, 0.15, n) * pace))
    return centre, speed, size


def _hidden(box: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The largest fraction of each box that a single box nearer to the camera covers."""
    right, bottom = box[:, 0] + box[:, 2], box[:, 1] + box[:, 3]
    wide = np.minimum(right[:, None], right) - np.maximum(box[:, None, 0], box[:, 0])
    high = np.minimum(bottom[:, None], bottom) - np.maximum(box[:, None, 1], box[:, 1])
    shared = np.maximum(wide, 0) * np.maximum(high, 0) * (bottom > bottom[:, None])
    return (shared / (box[:, 2] * box[:, 3])[:, None]).max(axis=1)


def _detect(
    rng: np.random.Generator, frame: int, box: npt.NDArray[np.float64], hidden: npt.NDArray[np.float64]
) -> Detections:
    """Noisy boxes with scores: occluded ones are missed or score low, false positives mostly score low."""
    n = len(box)
    found = (rng.random(n) > 0.06) & (hidden < rng.uniform(0.5, 0.9, n))
    noisy = box + rng.normal(0, 0.03, (n, 4)) * np.tile(box[:, 2:], 2)
    score = np.clip(rng.beta(8, 3, n) - 0.5 * hidden, 0.05, 1)
    n_false = rng.poisson(0.04 * n)
    wide = rng.uniform(30, 120, n_false)
    false = np.column_stack((rng.random((n_false, 2)) * PICTURE, wide, wide * 0.8))
    return Detections.of(
        np.full(found.sum() + n_false, frame),
        np.concatenate((noisy[found], false)),
        np.concatenate((score[found], rng.beta(2, 5, n_false))),
    )


Runner = Callable[[list[Detections]], tuple[list[float], Tracks]]


def run_ours(settings: TrackingSettings) -> Runner:
    """This project's tracker."""

    def run(detections: list[Detections]) -> tuple[list[float], Tracks]:
        tracker = Tracker(settings)
        seconds, rows = [], []
        for k, found in enumerate(detections):
            start = time.process_time_ns()
            rows.append(tracker.update(found, k / FPS))
            seconds.append((time.process_time_ns() - start) / 1e9)
        return seconds, Tracks.concatenate(rows)

    return run


def run_trackers(detections: list[Detections]) -> tuple[list[float], Tracks]:
    """`trackers.SORTTracker` with its defaults, the same lost-track buffer, and inputs already in its own format."""
    import supervision
    from trackers import SORTTracker

    inputs = []
    for found in detections:
        corners = found.box.copy()
        corners[:, 2:] += corners[:, :2]
        inputs.append(supervision.Detections(xyxy=corners, confidence=found.score))
    # Its buffer is in frames at 30 frames per second.
    tracker = SORTTracker(lost_track_buffer=round(LOST_FRAMES * 30 / FPS), frame_rate=FPS)
    seconds, rows = [], []
    for found, given in zip(detections, inputs, strict=True):
        start = time.process_time_ns()
        result = tracker.update(given)
        seconds.append((time.process_time_ns() - start) / 1e9)
        keep = result.tracker_id >= 0
        rows.append(Tracks.of(result.tracker_id[keep] + 1, found.frame[keep], found.box[keep]))
    return seconds, Tracks.concatenate(rows)


def run_trackforge(detections: list[Detections]) -> tuple[list[float], Tracks]:
    """`trackforge.SORT` with its defaults, the same lost-track buffer, and inputs already in its own format."""
    import trackforge

    inputs = [
        [(box, score, 0) for box, score in zip(found.box.tolist(), found.score.tolist(), strict=True)]
        for found in detections
    ]
    tracker = trackforge.SORT(max_age=LOST_FRAMES)
    seconds, rows = [], []
    for k, given in enumerate(inputs):
        start = time.process_time_ns()
        result = tracker.update(given)
        seconds.append((time.process_time_ns() - start) / 1e9)
        rows.append(
            Tracks.of([r[0] for r in result], [k + 1] * len(result), [r[1] for r in result] or np.zeros((0, 4)))
        )
    return seconds, Tracks.concatenate(rows)


def accuracy(truth: Tracks, tracks: Tracks) -> tuple[float, float, int]:
    """IDF1, MOTA and identity switches."""
    comparison = compare(*(Boxes.of(1, t.track, t.frame, t.box) for t in (truth, tracks)))
    clear = clear_score(comparison)
    return identity_score(comparison).idf1, clear.mota, clear.switches


def first_call_seconds() -> float:
    """CPU seconds of the first update in a new process, which loads or compiles the compiled functions."""
    code = (
        "import time; from mtmc.tracking.tracker import Tracker; from detection.detections import Detections\n"
        "start = time.process_time(); tracker = Tracker()\n"
        "for k in (1, 2): tracker.update(Detections.of([k], [[0, 0, 9, 9]]), k)\n"
        "print(time.process_time() - start)"
    )
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--objects", type=int, nargs="+", default=[10, 100, 500], help="simultaneous vehicles in the image"
    )
    parser.add_argument("--frames", type=int, default=150, help="frames per run (default: 150)")
    parser.add_argument("--rounds", type=int, default=5, help="simulated worlds for every tracker (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first world (default: 1)")
    parser.add_argument("--only-ours", action="store_true", help="without the other packages")
    arguments = parser.parse_args()

    # The other trackers keep lost tracks for a second, require an IoU of 0.3 and have no non-maximum suppression. A run
    # keeps them for less, because track repair bridges the gaps.
    like = TrackingSettings(max_lost=LOST_FRAMES / FPS, min_iou=0.3, nms_iou=1.0, lost_handicap=0.1)
    recovering = {"recovery": True, "direction_weight": 0.2}
    plain = {"low_score": 0.2, "first_grow": 0.0, "lost_handicap": 0.0, "reupdate": False, "backfill": False}
    runners: dict[str, Runner] = {
        "this project": run_ours(like),
        "  strictly online": run_ours(like.model_copy(update={"backfill": False})),
        "  all of OC-SORT": run_ours(like.model_copy(update=recovering)),
        "  plain SORT": run_ours(like.model_copy(update=plain)),
        "  as in a run": run_ours(TrackingSettings()),
    }
    if not arguments.only_ours:
        runners |= {"trackers.SORTTracker": run_trackers, "trackforge.SORT": run_trackforge}
    print(f"first update in a new process: {first_call_seconds():.2f} s CPU")
    print("simulated detections; CPU time per frame, median of interleaved runs; scores averaged over the worlds")
    print(f"{'objects':>7}  {'tracker':<22}{'ms/frame':>9}{'ratio':>8}{'IDF1':>8}{'MOTA':>8}{'switches':>9}")
    for objects in arguments.objects:
        seconds: dict[str, list[float]] = {name: [] for name in runners}
        figures: dict[str, list[tuple[float, float, int]]] = {name: [] for name in runners}
        for seed in range(arguments.seed, arguments.seed + arguments.rounds):
            world = simulate(objects, arguments.frames, seed)
            for name, run in runners.items():
                taken, tracks = run(world.detections)
                seconds[name] += taken[10:]  # the first frames have few tracks, and the first call loads compiled code
                figures[name].append(accuracy(world.truth, tracks))
        ours = float(np.median(seconds["this project"]))
        for name in runners:
            each = float(np.median(seconds[name]))
            idf1, mota, switches = np.mean(figures[name], axis=0)
            print(
                f"{objects:>7}  {name:<22}{each * 1e3:>9.3f}{each / ours:>8.1f}{idf1:>8.3f}{mota:>8.3f}{switches:>9.1f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
