"""CPU time of scoring, compared with motmetrics and trackeval, on simulated boxes.

    python benchmarks/scoring.py [--boxes 54000] [--repeats 5]

The three run in turn, so that other load affects them equally; medians of CPU time. Their scores are printed as well.
All start from the same two tables. motmetrics and trackeval need one IoU matrix per frame, computed here with this
project's IoU (theirs is slower or, in motmetrics 1.4.0, broken on NumPy 2). The cost of these matrices is part of
their time and also has a row of its own.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import motmetrics
import numpy as np
import numpy.typing as npt
import trackeval
from rich.console import Console
from rich.table import Table

from common.boxes import iou
from evaluation.boxes import Boxes
from evaluation.comparison import Comparison, compare
from evaluation.identity import identity_score
from evaluation.scoring import score_boxes

Frames = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def simulate(boxes: int, seed: int, cameras: int = 6, frames: int = 2000) -> tuple[Boxes, Boxes]:
    """About `boxes` ground-truth boxes of crossing vehicles, and predictions with noise, gaps and identity switches."""
    generator = np.random.default_rng(seed)
    vehicles = max(1, round(boxes / (cameras * 60)))
    truth, predicted = [], []
    for camera in range(41, 41 + cameras):
        for vehicle in range(vehicles):
            span = int(generator.integers(20, 100))
            frame = generator.integers(1, frames - span) + np.arange(span)
            corner = generator.uniform(0, (700, 400)) + np.arange(span)[:, None] * generator.uniform(-6, 6, 2)
            width = generator.uniform(40, 160)
            box = np.column_stack((corner, np.full(span, width), np.full(span, 0.7 * width))).round()
            found = generator.random(span) > 0.1
            identity = np.full(span, 1000 + vehicle)
            if generator.random() < 0.4:
                identity[generator.integers(span) :] = 5000 + generator.integers(200)
            noisy = (box + generator.normal(0, 5, box.shape)).round()
            truth.append(Boxes.of(camera, np.full(span, vehicle), frame, box))
            predicted.append(Boxes.of(camera, identity, frame, noisy)[found])
    return Boxes.concatenate(truth).without_duplicates(), Boxes.concatenate(predicted).without_duplicates()


def by_frame(comparison: Comparison) -> Frames:
    """The input of the other packages: per frame, the identities of both sides and the matrix of IoU."""
    a, b = comparison.truth, comparison.predicted
    times = np.unique(np.concatenate((a.time, b.time)))
    rows = zip(*(np.searchsorted(side.time, times, side=s) for side in (a, b) for s in ("left", "right")), strict=True)
    return [
        (a.identity[i:j], b.identity[k:m], iou(a.boxes.box[i:j, None], b.boxes.box[None, k:m])) for i, j, k, m in rows
    ]


def with_motmetrics(truth: Boxes, predictions: Boxes) -> dict[str, float]:
    """IDF1 and MOTA of motmetrics."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for truth_identity, predicted_identity, overlap in by_frame(compare(truth, predictions)):
        accumulator.update(truth_identity, predicted_identity, np.where(1 - overlap > 0.5, np.nan, 1 - overlap))
    figures = motmetrics.metrics.create().compute(
        accumulator, metrics=motmetrics.metrics.motchallenge_metrics, return_dataframe=False
    )
    return {name: float(figures[name]) for name in ("idf1", "mota")}


def with_trackeval(truth: Boxes, predictions: Boxes, metric: type[trackeval.metrics.HOTA]) -> dict[str, float]:
    """One metric of trackeval: Identity (IDF1) or HOTA."""
    comparison = compare(truth, predictions)
    frames = by_frame(comparison)
    data = {
        "num_timesteps": len(frames),
        "num_gt_dets": len(comparison.truth),
        "num_tracker_dets": len(comparison.predicted),
        "num_gt_ids": len(comparison.truth.identities),
        "num_tracker_ids": len(comparison.predicted.identities),
        "gt_ids": [identity for identity, _, _ in frames],
        "tracker_ids": [identity for _, identity, _ in frames],
        "similarity_scores": [overlap for _, _, overlap in frames],
    }
    figures = metric({"PRINT_CONFIG": False}).eval_sequence(data)
    return {name.lower(): float(np.mean(figures[name])) for name in ("IDF1", "HOTA") if name in figures}


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=54_000, help="approximate number of ground-truth boxes")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    truth, predictions = simulate(arguments.boxes, arguments.seed)

    def ours() -> dict[str, float]:
        figures = score_boxes(truth, predictions).figures()
        return {name: float(figures[name] or 0.0) for name in ("idf1", "mota", "hota")}

    def matrices() -> dict[str, float]:
        by_frame(compare(truth, predictions))
        return {}

    contestants: dict[str, Callable[[], dict[str, float]]] = {
        "evaluation (all metrics)": ours,
        "evaluation (IDF1)": lambda: {"idf1": identity_score(compare(truth, predictions)).idf1},
        "motmetrics (IDF1, CLEAR)": lambda: with_motmetrics(truth, predictions),
        "trackeval Identity (IDF1)": lambda: with_trackeval(truth, predictions, trackeval.metrics.Identity),
        "trackeval HOTA": lambda: with_trackeval(truth, predictions, trackeval.metrics.HOTA),
        "IoU matrices only": matrices,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    figures: dict[str, dict[str, float]] = {}
    ours()  # warm-up
    for _ in range(arguments.repeats):
        for name, run in contestants.items():
            start = time.process_time()
            figures[name] = run()
            seconds[name].append(time.process_time() - start)
    table = Table(
        title=f"scoring {len(truth)} ground-truth and {len(predictions)} predicted boxes (simulated), "
        f"medians of {arguments.repeats}"
    )
    for head in ("", "CPU s", "ms per 1,000 ground-truth boxes", "times ours", "IDF1", "MOTA", "HOTA"):
        table.add_column(head, justify="right" if head else "left")
    first = statistics.median(seconds["evaluation (all metrics)"])
    for name, times in seconds.items():
        median = statistics.median(times)
        shown = [f"{figures[name][key]:.6f}" if key in figures[name] else "" for key in ("idf1", "mota", "hota")]
        table.add_row(name, f"{median:.3f}", f"{1e6 * median / len(truth):.2f}", f"{median / first:.1f}", *shown)
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
