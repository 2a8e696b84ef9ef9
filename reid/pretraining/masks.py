"""Images of vehicles with masks of their parts: from mask files beside the images, or from polygons in a JSON file.

Mask files are PNGs of the image's size and name: 0 background, 1 front, 2 back, 3 roof, 4 side.

A file of polygons is a list with one entry per image; points are fractions of the image's width and height, and where
polygons overlap the later one is on top:

    [{"image": "0001_c001_00016450_0.jpg",
      "polygons": [{"part": "front", "points": [[0.1, 0.4], [0.5, 0.4], [0.5, 0.9], [0.1, 0.9]]}]}]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from common.nearest import nearest
from reid.images import RgbImage, read_image
from reid.parts.parser import CLASSES, PARTS

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PartImage:
    """An image and where its mask comes from.

    Attributes:
        image: image file.
        mask: mask file, or None if there are polygons.
        polygons: class number and (k, 2) points in fractions of width and height.
    """

    image: Path
    mask: Path | None
    polygons: tuple[tuple[int, npt.NDArray[np.float64]], ...] = ()

    def read(self) -> tuple[RgbImage, Mask]:
        """The image (h, w, 3) RGB and its mask (h, w), numbers of `CLASSES`.

        Raises:
            InputError: a file cannot be read, or the mask has another size or other numbers.
        """
        image = read_image(self.image)
        if self.mask is None:
            return image, draw_polygons(image.shape[:2], self.polygons)
        mask = cv2.imread(str(self.mask), cv2.IMREAD_UNCHANGED)
        if mask is None:
            raise InputError(f"{self.mask}: not a readable mask; write PNGs with the numbers 0 to {len(PARTS)}")
        if mask.shape != image.shape[:2]:
            raise InputError(f"{self.mask}: has shape {mask.shape}, its image {image.shape[:2]}")
        if mask.max() >= len(CLASSES):
            raise InputError(f"{self.mask}: holds {mask.max()}; a mask holds 0 (background) to {len(PARTS)} (side)")
        return image, mask.astype(np.uint8)


def draw_polygons(size: tuple[int, ...], polygons: Sequence[tuple[int, npt.NDArray[np.float64]]]) -> Mask:
    """Draw polygons, the later ones on top: (h, w) numbers of `CLASSES`."""
    mask = np.zeros(size[:2], np.uint8)
    for number, points in polygons:
        corners = np.round(points * [size[1], size[0]]).astype(np.int32)
        cv2.fillPoly(mask, [corners], int(number))
    return mask


def find_masks(root: Path, part: str) -> list[PartImage]:
    """The images of `image_<part>` that have a mask in `parts_<part>`; empty if there are no such folders."""
    images, masks = root / f"image_{part}", root / f"parts_{part}"
    if not (images.is_dir() and masks.is_dir()):
        return []
    with_mask = {path.stem for path in masks.glob("*.png")}
    return [PartImage(path, masks / f"{path.stem}.png") for path in sorted(images.iterdir()) if path.stem in with_mask]


def read_polygons(path: Path, images: Path) -> list[PartImage]:
    """Read a file of polygons.

    Args:
        path: the JSON file, in the format above.
        images: folder of the images, searched with its subfolders.

    Raises:
        InputError: the file is missing or not of this format, or an image is missing; the message names the entry.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise path_not_found(path, "file of polygons") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, list):
        raise InputError(f"{path}: must hold a list of images with polygons, not {type(content).__name__}")
    there = {file.name: file for file in sorted(images.rglob("*")) if file.is_file()}
    return [_entry(path, number, entry, there) for number, entry in enumerate(content)]


def _entry(path: Path, number: int, entry: Any, there: dict[str, Path]) -> PartImage:
    where = f"{path}: entry {number}"
    try:
        name = str(entry["image"])
        polygons = [(str(p["part"]), np.asarray(p["points"], np.float64)) for p in entry["polygons"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: must have image and polygons, each with part and points ({error!r:.80})") from error
    if name not in there:
        raise InputError(f"{where}: there is no image {name}{nearest(name, there)}")
    found = []
    for part, points in polygons:
        if part not in PARTS:
            raise InputError(f"{where}: unknown part {part!r}{nearest(part, PARTS, limit=len(PARTS))}")
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or points.min() < 0 or points.max() > 1:
            raise InputError(f"{where}: {part}: points must be at least three pairs [x, y] of fractions from 0 to 1")
        found.append((CLASSES.index(part), points))
    return PartImage(there[name], None, tuple(found))
