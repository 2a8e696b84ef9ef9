"""Your own images: one folder per identity, or a CSV file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.nearest import nearest
from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import check_images, list_images, require
from reid.datasets.holdout import hold_out
from reid.datasets.table import UNKNOWN_CAMERA, UNKNOWN_VIEWPOINT, ImageTable

_PARTS = ("train", "query", "gallery")
_DIGITS = 10
"""A viewpoint has fewer; more would not fit the table."""
# VeRi's 0001_c001_00016450_0.jpg and Market's 0002_c1s1_000451_03.jpg: identity, then camera.
_IDENTITY_AND_CAMERA = re.compile(r"^-?\d+_c(?P<camera>\d+)(?:s\d+)?(?:_|\.|$)", re.IGNORECASE)


def load_folder(root: Path, *, holdout: float = 0.25, seed: int = 0) -> Dataset:
    """Read `<identity>/<camera>_*.jpg`, either in `root` or in its folders `train`, `query` and `gallery`.

    Identities and cameras may be numbers or any words. Names like VeRi's (`0001_c001_*.jpg`) or Market's
    (`0002_c1s1_*.jpg`) are recognised: their camera is what follows the `c`. A name without `_` has no known camera.
    Without `query` and `gallery` folders, identities are held out for the test.

    Args:
        root: the folder.
        holdout: fraction of the identities used as test set; 0 for none.
        seed: seed of that choice.
    """
    if not root.is_dir():
        raise InputError(f"folder data set: {root} is not a folder; give one that holds <identity>/<camera>_*.jpg")
    if all((root / part).is_dir() for part in ("query", "gallery")):
        rows = [(part, *row) for part in _PARTS if (root / part).is_dir() for row in _walk(root / part)]
    else:
        rows = [("", *row) for row in _walk(root)]
    if not rows:
        raise InputError(f"folder data set: {root} holds no images of the form <identity>/<camera>_*.jpg")
    return _divide("folder", rows, holdout, seed, root)


def load_csv(
    root: Path, *, holdout: float = 0.25, seed: int = 0, where: str = "", both_directions: bool = False
) -> Dataset:
    """Read a CSV file with a header: columns `path` and `identity`, optionally `camera`, `viewpoint`, `split`, others.

    Paths are relative to the folder of the CSV file. An empty camera or viewpoint is unknown. Viewpoints are numbers
    from 0 that mean the same in all files. `split` must be `train`, `query` or `gallery` in every row; without that
    column, identities are held out for the test.

    Args:
        root: the file, or a folder that holds `data.csv`.
        holdout: fraction of the identities used as test set; 0 for none.
        seed: seed of that choice.
        where: `COLUMN=VALUE` or `COLUMN=VALUE|VALUE`: use only the rows with one of these values, such as
            `kind=car|truck`.
        both_directions: add a second split in which query and gallery have changed places, for sets with as many images
            in both, such as one of each vehicle from each of two cameras.
    """
    path = require(root, "data.csv", "CSV data set") if root.is_dir() else root
    if not path.is_file():
        raise InputError(
            f"CSV data set: {path} does not exist; give a CSV file with the columns path, identity, camera"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not in UTF-8 ({error.reason}); save the CSV file as UTF-8") from error
    with io.StringIO(text, newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        for column in ("path", "identity"):
            if column not in columns:
                raise InputError(f"{path}: no column {column!r}; the header has {', '.join(columns) or 'nothing'}")
        column, wanted = _condition(where, columns, path)
        rows, views = [], []
        for row in reader:
            if column and (row[column] or "").strip() not in wanted:
                continue
            part = (row.get("split") or "").strip()
            if "split" in columns and part not in _PARTS:
                raise InputError(f"{path}:{reader.line_num}: split is {part!r}, but must be train, query or gallery")
            if not row["path"] or not row["identity"]:
                raise InputError(f"{path}:{reader.line_num}: path and identity must not be empty")
            view = (row.get("viewpoint") or "").strip()
            if view and not (view.isascii() and view.isdigit() and len(view) < _DIGITS):
                raise InputError(
                    f"{path}:{reader.line_num}: viewpoint is {view!r}, but must be a whole number from 0, or empty"
                )
            camera = (row.get("camera") or "").strip()
            rows.append((part, str(path.parent / row["path"]), row["identity"].strip(), camera))
            views.append(int(view) if view else UNKNOWN_VIEWPOINT)
    if column and not rows:
        raise InputError(f"{path}: option where={where}: no row has that value")
    check_images([row[1] for row in rows], path, "CSV data set")
    dataset = _divide("csv", rows, holdout, seed, path, views)
    if both_directions:
        dataset = replace(dataset, splits=dataset.splits + tuple(Split(s.gallery, s.query) for s in dataset.splits))
    return dataset


def _condition(where: str, columns: Sequence[str], path: Path) -> tuple[str, frozenset[str]]:
    """The column and the values of the option `where`; an empty column if it is not given."""
    if not where:
        return "", frozenset()
    column, equals, values = where.partition("=")
    if not equals or not values:
        raise InputError(f"{path}: option where={where}: must be COLUMN=VALUE or COLUMN=VALUE|VALUE")
    if column not in columns:
        raise InputError(f"{path}: option where={where}: no column {column!r}{nearest(column, columns)}")
    return column, frozenset(values.split("|"))


def _walk(folder: Path) -> list[tuple[str, str, str]]:
    rows = []
    for identity in sorted(p for p in folder.iterdir() if p.is_dir()):
        for name in list_images(identity):
            match = _IDENTITY_AND_CAMERA.match(name)
            camera = match["camera"] if match else name.split("_", 1)[0] if "_" in name else ""
            rows.append((str(identity / name), identity.name, camera))
    return rows


def _divide(
    name: str,
    rows: Sequence[tuple[str, str, str, str]],
    holdout: float,
    seed: int,
    source: Path,
    views: Sequence[int] | None = None,
) -> Dataset:
    table = ImageTable.of(
        [r[1] for r in rows], _numbers([r[2] for r in rows]), _numbers([r[3] for r in rows], ("c", "C")), views
    )
    part = np.array([r[0] for r in rows])
    notes = []
    if not len(rows):
        raise InputError(f"{source}: lists no images")
    if (table.camera == UNKNOWN_CAMERA).any():
        unknown = int((table.camera == UNKNOWN_CAMERA).sum())
        notes.append(f"{source}: {unknown} of {len(table)} images have no known camera; their matches are never junk")
    if (part != "").any():
        split = Split(table[part == "query"], table[part == "gallery"])
        splits = (split,) if len(split.query) and len(split.gallery) else ()
        return Dataset(name, table[part == "train"], splits, tuple(notes))
    train, split = hold_out(table, holdout, seed)
    return Dataset(name, train, (split,) if len(split.query) else (), tuple(notes))


def _numbers(words: Sequence[str], prefixes: tuple[str, ...] = ()) -> npt.NDArray[np.int64]:
    """Convert labels to numbers: parsed if all are numeric, else 1, 2, ... in sorted order; -1 if empty."""
    bare = [word[1:] if word.startswith(prefixes) else word for word in words] if prefixes else list(words)
    numbers = {int(word) for word in bare if word.isdecimal()}
    if all(word.isdecimal() or not word for word in bare) and len(numbers) == len(set(bare) - {""}):
        return np.array([int(word) if word else UNKNOWN_CAMERA for word in bare], np.int64)
    order = {word: number for number, word in enumerate(sorted(set(words) - {""}), start=1)}
    return np.array([order.get(word, UNKNOWN_CAMERA) for word in words], np.int64)
