"""VeRi-776 (X. Liu et al., ECCV 2016)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from common.errors import InputError
from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import as_number, check_images, count_notes, list_images, read_label_xml, read_rows, require
from reid.datasets.table import UNKNOWN_VIEWPOINT, ImageTable, join_tables

PUBLISHED: dict[str, tuple[int, int | None]] = {"train": (37_778, 576), "query": (1_678, 200), "gallery": (11_579, 200)}
_NAME = re.compile(r"^(\d+)_c(\d+)_")


def load_veri(root: Path, *, also: str = "") -> Dataset:
    """Read VeRi-776 as distributed: `image_{train,query,test}/`, `name_{train,query,test}.txt`, label and index files.

    File names contain identity and camera (`0001_c001_00016450_0.jpg`). If a name list is missing, all images in the
    folder are used, with a note. The label files and the lists `gt_index.txt` and `jk_index.txt` are checked against
    the file names and the junk rule (same identity, same camera); deviations are noted. A simulated set in the same
    layout (it contains `simulated_vehicles.txt`) is reported as simulated.

    Viewpoints (0..7) are read from `keypoint_train.txt` and `keypoint_test.txt`, if they are in the folder: lines with
    an image's path first and its viewpoint last, as in Z. Wang et al., "Orientation Invariant Feature Embedding and
    Spatial Temporal Regularization for Vehicle Re-identification", ICCV 2017. Images without a line have none.

    Args:
        root: the folder.
        also: comma-separated folders of the same layout whose training images are added. Their vehicles and cameras are
            distinct from those of the root and of each other. The test split remains that of the root.

    Raises:
        InputError: a folder or a listed image is missing, or a file name does not follow the scheme.
    """
    notes: list[str] = []
    train = _read_part(root, "train", notes)
    query = _read_part(root, "query", notes)
    gallery = _read_part(root, "test", notes)
    tables = {"train": train, "query": query, "gallery": gallery}
    simulated = (root / "simulated_vehicles.txt").is_file()
    if simulated:
        notes.append(f"{root}: simulated data in the layout of VeRi-776, not VeRi-776")
    else:
        notes += count_notes(PUBLISHED, tables, "VeRi-776")
    notes += _label_notes(root / "train_label.xml", train)
    notes += _label_notes(root / "test_label.xml", gallery)
    notes += _index_notes(root, query, gallery)
    for folder in filter(None, map(str.strip, also.split(","))):
        train = join_tables([train, _read_part(Path(folder).expanduser(), "train", notes)])
    return Dataset("simulated" if simulated else "veri", train, (Split(query, gallery),), tuple(notes))


def _read_part(root: Path, part: str, notes: list[str]) -> ImageTable:
    folder = require(root, f"image_{part}", "VeRi-776")
    listing = root / f"name_{part}.txt"
    if listing.is_file():
        names = [row[0] for row in read_rows(listing, 1)]
        check_images([str(folder / name) for name in names], listing, "VeRi-776")
    else:
        names = list_images(folder)
        notes.append(f"VeRi-776: {listing.name} does not exist; all {len(names)} images in {folder.name} are used")
    matches = [_NAME.match(name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if match is None:
            raise InputError(f"{folder / name}: the file name must start with identity and camera, as in 0001_c001_")
    views = _read_viewpoints(root / f"keypoint_{'train' if part == 'train' else 'test'}.txt")
    return ImageTable.of(
        [str(folder / name) for name in names],
        [int(m.group(1)) for m in matches if m],
        [int(m.group(2)) for m in matches if m],
        [views.get(name, UNKNOWN_VIEWPOINT) for name in names],
    )


def _read_viewpoints(path: Path) -> dict[str, int]:
    """The viewpoint of each image by file name; empty if there is no such file."""
    if not path.is_file():
        return {}
    views = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            fields = line.split()
            if not fields:
                continue
            view = as_number(fields[-1], path, f"line {number}: viewpoint") if len(fields) > 1 else UNKNOWN_VIEWPOINT
            if view < 0:
                raise InputError(f"{path}:{number}: must be an image and, last, its viewpoint: {line.strip()[:80]!r}")
            views[re.split(r"[/\\]", fields[0])[-1]] = view
    return views


def _label_notes(path: Path, table: ImageTable) -> list[str]:
    if not path.is_file():
        return []
    labels = {
        item.get("imageName", ""): (
            as_number(item.get("vehicleID", ""), path, "vehicleID"),
            as_number(item.get("cameraID", ""), path, "cameraID"),
        )
        for item in read_label_xml(path)
    }
    names = [Path(p).name for p in table.path]
    pairs = zip(names, table.identity.tolist(), table.camera.tolist(), strict=True)
    wrong = [name for name, identity, camera in pairs if labels.get(name, (identity, camera)) != (identity, camera)]
    unlabelled = sum(name not in labels for name in names)
    notes = []
    if wrong:
        notes.append(f"VeRi-776: {path.name} disagrees with {len(wrong)} file names, first {wrong[0]}")
    if unlabelled:
        notes.append(f"VeRi-776: {path.name} lacks {unlabelled} of the {len(names)} images")
    return notes


def _index_notes(root: Path, query: ImageTable, gallery: ImageTable) -> list[str]:
    """Check `gt_index.txt` and `jk_index.txt` (1-based rows of the gallery) against the junk rule."""
    notes = []
    for name, same_camera in (("gt_index.txt", False), ("jk_index.txt", True)):
        path = root / name
        if not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) < len(query):
            notes.append(f"VeRi-776: {name} has {len(lines)} lines for {len(query)} queries")
            continue
        wrong = []
        for row in range(len(query)):
            rule = (gallery.identity == query.identity[row]) & (
                (gallery.camera == query.camera[row]) if same_camera else (gallery.camera != query.camera[row])
            )
            try:
                listed = np.unique(np.array(lines[row].split(), np.int64)) - 1
            except ValueError:
                raise InputError(f"{path}:{row + 1}: not a list of row numbers: {lines[row][:60]!r}") from None
            if not np.array_equal(listed, np.flatnonzero(rule)):
                wrong.append(row + 1)
        if wrong:
            notes.append(f"VeRi-776: {name} differs from the junk rule in {len(wrong)} lines, first {wrong[0]}")
    return notes
