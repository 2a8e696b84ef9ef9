"""The re-id subset of RoundaboutHD (arXiv 2507.08729)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from common.cache import Cache, key_of
from common.errors import InputError
from common.zip_archives import read_members
from reid.datasets.dataset import Dataset, Split
from reid.datasets.files import IMAGE_SUFFIXES, list_images
from reid.datasets.table import ImageTable

_PARTS = {"train": "train_images", "query": "query_images", "gallery": "test_images"}
_NAME = re.compile(r"(-?\d+)_c(?:am)?(\d+)(?=\D)")
_EXPECTED = (
    "identity and camera first, as in 0001_cam01_000123.jpg, 0001_c001_00016450_0.jpg or 0001_c1s1_000151_01.jpg"
)


def load_roundabouthd(root: Path, *, cache: str = "cache") -> Dataset:
    """Read `train_images/`, `query_images/` and `test_images/`, or the `ReID_subset.zip` that holds them.

    Names say identity and camera: those of the data set's own tools (`0001_cam01_000123.jpg`), of VeRi-776 or of
    Market-1501. Identities of -1 (Market-1501's junk) are left out. Vehicles that are in training and test are a note:
    the makers' tools draw all three parts from the same tracks.

    Args:
        root: the data set's folder, its `ReID_subset/`, or a folder with the three parts.
        cache: where an archive is unpacked; nothing is written into `root`.

    Raises:
        InputError: a part is missing, a name follows no known scheme, or the archive is damaged.
    """
    folder = _parts_in(root) or _unpacked(root, Path(cache))
    tables = {part: _read_part(folder / name) for part, name in _PARTS.items()}
    train, query, gallery = tables["train"], tables["query"], tables["gallery"]
    notes = []
    both = len(np.intersect1d(train.identity, np.union1d(query.identity, gallery.identity)))
    if both:
        notes.append(
            f"RoundaboutHD: vehicles in both training and test: {both}; after training on it, its figures flatter"
        )
    return Dataset("roundabouthd", train, (Split(query, gallery),), tuple(notes))


def _parts_in(root: Path) -> Path | None:
    """The folder with all parts: `root`, `ReID_subset` in it, or what an archive of that name was unpacked to."""
    below = (root, root / "ReID_subset", root / "ReID_subset" / "ReID_subset")
    return next((folder for folder in below if all((folder / name).is_dir() for name in _PARTS.values())), None)


def _unpacked(root: Path, cache: Path) -> Path:
    """Unpack the pictures of the archive into the cache, once."""
    archive = next(
        (p for p in (root / "ReID_subset.zip", root / "ReID_subset" / "ReID_subset.zip") if p.is_file()), None
    )
    if archive is None:
        raise InputError(
            f"RoundaboutHD: {root} holds neither ReID_subset/ReID_subset.zip nor {', '.join(_PARTS.values())}; give "
            "the folder of the data set, or of the unpacked subset"
        )
    store = Cache(cache)
    key = key_of({"archive": store.file_digest(archive)})
    if store.find("reid-subset", key) is None:
        with store.write("reid-subset", key) as target:
            _extract(archive, target)
    return store.folder("reid-subset", key)


def _extract(archive: Path, target: Path) -> None:
    """Write the pictures of each part, flat: folders above a part and paths that lead elsewhere do not matter."""
    for part in _PARTS.values():
        (target / part).mkdir()
    for name, content in read_members(archive, _is_picture, source=str(archive)):
        part, picture = name.split("/")[-2:]
        (target / part / picture).write_bytes(content)


def _is_picture(name: str) -> bool:
    """Whether a member of the archive is a picture of one of the parts."""
    *folders, picture = name.split("/")
    if not folders or folders[-1] not in _PARTS.values() or "__MACOSX" in folders:
        return False
    return Path(picture).suffix.lower() in IMAGE_SUFFIXES and not picture.startswith(".")


def _read_part(folder: Path) -> ImageTable:
    names = [name for name in list_images(folder) if not name.startswith(".")]
    matches = [_NAME.match(name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if match is None:
            raise InputError(f"{folder / name}: this name is not understood; expected {_EXPECTED}")
    if not names:
        raise InputError(f"RoundaboutHD: {folder} holds no images; unpack the subset again")
    rows = [(name, int(m[1]), int(m[2])) for name, m in zip(names, matches, strict=True) if m and int(m[1]) >= 0]
    return ImageTable.of([str(folder / name) for name, *_ in rows], [i for _, i, _ in rows], [c for *_, c in rows])
