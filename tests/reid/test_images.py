from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reid.images import UnreadableImage, read_image


def test_colours_are_rgb(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (255, 0, 0)).save(tmp_path / "red.png")
    image = read_image(tmp_path / "red.png")
    assert image.shape == (2, 3, 3)
    assert (image == [255, 0, 0]).all()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_image_becomes_rgb(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (5, 4)).save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    image = read_image(next(tmp_path.iterdir()))
    assert image.shape == (4, 5, 3)
    assert image.dtype == np.uint8


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32896, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png")[0, :, 0].tolist() == [0, 128, 255]


def test_one_pixel_is_a_image(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (1, 2, 3)).save(tmp_path / "dot.png")
    assert read_image(tmp_path / "dot.png").tolist() == [[[1, 2, 3]]]


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut jpeg", "cut png"])
def test_damaged_files_are_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / ("a.png" if damage == "cut png" else "a.jpg")
    if damage.startswith("cut"):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:900])
    elif damage != "missing":
        path.write_bytes(b"" if damage == "empty" else b"no image")
    with pytest.raises(UnreadableImage, match=path.name):
        read_image(path)
