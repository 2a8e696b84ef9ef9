"""One camera's picture of the city: the still part is rendered once, vehicles are drawn over it frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation import raster, scenery
from mtmc.simulation.assembly import Body
from mtmc.simulation.ground import aerial_view
from mtmc.simulation.lens import Lens
from mtmc.simulation.network import Network

FARTHEST = 140.0
"""Metres: vehicles farther away are not drawn."""


@dataclass(frozen=True, slots=True)
class Light:
    """Sun and sky.

    Attributes:
        sun: (3,) unit vector towards the sun.
        strength: of the sun; ambient: of the sky from all sides. Together about 1.
    """

    sun: npt.NDArray[np.float64]
    strength: float
    ambient: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> Light:
        """A random hour and cloud cover."""
        azimuth, elevation = random.uniform(0, 2 * np.pi), random.uniform(0.6, 1.15)
        strength = float(random.uniform(0.15, 0.62))
        sun = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        return cls(sun, strength, float(1.02 - 0.72 * strength))


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame.

    Attributes:
        picture: (h, w, 3) uint8 RGB before the sensor; empty (0, 0, 3) where none was asked for.
        box: (n, 4) float32 left, top, width, height in pixels of what is visible of each vehicle; zeros where nothing is.
        visible: (n,) float32, share of the vehicle's silhouette within the picture that nothing hides.
        inside: (n,) float32, share of the vehicle's extent that lies within the picture.
    """

    picture: npt.NDArray[np.uint8]
    box: npt.NDArray[np.float32]
    visible: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]


class Stage:
    """Renders the frames of one camera.

    Args:
        lens: the camera.
        network: the city.
        light: sun and sky.
        seed: the city's: the same for all its cameras.
        picture: False leaves colours out and only finds boxes.
    """

    def __init__(self, lens: Lens, network: Network, light: Light, seed: int, picture: bool = True) -> None:
        self._lens, self._light, self._paint = lens, light, picture
        size = (lens.height * raster.SUPERSAMPLE, lens.width * raster.SUPERSAMPLE)
        self._rotation, self._centre = lens.rotation, lens.centre.astype(np.float64)
        scale = raster.SUPERSAMPLE
        self._optics = np.array([lens.focal * scale, size[1] / 2, size[0] / 2, lens.k1, lens.k2])
        self._rays = np.array([*light.sun, light.strength, light.ambient, 0.92, 0.30, 0.5])
        self._colour = np.zeros((*size, 3) if picture else (1, 1, 3), np.uint8)
        self._label = np.zeros(size, np.int16)
        self._stamp = np.zeros(size, np.int32)
        self._stamped = 0
        self._still_depth, self._background, self._open_ground = self._render_still(network, seed)
        self._depth = self._still_depth.copy()
        self._dirty: tuple[int, int, int, int] | None = None

    @property
    def background(self) -> npt.NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB: the picture without vehicles."""
        return self._background

    def shoot(self, bodies: Sequence[Body], poses: npt.NDArray[np.float64]) -> Shot:
        """Render `bodies` at `poses` (n, 4): x, y, z in metres and heading in radians."""
        self._clean()
        count = len(bodies)
        box = np.zeros((count, 4), np.float32)
        visible = np.zeros(count, np.float32)
        inside = np.zeros(count, np.float32)
        covered = np.zeros(count, np.int64)
        for i, (body, pose) in enumerate(zip(bodies, poses, strict=True)):
            extent = self._extent(body, pose)
            if extent is not None:
                found = self._draw(body, pose, i + 1)
                covered[i] = found[0]
                if found[0]:
                    self._soil(found)
                    full = max((extent[2] - extent[0]) * (extent[3] - extent[1]), 1.0)
                    seen = (found[3] - found[1] + 1) * (found[4] - found[2] + 1) / raster.SUPERSAMPLE**2
                    inside[i] = min(1.0, seen / full)
        if self._dirty is not None:
            seen_boxes = raster.visible_boxes(self._label, *self._dirty, count)[1:]
            there = seen_boxes[:, 0] > 0
            corners = seen_boxes[there, 1:].astype(np.float32) / raster.SUPERSAMPLE
            half = np.float32(1 / raster.SUPERSAMPLE)
            box[there] = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2] + half])
            visible[there] = seen_boxes[there, 0] / covered[there]
        picture = np.zeros((0, 0, 3), np.uint8)
        if self._paint:
            picture = np.empty_like(self._background)
            shadow = self._shadows([(b, p) for b, p, c in zip(bodies, poses, inside, strict=True) if c > 0])
            raster.resolve(self._colour, self._label, self._background, shadow, picture)
        return Shot(picture, box, visible, inside)

    def _clean(self) -> None:
        if self._dirty is not None:
            left, top, right, bottom = self._dirty
            self._label[top : bottom + 1, left : right + 1] = 0
            self._depth[top : bottom + 1, left : right + 1] = self._still_depth[top : bottom + 1, left : right + 1]
            self._dirty = None

    def _soil(self, found: npt.NDArray[np.int64]) -> None:
        left, top, right, bottom = (int(v) for v in found[1:])
        if self._dirty is not None:
            old = self._dirty
            left, top, right, bottom = min(left, old[0]), min(top, old[1]), max(right, old[2]), max(bottom, old[3])
        self._dirty = (left, top, right, bottom)

    def _extent(self, body: Body, pose: npt.NDArray[np.float64]) -> tuple[float, float, float, float] | None:
        """The vehicle's box in pixels, not clipped; None where it is out of sight."""
        away = pose[:2] - self._centre[:2]
        forward = self._rotation[2, :2]
        if float(away @ forward) < -6 or float(np.hypot(*away)) > FARTHEST:
            return None
        pixels, depth = self._lens.project(_placed(body.outline, pose))
        if (depth < raster.NEAR).any():
            return None
        left, top = pixels.min(0)
        right, bottom = pixels.max(0)
        if right < 0 or bottom < 0 or left > self._lens.width or top > self._lens.height:
            return None
        return float(left), float(top), float(right), float(bottom)

    def _draw(self, body: Body, pose: npt.NDArray[np.float64], number: int) -> npt.NDArray[np.int64]:
        distance = float(np.linalg.norm(pose[:3] - self._centre))
        fine = self._lens.focal * raster.SUPERSAMPLE / distance
        level = int(
            np.clip(np.floor(np.log2(max(body.texels_per_metre / fine, 1e-6)) + 0.3), 0, len(body.textures) - 1)
        )
        self._stamped += 1
        mesh = body.mesh
        return raster.draw(
            mesh.position, mesh.normal, mesh.uv, mesh.triangle, body.textures[level], 0.5**level, pose, self._rotation, self._centre,
            self._optics, self._rays, self._paint, False, number, self._colour, self._depth, self._label, self._stamp, self._stamped,
        )  # fmt: skip

    def _shadows(self, items: Sequence[tuple[Body, npt.NDArray[np.float64]]]) -> npt.NDArray[np.uint8]:
        """(h, w) uint8: how dark the vehicles make the ground."""
        mask = np.zeros((self._lens.height, self._lens.width), np.uint8)
        drift = -self._light.sun / self._light.sun[2]
        for body, pose in items:
            points = _placed(body.outline, pose)
            cast = points + drift * points[:, 2:]
            self._fill(mask, cast, int(90 + 200 * self._light.strength))
        for body, pose in items:
            half, width = body.length / 2 - 0.1, body.width / 2 - 0.05
            foot = np.array([[half, width, 0], [half, -width, 0], [-half, -width, 0], [-half, width, 0]])
            self._fill(mask, _placed(foot, pose), 240)
        mask = cv2.GaussianBlur(mask, (7, 7), 1.6)
        mask[~self._open_ground] = 0
        return mask

    def _fill(self, mask: npt.NDArray[np.uint8], points: npt.NDArray[np.float64], value: int) -> None:
        pixels, depth = self._lens.project(points)
        if (depth < raster.NEAR).any():
            return
        hull = cv2.convexHull(np.clip(pixels * 16, -30000, 60000).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, value, cv2.LINE_AA, 4)

    def _render_still(
        self, network: Network, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        lens = self._lens
        height, width = self._label.shape
        forward = np.array([np.cos(lens.yaw), np.sin(lens.yaw)])
        things = scenery.build(network, lens.centre[:2], forward, self._light.sun, seed)
        depth = np.zeros((height, width), np.float32)
        label = np.zeros((height, width), np.int16)
        colour = self._colour
        if self._paint:
            colour[:] = self._sky_and_ground(network, things.shadows, forward, seed)
        pose = np.zeros(4)
        for mesh, two_sided in ((things.mesh, False), (things.leaves, True)):
            self._stamped += 1
            raster.draw(
                mesh.position, mesh.normal, mesh.uv, mesh.triangle, things.texture, 1.0, pose, self._rotation, self._centre,
                self._optics, self._rays, self._paint, two_sided, 1, colour, depth, label, self._stamp, self._stamped,
            )  # fmt: skip
        scale = raster.SUPERSAMPLE
        background = np.zeros((0, 0, 3), np.uint8)
        if self._paint:
            background = cv2.resize(colour, (lens.width, lens.height), interpolation=cv2.INTER_AREA)
        return depth, background, label[::scale, ::scale] == 0

    def _sky_and_ground(
        self, network: Network, shadows: list[npt.NDArray[np.float64]], forward: npt.NDArray[np.float64], seed: int
    ) -> npt.NDArray[np.uint8]:
        lens, scale = self._lens, raster.SUPERSAMPLE
        height, width = self._label.shape
        random = np.random.default_rng([seed, 3, abs(int(lens.centre[0] * 10)), abs(int(lens.centre[1] * 10))])
        size, texels = 150.0, 16.0
        middle = lens.centre[:2] + forward * 62
        aerial = aerial_view(network, middle, size, texels, shadows, random)
        columns, rows = np.meshgrid(
            (np.arange(width // 4) + 0.5) * 4 / scale, (np.arange(height // 4) + 0.5) * 4 / scale
        )
        rays = lens.rays(np.column_stack([columns.ravel(), rows.ravel()])).astype(np.float32).reshape(*columns.shape, 3)
        rays = cv2.resize(rays, (width, height), interpolation=cv2.INTER_LINEAR)
        elevation = rays[..., 2] / np.linalg.norm(rays, axis=2)
        reach = -float(lens.centre[2]) / np.minimum(rays[..., 2], -1e-3)
        x = float(lens.centre[0]) + rays[..., 0] * reach
        y = float(lens.centre[1]) + rays[..., 1] * reach
        u = (x - (middle[0] - size / 2)) * texels
        v = ((middle[1] + size / 2) - y) * texels
        fill = [int(c) for c in aerial[:: max(1, len(aerial) // 40)].reshape(-1, 3).mean(0)]
        picture = cv2.remap(
            aerial,
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        )
        grain = random.normal(0, 4.5, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
        grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
        picture = np.clip(
            picture * (0.42 + 0.60 * (self._light.ambient + 0.75 * self._light.strength)) + grain[..., None], 0, 255
        )
        sky = np.array([196, 208, 222], np.float32) + np.clip(elevation, 0, 1)[..., None] * np.array(
            [-120, -80, -20], np.float32
        )
        haze = np.clip((reach - 60) / 400, 0, 0.6)[..., None]
        picture = picture * (1 - haze) + np.array([190, 196, 202], np.float32) * haze
        return np.where((elevation > -0.002)[..., None], sky, picture).astype(np.uint8)


def _placed(points: npt.NDArray[np.float64], pose: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    c, s = np.cos(pose[3]), np.sin(pose[3])
    turned = np.column_stack([c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1], points[:, 2]])
    return np.asarray(turned + pose[:3])
