"""A folder of images as a video: the images in natural order (2 before 10) are the frames."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.frames import Frame, Selection, VideoInfo, VideoStats

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def images_in(folder: Path) -> list[Path]:
    """The images directly in a folder, in natural order; hidden files do not count."""
    images = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    return sorted(images, key=lambda path: _natural(path.name))


class ImageSequence:
    """A folder of images.

    Args:
        folder: holds the images.
        fps: frames per second, which a folder does not say.

    Raises:
        InputError: it holds no image, or none that can be read.
    """

    def __init__(self, folder: Path, fps: float) -> None:
        self._paths = images_in(folder)
        if not self._paths:
            raise InputError(f"{folder}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
        picture = next((picture for picture in map(_read_image, self._paths) if picture is not None), None)
        if picture is None:
            raise InputError(f"{folder}: none of its {len(self._paths)} images can be read")
        self._info = VideoInfo(picture.shape[1], picture.shape[0], fps, len(self._paths))
        self._stats = VideoStats()

    @property
    def info(self) -> VideoInfo:
        return self._info

    @property
    def stats(self) -> VideoStats:
        return self._stats

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        selection = Selection.of(first, last, step, wanted)
        stats = self._stats = VideoStats()
        for number, path in enumerate(self._paths, start=1):
            if selection.ends_before(number):
                return
            stats.expected += 1
            if number not in selection:
                stats.decoded += 1
                continue
            picture = _read_image(path)
            if picture is None or picture.shape[:2] != (self._info.height, self._info.width):
                stats.broken += 1
                continue
            stats.decoded += 1
            yield number, picture

    def times(self) -> npt.NDArray[np.float64]:
        return np.arange(len(self._paths)) / self._info.fps


def _read_image(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        data = np.fromfile(path, np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (cv2.error, OSError):
        return None
    return None if picture is None else picture.astype(np.uint8, copy=False)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
