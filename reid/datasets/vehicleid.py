"""PKU VehicleID (H. Liu et al., CVPR 2016)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import InputError
from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import as_number, check_images, count_notes, read_rows, require
from reid.datasets.table import ImageTable

SIZES = {"small": 800, "medium": 1600, "large": 2400}
PUBLISHED_TRAIN: dict[str, tuple[int, int | None]] = {"train": (113_346, 13_164)}


def load_vehicleid(root: Path, *, size: str = "small", draws: int = 10, seed: int = 0) -> Dataset:
    """Read VehicleID as distributed: `image/0000001.jpg` and `train_test_split/{train_list,test_list_<ids>}.txt`.

    There are no camera labels. The protocol randomly draws one image of each test identity as gallery and uses the
    others as queries; each draw is one split, and the metrics are averaged over the draws.

    Args:
        root: the folder that holds `image` and `train_test_split`.
        size: `small`, `medium` or `large`: 800, 1,600 or 2,400 test identities.
        draws: number of galleries to draw.
        seed: seed of the draws.
    """
    if size not in SIZES:
        raise InputError(f"VehicleID: unknown size {size!r}; use one of {', '.join(SIZES)}")
    if draws < 1:
        raise InputError(f"VehicleID: draws must be at least 1, not {draws}")
    train = _read_list(root, "train_list.txt")
    test = _read_list(root, f"test_list_{SIZES[size]}.txt")
    notes = count_notes(PUBLISHED_TRAIN, {"train": train}, "VehicleID")
    if test.identities != SIZES[size]:
        notes.append(f"VehicleID test {size}: {test.identities} identities instead of the published {SIZES[size]}")
    random = np.random.default_rng(seed)
    splits = tuple(_draw(test, random) for _ in range(draws))
    return Dataset(f"vehicleid-{size}", train, splits, tuple(notes))


def _draw(test: ImageTable, random: np.random.Generator) -> Split:
    order = random.permutation(len(test))
    chosen = order[np.unique(test.identity[order], return_index=True)[1]]
    in_gallery = np.zeros(len(test), bool)
    in_gallery[chosen] = True
    return Split(test[~in_gallery], test[in_gallery])


def _read_list(root: Path, name: str) -> ImageTable:
    path = require(root, f"train_test_split/{name}", "VehicleID")
    folder = require(root, "image", "VehicleID")
    rows = read_rows(path, 2)
    paths = [str(folder / f"{image}.jpg") for image, _ in rows]
    check_images(paths, path, "VehicleID")
    return ImageTable.of(paths, [as_number(identity, path, "identity") for _, identity in rows])
