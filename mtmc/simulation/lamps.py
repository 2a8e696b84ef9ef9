"""Lamps in the image: their spots of light, the glow around them, and the beams on the road."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.lens import Lens

Floats = npt.NDArray[np.float32]

_HEAD: npt.NDArray[np.float32] = np.array([1.0, 0.95, 0.84], np.float32)
_TAIL: npt.NDArray[np.float32] = np.array([1.0, 0.10, 0.06], np.float32)
_HEAD_RADIUS, _TAIL_RADIUS = 0.085, 0.07
"""Metres."""
_TOLERANCE = 0.6
"""Metres by which a surface may be in front of a lamp without hiding it: the lamp sits in the body's skin."""
_BEAM = ((1.5, 24.0, 4.2, 0.22), (1.5, 15.0, 2.9, 0.5), (1.8, 9.0, 1.9, 0.85))
"""Near and far end of a low beam in metres from the bumper, half its width at the far end, brightness on the road
relative to daylight."""


class Glow:
    """Collects spots of light in an image of half the size in each direction.

    Args:
        height, width: size of the full image in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self.light: Floats = np.zeros((height // 2, width // 2, 3), np.float32)
        self._size = height, width
        self._any = False

    def spot(self, x: float, y: float, sigma: tuple[float, float], rgb: npt.ArrayLike) -> None:
        """Add a Gaussian spot with its centre and standard deviations (across, down) in pixels of the full image."""
        across, down = max(0.45, sigma[0] / 2), max(0.45, sigma[1] / 2)
        x, y = x / 2 - 0.5, y / 2 - 0.5
        height, width = self.light.shape[:2]
        left, right = max(0, int(x - 3 * across)), min(width, int(x + 3 * across) + 2)
        top, bottom = max(0, int(y - 3 * down)), min(height, int(y + 3 * down) + 2)
        if right <= left or bottom <= top:
            return
        row = np.exp(-0.5 * ((np.arange(left, right) - x) / across) ** 2)
        column = np.exp(-0.5 * ((np.arange(top, bottom) - y) / down) ** 2)
        shape = (column[:, None] * row)[..., None] * np.asarray(rgb)
        self.light[top:bottom, left:right] += shape.astype(np.float32)
        self._any = True

    def full_size(self, halo: float) -> Floats | None:
        """(h, w, 3) light to add to the image, with halos of strength `halo`; None if there is none."""
        if not self._any:
            return None
        light = self.light
        if halo:
            height, width = light.shape[:2]
            narrow = cv2.GaussianBlur(light, (0, 0), 2.2)
            coarse = cv2.resize(light, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
            wide = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 3.2), (width, height), interpolation=cv2.INTER_LINEAR)
            around = np.asarray(narrow, np.float32) + np.float32(1.4) * np.asarray(wide, np.float32)
            light = np.asarray(light + np.float32(halo) * around, np.float32)
        height, width = self._size
        return np.asarray(cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def add_vehicle_lamps(
    glow: Glow,
    mirror: Glow | None,
    lens: Lens,
    lamps: npt.NDArray[np.float64],
    pose: npt.NDArray[np.float64],
    inverse_depth: npt.NDArray[np.float32],
    brightness: float,
    braking: bool,
) -> None:
    """Add the lamps of one vehicle where the camera sees them.

    Args:
        glow: receives the lamps; mirror: receives their reflections on a wet road.
        lamps: (k, 3) positions on the vehicle in metres; those at positive x are head lamps, the others tail lamps.
        pose: (4,) x, y, z in metres and heading in radians.
        inverse_depth: (h, w) 1/metres of what the camera sees, to find hidden lamps.
        brightness: 1 at night.
        braking: whether tail lamps are brighter.
    """
    c, s = np.cos(pose[3]), np.sin(pose[3])
    place = np.column_stack([c * lamps[:, 0] - s * lamps[:, 1], s * lamps[:, 0] + c * lamps[:, 1], lamps[:, 2]])
    place = place + pose[:3]
    away = lens.centre - place
    ahead = (away[:, 0] * c + away[:, 1] * s) / np.linalg.norm(away, axis=1) * np.sign(lamps[:, 0])
    pixels, depth = lens.project(place)
    below, _ = lens.project(place * [1, 1, -1])
    height, width = inverse_depth.shape
    for k in np.flatnonzero((ahead > 0.04) & (depth > 1.0)):
        x, y = pixels[k]
        if not (0 <= x < width and 0 <= y < height):
            continue
        front = lamps[k, 0] > 0
        facing = float(ahead[k])
        level = (0.12 + 0.88 * facing**5) * 5.5 if front else (0.45 + 0.55 * facing) * (2.4 if braking else 1.3)
        rgb = 255 * brightness * level * (_HEAD if front else _TAIL)
        radius = (_HEAD_RADIUS if front else _TAIL_RADIUS) * lens.focal / depth[k]
        if inverse_depth[int(y), int(x)] < 1 / (depth[k] - _TOLERANCE):
            glow.spot(x, y, (max(0.8, 0.7 * radius), max(0.8, 0.7 * radius)), rgb)
        if mirror is not None:
            reach = max(4.0, float(below[k, 1] - y))
            mirror.spot(x, y + 0.75 * reach, (max(1.2, radius), 0.42 * reach), rgb * 0.16)


def beams(
    lens: Lens, poses: npt.NDArray[np.float64], lengths: Sequence[float], height: int, width: int
) -> Floats | None:
    """(h, w) light of low beams on the road relative to daylight; None if no beam is in view.

    Args:
        poses: (n, 4) poses of vehicles with their lamps on; lengths: metres.
        height, width: image size in pixels.
    """
    light = np.zeros((height // 2, width // 2), np.float32)
    for near, far, wide, level in _BEAM:
        for pose, length in zip(poses, lengths, strict=True):
            start, end = length / 2 + near, length / 2 + far
            local = np.array([[start, 0.7], [end, wide], [end, -wide], [start, -0.7]])
            c, s = np.cos(pose[3]), np.sin(pose[3])
            place = np.column_stack([c * local[:, 0] - s * local[:, 1], s * local[:, 0] + c * local[:, 1]]) + pose[:2]
            pixels, depth = lens.project(np.column_stack([place, np.zeros(4)]))
            if (depth < 1.0).any():
                continue
            hull = cv2.convexHull(np.clip(pixels / 2, -20000, 20000).astype(np.int32))
            cv2.fillConvexPoly(light, hull, level)
    if not light.any():
        return None
    soft = cv2.GaussianBlur(light, (0, 0), width / 320)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def lit_by_others(poses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) light on each vehicle from the low beams of the others, relative to daylight."""
    if not len(poses):
        return np.zeros(0)
    offset = poses[:, None, :2] - poses[None, :, :2]  # of the first from the second
    c, s = np.cos(poses[:, 3]), np.sin(poses[:, 3])
    along = offset[..., 0] * c + offset[..., 1] * s
    across = np.abs(offset[..., 1] * c - offset[..., 0] * s)
    reached = (along > 3) & (along < 28) & (across < 1.2 + 0.12 * along)
    return np.asarray((reached * 0.4 * (1 - along / 28)).max(axis=1))
