"""Masks from files and from polygons; mistakes are named in one line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import InputError
from reid.pretraining.masks import find_masks, read_polygons


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "image_train").mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "image_train" / f"{name}.jpg"), np.full((10, 20, 3), 90, np.uint8))
    return tmp_path


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_later_polygons_are_on_top(images: Path) -> None:
    whole = {"part": "side", "points": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    left = {"part": "front", "points": [[0, 0], [0.4, 0], [0.4, 1], [0, 1]]}
    file = write(images / "p.json", [{"image": "a.jpg", "polygons": [whole, left]}])
    (entry,) = read_polygons(file, images)
    image, mask = entry.read()
    assert image.shape == (10, 20, 3)
    assert (mask[:, :8] == 1).all()
    assert (mask[:, 10:] == 4).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "a list of images"),
        ([{"image": "a.jpg"}], "entry 0: must have image and polygons"),
        ([{"image": "c.jpg", "polygons": []}], "entry 0: there is no image c.jpg"),
        ([{"image": "a.jpg", "polygons": [{"part": "rear", "points": []}]}], "unknown part 'rear'"),
        ([{"image": "a.jpg", "polygons": [{"part": "back", "points": [[0, 0], [9, 0], [0, 5]]}]}], "fractions"),
    ],
)
def test_malformed_polygons_name_the_entry(images: Path, content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_polygons(write(images / "p.json", content), images)


def test_masks_beside_images(images: Path) -> None:
    assert find_masks(images, "train") == []
    (images / "parts_train").mkdir()
    cv2.imwrite(str(images / "parts_train" / "a.png"), np.full((10, 20), 3, np.uint8))
    (entry,) = find_masks(images, "train")
    assert (entry.read()[1] == 3).all()
    cv2.imwrite(str(images / "parts_train" / "a.png"), np.full((10, 20), 9, np.uint8))
    with pytest.raises(InputError, match="holds 9"):
        entry.read()
    cv2.imwrite(str(images / "parts_train" / "a.png"), np.full((10, 21), 1, np.uint8))
    with pytest.raises(InputError, match="shape"):
        entry.read()
