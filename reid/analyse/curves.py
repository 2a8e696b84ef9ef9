"""Figure 5: losses during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from common.errors import InputError
from reid.train_log import read_log

LOSSES = {
    "classification": "classification $L_c$",
    "triplet": "triplet $L_t$",
    "self_supervision": "self-supervised $L_s$",
}


def read_curves(run: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Read `step`, `epoch` and the three losses of a run, (n,) each, from its `log.csv`.

    Raises:
        InputError: the log is missing or contains no losses.
    """
    path = run / "log.csv" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"{path}: log not found; give the folder of a training run")
    rows = [row for row in read_log(path) if row.get("classification")]
    columns = ("step", "epoch", *LOSSES)
    if not rows or any(column not in rows[0] for column in columns):
        raise InputError(f"{path}: contains no losses; a training log has the columns {', '.join(columns)}")
    return {column: np.array([float(row[column] or "nan") for row in rows]) for column in columns}


def smooth(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """Trailing moving average over up to `window` values; 1 leaves the values unchanged."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    result: npt.NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return result


def curve_rows(
    names: Sequence[str], curves: Sequence[dict[str, npt.NDArray[np.float64]]]
) -> list[dict[str, str | float]]:
    """Return one row per run and logged step."""
    return [
        {"run": name, **{column: float(values[row]) for column, values in curve.items()}}
        for name, curve in zip(names, curves, strict=True)
        for row in range(len(curve["step"]))
    ]


def draw_curves(names: Sequence[str], curves: Sequence[dict[str, npt.NDArray[np.float64]]], window: int = 1) -> Figure:
    """Plot one panel per loss and one line per run; losses that are 0 throughout are omitted."""
    figure = Figure(figsize=(12, 3.4))
    for axis, (column, title) in zip(figure.subplots(1, len(LOSSES)), LOSSES.items(), strict=True):
        for number, (name, curve) in enumerate(zip(names, curves, strict=True)):
            if np.any(curve[column] != 0):
                axis.plot(curve["epoch"], smooth(curve[column], window), label=name, color=f"C{number}", linewidth=1)
        axis.set_title(title)
        axis.set_xlabel("epoch")
        if axis.lines:
            axis.legend(fontsize=8)
    return figure
