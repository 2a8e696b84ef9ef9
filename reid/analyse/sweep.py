"""Figure 8 and Table 6: vary one setting and keep all others; finished runs are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from common.errors import InputError
from reid.arguments import read_figures

FIGURES = ("mAP", "cmc1", "cmc5")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of the varied setting.

    Attributes:
        label: the value; a number (plotted on the horizontal axis) or a word.
        results: JSON files written by `python -m reid.evaluate --output`, one per seed.
    """

    label: str
    results: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """A value of the varied setting that is still to be trained.

    Attributes:
        label: as in `Point`.
        settings: `key=value` overrides of the training configuration.
    """

    label: str
    settings: tuple[str, ...]


def run_sweep(
    variations: Sequence[Variation],
    seeds: Sequence[int],
    output: Path,
    train: Callable[[Sequence[str], Path], Path],
    evaluate: Callable[[Path, Path], None],
) -> list[Point]:
    """Train and evaluate every variation with every seed, skipping runs that are already finished.

    Args:
        variations: values of the setting.
        seeds: each variation is trained once per seed.
        output: parent folder of the run folders `<label>-seed<seed>`.
        train: called with `key=value` overrides and the run's folder; returns the weights; resumes a started run.
        evaluate: called with the weights and the JSON file to write.
    """
    labels = [variation.label for variation in variations]
    if len(set(labels)) < len(labels):
        raise InputError(f"--point: labels must be unique, but are {', '.join(labels)}")
    points = []
    for variation in variations:
        results = []
        for seed in seeds:
            folder = output / f"{variation.label.replace(' ', '_').replace('/', '_')}-seed{seed}"
            result = folder / "figures.json"
            if not result.is_file():
                evaluate(train((*variation.settings, f"run.seed={seed}"), folder), result)
            results.append(result)
        points.append(Point(variation.label, tuple(results)))
    return points


def read_points(points: Sequence[Point]) -> list[dict[str, str | float]]:
    """Return one row per point: label, data set, number of runs, mean and deviation of the metrics in per cent.

    Raises:
        InputError: a file is missing or not a result of `reid.evaluate`.
    """
    rows: list[dict[str, str | float]] = []
    for point in points:
        found = [read_figures(path) for path in point.results]
        figures = np.array([[values[name] for name in FIGURES] for _, values in found])
        datasets = ", ".join(sorted({dataset for dataset, _ in found}))
        row: dict[str, str | float] = {"label": point.label, "data": datasets, "runs": len(figures)}
        for column, name in enumerate(FIGURES):
            row[name] = 100 * float(figures[:, column].mean())
            row[f"{name}_std"] = 100 * float(figures[:, column].std(ddof=1)) if len(figures) > 1 else 0.0
        rows.append(row)
    return rows


def draw_sweep(rows: Sequence[dict[str, str | float]], title: str) -> Figure:
    """Plot mAP over numeric labels as a line, else mAP and CMC as bars, with standard deviations."""
    figure = Figure(figsize=(6, 3.6))
    axis = figure.subplots()
    axis.set_title(", ".join(dict.fromkeys(str(row["data"]) for row in rows)))
    numbers = [_number(str(row["label"])) for row in rows]
    if all(number is not None for number in numbers):
        order = np.argsort(np.array(numbers, float))
        x = np.array(numbers, float)[order]
        axis.errorbar(
            x,
            np.array([row["mAP"] for row in rows], float)[order],
            np.array([row["mAP_std"] for row in rows], float)[order],
            marker="o",
            linestyle="--",
            capsize=3,
        )
        axis.set_xticks(x)
        axis.set_xlabel(title)
        axis.set_ylabel("mAP (%)")
        axis.grid(alpha=0.3)
        return figure
    width = 0.8 / len(FIGURES)
    for column, name in enumerate(FIGURES):
        heights = [float(row[name]) for row in rows]
        errors = [float(row[f"{name}_std"]) for row in rows]
        bars = axis.bar(np.arange(len(rows)) + column * width, heights, width, yerr=errors, capsize=3, label=name)
        axis.bar_label(bars, [f"{height:.1f}" for height in heights], fontsize=7)
    axis.set_xticks(np.arange(len(rows)) + width, [str(row["label"]) for row in rows])
    axis.set_ylabel("%")
    axis.margins(y=0.15)
    axis.legend(fontsize=8, ncols=len(FIGURES))
    axis.set_xlabel(title)
    return figure


def _number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None
