"""Crops embedded in the page, each stored once as a CSS class, however often it is shown."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mtmc.report.data import CropImage


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """How many crops the page carries.

    Attributes:
        height: in pixels; raising it makes crops sharper and the page larger.
        per_track: maximum number of crops of one track.
        total_bytes: maximum encoded size of all crops; the tracks at the front of `wanted` are served first.
        quality: JPEG quality, 1 to 100.
    """

    height: int = 96
    per_track: int = 3
    total_bytes: int = 6_000_000
    quality: int = 75


@dataclass(frozen=True, slots=True)
class PictureBook:
    """Pictures by track.

    Attributes:
        style: CSS, one class per crop with its data and its aspect ratio `--a` (width / height).
        classes: names of those classes by (camera index, track), the best crop first.
    """

    style: str
    classes: Mapping[tuple[int, int], Sequence[str]]


def make_pictures(
    crops: Mapping[tuple[int, int], Sequence[CropImage]],
    wanted: Iterable[tuple[int, int]],
    limits: PictureLimits | None = None,
) -> PictureBook:
    """Shrink the best crops of the wanted tracks.

    Args:
        crops: crops by (camera index, track).
        wanted: keys of `crops`, by descending priority; unknown keys have no crops.
        limits: how many and how large; None: the defaults.

    Returns:
        The best crop of every track, then the second best, and so on until `total_bytes` is reached. Crops that cannot
        be decoded are skipped.
    """
    limits = limits or PictureLimits()
    keys = [key for key in dict.fromkeys(wanted) if crops.get(key)]
    ranked = {key: sorted(crops[key], key=lambda crop: -crop.quality)[: limits.per_track] for key in keys}
    classes: dict[tuple[int, int], list[str]] = {key: [] for key in keys}
    rules: list[str] = []
    room = limits.total_bytes
    for turn in range(limits.per_track):
        for key in keys:
            if turn >= len(ranked[key]) or room <= 0:
                continue
            shrunk = _shrink(ranked[key][turn].image, limits)
            if shrunk is None:
                continue
            picture, aspect = shrunk
            room -= len(picture)
            name = f"p{len(rules)}"
            data = base64.b64encode(picture).decode("ascii")
            rules.append(f".{name}{{--a:{aspect:.3g};background-image:url(data:image/jpeg;base64,{data})}}")
            classes[key].append(name)
    return PictureBook("\n".join(rules), classes)


def _shrink(encoded: bytes, limits: PictureLimits) -> tuple[bytes, float] | None:
    """The crop as JPEG at the given height, and its aspect ratio; None if it cannot be decoded."""
    if not encoded:
        return None
    image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    height, width = image.shape[:2]
    # Very wide boxes (a bus across the frame) would push everything else aside: at most 2.5 times as wide as high.
    scale = min(limits.height / height, 2.5 * limits.height / width, 1.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
    # WebP would halve the size and take ten times as long.
    settings = [cv2.IMWRITE_JPEG_QUALITY, limits.quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    ok, picture = cv2.imencode(".jpg", small, settings)
    return (picture.tobytes(), width / height) if ok else None
