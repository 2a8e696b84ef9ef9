"""Building motorcycles and scooters with their riders: meshes and textures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtmc.simulation.atlas import TextureAtlas
from mtmc.simulation.canvas import CHROME, GLASS, MATTE, Canvas
from mtmc.simulation.markings import darker, paint_sign
from mtmc.simulation.mesh import Mesh, box, cylinder, ellipsoid, tube, wheel
from mtmc.simulation.vehicles import Vehicle

SCALE = 90.0
"""Texels per metre."""
_DISC_TRIANGLES = 18
"""The first triangles of a wheel are its outer face; the tread is a cylinder between both faces."""
_SKIN = (176, 132, 106)
Region = tuple[int, int, int, int]


def build(vehicle: Vehicle, sheet: TextureAtlas) -> Mesh:
    """The mesh of a two-wheeler and its rider; textures are added to `sheet`."""
    rider = vehicle.rider
    if rider is None:
        raise ValueError("a two-wheeler needs a rider")
    second = (30, 31, 33) if rider.two_tone else vehicle.rgb
    swatch = {
        name: sheet.swatch(rgb, gloss)
        for name, rgb, gloss in (
            ("paint", vehicle.rgb, 130),
            ("second", second, 110),
            ("accent", rider.accent, 110),
            ("rubber", (24, 24, 25), MATTE),
            ("black", (30, 31, 33), 40),
            ("engine", (66, 67, 70), 90),
            ("metal", (158, 160, 163), CHROME),
            ("lamp", (226, 230, 232), CHROME),
            ("red", (160, 14, 16), CHROME),
            ("glass", (40, 46, 52), GLASS),
            ("plate", (226, 226, 220), MATTE),
            ("jacket", rider.jacket, MATTE),
            ("sleeve", rider.accent if rider.pattern == 3 else rider.jacket, MATTE),
            ("trousers", rider.trousers, MATTE),
            ("glove", (26, 26, 28), MATTE),
            ("boot", (34, 32, 30), MATTE),
            ("skin", _SKIN, MATTE),
            ("helmet", rider.helmet, 110),
            ("visor", (16, 18, 22) if rider.visor else _SKIN, GLASS if rider.visor else MATTE),
            ("case", rider.case_rgb, 60),
        )
    }
    meshes = _scooter(vehicle, swatch) if vehicle.model.kind == "scooter" else _motorcycle(vehicle, swatch)
    meshes += _wheels(vehicle, sheet, swatch)
    meshes += _rider(vehicle, sheet, swatch)
    meshes += _luggage(vehicle, sheet, swatch)
    return Mesh.concatenate(meshes)


def lamp_places(vehicle: Vehicle) -> npt.NDArray[np.float64]:
    """(2, 3) positions of head and tail lamp in metres."""
    half = vehicle.model.length / 2
    return np.array([[0.65, 0.0, 0.92], [-0.96 * half, 0.0, 0.72]])


def _wheels(vehicle: Vehicle, sheet: TextureAtlas, swatch: dict[str, Region]) -> list[Mesh]:
    model = vehicle.model
    size = int(2 * model.wheel_radius * SCALE)
    canvas = Canvas(-1, 1, 1, -1, size / 2, (24, 24, 25), MATTE)
    tone = ((60, 62, 65), (170, 172, 175), (34, 35, 37))[model.grille]
    inner = 1.25 if model.kind == "scooter" else 1.5
    canvas.ellipse(0, 0, inner, inner, darker(tone, 0.7), CHROME)
    canvas.ellipse(0, 0, inner - 0.16, inner - 0.16, (38, 38, 40), MATTE)
    for angle in np.arange(5) * 2 * np.pi / 5:
        canvas.line([(0, 0), (inner / 2 * np.cos(angle), inner / 2 * np.sin(angle))], 0.13, tone, CHROME)
    canvas.ellipse(0, 0, 0.5, 0.5, (120, 122, 124), CHROME)  # brake disc
    disc = sheet.add(canvas.pixels)
    wide = (0.055, 0.075) if model.kind == "motorcycle" else (0.05, 0.055)
    parts = []
    for axle, half in ((model.axle_front, wide[0]), (model.axle_rear, wide[1])):
        low, radius = model.wheel_radius, model.wheel_radius
        parts.append(cylinder((axle, -half, low), (axle, half, low), radius, swatch["rubber"], 18))
        for side in (1, -1):
            whole = wheel((axle, side * half, low), radius, half, side, disc, swatch["rubber"])
            parts.append(replace(whole, triangle=whole.triangle[:_DISC_TRIANGLES]))
    return parts


def _common(vehicle: Vehicle, swatch: dict[str, Region], bar: tuple[float, float]) -> list[Mesh]:
    """Fork, handlebar, mirrors, lamps, plate and windscreen; `bar` is x and z of the handlebar."""
    model = vehicle.model
    x, z = bar
    front, half = model.axle_front, model.length / 2
    parts = [
        cylinder((front, s * 0.085, model.wheel_radius), (x, s * 0.09, z - 0.1), 0.03, swatch["metal"], 6)
        for s in (-1, 1)
    ]
    parts.append(cylinder((x - 0.04, -0.36, z), (x - 0.04, 0.36, z), 0.022, swatch["black"], 6))
    for s in (-1, 1):
        parts.append(cylinder((x, s * 0.26, z), (x + 0.03, s * 0.36, z + 0.18), 0.01, swatch["black"], 4))
        parts.append(ellipsoid((x + 0.03, s * 0.39, z + 0.2), (0.02, 0.07, 0.045), swatch["black"], 6))
    lamp = lamp_places(vehicle)
    parts.append(ellipsoid((lamp[0, 0] - 0.09, 0, lamp[0, 2]), (0.1, 0.08, 0.07), swatch["black"], 6))
    parts.append(ellipsoid(lamp[0], (0.05, 0.1, 0.085), swatch["lamp"], 8))
    for s in (-1, 1):
        parts.append(
            ellipsoid((lamp[0, 0] - 0.05, s * 0.2, lamp[0, 2] - 0.03), (0.03, 0.035, 0.03), swatch["accent"], 6)
        )
    parts.append(box((lamp[1, 0], -0.085, 0.68), (lamp[1, 0] + 0.06, 0.085, 0.76), swatch["red"]))
    parts.append(box((-half + 0.02, -0.1, 0.5), (-half + 0.05, 0.1, 0.64), swatch["plate"]))
    if vehicle.rider and vehicle.rider.screen:
        pane = tube(
            [(x + 0.17, 0.0, z - 0.1), (x + 0.11, 0.0, z + 0.1), (x + 0.02, 0.0, z + 0.34)],
            [(0.025, 0.2), (0.02, 0.22), (0.015, 0.15)],
            swatch["glass"],
        )
        parts.append(pane)
    return parts


def _motorcycle(vehicle: Vehicle, swatch: dict[str, Region]) -> list[Mesh]:
    model = vehicle.model
    seat, half = model.belt, model.length / 2
    parts = _common(vehicle, swatch, (0.46, 1.02 - 0.06 * (model.lamp == 1)))
    parts += [
        box((-0.28, -0.14, 0.2), (0.34, 0.14, 0.62), swatch["engine"]),
        box((-0.55, -0.1, 0.42), (0.4, 0.1, 0.72), swatch["black"]),
        ellipsoid((0.16, 0, seat + 0.07), (0.34, 0.165, 0.15), swatch["paint"], 12),
        ellipsoid((-0.3, 0, seat), (0.42, 0.15, 0.075), swatch["black"], 10),
        ellipsoid((-half * 0.72, 0, seat + 0.03), (0.27, 0.12, 0.085), swatch["second"], 10),
        cylinder((-0.05, -0.19, 0.34), (-half * 0.8, -0.22, 0.5), 0.055, swatch["metal"], 8),
        ellipsoid((model.axle_front, 0, model.wheel_radius * 1.55), (0.22, 0.075, 0.13), swatch["second"], 8),
        cylinder((model.axle_rear, 0.1, model.wheel_radius), (-0.1, 0.1, 0.45), 0.03, swatch["engine"], 5),
        cylinder((model.axle_rear, -0.1, model.wheel_radius), (-0.1, -0.1, 0.45), 0.03, swatch["engine"], 5),
    ]
    if model.lamp == 1:  # full fairing
        parts += [
            ellipsoid((0.52, 0, 0.88), (0.27, 0.2, 0.2), swatch["paint"], 12),
            ellipsoid((0.26, 0, 0.55), (0.4, 0.185, 0.3), swatch["paint"], 12),
            box((-0.15, -0.19, 0.56), (0.5, 0.19, 0.62), swatch["accent"]),
        ]
    elif model.lamp == 0:
        parts.append(ellipsoid((0.56, 0, 0.93), (0.14, 0.13, 0.13), swatch["paint"], 10))
    return parts


def _scooter(vehicle: Vehicle, swatch: dict[str, Region]) -> list[Mesh]:
    model = vehicle.model
    seat, half = model.belt, model.length / 2
    parts = _common(vehicle, swatch, (0.44, 1.0))
    shield = [(0.5, 0.34, 0.17), (0.55, 0.55, 0.23), (0.5, 0.78, 0.22), (0.46, 0.95, 0.14)]
    parts += [
        tube(
            [(x, 0.0, z) for x, z, _ in shield],
            [(0.07, wide) for _, _, wide in shield],
            swatch["paint"],
        ),
        ellipsoid((0.5, 0, 0.97), (0.15, 0.2, 0.11), swatch["paint"], 10),
        box((-0.2, -0.17, 0.26), (0.5, 0.17, 0.36), swatch["second"]),
        ellipsoid((-0.42, 0, 0.55), (half * 0.56, 0.19, 0.24), swatch["paint"], 12),
        ellipsoid((-0.36, 0, seat), (0.44, 0.165, 0.07), swatch["black"], 10),
        ellipsoid((model.axle_front, 0, model.wheel_radius * 1.5), (0.22, 0.1, 0.12), swatch["second"], 8),
        box((model.axle_rear - 0.12, -0.12, 0.2), (model.axle_rear + 0.3, 0.12, 0.42), swatch["engine"]),
        cylinder((-0.3, -0.17, 0.26), (-half * 0.92, -0.19, 0.34), 0.05, swatch["metal"], 7),
    ]
    return parts


def _rider(vehicle: Vehicle, sheet: TextureAtlas, swatch: dict[str, Region]) -> list[Mesh]:
    model, rider = vehicle.model, vehicle.rider
    if rider is None:
        return []
    scooter = model.kind == "scooter"
    reach = 0.04 if scooter else (0.1, 0.3, -0.02)[model.lamp]  # how far the shoulders are before the hips
    hip = np.array([-0.3 if scooter else -0.26, 0.0, model.belt + 0.12])
    tall = model.height - 1.73
    neck = hip + np.array([reach, 0.0, 0.56 + tall - 0.25 * max(0.0, reach - 0.05)])
    head = neck + np.array([0.07 + 0.1 * max(0.0, reach), 0.0, 0.155])
    torso = _torso(vehicle, sheet)
    spine = [hip + (neck - hip) * t for t in (-0.12, 0.0, 0.3, 0.65, 0.88, 1.0)]
    parts = [
        tube(spine, [(0.12, 0.15), (0.145, 0.185), (0.135, 0.18), (0.14, 0.215), (0.12, 0.19), (0.06, 0.075)], torso),
        ellipsoid(head, (0.152, 0.13, 0.148), swatch["helmet"], 14),
        ellipsoid(head + np.array([0.055, 0.0, -0.005]), (0.108, 0.112, 0.07), swatch["visor"], 10),
    ]
    hand = np.array([0.42, 0.32, 1.02]) if not scooter else np.array([0.4, 0.3, 1.01])
    feet = np.array([0.32, 0.14, 0.40]) if scooter else np.array([-0.02 if model.lamp != 2 else 0.3, 0.22, 0.36])
    for s in (-1, 1):
        side = np.array([1, s, 1])
        shoulder = neck + np.array([0.0, s * 0.195, -0.07])
        grip = hand * side
        elbow = (shoulder + grip) / 2 + np.array([-0.06, s * 0.07, -0.08])
        parts.append(tube([shoulder, elbow, grip], [(0.068, 0.068), (0.055, 0.055), (0.04, 0.04)], swatch["sleeve"]))
        parts.append(ellipsoid(grip, (0.055, 0.05, 0.05), swatch["glove"], 6))
        foot = feet * side
        knee = np.array([0.22 if scooter else 0.2, s * 0.2, model.belt - (0.02 if scooter else 0.04)])
        thigh = hip + np.array([0.02, s * 0.1, -0.02])
        parts.append(tube([thigh, knee, foot], [(0.098, 0.098), (0.074, 0.074), (0.052, 0.052)], swatch["trousers"]))
        parts.append(ellipsoid(foot + np.array([0.07, 0, -0.04]), (0.135, 0.05, 0.055), swatch["boot"], 8))
    return parts


def _torso(vehicle: Vehicle, sheet: TextureAtlas) -> Region:
    """Texture around the trunk: x goes once around it, y from the neck to the hips."""
    rider = vehicle.rider
    if rider is None:
        raise ValueError("a two-wheeler needs a rider")
    canvas = Canvas(0, 1, 1, 0, 64, rider.jacket, MATTE)
    if rider.pattern == 1:
        for y in (0.3, 0.62):
            canvas.rectangle(0.5, y, 1.0, 0.09, (214, 218, 200), CHROME // 2)
    elif rider.pattern == 2:
        canvas.polygon([(0, 0.56), (1, 0.56), (1, 1), (0, 1)], rider.accent, MATTE)
    elif rider.pattern == 3:
        canvas.rectangle(0.5, 0.72, 1.0, 0.12, rider.accent, MATTE)
    canvas.rectangle(0.5, 0.06, 1.0, 0.12, rider.trousers, MATTE)
    return sheet.add(canvas.pixels)


def _luggage(vehicle: Vehicle, sheet: TextureAtlas, swatch: dict[str, Region]) -> list[Mesh]:
    model, rider = vehicle.model, vehicle.rider
    if rider is None or rider.case == "none":
        return []
    rear, seat, case = -model.length / 2, model.belt, swatch["case"]
    rack = box((rear + 0.02, -0.1, seat + 0.04), (rear + 0.4, 0.1, seat + 0.09), swatch["black"])
    if rider.case == "top case":
        return [rack, ellipsoid((rear + 0.18, 0, seat + 0.24), (0.22, 0.24, 0.17), case, 10)]
    if rider.case == "panniers":
        return [box((rear + 0.12, s * 0.28 - 0.1, 0.5), (rear + 0.58, s * 0.28 + 0.1, 0.84), case) for s in (-1, 1)]
    if rider.case == "backpack":
        return [ellipsoid((-0.44 + 0.04 * model.lamp, 0, seat + 0.42), (0.13, 0.17, 0.25), case, 10)]
    canvas = Canvas(0, 0.5, 0.5, 0, SCALE, rider.case_rgb, 40)
    paint_sign(canvas, rider.logo, (0.06, 0.44), (0.1, 0.4), False, rider.case_rgb)
    wall = sheet.add(canvas.pixels)
    low, high = (rear - 0.06, -0.24, seat + 0.09), (rear + 0.42, 0.24, seat + 0.56)
    walls = box(low, high, wall, [0, 1, 2, 3], 0.25)
    return [rack, walls, box(low, high, case, [4, 5])]


def outline(position: npt.NDArray[np.float32], directions: int = 40) -> npt.NDArray[np.float64]:
    """(k, 3) vertices that lie furthest in evenly spread directions: an approximation of the convex hull."""
    k = np.arange(directions) + 0.5
    polar, turn = np.arccos(1 - 2 * k / directions), np.pi * (1 + 5**0.5) * k
    way = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=1)
    corners = np.unique(np.argmax(position @ way.T.astype(np.float32), axis=0))
    return np.asarray(position[corners], np.float64)
