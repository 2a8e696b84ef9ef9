"""Painting a vehicle's front, rear and bed: grille, lamps, bumpers, plates, loads."""

from __future__ import annotations

import numpy as np

from mtmc.simulation.canvas import CHROME, MATTE, PAINT, Canvas
from mtmc.simulation.markings import PLASTIC, darker
from mtmc.simulation.vehicles import Vehicle

_BLACK = (16, 16, 17)


def paint_front(canvas: Canvas, vehicle: Vehicle, half: float) -> None:
    """Paint grille, lamps, bumper and plate; `half` is half the width of the strip in metres."""
    model, details = vehicle.model, vehicle.details
    at = model.arc_front
    tall = model.kind in ("suv", "pickup", "van")
    low, middle, high = (0.45, 0.66, 0.84) if tall else (0.40, 0.55, 0.68)
    if model.kind in ("bus", "truck"):
        low, middle, high = 0.45, 0.65, 1.0
    canvas.polygon([(0, -half), (at(0.36), -half), (at(0.36), half), (0, half)], PLASTIC, MATTE)
    if details.black_bumpers:
        canvas.polygon([(0, -half), (at(middle), -half), (at(middle), half), (0, half)], PLASTIC, MATTE)
    width = (0.95, 1.25, 0.75, 1.1)[model.grille] * half
    canvas.polygon(
        [
            (at(middle), -width / 2 * 1.0),
            (at(high), -width / 2 * 1.1),
            (at(high), width / 2 * 1.1),
            (at(middle), width / 2),
        ],
        _BLACK,
        MATTE,
    )
    canvas.polygon(
        [(at(0.3), -width * 0.6), (at(low), -width * 0.55), (at(low), width * 0.55), (at(0.3), width * 0.6)],
        _BLACK,
        MATTE,
    )
    if model.grille in (1, 2):
        for z in np.linspace(middle, high, 4):
            canvas.line([(at(float(z)), -width / 2), (at(float(z)), width / 2)], 0.018, (190, 192, 195), CHROME)
    if model.grille == 3:
        canvas.line([(at(high), -width / 2), (at(high), width / 2)], 0.05, (210, 212, 215), CHROME)
    canvas.ellipse(at((middle + high) / 2), 0, 0.1, 0.12, (200, 202, 205), CHROME)
    lamp = (235, 238, 240)
    for sign in (-1, 1):
        outer = sign * half * 0.97
        inner = sign * half * (0.62, 0.55, 0.66, 0.5)[model.lamp]
        up, down = (high + 0.03, high - (0.14, 0.09, 0.2, 0.11)[model.lamp])
        canvas.polygon(
            [(at(down), outer), (at(up), outer), (at(up), (outer + inner) / 2), (at(down + 0.03), inner)],
            (40, 42, 45),
            CHROME,
        )
        canvas.ellipse((at(down) + at(up)) / 2, (outer * 0.62 + inner * 0.38), 0.12, 0.2, lamp, CHROME)
        canvas.ellipse((at(down) + at(up)) / 2, (outer * 0.3 + inner * 0.7), 0.1, 0.14, lamp, CHROME)
        if details.fog_lamps:
            canvas.ellipse(at(low - 0.02), sign * half * 0.72, 0.1, 0.13, lamp, CHROME)
    _plate(canvas, at(0.47), details.plate)


def paint_rear(canvas: Canvas, vehicle: Vehicle, half: float, total: float) -> None:
    """Paint rear lamps, bumper and plate; `total` is the arc length of the strip in metres."""
    model, details = vehicle.model, vehicle.details
    if model.kind == "truck":
        return
    at = model.arc_rear
    canvas.polygon([(at(0.38), -half), (total, -half), (total, half), (at(0.38), half)], PLASTIC, MATTE)
    if details.black_bumpers:
        canvas.polygon([(at(0.6), -half), (total, -half), (total, half), (at(0.6), half)], PLASTIC, MATTE)
    low, high = model.belt - 0.26, model.belt - 0.04
    for sign in (-1, 1):
        if model.kind in ("suv", "van", "hatchback", "bus") and model.lamp in (1, 2):
            box_low, box_high, inner = model.belt - 0.32, model.belt + 0.22, 0.80
        else:
            box_low, box_high, inner = low, high, (0.6, 0.5, 0.66, 0.45)[model.lamp]
        corners = [
            (at(box_low), sign * half),
            (at(box_high), sign * half),
            (at(box_high), sign * half * inner),
            (at(box_low), sign * half * inner),
        ]
        canvas.polygon(corners, (150, 12, 15), CHROME)
        canvas.rectangle(
            (at(box_low) * 0.75 + at(box_high) * 0.25),
            sign * half * (1 + inner) / 2,
            0.05,
            half * 0.12,
            (235, 225, 215),
            CHROME,
        )
    if model.lamp == 3:
        canvas.line(
            [(at((low + high) / 2), -half * 0.8), (at((low + high) / 2), half * 0.8)], 0.05, (120, 12, 15), CHROME
        )
    canvas.line(
        [(at(model.belt - 0.02), -half * 0.8), (at(model.belt - 0.02), half * 0.8)], 0.018, darker(vehicle.rgb, 0.55)
    )
    canvas.line([(at(0.56), -half * 0.9), (at(0.56), half * 0.9)], 0.018, darker(vehicle.rgb, 0.55))
    _plate(canvas, at(0.72 if model.kind != "sedan" else 0.66), details.plate)
    if details.spoiler:
        where = float(model.arc_at(model.glass[2])) if model.kind != "sedan" else at(model.belt)
        canvas.rectangle(where, 0, 0.12, half * 1.6, _BLACK, PAINT)


def _plate(canvas: Canvas, at: float, number: int) -> None:
    canvas.rectangle(at, 0, 0.13, 0.5, (235, 235, 228) if number % 5 else (230, 190, 60), MATTE + 20)
    for k in range(6):
        if (number >> k) & 1 or k % 2:
            canvas.rectangle(at, -0.19 + 0.075 * k, 0.07, 0.03, (40, 40, 60), MATTE)


def paint_bed(canvas: Canvas, vehicle: Vehicle, half: float) -> None:
    """Paint a pickup's bed with its load."""
    model, kind = vehicle.model, vehicle.details.cargo
    front, rear = float(model.arc_at(model.bed[0])), float(model.arc_at(model.bed[1]))
    middle, length = (front + rear) / 2, rear - front
    canvas.rectangle(middle, 0, length, half * 1.66, (30, 31, 33), MATTE)
    random = np.random.default_rng(vehicle.details.dirt_seed)
    if kind == 1:
        for _ in range(4):
            rgb = [(150, 120, 80), (120, 125, 130), (60, 80, 120)][int(random.integers(3))]
            canvas.rectangle(
                middle + random.uniform(-0.35, 0.35) * length, random.uniform(-0.5, 0.5) * half, 0.5, 0.45, rgb, MATTE
            )
    elif kind == 2:
        for y in np.linspace(-0.3, 0.3, 5):
            canvas.line([(front + 0.1, y), (rear - 0.1, y + 0.05)], 0.07, (180, 182, 184), CHROME)
    elif kind == 3:
        canvas.rectangle(
            middle, 0, length, half * 1.75, vehicle.details.accent if vehicle.details.stripe else (44, 45, 48), 50
        )
