"""RoundaboutHD's re-id subset: packed or not, with the names that it may have."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import InputError
from reid.datasets import load_dataset

MakeDataset = Callable[[str], Path]


def pack(root: Path) -> None:
    """Replace the folders by the archive, with a folder around them and what macOS adds."""
    subset = root / "ReID_subset"
    with zipfile.ZipFile(subset / "ReID_subset.zip", "w") as archive:
        for file in sorted(subset.glob("*_images/*.jpg")):
            archive.write(file, f"RoundaboutHD_Reid/{file.parent.name}/{file.name}")
            archive.writestr(f"__MACOSX/{file.parent.name}/._{file.name}", "")
            file.unlink()
        archive.writestr("../query_images/../escaped.jpg", "")
    for part in subset.glob("*_images"):
        part.rmdir()


def test_names_say_identity_and_camera(make_dataset: MakeDataset) -> None:
    root = make_dataset("roundabouthd")
    dataset = load_dataset("roundabouthd", root)
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (48, 12, 12)
    assert (dataset.train.identity[0], dataset.train.camera[0], dataset.train.cameras) == (1, 1, 3)
    below = load_dataset("roundabouthd", root / "ReID_subset")
    assert below.train.path.tolist() == dataset.train.path.tolist()
    assert dataset.notes == ()


def test_the_archive_is_unpacked_into_the_cache(make_dataset: MakeDataset, tmp_path: Path) -> None:
    root = make_dataset("roundabouthd")
    loose = load_dataset("roundabouthd", root)
    pack(root)
    for _ in range(2):
        packed = load_dataset("roundabouthd", root, cache=str(tmp_path / "cache"))
        assert [Path(p).name for p in packed.train.path] == [Path(p).name for p in loose.train.path]
        assert packed.query.identity.tolist() == loose.query.identity.tolist()
    assert all(Path(p).is_relative_to(tmp_path / "cache") for p in packed.gallery.path)
    assert [p.name for p in (root / "ReID_subset").iterdir()] == ["ReID_subset.zip"]
    assert not list(tmp_path.rglob("escaped.jpg"))


@pytest.mark.parametrize("form", ["{:04d}_c{:03d}_{:08d}_0.jpg", "{:04d}_c{}s1_{:06d}_01.jpg"])
def test_names_of_veri_and_market_are_understood(make_dataset: MakeDataset, form: str) -> None:
    root = make_dataset("roundabouthd")
    loaded = load_dataset("roundabouthd", root)
    for part in (root / "ReID_subset").iterdir():
        for file in sorted(part.iterdir()):
            identity, camera, image = file.stem.split("_")
            file.rename(file.with_name(form.format(int(identity), int(camera[3:]), int(image))))
    renamed = load_dataset("roundabouthd", root)
    assert set(renamed.query.identity) == set(loaded.query.identity)
    assert set(renamed.query.camera) == set(loaded.query.camera)


def test_market_junk_is_left_out(make_dataset: MakeDataset) -> None:
    root = make_dataset("roundabouthd")
    gallery = root / "ReID_subset" / "test_images"
    file = sorted(gallery.iterdir())[0]
    file.rename(gallery / "-1_c1s1_000151_01.jpg")
    assert len(load_dataset("roundabouthd", root).gallery) == 11


def test_vehicles_in_training_and_test_are_a_note(make_dataset: MakeDataset) -> None:
    root = make_dataset("roundabouthd") / "ReID_subset"
    file = sorted((root / "train_images").iterdir())[0]
    file.rename(root / "test_images" / "0001_cam02_000077.jpg")
    (note,) = load_dataset("roundabouthd", root).notes
    assert "vehicles in both training and test: 1" in note


def test_other_names_are_refused(make_dataset: MakeDataset) -> None:
    root = make_dataset("roundabouthd")
    (root / "ReID_subset" / "query_images" / "vehicle7.jpg").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"query_images/vehicle7.jpg: this name is not understood; .*0001_cam01_000123"
    ):
        load_dataset("roundabouthd", root)


def test_a_missing_or_damaged_subset_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds neither ReID_subset/ReID_subset.zip nor train_images"):
        load_dataset("roundabouthd", tmp_path)
    (tmp_path / "ReID_subset.zip").write_text("no archive")
    with pytest.raises(InputError, match=r"ReID_subset.zip: not a readable zip archive"):
        load_dataset("roundabouthd", tmp_path, cache=str(tmp_path / "cache"))
