"""Helpers of the data set readers: required files, lists, label files, comparison with the published counts."""

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
    """Return the path of `name` (a file or folder), or of the first existing alternative, under `root`.

    Raises:
        InputError: none exists; the message names the path, the data set and the closest existing names.
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
    """Read the non-empty lines of a list file, each split into exactly `columns` fields (further ones are dropped).

    Args:
        path: a UTF-8 text file; undecodable bytes are replaced (VeRi-Wild's vehicle_info is not valid UTF-8).
        columns: minimum number of fields in each line.
        separator: field separator; None splits at white space.
        skip: number of header lines to skip.

    Raises:
        InputError: a line has too few fields; the message gives file and line number.
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
    """Parse `text` as an integer, ignoring the leading `c` of a camera name.

    Raises:
        InputError: it is not an integer; the message names the file and the field.
    """
    digits = text[1:] if text[:1] in ("c", "C") else text
    try:
        return int(digits)
    except ValueError:
        raise InputError(f"{path}: {field} {text!r} is not a number") from None


def read_label_xml(path: Path) -> list[dict[str, str]]:
    """Read the attributes of every `<Item .../>` in a VeRi or CityFlow label file.

    The files declare gb2312, a multi-byte encoding that the XML parser rejects: the bytes are decoded here (as its
    superset gb18030) and the declaration is removed.

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
        InputError: files are missing; the message names the first, their number and the list that names them.
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
            f"{data_set}: {missing[0]}{more} is listed in {listed_in} but does not exist; unpack the images again"
        )


def count_notes(
    published: Mapping[str, tuple[int, int | None]], tables: Mapping[str, ImageTable], data_set: str
) -> list[str]:
    """Return a note for each table whose number of images or identities differs from the published one.

    Args:
        published: for each table the number of images and of identities (None: not published).
        tables: the tables under the same names.
        data_set: its name, for the notes.
    """
    notes = []
    for name, (images, identities) in published.items():
        table = tables[name]
        if len(table) != images:
            notes.append(f"{data_set} {name}: {len(table)} images instead of the published {images}")
        if identities is not None and table.identities != identities:
            notes.append(f"{data_set} {name}: {table.identities} identities instead of the published {identities}")
    return notes
