"""Rendering the frames of one camera: static scenery is rendered once, vehicles are drawn over it in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation import raster, scenery
from mtmc.simulation.assembly import Body
from mtmc.simulation.atmosphere import Atmosphere, Scene, Static
from mtmc.simulation.backdrop import backdrop
from mtmc.simulation.canvas import as_pixels
from mtmc.simulation.conditions import Conditions
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.mesh import Mesh
from mtmc.simulation.network import Network

MAX_DISTANCE = 140.0
"""Maximum distance of a rendered vehicle in metres."""


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """One rendered frame.

    Attributes:
        image: (h, w, 3) uint8 RGB before sensor effects; empty (0, 0, 3) if rendering of colours is off.
        box: (n, 4) float32, left, top, width, height in pixels of the visible part of each vehicle; zeros if invisible.
        visible: (n,) float32, unoccluded fraction of the vehicle's silhouette inside the image.
        inside: (n,) float32, fraction of the vehicle's extent inside the image.
    """

    image: npt.NDArray[np.uint8]
    box: npt.NDArray[np.float32]
    visible: npt.NDArray[np.float32]
    inside: npt.NDArray[np.float32]


class CameraRenderer:
    """Renders the frames of one camera.

    Args:
        lens: the camera.
        network: road network of the city.
        light: sun and sky on a clear day.
        seed: seed of the city, the same for all its cameras.
        image: False computes boxes only, without colours.
        conditions: weather, time of day and lens faults; None is a clear day. Boxes do not depend on them.
    """

    def __init__(
        self,
        lens: Lens,
        network: Network,
        light: Light,
        seed: int,
        *,
        image: bool = True,
        conditions: Conditions | None = None,
    ) -> None:
        if conditions is not None:
            light = conditions.light(light)
        self._lens, self._light, self._paint = lens, light, image
        size = (lens.height * raster.SUPERSAMPLE, lens.width * raster.SUPERSAMPLE)
        self._rotation, self._centre = lens.rotation, lens.centre.astype(np.float64)
        scale = raster.SUPERSAMPLE
        self._optics = np.array([lens.focal * scale, size[1] / 2, size[0] / 2, lens.k1, lens.k2])
        sky, ground = (0.92, 0.30) if conditions is None else conditions.sky_reflection()
        self._rays = np.array([*light.sun, light.strength, light.ambient, sky, ground, 0.5])
        self._colour = np.zeros((*size, 3) if image else (1, 1, 3), np.uint8)
        self._label = np.zeros(size, np.int16)
        self._stamp = np.zeros(size, np.int32)
        self._stamped = 0
        self._depth = np.zeros(size, np.float32)
        self._background, self._open_ground, static = self._render_static(network, seed, conditions)
        self._atmosphere = None
        if conditions is not None and static is not None:
            self._atmosphere = Atmosphere(conditions, lens, light, static, seed)
        self._static_depth = self._depth.copy()
        self._label[:] = 0
        self._dirty: tuple[int, int, int, int] | None = None

    @property
    def background(self) -> npt.NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB, the image without vehicles and before its conditions are applied."""
        return self._background

    def render(
        self,
        bodies: Sequence[Body],
        poses: npt.NDArray[np.float64],
        *,
        velocity: npt.NDArray[np.float64] | None = None,
        frame: int = 0,
    ) -> RenderedFrame:
        """Render one frame.

        Args:
            bodies: the n vehicles.
            poses: (n, 4) x, y, z in metres and heading in radians.
            velocity: (n, 2) metres per second, for motion blur and brake lamps; None is at rest.
            frame: frame number, which decides where rain falls.
        """
        self._restore_background()
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
                    self._mark_dirty(found)
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
        image = np.zeros((0, 0, 3), np.uint8)
        if self._paint:
            image = np.empty_like(self._background)
            shadow = self._shadows([(b, p) for b, p, c in zip(bodies, poses, inside, strict=True) if c > 0])
            raster.resolve(self._colour, self._label, self._background, shadow, image)
            if self._atmosphere is not None:
                image = self._atmosphere.apply(image, self._scene(bodies, poses, velocity, box, frame))
        return RenderedFrame(image, box, visible, inside)

    def _scene(
        self,
        bodies: Sequence[Body],
        poses: npt.NDArray[np.float64],
        velocity: npt.NDArray[np.float64] | None,
        box: npt.NDArray[np.float32],
        frame: int,
    ) -> Scene:
        scale = raster.SUPERSAMPLE
        near = [i for i, pose in enumerate(poses) if self.within(pose)]
        label = np.ascontiguousarray(self._label[::scale, ::scale])
        number = np.zeros(len(bodies) + 1, np.int16)
        number[np.array(near, np.int64) + 1] = np.arange(1, len(near) + 1)
        return Scene(
            label=number[label],
            inverse_depth=np.ascontiguousarray(self._depth[::scale, ::scale]),
            poses=poses[near],
            velocity=np.zeros((len(near), 2)) if velocity is None else velocity[near],
            lengths=[bodies[i].length for i in near],
            lamps=[bodies[i].lamps for i in near],
            box=box[near],
            frame=frame,
        )

    def label_image(self, bodies: Sequence[Body], poses: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
        """Number of the visible one of `bodies` at `poses` (n, 4) in each pixel: (h, w) int16, from 1; 0 is none."""
        self._restore_background()
        for number, (body, pose) in enumerate(zip(bodies, poses, strict=True), start=1):
            if self._extent(body, pose) is not None:
                found = self._draw(body, pose, number, image=False)
                if found[0]:
                    self._mark_dirty(found)
        result = np.zeros_like(self._label)
        if self._dirty is not None:  # outside, labels are those of the scenery
            left, top, right, bottom = self._dirty
            where = slice(top, bottom + 1), slice(left, right + 1)
            result[where] = self._label[where]
        return np.ascontiguousarray(result[:: raster.SUPERSAMPLE, :: raster.SUPERSAMPLE])

    def within(self, pose: npt.NDArray[np.float64]) -> bool:
        """Whether a vehicle at a pose (4,) may be visible."""
        away = pose[:2] - self._centre[:2]
        return float(away @ self._rotation[2, :2]) >= -6 and float(np.hypot(*away)) <= MAX_DISTANCE

    def _restore_background(self) -> None:
        if self._dirty is not None:
            left, top, right, bottom = self._dirty
            self._label[top : bottom + 1, left : right + 1] = 0
            self._depth[top : bottom + 1, left : right + 1] = self._static_depth[top : bottom + 1, left : right + 1]
            self._dirty = None

    def _mark_dirty(self, found: npt.NDArray[np.int64]) -> None:
        left, top, right, bottom = (int(v) for v in found[1:])
        if self._dirty is not None:
            old = self._dirty
            left, top, right, bottom = min(left, old[0]), min(top, old[1]), max(right, old[2]), max(bottom, old[3])
        self._dirty = (left, top, right, bottom)

    def _extent(self, body: Body, pose: npt.NDArray[np.float64]) -> tuple[float, float, float, float] | None:
        """Unclipped box of a vehicle in pixels; None if it is out of view."""
        if not self.within(pose):
            return None
        pixels, depth = self._lens.project(_placed(body.outline, pose))
        if (depth < raster.NEAR).any():
            return None
        left, top = pixels.min(0)
        right, bottom = pixels.max(0)
        if right < 0 or bottom < 0 or left > self._lens.width or top > self._lens.height:
            return None
        return float(left), float(top), float(right), float(bottom)

    def _draw(
        self, body: Body, pose: npt.NDArray[np.float64], number: int, image: bool | None = None
    ) -> npt.NDArray[np.int64]:
        distance = float(np.linalg.norm(pose[:3] - self._centre))
        fine = self._lens.focal * raster.SUPERSAMPLE / distance
        level = int(
            np.clip(np.floor(np.log2(max(body.texels_per_metre / fine, 1e-6)) + 0.3), 0, len(body.textures) - 1)
        )
        return self._rasterise(body.mesh, body.textures[level], 0.5**level, pose, number, False, image)

    def _rasterise(
        self,
        mesh: Mesh,
        texture: npt.NDArray[np.uint8],
        texel: float,
        pose: npt.NDArray[np.float64],
        number: int,
        two_sided: bool,
        image: bool | None = None,
    ) -> npt.NDArray[np.int64]:
        self._stamped += 1
        paint = self._paint if image is None else image
        shape = mesh.position, mesh.normal, mesh.uv, mesh.triangle, texture, texel, pose
        camera = self._rotation, self._centre, self._optics, self._rays, paint, two_sided, number
        return raster.draw(*shape, *camera, self._colour, self._depth, self._label, self._stamp, self._stamped)

    def _shadows(self, items: Sequence[tuple[Body, npt.NDArray[np.float64]]]) -> npt.NDArray[np.uint8]:
        """(h, w) uint8, strength of the vehicles' shadows on the ground."""
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
        blurred = as_pixels(cv2.GaussianBlur(mask, (7, 7), 1.6))
        blurred[~self._open_ground] = 0
        return blurred

    def _fill(self, mask: npt.NDArray[np.uint8], points: npt.NDArray[np.float64], value: int) -> None:
        pixels, depth = self._lens.project(points)
        if (depth < raster.NEAR).any():
            return
        hull = cv2.convexHull(np.clip(pixels * 16, -30000, 60000).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, value, cv2.LINE_AA, 4)

    def _render_static(
        self, network: Network, seed: int, conditions: Conditions | None
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], Static | None]:
        """Render the static scenery into the buffers.

        Returns:
            The image (h, w, 3), a mask of open ground (h, w), and what the conditions need; None on a clear day.
        """
        lens = self._lens
        forward = np.array([np.cos(lens.yaw), np.sin(lens.yaw)])
        objects = scenery.build(network, lens.centre[:2], forward, self._light.sun, seed)
        if self._paint:
            self._colour[:] = backdrop(lens, network, self._light, objects.shadows, seed, raster.SUPERSAMPLE)
        self._draw_scenery(objects, objects.texture)
        scale = raster.SUPERSAMPLE
        open_ground = self._label[::scale, ::scale] == 0
        if not self._paint:
            return np.zeros((0, 0, 3), np.uint8), open_ground, None
        background = self._shrunk()
        if conditions is None:
            return background, open_ground, None
        shining = np.zeros_like(background)
        if conditions.night:
            self._colour[:], self._depth[:] = 0, 0
            self._draw_scenery(objects, scenery.emission(objects.texture, np.random.default_rng([seed, 6])))
            shining = self._shrunk()
        depth = np.ascontiguousarray(self._depth[::scale, ::scale])
        return background, open_ground, Static(background, depth, open_ground, shining, objects.lamps)

    def _draw_scenery(self, objects: scenery.Scenery, texture: npt.NDArray[np.uint8]) -> None:
        for mesh, two_sided in ((objects.mesh, False), (objects.leaves, True)):
            self._rasterise(mesh, texture, 1.0, np.zeros(4), 1, two_sided)

    def _shrunk(self) -> npt.NDArray[np.uint8]:
        return as_pixels(cv2.resize(self._colour, (self._lens.width, self._lens.height), interpolation=cv2.INTER_AREA))


def _placed(points: npt.NDArray[np.float64], pose: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    c, s = np.cos(pose[3]), np.sin(pose[3])
    turned = np.column_stack([c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1], points[:, 2]])
    return np.asarray(turned + pose[:3])
