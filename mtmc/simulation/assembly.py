"""Assembling a vehicle: its mesh and its texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation import livery
from mtmc.simulation.bodies import Model, shell
from mtmc.simulation.canvas import CHROME, GLASS, MATTE
from mtmc.simulation.mesh import Mesh, box, wheel
from mtmc.simulation.vehicles import Vehicle

LEVELS = 4


@dataclass(frozen=True, slots=True)
class Body:
    """Renderable geometry and textures of a vehicle.

    Attributes:
        mesh: x forward, y left, z up, metres; the origin is on the ground below the middle.
        textures: (h, w, 4) uint8 mipmap levels, each half the size of the previous one.
        texels_per_metre: resolution of the first level.
        outline: (k, 3) float64, a few points that approximate the convex hull of the mesh, for shadows and quick boxes.
        length, width, height: metres.
    """

    mesh: Mesh
    textures: tuple[npt.NDArray[np.uint8], ...]
    texels_per_metre: float
    outline: npt.NDArray[np.float64]
    length: float
    width: float
    height: float


def assemble(vehicle: Vehicle) -> Body:
    """Build the mesh and paint the texture of one vehicle."""
    model = vehicle.model
    scale = 34.0 if model.kind in ("bus", "truck") else 54.0
    sheet = _TextureAtlas()
    left, right = sheet.add(livery.side(vehicle, True, scale)), sheet.add(livery.side(vehicle, False, scale))
    strip = sheet.add(livery.strip(vehicle, scale))
    disc = sheet.add(livery.rim(vehicle, int(2.4 * model.wheel_radius * scale)))
    swatch = {
        name: sheet.swatch(rgb, gloss)
        for name, rgb, gloss in (
            ("rubber", (24, 24, 25), MATTE),
            ("paint", vehicle.rgb, 120),
            ("accent", vehicle.details.accent, 90),
            ("black", (26, 26, 28), 50),
            ("metal", (168, 170, 172), CHROME),
            ("glass", (24, 27, 30), GLASS),
        )
    }
    meshes = [shell(model, left[:2], right[:2], strip[:2], scale)]
    meshes += _wheels(model, disc, swatch["rubber"])
    meshes += _underbody(model, swatch["black"])
    if model.kind not in ("bus",):
        meshes += _mirrors(model, swatch["paint" if vehicle.details.rim % 2 else "black"])
    meshes += _roof_load(vehicle, swatch)
    if model.cargo[3]:
        meshes += _cargo(vehicle, sheet, scale, swatch)
    mesh = Mesh.concatenate(meshes)
    return Body(
        mesh=mesh,
        textures=sheet.levels(),
        texels_per_metre=scale,
        outline=_outline(model),
        length=model.length,
        width=model.width,
        height=max(model.height, model.cargo[3]),
    )


class _TextureAtlas:
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


def _wheels(model: Model, disc: tuple[int, ...], rubber: tuple[int, ...]) -> list[Mesh]:
    half, radius = model.width / 2, model.wheel_radius
    return [
        wheel((axle, outward * (half - 0.005), radius), radius, 0.24, outward, disc, rubber)
        for axle in (model.axle_front, model.axle_rear)
        for outward in (1, -1)
    ]


def _underbody(model: Model, black: tuple[int, ...]) -> list[Mesh]:
    """A dark box that closes the underside of the body between the wheels."""
    half, width = model.length / 2 - 0.15, model.width / 2 - 0.12
    top = model.cargo[2] if model.cargo[3] else 0.45
    return [box((-half, -width, 0.2), (half, width, top), black)]


def _mirrors(model: Model, region: tuple[int, ...]) -> list[Mesh]:
    x = model.cabin[0] - 0.3
    tall = 0.45 if model.kind == "truck" else 0.16
    y = model.width / 2 - 0.02
    return [
        box((x - 0.06, y, model.belt), (x + 0.08, y + 0.2, model.belt + tall), region),
        box((x - 0.06, -y - 0.2, model.belt), (x + 0.08, -y, model.belt + tall), region),
    ]


def _roof_load(vehicle: Vehicle, swatch: dict[str, tuple[int, int, int, int]]) -> list[Mesh]:
    model, kind = vehicle.model, vehicle.details.rack
    front, rear = model.glass[1] - 0.15, model.glass[2] + 0.15
    if model.kind in ("pickup", "bus", "truck"):
        rear = max(rear, front - 0.9)
    if kind == 0 or front - rear < 0.4:
        return []
    y = model.width / 2 * (1 - model.lean) - 0.12
    metal = swatch["metal"] if vehicle.details.rim % 2 else swatch["black"]
    height = model.height - 0.06
    meshes = []
    if kind in (1, 4):
        meshes += [box((rear, s * y - 0.03, height), (front, s * y + 0.03, height + 0.12), metal) for s in (-1, 1)]
    if kind in (2, 3, 4):
        for x in (front - 0.15, rear + 0.2):
            meshes.append(box((x - 0.04, -y, height + 0.08), (x + 0.04, y, height + 0.15), metal))
    if kind == 3:
        reach = min(1.9, front - rear)
        meshes.append(
            box(
                (rear + 0.1, -0.1, height + 0.13),
                (rear + reach, y - 0.05, height + 0.48),
                swatch["accent" if vehicle.details.stripe else "black"],
            )
        )
    if kind == 4:
        meshes += [box((rear, s, height + 0.14), (front, s + 0.06, height + 0.2), metal) for s in (0.05, 0.45)]
        meshes += [
            box((float(x), 0.05, height + 0.15), (float(x) + 0.05, 0.5, height + 0.19), metal)
            for x in np.arange(rear, front, 0.35)
        ]
    return meshes


def _cargo(
    vehicle: Vehicle, sheet: _TextureAtlas, scale: float, swatch: dict[str, tuple[int, int, int, int]]
) -> list[Mesh]:
    rear, front, low, high = vehicle.model.cargo
    half = vehicle.model.width / 2 + 0.05
    left = sheet.add(livery.cargo_box(vehicle, scale, True))
    right = sheet.add(livery.cargo_box(vehicle, scale, False))
    doors = np.full((int((high - low) * scale), int(2 * half * scale), 4), (205, 205, 202, 60), np.uint8)
    middle = doors.shape[1] // 2
    doors[:, middle - 1 : middle + 1, :3] = 90
    doors[:, [middle - 14, middle + 14], :3] = 120
    doors[-7:, :, :3] = (140, 30, 30)
    back = sheet.add(doors)
    roof = sheet.add(np.full((24, 24, 4), (196, 196, 194, 40), np.uint8))
    flip = (right[2], right[1], right[0], right[3])
    corners = ((rear, -half, low), (front, half, high))
    cell = 0.8
    return [
        box(*corners, (left[2], left[1], left[0], left[3]), [2], cell),
        box(*corners, (flip[2], flip[1], flip[0], flip[3]), [3], cell),
        box(*corners, back, [1], cell),
        box(*corners, (roof[0] + 12, roof[1] + 12, roof[0] + 12, roof[1] + 12), [0, 4], cell),
        box((rear, -0.9, 0.45), (rear + 0.1, 0.9, 0.6), swatch["black"]),
    ]


def _outline(model: Model) -> npt.NDArray[np.float64]:
    half, width = model.length / 2, model.width / 2
    points = [(x, s * width, 0.25) for x in (-half, half) for s in (-1, 1)]
    step = max(1, len(model.profile) // 12)
    for x, z in model.profile[::step]:
        narrow = width * (1 - model.lean * (z > model.belt))
        points += [(float(x), narrow, float(z)), (float(x), -narrow, float(z))]
    if model.cargo[3]:
        rear, front, _, high = model.cargo
        points += [(x, s * width, high) for x in (rear, front) for s in (-1, 1)]
    return np.array(points)
