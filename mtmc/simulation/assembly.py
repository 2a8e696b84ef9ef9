"""Assembling a vehicle: its mesh and its texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.simulation import livery, two_wheeler_body
from mtmc.simulation.atlas import TextureAtlas
from mtmc.simulation.bodies import Model, shell
from mtmc.simulation.canvas import CHROME, GLASS, MATTE
from mtmc.simulation.mesh import Mesh, box, wheel
from mtmc.simulation.vehicles import Vehicle


@dataclass(frozen=True, slots=True)
class Body:
    """Renderable geometry and textures of a vehicle.

    Attributes:
        mesh: x forward, y left, z up, metres; the origin is on the ground below the middle.
        textures: (h, w, 4) uint8 mipmap levels, each half the size of the previous one.
        texels_per_metre: resolution of the first level.
        outline: (k, 3) float64, a few points that approximate the convex hull of the mesh, for shadows and quick boxes.
        length, width, height: metres.
        lamps: (k, 3) float64, positions of head lamps (x above 0) and tail lamps.
    """

    mesh: Mesh
    textures: tuple[npt.NDArray[np.uint8], ...]
    texels_per_metre: float
    outline: npt.NDArray[np.float64]
    length: float
    width: float
    height: float
    lamps: npt.NDArray[np.float64]


def assemble(vehicle: Vehicle) -> Body:
    """Build the mesh and paint the texture of one vehicle."""
    if vehicle.rider is not None:
        return _assemble_two_wheeler(vehicle)
    model = vehicle.model
    scale = 34.0 if model.kind in ("bus", "truck") else 54.0
    sheet = TextureAtlas()
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
        lamps=_lamps(model),
    )


def _assemble_two_wheeler(vehicle: Vehicle) -> Body:
    sheet = TextureAtlas()
    mesh = two_wheeler_body.build(vehicle, sheet)
    return Body(
        mesh=mesh,
        textures=sheet.levels(),
        texels_per_metre=two_wheeler_body.SCALE,
        outline=two_wheeler_body.outline(mesh.position),
        length=vehicle.model.length,
        width=0.45,  # that of the shadow below it
        height=vehicle.model.height,
        lamps=two_wheeler_body.lamp_places(vehicle),
    )


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
    vehicle: Vehicle, sheet: TextureAtlas, scale: float, swatch: dict[str, tuple[int, int, int, int]]
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


def _lamps(model: Model) -> npt.NDArray[np.float64]:
    low, high = (0.66, 0.84) if model.kind in ("suv", "pickup", "van") else (0.55, 0.68)
    if model.kind in ("bus", "truck"):
        low, high = 0.65, 1.0
    front, rear = model.length / 2 - 0.06, -model.length / 2 + 0.04
    tail = 0.95 if model.kind in ("bus", "truck") else model.belt - 0.15
    half = model.width / 2
    rows = [(front, s * 0.78 * half, (low + high) / 2) for s in (-1, 1)]
    return np.array(rows + [(rear, s * 0.82 * half, tail) for s in (-1, 1)])


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
