"""An image that is painted in metric coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

_SHIFT = 4
Rgb = Sequence[float] | npt.NDArray[np.float64]

MATTE, PAINT, CHROME, GLASS = 8, 120, 190, 255
"""Gloss values, stored in the fourth channel of every texture."""


class Canvas:
    """An (h, w, 4) uint8 image of red, green, blue and gloss on which shapes are drawn in metres.

    Args:
        left, top: coordinates of the left and upper edge in metres.
        right, bottom: coordinates of the right and lower edge; `top` may be greater or less than `bottom`.
        scale: pixels per metre.
        rgb, gloss: fill colour and gloss.
    """

    def __init__(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        scale: float,
        rgb: Rgb,
        gloss: float = PAINT,
    ) -> None:
        self.scale = scale
        self._origin = np.array([left, top])
        self._sign = np.array([np.sign(right - left), np.sign(bottom - top)])
        width, height = round(abs(right - left) * scale), round(abs(bottom - top) * scale)
        self.pixels: npt.NDArray[np.uint8] = np.empty((max(2, height), max(2, width), 4), np.uint8)
        self.pixels[:] = np.clip([*rgb, gloss], 0, 255)

    def polygon(self, points: npt.ArrayLike, rgb: Rgb, gloss: float = PAINT) -> None:
        """Fill a polygon with (n, 2) vertices in metres."""
        cv2.fillPoly(self.pixels, [self._to_pixels(points)], self._colour(rgb, gloss), cv2.LINE_AA, _SHIFT)

    def rectangle(self, x: float, y: float, width: float, height: float, rgb: Rgb, gloss: float = PAINT) -> None:
        """Fill a rectangle centred at (x, y)."""
        a, b = width / 2, height / 2
        self.polygon([(x - a, y - b), (x + a, y - b), (x + a, y + b), (x - a, y + b)], rgb, gloss)

    def ellipse(self, x: float, y: float, width: float, height: float, rgb: Rgb, gloss: float = PAINT) -> None:
        """Fill an ellipse centred at (x, y)."""
        angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        self.polygon(np.column_stack([x + np.cos(angle) * width / 2, y + np.sin(angle) * height / 2]), rgb, gloss)

    def line(self, points: npt.ArrayLike, width: float, rgb: Rgb, gloss: float = PAINT) -> None:
        """Draw a polyline of `width` metres, at least one pixel wide, through (n, 2) points."""
        thickness = max(1, round(width * self.scale))
        cv2.polylines(
            self.pixels, [self._to_pixels(points)], False, self._colour(rgb, gloss), thickness, cv2.LINE_AA, _SHIFT
        )

    def text(self, x: float, y: float, height: float, text: str, rgb: Rgb, mirrored: bool = False) -> None:
        """Write `text` centred at (x, y); `mirrored` for vehicle sides whose texture is mirrored."""
        scale = height * self.scale / 22
        thickness = max(1, round(scale * 2.2))
        (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, thickness)
        patch = np.zeros((h + 4, w + 4), np.uint8)
        cv2.putText(patch, text, (2, h + 1), cv2.FONT_HERSHEY_DUPLEX, scale, 255, thickness, cv2.LINE_AA)
        if mirrored:
            patch = patch[:, ::-1]
        column, row = np.round((np.array([x, y]) - self._origin) * self._sign * self.scale - [w / 2, h / 2]).astype(int)
        top, left = max(0, row), max(0, column)
        target = self.pixels[top : row + h + 4, left : column + w + 4]
        alpha = (
            patch[top - row : top - row + target.shape[0], left - column : left - column + target.shape[1], None]
            / 255.0
        )
        target[..., :3] = (target[..., :3] * (1 - alpha) + np.asarray(rgb) * alpha).astype(np.uint8)

    def _to_pixels(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        pixels = (np.asarray(points, np.float64) - self._origin) * self._sign * self.scale - 0.5
        return np.asarray(np.round(pixels * (1 << _SHIFT)), np.int32)

    @staticmethod
    def _colour(rgb: Rgb, gloss: float) -> tuple[float, ...]:
        return (*(min(255.0, max(0.0, float(c))) for c in rgb), float(gloss))


def as_pixels(image: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return OpenCV's result typed as a uint8 array."""
    return np.asarray(image, np.uint8)


def smooth_noise(height: int, width: int, cell: float, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """(height, width) float32 in [0, 1]: random values on a grid with `cell` pixel spacing, interpolated."""
    coarse = random.random((max(2, int(height / cell) + 2), max(2, int(width / cell) + 2)), np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(fine, np.float32), 0, 1)
