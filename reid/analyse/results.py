"""Writing the figures and tables of an analysis."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from common.errors import InputError
from common.files import atomic

DOTS_PER_INCH = 150


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with atomic(path) as aside:
        figure.savefig(aside, dpi=DOTS_PER_INCH, format="png", bbox_inches="tight")


def save_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows as CSV, atomically; columns are the keys of the first row, floats have six significant digits."""
    with atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )


def short_names(paths: Sequence[str | Path]) -> list[str]:
    """Short labels for paths: the stem, or the folder name for a training run's `model.safetensors`; folder and name if
    those are not unique.

    Raises:
        InputError: a path is given twice.
    """
    names = []
    for path in map(Path, paths):
        stem = path.stem if path.suffix else path.name
        names.append(path.resolve().parent.name if stem == "model" else stem)
    if len(set(names)) < len(names):
        names = [f"{Path(path).resolve().parent.name}/{Path(path).name}" for path in paths]
    if len(set(names)) < len(names):
        given = ", ".join(map(str, paths))
        raise InputError(f"{given}: two of these have the same name; rename a folder or omit one")
    return names
