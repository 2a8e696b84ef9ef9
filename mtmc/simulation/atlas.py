"""Several images in one texture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

LEVELS = 4
"""Mipmap levels, each half the size of the previous one."""


class TextureAtlas:
    """Stacks images in one texture."""

    def __init__(self) -> None:
        self._images: list[npt.NDArray[np.uint8]] = []
        self._rows = 0

    def add(self, image: npt.NDArray[np.uint8]) -> tuple[int, int, int, int]:
        region = (0, self._rows, image.shape[1], self._rows + image.shape[0])
        self._images.append(image)
        self._rows += image.shape[0]
        return region

    def swatch(self, rgb: tuple[int, int, int], gloss: int) -> tuple[int, int, int, int]:
        """Add a patch of one colour; the region is its centre, so that mipmaps do not blend in neighbours."""
        left, top, _, _ = self.add(np.full((24, 24, 4), (*rgb, gloss), np.uint8))
        return (left + 12, top + 12, left + 12, top + 12)

    def levels(self) -> tuple[npt.NDArray[np.uint8], ...]:
        width = max(p.shape[1] for p in self._images)
        sheet = np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), "edge") for p in self._images])
        result = [sheet]
        for _ in range(LEVELS - 1):
            h, w = result[-1].shape[:2]
            result.append(cv2.resize(result[-1], (max(1, w // 2), max(1, h // 2)), interpolation=cv2.INTER_AREA))
        return tuple(result)
