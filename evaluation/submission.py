"""The challenge's submission file, track1.txt: one box of one vehicle per line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from common.files import atomic
from evaluation.boxes import Boxes, faults

_COLUMNS = ("camera_id", "obj_id", "frame_id", "xmin", "ymin", "width", "height")
_WORLD_COLUMNS = 2


def read_submission(path: Path, first_frame: int = 1) -> Boxes:
    """Read `camera_id obj_id frame_id xmin ymin width height [xworld yworld]`, separated by spaces or by commas.

    Ground truth in the same form (CityFlow's `eval/ground_truth_*.txt`) is read likewise. Empty lines are skipped.

    Args:
        path: the file.
        first_frame: the number of a camera's first frame in the file; in the result it is 1.

    Raises:
        InputError: the file is missing or not text, or a line is malformed; it names the file and the line.
    """
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; name the file of boxes in it")
    if not path.is_file():
        raise path_not_found(path, "file of boxes")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: this is not text; expected one box per line: {' '.join(_COLUMNS)}") from None
    number = [i for i, line in enumerate(lines, start=1) if line.strip()]
    if not number:
        return Boxes.empty()
    kept = [lines[i - 1].replace(",", " ") for i in number]
    try:
        values = np.loadtxt(kept, dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        values = None
    if values is None or not len(_COLUMNS) <= values.shape[1] <= len(_COLUMNS) + _WORLD_COLUMNS:
        raise _malformed(path, number, kept)
    return _table(path, number, values, first_frame)


def write_submission(path: Path, boxes: Boxes, first_frame: int = 1) -> None:
    """Write track1.txt: rows sorted by (camera, identity, frame), pixels rounded, `-1 -1` for the world position.

    The file appears under its name only when it is whole. A box never shrinks to nothing by rounding.

    Args:
        path: the file.
        boxes: what to write.
        first_frame: the number that a camera's first frame has in the file.
    """
    order = np.lexsort((boxes.frame, boxes.identity, boxes.camera))
    corner = np.rint(boxes.box[order, :2]).astype(np.int64)
    size = np.maximum(np.rint(boxes.box[order, 2:]).astype(np.int64), 1)
    columns = np.column_stack(
        (
            boxes.camera[order],
            boxes.identity[order],
            boxes.frame[order] + (first_frame - 1),
            corner,
            size,
            np.full((len(boxes), 2), -1),
        )
    )
    with atomic(path) as aside, aside.open("w", encoding="utf-8") as file:
        file.writelines(" ".join(map(str, row)) + "\n" for row in columns.tolist())


def _table(path: Path, number: list[int], values: npt.NDArray[np.float64], first_frame: int) -> Boxes:
    """The columns with their types, each value checked."""
    whole = values[:, :3]
    box = values[:, 3:7]
    limits = ((0, 2**31 - 1), (-(2**53), 2**53), (-(2**31), 2**31 - 1))
    for column, (low, high) in enumerate(limits):
        cells = whole[:, column]
        wrong = ~((cells >= low) & (cells <= high)) | (np.floor(cells) != cells)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            fault = f"{_COLUMNS[column]} must be a whole number, not {cells[row]:g}"
            raise InputError(f"{path}:{number[row]}: {fault}")
    early = whole[:, 2] < first_frame
    if first_frame != 1 and early.any():
        row = int(np.flatnonzero(early)[0])
        raise InputError(f"{path}:{number[row]}: frame_id is {whole[row, 2]:g}; frames count from {first_frame}")
    frame = (whole[:, 2] + (1 - first_frame)).astype(np.int32)
    for rows, fault in faults(frame, box):
        if rows.any():
            raise InputError(f"{path}:{number[int(np.flatnonzero(rows)[0])]}: {fault}")
    return Boxes(whole[:, 0].astype(np.int32), whole[:, 1].astype(np.int64), frame, box)


def _malformed(path: Path, number: list[int], lines: list[str]) -> InputError:
    """The error for the first line that is not what it should be."""
    expected = f"{' '.join(_COLUMNS)} [xworld yworld]"
    counts = {len(line.split()) for line in lines}
    if counts == {10}:
        return InputError(
            f"{path}:{number[0]}: 10 columns: this looks like MOTChallenge text of one camera, which has no camera "
            f"column; expected {expected}"
        )
    first = len(lines[0].split())
    for at, line in zip(number, lines, strict=True):
        cells = line.split()
        if not len(_COLUMNS) <= len(cells) <= len(_COLUMNS) + _WORLD_COLUMNS:
            return InputError(f"{path}:{at}: {len(cells)} columns; expected {expected}")
        for i, cell in enumerate(cells):
            name = _COLUMNS[i] if i < len(_COLUMNS) else ("xworld", "yworld")[i - len(_COLUMNS)]
            try:
                float(cell)
            except ValueError:
                return InputError(f"{path}:{at}: {name} must be a number, not {cell!r}")
        if len(cells) != first:
            return InputError(
                f"{path}:{at}: {len(cells)} columns where line {number[0]} has {first}; expected {expected}"
            )
    return InputError(f"{path}: not a table of numbers; expected {expected}")
