"""VRIC, Vehicle Re-Identification in Context (A. Kanaci et al., GCPR 2018)."""

from __future__ import annotations

from pathlib import Path

from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import as_number, check_images, count_notes, read_rows, require
from reid.datasets.table import ImageTable

PUBLISHED: dict[str, tuple[int, int | None]] = {
    "train": (54_808, 2_811),
    "query": (2_811, 2_811),
    "gallery": (2_811, 2_811),
}


def load_vric(root: Path) -> Dataset:
    """Read VRIC in its distributed layout: `{train,probe,gallery}_images/` and `vric_{...}.txt` (name id camera)."""
    train, query, gallery = (_read_list(root, part) for part in ("train", "probe", "gallery"))
    notes = count_notes(PUBLISHED, {"train": train, "query": query, "gallery": gallery}, "VRIC")
    return Dataset("vric", train, (Split(query, gallery),), tuple(notes))


def _read_list(root: Path, part: str) -> ImageTable:
    path = require(root, f"vric_{part}.txt", "VRIC")
    folder = require(root, f"{part}_images", "VRIC")
    rows = read_rows(path, 3)
    paths = [str(folder / name) for name, _, _ in rows]
    check_images(paths, path, "VRIC")
    return ImageTable.of(
        paths,
        [as_number(identity, path, "identity") for _, identity, _ in rows],
        [as_number(camera, path, "camera") for _, _, camera in rows],
    )
