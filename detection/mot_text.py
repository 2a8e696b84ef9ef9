"""MOTChallenge text: the rows `frame,id,left,top,width,height,score,...` of detections, tracks and ground truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from common.files import atomic
from common.table import Table, Width

_COLUMNS = ("frame", "id", "left", "top", "width", "height", "score")
_REQUIRED = 6
_MOST = 10
"""Columns that a row of MOTChallenge's own files has at most."""
_NEW_LINE = re.compile(r"\r\n|\r|\n")
_PLAIN_COUNTS = frozenset(range(_REQUIRED - 1, _MOST))
_SEPARATORS = {",": "commas", ";": "semicolons", None: "blanks"}
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class MotTable(Table):
    """One row a box, in the order of the file.

    Attributes:
        frame: (n,) int32, the frame's number, counted from 1.
        id: (n,) int32, the object's number; -1 where there is none, as in detections.
        box: (n, 4) float32, left, top, width, height in pixels.
        score: (n,) float32, as written; 1 where the file has no seventh column.
    """

    frame: npt.NDArray[np.int32]
    id: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    score: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        frame: npt.ArrayLike,
        id: npt.ArrayLike | None,
        box: npt.ArrayLike,
        score: npt.ArrayLike | None = None,
    ) -> MotTable:
        """Make a table from anything array-like; id defaults to -1, score to 1."""
        return cls._of(frame, -1 if id is None else id, box, 1 if score is None else score)


def read_mot(path: str | Path) -> MotTable:
    """Read rows of 6 to 10 numbers, separated by commas, semicolons, tabs or blanks; only seven are used.

    Between semicolons, tabs or blanks a decimal comma is a decimal point. Empty lines are skipped; an empty file is an
    empty table.

    Raises:
        InputError: the file is missing, or a row is malformed (named as FILE:LINE): too few or too many columns, not a
            number, not finite, a frame below 1, a frame or an id that is not whole.
    """
    path = Path(path)
    if not path.is_file():
        raise path_not_found(path, "file of boxes")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file of rows 'frame,id,left,top,width,height,score'") from error
    # Not `splitlines`, which also breaks lines at characters that no editor shows as a new line.
    lines = _NEW_LINE.split(text)
    lines, separator = _without_decimal_commas(lines)
    rows = _parse_whole(lines, separator)
    if rows is None:
        # Something is wrong or unusual (rows of different lengths): go line by line, slowly, to find out what.
        rows = _parse_by_line(path, lines, separator)
    valid = (
        _finite(rows).all(1)
        & (rows[:, 0] >= 1)
        & (np.abs(rows[:, :2]) <= _INT32.max).all(1)
        & (rows[:, :2] == np.floor(rows[:, :2])).all(1)
    )
    if not valid.all():
        bad = int(np.argmin(valid))
        raise InputError(f"{path}:{_line_numbers(lines)[bad]}: {_fault(rows[bad])}")
    return MotTable.of(rows[:, 0], rows[:, 1], rows[:, 2:6], rows[:, 6])


def line_of(path: str | Path, row: int) -> str:
    """FILE:LINE of a row of the table that `read_mot` made of a file, for error lines."""
    numbers = _line_numbers(_NEW_LINE.split(Path(path).read_text("utf-8-sig")))
    return f"{path}:{numbers[row]}"


def write_mot(path: str | Path, table: MotTable) -> None:
    """Write a table, comma-separated, ten columns as MOTChallenge has them; whole or not at all.

    Boxes are rounded to hundredths of a pixel, scores to four decimals.
    """
    columns = (
        table.frame.tolist(),
        table.id.tolist(),
        *np.asarray(table.box, np.float64).T.tolist(),
        np.asarray(table.score, np.float64).tolist(),
    )
    text = "".join(
        f"{frame},{id},{left:.2f},{top:.2f},{width:.2f},{height:.2f},{score:.4f},-1,-1,-1\n"
        for frame, id, left, top, width, height, score in zip(*columns, strict=True)
    )
    with atomic(Path(path)) as target:
        target.write_text(text)


def _line_numbers(lines: Sequence[str]) -> list[int]:
    return [number for number, line in enumerate(lines, start=1) if line.strip()]


def _without_decimal_commas(lines: list[str]) -> tuple[list[str], str | None]:
    """The lines with decimal points, and what separates their columns (None: blanks).

    A comma separates columns where nothing else does. In `1;-1;0,5;...` and `1 -1 0,5 ...` it is a decimal comma;
    in `1, -1, 0.5, ...`, where blanks follow commas, it separates.
    """
    first = next((line for line in lines if line.strip()), "")
    if ";" in first:
        return [line.replace(",", ".") for line in lines], ";"
    if "," not in first or len(re.split(r"(?<!,)\s+", first.strip())) >= _REQUIRED:
        return [line.replace(",", ".") for line in lines], None
    return lines, ","


def _parse_whole(lines: list[str], separator: str | None) -> npt.NDArray[np.float64] | None:
    """(n, 7) numbers where every row has the same shape, else None."""
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        return np.zeros((0, len(_COLUMNS)))
    columns = min(len(first.split(separator)), len(_COLUMNS))
    counts = {line.count(separator) for line in lines if line.strip()} if separator is not None else {columns - 1}
    if columns < _REQUIRED or not counts <= _PLAIN_COUNTS:
        return None
    try:
        rows = np.loadtxt(lines, np.float64, delimiter=separator, usecols=range(columns), ndmin=2, comments=None)
    except ValueError:
        return None
    return np.column_stack((rows, np.ones(len(rows)))) if columns == _REQUIRED else rows


def _parse_by_line(path: Path, lines: list[str], separator: str | None) -> npt.NDArray[np.float64]:
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = line.split(separator)[: len(_COLUMNS)]
        if len(cells) < _REQUIRED:
            raise InputError(
                f"{path}:{number}: {len(cells)} columns, at least {_REQUIRED} are needed "
                f"({','.join(_COLUMNS)}), separated by {_SEPARATORS[separator]}"
            )
        found = line.count(separator) + 1 if separator == "," else 0
        if found > _MOST:
            raise InputError(
                f"{path}:{number}: {found} columns, at most {_MOST} are known ({','.join(_COLUMNS)}, three more); "
                "separate columns by semicolons where numbers have decimal commas"
            )
        row = []
        for name, cell in zip(_COLUMNS, cells, strict=False):
            try:
                row.append(float(cell))
            except ValueError as error:
                raise InputError(f"{path}:{number}: {name} is {cell.strip()!r}, not a number") from error
        rows.append(row if len(row) == len(_COLUMNS) else [*row, 1.0])
    return np.array(rows, np.float64).reshape(-1, len(_COLUMNS))


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which numbers stay finite in the table, whose boxes and scores are float32."""
    return np.abs(values) <= np.finfo(np.float32).max


def _fault(row: npt.NDArray[np.float64]) -> str:
    finite = _finite(row)
    if not finite.all():
        return f"{_COLUMNS[int(np.argmin(finite))]} is not a finite number"
    for name, value in zip(_COLUMNS[:2], row, strict=False):
        if value != np.floor(value) or abs(value) > _INT32.max:
            return f"{name} is {value:g}, not a whole number of at most {_INT32.max}"
    return f"frame is {row[0]:g}, frames count from 1; add 1 to all of them where they count from 0"
