"""Files that an analysis leaves: pictures and tables, each complete or absent."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from evaluation.errors import InputError

DOTS_PER_INCH = 150


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    figure.savefig(aside, dpi=DOTS_PER_INCH, format="png", bbox_inches="tight")
    aside.replace(path)


def save_table(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows as CSV; the columns are the keys of the first row. Floats keep six digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    with aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )
    aside.replace(path)


def short_names(paths: Sequence[str | Path]) -> list[str]:
    """What tells paths apart in a legend: the stem, with the folder's name where stems are equal.

    Raises:
        InputError: a path is named twice.
    """
    names = [Path(path).stem if Path(path).suffix else Path(path).name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{Path(path).resolve().parent.name}/{name}" for path, name in zip(paths, names, strict=True)]
    if len(set(names)) < len(names):
        raise InputError(
            f"{', '.join(map(str, paths))}: two of these have the same name; rename a folder or leave one out"
        )
    return names
