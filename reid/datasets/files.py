"""What all data sets' readers need: files that must be there, lists, label files, counts against the published ones."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import InputError
from common.nearest import nearest
from reid.datasets.table import ImageTable

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def require(root: Path, name: str, data_set: str, alternatives: Sequence[str] = ()) -> Path:
    """The path of `name` (a file or folder, or the first of its `alternatives`) under `root`.

    Raises:
        InputError: none is there; the line names the path, the data set and the nearest names that exist.
    """
    for candidate in (name, *alternatives):
        if (root / candidate).exists():
            return root / candidate
    if not root.is_dir():
        raise InputError(f"{data_set}: the data root {root} is not a folder; give the folder that holds {name}")
    parent = (root / name).parent
    existing = sorted(p.name for p in (parent if parent.is_dir() else root).iterdir())
    raise InputError(
        f"{data_set}: {root / name} does not exist; give the folder of the unpacked data set as the data root"
        f"{nearest(Path(name).name, existing)}"
    )


def read_rows(path: Path, columns: int, separator: str | None = None, skip: int = 0) -> list[list[str]]:
    """The non-empty lines of a list file, each split into exactly `columns` fields (more are dropped).

    Args:
        path: a text file; UTF-8, undecodable bytes replaced (VeRi-Wild's vehicle_info is not).
        columns: fields that each line must have at least.
        separator: between fields; None for white space.
        skip: header lines to leave out.

    Raises:
        InputError: a line with fewer fields, named by file and line number.
    """
    rows = []
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if number <= skip or not line.strip():
                continue
            fields = line.strip().split(separator)
            if len(fields) < columns:
                raise InputError(f"{path}:{number}: {len(fields)} fields, {columns} are needed: {line.strip()[:80]!r}")
            rows.append(fields[:columns])
    return rows


def as_number(text: str, path: Path, field: str) -> int:
    """`text` as an integer, a leading `c` of a camera dropped.

    Raises:
        InputError: it is none; the line names the file and the field.
    """
    digits = text[1:] if text[:1] in ("c", "C") else text
    try:
        return int(digits)
    except ValueError:
        raise InputError(f"{path}: {field} {text!r} is not a number") from None


def read_label_xml(path: Path) -> list[dict[str, str]]:
    """The attributes of every `<Item .../>` of a VeRi or CityFlow label file.

    The files declare gb2312, a multi-byte encoding that the XML parser refuses: the bytes are decoded here
    (gb18030, its superset) and the declaration is dropped.

    Raises:
        InputError: the file is not XML.
    """
    text = path.read_bytes().decode("gb18030", errors="replace")
    text = re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text)
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise InputError(f"{path}: not XML ({error}); unpack the data set again") from None
    return [dict(item.attrib) for item in tree.iter("Item")]


def list_images(folder: Path) -> list[str]:
    """Names of the image files directly in `folder`, sorted."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if Path(e.name).suffix.lower() in IMAGE_SUFFIXES)


def check_images(paths: Sequence[str], listed_in: Path, data_set: str) -> None:
    """Check that all `paths` exist, reading each folder once.

    Raises:
        InputError: some do not; the line names the first, the count and the list that names them.
    """
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        by_folder.setdefault(folder, []).append(name)
    missing = []
    for folder, names in by_folder.items():
        try:
            with os.scandir(folder) as entries:
                there = {e.name for e in entries}
        except OSError:
            there = set()
        missing += [f"{folder}/{name}" for name in names if name not in there]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise InputError(
            f"{data_set}: {missing[0]}{more} is listed in {listed_in} but is not there; unpack the images again"
        )


def count_notes(
    published: Mapping[str, tuple[int, int | None]], tables: Mapping[str, ImageTable], data_set: str
) -> list[str]:
    """One note for each table whose images or identities differ from the published counts.

    Args:
        published: per table the images and the identities (None: not published).
        tables: the tables, by the same names.
        data_set: its name, for the notes.
    """
    notes = []
    for name, (images, identities) in published.items():
        table = tables[name]
        if len(table) != images:
            notes.append(f"{data_set} {name}: {len(table)} images, published are {images}")
        if identities is not None and table.identities != identities:
            notes.append(f"{data_set} {name}: {table.identities} identities, published are {identities}")
    return notes
