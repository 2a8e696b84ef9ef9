"""Sky and ground as seen by one camera, the background of all objects."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.canvas import as_pixels
from mtmc.simulation.ground import aerial_view
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.network import Network

_SIZE, _TEXELS, _AHEAD = 150.0, 16.0, 62.0
"""Side of the painted square in metres, its pixels per metre, and the distance of its centre ahead of the camera."""


def backdrop(
    lens: Lens, network: Network, light: Light, shadows: list[npt.NDArray[np.float64]], seed: int, scale: int
) -> npt.NDArray[np.uint8]:
    """Render sky and ground, (h * scale, w * scale, 3) uint8 RGB.

    Args:
        shadows: shadow polygons (n, 2) on the ground in metres.
        seed: seed of the city.
        scale: supersampling factor in each direction.
    """
    random = np.random.default_rng([seed, 3, abs(int(lens.centre[0] * 10)), abs(int(lens.centre[1] * 10))])
    forward = np.array([np.cos(lens.yaw), np.sin(lens.yaw)])
    middle = lens.centre[:2] + forward * _AHEAD
    aerial = aerial_view(network, middle, _SIZE, _TEXELS, shadows, random)
    rays = viewing_directions(lens, scale)
    elevation = rays[..., 2] / np.linalg.norm(rays, axis=2)
    reach = -float(lens.centre[2]) / np.minimum(rays[..., 2], -1e-3)
    x = float(lens.centre[0]) + rays[..., 0] * reach
    y = float(lens.centre[1]) + rays[..., 1] * reach
    u = np.asarray((x - (middle[0] - _SIZE / 2)) * _TEXELS, np.float32)
    v = np.asarray(((middle[1] + _SIZE / 2) - y) * _TEXELS, np.float32)
    beyond = [int(c) for c in aerial[:: max(1, len(aerial) // 40)].reshape(-1, 3).mean(0)]
    ground = cv2.remap(aerial, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond)
    height, width = elevation.shape
    coarse = random.normal(0, 4.5, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    grain = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    bright = 0.42 + 0.60 * (light.ambient + 0.75 * light.strength)
    lit = np.clip(as_pixels(ground) * bright + grain[..., None], 0, 255)
    zenith = np.array([-120, -80, -20], np.float32)
    sky = np.array([196, 208, 222], np.float32) + np.clip(elevation, 0, 1)[..., None] * zenith
    haze = np.clip((reach - 60) / 400, 0, 0.6)[..., None]
    hazy = lit * (1 - haze) + np.array([190, 196, 202], np.float32) * haze
    return np.asarray(np.where((elevation > -0.002)[..., None], sky, hazy).astype(np.uint8))


def viewing_directions(lens: Lens, scale: int) -> npt.NDArray[np.float32]:
    """Viewing directions in world axes (h * scale, w * scale, 3), computed at every fourth pixel and interpolated."""
    width, height = lens.width * scale, lens.height * scale
    columns, rows = np.meshgrid((np.arange(width // 4) + 0.5) * 4 / scale, (np.arange(height // 4) + 0.5) * 4 / scale)
    pixels = np.column_stack([columns.ravel(), rows.ravel()])
    coarse = lens.rays(pixels).astype(np.float32).reshape(*columns.shape, 3)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
