"""Painting company signs, stickers and dirt on a vehicle; shades of a colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.simulation.canvas import MATTE, Canvas, smooth_noise
from mtmc.simulation.vehicles import Rgb

PLASTIC = (34, 35, 37)
_WORDS = ("NORD", "EXPRESS", "FRESH", "CITY", "LOGIS", "MAX", "TRANS", "GO", "SERVICE", "BLUE", "RAPID", "HOME")


def paint_sign(
    canvas: Canvas, number: int, xs: tuple[float, float], zs: tuple[float, float], mirrored: bool, ground: Rgb
) -> None:
    """Paint company sign `number` into the rectangle `xs` by `zs` in metres, on paint of colour `ground`."""
    random = np.random.default_rng(number)
    colours = [(190, 25, 30), (25, 60, 160), (20, 120, 60), (235, 150, 20), (30, 30, 34), (90, 30, 120), (0, 140, 170)]
    first, second = (colours[i] for i in random.choice(len(colours), 2, replace=False))
    (x0, x1), (z0, z1) = xs, zs
    width, height = x1 - x0, z1 - z0
    style = int(random.integers(4))
    if style == 0:
        canvas.rectangle((x0 + x1) / 2, z0 + height * 0.3, width, height * 0.3, first)
    elif style == 1:
        canvas.polygon([(x0, z0), (x0 + width * 0.5, z0), (x0 + width * 0.25, z1), (x0, z1)], first)
    elif style == 2:
        canvas.ellipse(x0 + width * 0.25, z0 + height * 0.5, height * 0.8, height * 0.8, first)
    else:
        canvas.polygon([(x0, z0), (x1, z0), (x1, z0 + height * 0.55), (x0, z0 + height * 0.2)], first)
    word = _WORDS[int(random.integers(len(_WORDS)))]
    size = min(0.45 * height, 1.1 * width / max(4, len(word)))
    canvas.text(
        (x0 + x1) / 2, z0 + height * 0.68, size, word, second if sum(ground) > 240 else (235, 235, 235), mirrored
    )


def paint_patch(canvas: Canvas, x: float, y: float, width: float, height: float, rgb: Rgb, pattern: int) -> None:
    """Paint a sticker centred at (x, y) in metres, in one of five patterns."""
    if pattern == 0:
        canvas.rectangle(x, y, width, height, rgb)
    elif pattern == 1:
        canvas.ellipse(x, y, width, height, rgb)
        canvas.ellipse(x, y, width * 0.5, height * 0.5, (235, 235, 235))
    elif pattern == 2:
        canvas.polygon([(x - width / 2, y - height / 2), (x + width / 2, y - height / 2), (x, y + height / 2)], rgb)
    elif pattern == 3:
        for k in (-1, 0, 1):
            canvas.rectangle(x + k * width * 0.36, y, width * 0.2, height, rgb)
    else:
        canvas.rectangle(x, y, width, height, (235, 235, 235))
        canvas.rectangle(x, y, width * 0.5, height * 0.5, rgb)


def make_dirty(pixels: npt.NDArray[np.uint8], amount: float, seed: int, low_edge: bool) -> None:
    """Blend brown dust into a texture, increasing towards the lower edge if `low_edge`, and make it matte."""
    if amount < 0.08:
        return
    height, width = pixels.shape[:2]
    random = np.random.default_rng(seed)
    noise = smooth_noise(height, width, 26, random) * 0.7 + smooth_noise(height, width, 7, random) * 0.3
    weight = amount * (0.12 + 0.6 * np.clip(noise * 2.2 - 0.7, 0, 1))
    if low_edge:
        weight *= np.linspace(0.25, 1.7, height, dtype=np.float32)[:, None]
    weight = np.clip(weight, 0, 0.7)[..., None]
    pixels[:] = (pixels * (1 - weight) + np.array([122, 108, 88, MATTE]) * weight).astype(np.uint8)


def darker(rgb: tuple[int, ...], factor: float) -> Rgb:
    """Scale a colour by a factor below 1."""
    return (int(rgb[0] * factor), int(rgb[1] * factor), int(rgb[2] * factor))


def lighter(rgb: tuple[int, ...], factor: float) -> Rgb:
    """Scale a colour by a factor above 1, clipped to white."""
    return (
        min(255, int(rgb[0] * factor + 10)),
        min(255, int(rgb[1] * factor + 10)),
        min(255, int(rgb[2] * factor + 10)),
    )
