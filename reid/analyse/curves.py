"""Figure 5: the losses over a training run."""

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
    """`step`, `epoch` and the three losses of a run, (n,) each, from its `log.csv`.

    Raises:
        InputError: no log, or one without rows of losses.
    """
    path = run / "log.csv" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"{path}: no such log; give the folder of a training run")
    rows = [row for row in read_log(path) if row.get("classification")]
    columns = ("step", "epoch", *LOSSES)
    if not rows or any(column not in rows[0] for column in columns):
        raise InputError(f"{path}: no losses in it; a training log has the columns {', '.join(columns)}")
    return {column: np.array([float(row[column] or "nan") for row in rows]) for column in columns}


def smooth(values: npt.NDArray[np.float64], window: int) -> npt.NDArray[np.float64]:
    """The mean of up to `window` values before and including each; 1 changes nothing."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - window, 0)
    result: npt.NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return result


def curve_rows(
    names: Sequence[str], curves: Sequence[dict[str, npt.NDArray[np.float64]]]
) -> list[dict[str, str | float]]:
    """One row a run and logged step."""
    return [
        {"run": name, **{column: float(values[row]) for column, values in curve.items()}}
        for name, curve in zip(names, curves, strict=True)
        for row in range(len(curve["step"]))
    ]


def draw_curves(names: Sequence[str], curves: Sequence[dict[str, npt.NDArray[np.float64]]], window: int = 1) -> Figure:
    """One panel a loss, one line a run; a loss that a run does not have (0 throughout) is left out."""
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
