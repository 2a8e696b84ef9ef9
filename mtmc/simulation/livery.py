"""Painting a vehicle: textures of its sides and centre strip from its model, paint and details."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.simulation.bodies import Model
from mtmc.simulation.canvas import CHROME, GLASS, MATTE, PAINT, Canvas
from mtmc.simulation.fittings import paint_bed, paint_front, paint_rear
from mtmc.simulation.markings import PLASTIC, darker, lighter, make_dirty, paint_patch, paint_sign
from mtmc.simulation.vehicles import Rgb, Vehicle

_BLACK = (16, 16, 17)
_RUBBER = (24, 24, 25)


def side(vehicle: Vehicle, left: bool, scale: float) -> npt.NDArray[np.uint8]:
    """Texture of one side with the front at the right; (h, w, 4) uint8, `scale` pixels per metre."""
    model, details = vehicle.model, vehicle.details
    half = model.length / 2
    canvas = Canvas(-half, model.height + 0.05, half, 0.15, scale, vehicle.rgb)
    seam = darker(vehicle.rgb, 0.55)
    if details.stripe == 3:
        canvas.polygon([(-half, 0), (half, 0), (half, 0.62), (-half, 0.62)], darker(details.accent, 0.8))
    if details.stripe == 2:
        canvas.polygon([(-half, 0.68), (half, 0.62), (half, 0.72), (-half, 0.82)], details.accent)
    if details.panel in (0, 1, 2) and (details.panel != 1 or left):
        x0, x1 = ((model.axle_front + 0.45, 0.05), (0.05, model.axle_rear + 0.5), (half, model.axle_front - 0.4))[
            details.panel
        ]
        canvas.polygon(
            [(x0, 0.3), (x1, 0.3), (x1, model.belt - 0.04), (x0, model.belt - 0.04)], details.panel_rgb, MATTE + 40
        )
    if model.kind == "bus":
        _bus_side(canvas, vehicle, left)
    else:
        _doors(canvas, model, seam)
        _side_windows(canvas, model, details.tint)
    canvas.polygon([(-half, 0.0), (half, 0.0), (half, 0.32), (-half, 0.32)], PLASTIC, MATTE)
    if details.black_bumpers:
        for end in (1, -1):
            canvas.polygon(
                [(end * half, 0.2), (end * (half - 0.4), 0.2), (end * (half - 0.35), 0.55), (end * half, 0.58)],
                PLASTIC,
                MATTE,
            )
    for axle in (model.axle_front, model.axle_rear):
        canvas.ellipse(axle, model.wheel_radius, 2.42 * model.wheel_radius, 2.42 * model.wheel_radius, _BLACK, MATTE)
    nose = 0.66 if model.kind not in ("suv", "pickup", "van") else 0.84
    if model.kind not in ("bus", "truck"):
        canvas.polygon(
            [(half, nose - 0.08), (half - 0.32, nose - 0.01), (half - 0.36, nose + 0.05), (half, nose + 0.05)],
            (225, 228, 230),
            CHROME,
        )
        high = model.belt - 0.22
        canvas.polygon(
            [(-half, high), (-half + 0.22, high), (-half + 0.16, high + 0.2), (-half, high + 0.2)],
            (150, 14, 16),
            CHROME,
        )
    if details.logo and model.kind == "van":
        paint_sign(
            canvas, details.logo, (-half + 0.3, model.cabin[0] - 1.55), (0.5, model.height - 0.25), left, vehicle.rgb
        )
    for sticker in details.stickers:
        if sticker.surface == ("left" if left else "right"):
            low = min(max(0.5 + abs(sticker.y), 0.5), model.belt - 0.2)
            paint_patch(canvas, sticker.x, low, sticker.width, sticker.height * 0.7, sticker.rgb, sticker.pattern)
    make_dirty(canvas.pixels, details.dirt, details.dirt_seed + left, low_edge=True)
    return canvas.pixels


def strip(vehicle: Vehicle, scale: float) -> npt.NDArray[np.uint8]:
    """Texture of the centre strip from the front bumper over the roof to the rear bumper, (h, w, 4) uint8; x is the arc
    length, and the upper edge (y = -width/2) is the left side of the vehicle."""
    model, details = vehicle.model, vehicle.details
    half = model.width / 2
    total = float(model.arc[-1])
    canvas = Canvas(0, -half, total, half, scale, vehicle.rgb)
    seam = darker(vehicle.rgb, 0.6)
    foot, head, rear_head, rear_foot = (float(model.arc_at(x)) for x in model.glass)
    if details.stripe == 1:
        for y in (-0.24, 0.24):
            canvas.rectangle(total / 2, y, total, 0.26, details.accent)
    if details.stripe == 4 and model.kind not in ("truck", "bus"):
        canvas.polygon([(head, -half), (rear_head, -half), (rear_head, half), (head, half)], details.accent)
    if details.panel == 3:
        canvas.polygon(
            [(model.arc_front(0.62), -half), (foot, -half), (foot, half), (model.arc_front(0.62), half)],
            details.panel_rgb,
            MATTE + 40,
        )
    if details.panel == 4:
        canvas.polygon(
            [(rear_foot, -half), (total, -half), (total, half), (rear_foot, half)], details.panel_rgb, MATTE + 40
        )
    if model.kind not in ("bus", "truck"):
        for y in (-half * 0.72, half * 0.72):
            canvas.line([(model.arc_front(0.75), y), (foot, y * 1.05)], 0.02, seam)
    paint_front(canvas, vehicle, half)
    paint_rear(canvas, vehicle, half, total)
    inset = 0.07
    glass = (30, 34, 38)
    canvas.polygon(
        [
            (foot, -half * 0.93),
            (head, -half * (0.90 - model.lean)),
            (head, half * (0.90 - model.lean)),
            (foot, half * 0.93),
        ],
        glass,
        GLASS,
    )
    if details.sun_strip:
        reach = head + (foot - head) * 0.25
        canvas.polygon(
            [(head, -half * 0.75), (reach, -half * 0.8), (reach, half * 0.8), (head, half * 0.75)],
            details.accent,
            PAINT,
        )
    if model.kind not in ("bus", "truck"):
        canvas.line([(foot - 0.02, -half * 0.8), (foot - 0.02, half * 0.8)], 0.04, _BLACK, MATTE)
    if rear_foot - rear_head > 0.2 and not (model.kind in ("van", "bus") and details.tint > 0.9):
        wide, narrow = half * 0.9, half * (0.88 - model.lean)
        canvas.polygon(
            [
                (rear_head + inset, -narrow),
                (rear_foot - inset * 0.5, -wide),
                (rear_foot - inset * 0.5, wide),
                (rear_head + inset, narrow),
            ],
            glass,
            GLASS,
        )
    if details.sunroof and model.kind not in ("bus", "truck", "van"):
        middle = head + 0.45
        canvas.rectangle(middle, 0, 0.62, 0.85, (18, 20, 22), GLASS)
    if model.kind == "bus":
        for x in np.linspace(head + 1.5, rear_head - 1.5, 3):
            canvas.rectangle(float(x), 0, 1.3, 1.1, darker(vehicle.rgb, 0.85), MATTE)
    if model.bed[0]:
        paint_bed(canvas, vehicle, half)
    for sticker in details.stickers:
        at = {
            "hood": (model.arc_front(0.75) + foot) / 2,
            "roof": (head + rear_head) / 2,
            "rear": (model.arc_rear(0.8) + total) / 2,
        }
        if sticker.surface in at:
            paint_patch(
                canvas,
                at[sticker.surface],
                sticker.y * 0.8,
                sticker.width * 0.8,
                sticker.height,
                sticker.rgb,
                sticker.pattern,
            )
    make_dirty(canvas.pixels, details.dirt * 0.7, details.dirt_seed + 2, low_edge=False)
    return canvas.pixels


def cargo_box(vehicle: Vehicle, scale: float, left: bool) -> npt.NDArray[np.uint8]:
    """Texture of one side of a truck's box, with x to the right as seen from the left."""
    rear, front, low, high = vehicle.model.cargo
    white = (222, 222, 218) if vehicle.details.logo % 3 else vehicle.rgb
    canvas = Canvas(rear, high, front, low, scale, white, 60)
    canvas.polygon([(rear, low), (front, low), (front, low + 0.12), (rear, low + 0.12)], (90, 92, 95), MATTE)
    for x in np.arange(rear + 0.6, front, 0.6):
        canvas.line([(x, low), (x, high)], 0.015, darker(white, 0.85), 60)
    if vehicle.details.logo:
        paint_sign(canvas, vehicle.details.logo, (rear + 0.3, front - 0.3), (low + 0.3, high - 0.25), not left, white)
    make_dirty(canvas.pixels, vehicle.details.dirt, vehicle.details.dirt_seed + 5 + left, low_edge=True)
    return canvas.pixels


def rim(vehicle: Vehicle, size: int) -> npt.NDArray[np.uint8]:
    """Texture of the outside of a wheel, (size, size, 4)."""
    details = vehicle.details
    canvas = Canvas(-1, 1, 1, -1, size / 2, _RUBBER, MATTE)
    tone = tuple(int(230 * details.rim_tone) for _ in range(3))
    canvas.ellipse(0, 0, 1.34, 1.34, darker(tone, 0.75), CHROME)
    canvas.ellipse(0, 0, 1.18, 1.18, (20, 20, 22), MATTE)
    if details.rim == 5:
        canvas.ellipse(0, 0, 1.15, 1.15, darker(tone, 0.9), CHROME)
    spokes = (5, 6, 8, 10, 4, 12)[details.rim]
    for k in range(spokes):
        angle = 2 * np.pi * k / spokes
        canvas.line([(0, 0), (0.62 * np.cos(angle), 0.62 * np.sin(angle))], 1.1 / spokes, tone, CHROME)
    canvas.ellipse(0, 0, 0.3, 0.3, tone, CHROME)
    return canvas.pixels


def _doors(canvas: Canvas, model: Model, seam: Rgb) -> None:
    if model.kind == "truck":
        edges = [model.cabin[0] - 0.05, model.cabin[1] - 0.2]
    else:
        front = model.cabin[0] - 0.35
        length = 1.05 if model.pillars else 1.2
        edges = [front, front - length]
        if model.kind in ("sedan", "suv", "hatchback") and model.pillars != 2:
            edges.append(front - length - 0.85)
    for edge in edges:
        canvas.line([(edge, 0.34), (edge - 0.03, model.belt)], 0.022, seam)
    canvas.line([(edges[0], 0.36), (edges[-1], 0.36)], 0.02, seam)
    for edge in edges[1:]:
        canvas.rectangle(edge + 0.16, model.belt - 0.13, 0.2, 0.045, darker(seam, 0.8), CHROME)
    canvas.line(
        [(-model.length / 2, model.belt - 0.05), (model.length / 2 - 0.6, model.belt - 0.14)], 0.02, lighter(seam, 1.5)
    )


def _side_windows(canvas: Canvas, model: Model, tint: float) -> None:
    front, rear = model.cabin
    if model.kind == "van" and model.pillars != 1:
        rear = front - 1.25
    x = np.linspace(front, rear, 24)
    upper = np.minimum(model.top(x) - 0.11, model.height - 0.15)
    lower = np.full_like(x, model.belt + 0.035)
    keep = upper > lower + 0.03
    if keep.sum() < 3:
        return
    x, upper, lower = x[keep], upper[keep], lower[keep]
    if model.kind != "truck":
        lower[-1:] = upper[-1:] - 0.06
    outline = np.concatenate([np.column_stack([x, upper]), np.column_stack([x, lower])[::-1]])
    level = 1 - 0.75 * tint
    glass = (16 + 34 * level, 19 + 37 * level, 22 + 38 * level)
    canvas.line(np.concatenate([outline, outline[:1]]), 0.05, _BLACK, MATTE)
    canvas.polygon(outline, glass, GLASS)
    pillars = [front - 0.35 - (1.05 if model.pillars else 1.2)]
    if rear < pillars[0] - 1.2 and model.pillars != 2:
        pillars.append(pillars[0] - 0.88)
    for pillar in pillars:
        if pillar > rear + 0.15:
            canvas.line(
                [(pillar, model.belt), (pillar - 0.06, float(model.top(pillar)) - 0.1)], 0.085, _BLACK, MATTE + 30
            )


def _bus_side(canvas: Canvas, vehicle: Vehicle, left: bool) -> None:
    model = vehicle.model
    front, rear = model.cabin
    low, high = model.belt, model.height - 0.55
    canvas.polygon([(front, low), (rear, low), (rear, high), (front, high)], (26, 30, 34), GLASS)
    for x in np.arange(rear + 1.3, front - 0.4, 1.35):
        canvas.line([(x, low), (x, high)], 0.08, _BLACK, MATTE)
    if vehicle.details.logo:
        canvas.polygon([(-9, 0.5), (9, 0.5), (9, 0.95), (-9, 0.95)], vehicle.details.accent)
        paint_sign(canvas, vehicle.details.logo, (rear + 1, front - 4), (0.45, low - 0.05), left, vehicle.rgb)
    if not left:  # the doors are on the kerb side
        for x in (front - 0.7, model.axle_rear + 2.4):
            canvas.rectangle(x, 1.45, 1.15, 2.2, (22, 25, 28), GLASS)
            canvas.line([(x, 0.4), (x, 2.5)], 0.07, darker(vehicle.rgb, 0.8))
