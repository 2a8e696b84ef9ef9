"""VeRi-Wild (Y. Lou et al., CVPR 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import InputError
from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import as_number, check_images, count_notes, read_rows, require
from reid.datasets.table import ImageTable

SIZES = {"small": 3000, "medium": 5000, "large": 10000}
PUBLISHED_TRAIN: dict[str, tuple[int, int | None]] = {"train": (277_797, 30_671)}
# Number of queries, and of gallery images after removing the queries.
_TEST = {"small": (3_000, 38_861), "medium": (5_000, 64_389), "large": (10_000, 128_517)}


def load_veriwild(root: Path, *, size: str = "small") -> Dataset:
    """Read VeRi-Wild in its distributed layout: `images/<id>/<image>.jpg` and the lists in `train_test_split/`.

    Cameras come from `vehicle_info.txt` (`id/image;camera;time;model;type;colour`, one header line). Test lists
    with and without the queries are in circulation: queries are removed from the gallery, so both give the same result.

    Args:
        root: the folder that holds `images` and `train_test_split`.
        size: `small`, `medium` or `large`: 3,000, 5,000 or 10,000 test identities.
    """
    if size not in SIZES:
        raise InputError(f"VeRi-Wild: unknown size {size!r}; use one of {', '.join(SIZES)}")
    info = require(root, "train_test_split/vehicle_info.txt", "VeRi-Wild")
    camera_of = {
        image: as_number(camera.strip(), info, "camera") for image, camera in read_rows(info, 2, separator=";", skip=1)
    }
    ids = SIZES[size]
    train = _read_list(root, "train_list.txt", camera_of, info)
    query = _read_list(root, f"test_{ids}_query.txt", camera_of, info)
    gallery = _read_list(root, f"test_{ids}.txt", camera_of, info)
    queries = set(query.path)
    gallery = gallery[np.array([path not in queries for path in gallery.path], bool)]
    published: dict[str, tuple[int, int | None]] = {
        **PUBLISHED_TRAIN,
        "query": (_TEST[size][0], ids),
        "gallery": (_TEST[size][1], ids),
    }
    tables = {"train": train, "query": query, "gallery": gallery}
    notes = count_notes(published, tables, f"VeRi-Wild {size}")
    return Dataset(f"veriwild-{size}", train, (Split(query, gallery),), tuple(notes))


def _read_list(root: Path, name: str, camera_of: dict[str, int], info: Path) -> ImageTable:
    path = require(root, f"train_test_split/{name}", "VeRi-Wild")
    folder = require(root, "images", "VeRi-Wild")
    images = [row[0].removesuffix(".jpg") for row in read_rows(path, 1)]
    unknown = [image for image in images if image not in camera_of]
    if unknown:
        raise InputError(f"{path}: {unknown[0]} (and {len(unknown) - 1} more) has no row in {info}")
    paths = [str(folder / f"{image}.jpg") for image in images]
    check_images(paths, path, "VeRi-Wild")
    return ImageTable.of(
        paths,
        [as_number(image.split("/")[0], path, "identity") for image in images],
        [camera_of[image] for image in images],
    )
