"""Painting a vehicle: the pictures of its sides and of its middle strip, from its model, paint and details."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.simulation.bodies import Model
from mtmc.simulation.canvas import CHROME, GLASS, MATTE, PAINT, Canvas, smooth_noise
from mtmc.simulation.vehicles import Rgb, Vehicle

_BLACK = (16, 16, 17)
_PLASTIC = (34, 35, 37)
_RUBBER = (24, 24, 25)
_WORDS = ("NORD", "EXPRESS", "FRESH", "CITY", "LOGIS", "MAX", "TRANS", "GO", "SERVICE", "BLUE", "RAPID", "HOME")


def side(vehicle: Vehicle, left: bool, scale: float) -> npt.NDArray[np.uint8]:
    """The picture of one side, x (towards the front) to the right; (h, w, 4) uint8, `scale` pixels a metre."""
    model, details = vehicle.model, vehicle.details
    half = model.length / 2
    canvas = Canvas(-half, model.height + 0.05, half, 0.15, scale, vehicle.rgb)
    seam = _darker(vehicle.rgb, 0.55)
    if details.stripe == 3:
        canvas.polygon([(-half, 0), (half, 0), (half, 0.62), (-half, 0.62)], _darker(details.accent, 0.8))
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
    canvas.polygon([(-half, 0.0), (half, 0.0), (half, 0.32), (-half, 0.32)], _PLASTIC, MATTE)
    if details.black_bumpers:
        for end in (1, -1):
            canvas.polygon(
                [(end * half, 0.2), (end * (half - 0.4), 0.2), (end * (half - 0.35), 0.55), (end * half, 0.58)],
                _PLASTIC,
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
        _sign(canvas, details.logo, (-half + 0.3, model.cabin[0] - 1.55), (0.5, model.height - 0.25), left, vehicle.rgb)
    for sticker in details.stickers:
        if sticker.surface == ("left" if left else "right"):
            low = min(max(0.5 + abs(sticker.y), 0.5), model.belt - 0.2)
            _patch(canvas, sticker.x, low, sticker.width, sticker.height * 0.7, sticker.rgb, sticker.pattern)
    _dirty(canvas.pixels, details.dirt, details.dirt_seed + left, low_edge=True)
    return canvas.pixels


def strip(vehicle: Vehicle, scale: float) -> npt.NDArray[np.uint8]:
    """The picture of the middle strip from the front bumper over the roof to the rear bumper; x is the arc length, y -width/2 on its upper
    edge is the vehicle's left; (h, w, 4) uint8."""
    model, details = vehicle.model, vehicle.details
    half = model.width / 2
    total = float(model.arc[-1])
    canvas = Canvas(0, -half, total, half, scale, vehicle.rgb)
    seam = _darker(vehicle.rgb, 0.6)
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
    _front(canvas, vehicle, half)
    _rear(canvas, vehicle, half, total)
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
            canvas.rectangle(float(x), 0, 1.3, 1.1, _darker(vehicle.rgb, 0.85), MATTE)
    if model.bed[0]:
        _bed(canvas, vehicle, half)
    for sticker in details.stickers:
        at = {
            "hood": (model.arc_front(0.75) + foot) / 2,
            "roof": (head + rear_head) / 2,
            "rear": (model.arc_rear(0.8) + total) / 2,
        }
        if sticker.surface in at:
            _patch(
                canvas,
                at[sticker.surface],
                sticker.y * 0.8,
                sticker.width * 0.8,
                sticker.height,
                sticker.rgb,
                sticker.pattern,
            )
    _dirty(canvas.pixels, details.dirt * 0.7, details.dirt_seed + 2, low_edge=False)
    return canvas.pixels


def cargo_box(vehicle: Vehicle, scale: float, left: bool) -> npt.NDArray[np.uint8]:
    """The picture of one side of a truck's box, x to the right as seen from the left."""
    rear, front, low, high = vehicle.model.cargo
    white = (222, 222, 218) if vehicle.details.logo % 3 else vehicle.rgb
    canvas = Canvas(rear, high, front, low, scale, white, 60)
    canvas.polygon([(rear, low), (front, low), (front, low + 0.12), (rear, low + 0.12)], (90, 92, 95), MATTE)
    for x in np.arange(rear + 0.6, front, 0.6):
        canvas.line([(x, low), (x, high)], 0.015, _darker(white, 0.85), 60)
    if vehicle.details.logo:
        _sign(canvas, vehicle.details.logo, (rear + 0.3, front - 0.3), (low + 0.3, high - 0.25), not left, white)
    _dirty(canvas.pixels, vehicle.details.dirt, vehicle.details.dirt_seed + 5 + left, low_edge=True)
    return canvas.pixels


def rim(vehicle: Vehicle, size: int) -> npt.NDArray[np.uint8]:
    """The picture of a wheel from outside, (size, size, 4)."""
    details = vehicle.details
    canvas = Canvas(-1, 1, 1, -1, size / 2, _RUBBER, MATTE)
    tone = tuple(int(230 * details.rim_tone) for _ in range(3))
    canvas.ellipse(0, 0, 1.34, 1.34, _darker(tone, 0.75), CHROME)
    canvas.ellipse(0, 0, 1.18, 1.18, (20, 20, 22), MATTE)
    if details.rim == 5:
        canvas.ellipse(0, 0, 1.15, 1.15, _darker(tone, 0.9), CHROME)
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
        canvas.rectangle(edge + 0.16, model.belt - 0.13, 0.2, 0.045, _darker(seam, 0.8), CHROME)
    canvas.line(
        [(-model.length / 2, model.belt - 0.05), (model.length / 2 - 0.6, model.belt - 0.14)], 0.02, _lighter(seam, 1.5)
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
        _sign(canvas, vehicle.details.logo, (rear + 1, front - 4), (0.45, low - 0.05), left, vehicle.rgb)
    if not left:  # doors are on the kerb side
        for x in (front - 0.7, model.axle_rear + 2.4):
            canvas.rectangle(x, 1.45, 1.15, 2.2, (22, 25, 28), GLASS)
            canvas.line([(x, 0.4), (x, 2.5)], 0.07, _darker(vehicle.rgb, 0.8))


def _front(canvas: Canvas, vehicle: Vehicle, half: float) -> None:
    model, details = vehicle.model, vehicle.details
    at = model.arc_front
    tall = model.kind in ("suv", "pickup", "van")
    low, middle, high = (0.45, 0.66, 0.84) if tall else (0.40, 0.55, 0.68)
    if model.kind in ("bus", "truck"):
        low, middle, high = 0.45, 0.65, 1.0
    canvas.polygon([(0, -half), (at(0.36), -half), (at(0.36), half), (0, half)], _PLASTIC, MATTE)
    if details.black_bumpers:
        canvas.polygon([(0, -half), (at(middle), -half), (at(middle), half), (0, half)], _PLASTIC, MATTE)
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


def _rear(canvas: Canvas, vehicle: Vehicle, half: float, total: float) -> None:
    model, details = vehicle.model, vehicle.details
    if model.kind == "truck":
        return
    at = model.arc_rear
    canvas.polygon([(at(0.38), -half), (total, -half), (total, half), (at(0.38), half)], _PLASTIC, MATTE)
    if details.black_bumpers:
        canvas.polygon([(at(0.6), -half), (total, -half), (total, half), (at(0.6), half)], _PLASTIC, MATTE)
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
        [(at(model.belt - 0.02), -half * 0.8), (at(model.belt - 0.02), half * 0.8)], 0.018, _darker(vehicle.rgb, 0.55)
    )
    canvas.line([(at(0.56), -half * 0.9), (at(0.56), half * 0.9)], 0.018, _darker(vehicle.rgb, 0.55))
    _plate(canvas, at(0.72 if model.kind != "sedan" else 0.66), details.plate)
    if details.spoiler:
        where = float(model.arc_at(model.glass[2])) if model.kind != "sedan" else at(model.belt)
        canvas.rectangle(where, 0, 0.12, half * 1.6, _BLACK, PAINT)


def _plate(canvas: Canvas, at: float, number: int) -> None:
    canvas.rectangle(at, 0, 0.13, 0.5, (235, 235, 228) if number % 5 else (230, 190, 60), MATTE + 20)
    for k in range(6):
        if (number >> k) & 1 or k % 2:
            canvas.rectangle(at, -0.19 + 0.075 * k, 0.07, 0.03, (40, 40, 60), MATTE)


def _bed(canvas: Canvas, vehicle: Vehicle, half: float) -> None:
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


def _sign(
    canvas: Canvas, number: int, xs: tuple[float, float], zs: tuple[float, float], mirrored: bool, ground: Rgb
) -> None:
    random = np.random.default_rng(number)
    colours = [(190, 25, 30), (25, 60, 160), (20, 120, 60), (235, 150, 20), (30, 30, 34), (90, 30, 120), (0, 140, 170)]
    first, second = (colours[i] for i in random.choice(len(colours), 2, replace=False))
    (x0, x1), (z0, z1) = xs, zs
    width, height = x1 - x0, z1 - z0
    style = int(random.integers(4))
    if style == 0:
        canvas.rectangle((x0 + x1) / 2, z0 + height * 0.3, width, height * 0.3, first)
    elif style == 1:
        canvas.polygon([(x0, z0), (x0 + width * 0.5, z0), (x0 + width * 0.25, z1), (x0, z1)], first)
    elif style == 2:
        canvas.ellipse(x0 + width * 0.25, z0 + height * 0.5, height * 0.8, height * 0.8, first)
    else:
        canvas.polygon([(x0, z0), (x1, z0), (x1, z0 + height * 0.55), (x0, z0 + height * 0.2)], first)
    word = _WORDS[int(random.integers(len(_WORDS)))]
    size = min(0.45 * height, 1.1 * width / max(4, len(word)))
    canvas.text(
        (x0 + x1) / 2, z0 + height * 0.68, size, word, second if sum(ground) > 240 else (235, 235, 235), mirrored
    )


def _patch(canvas: Canvas, x: float, y: float, width: float, height: float, rgb: Rgb, pattern: int) -> None:
    if pattern == 0:
        canvas.rectangle(x, y, width, height, rgb)
    elif pattern == 1:
        canvas.ellipse(x, y, width, height, rgb)
        canvas.ellipse(x, y, width * 0.5, height * 0.5, (235, 235, 235))
    elif pattern == 2:
        canvas.polygon([(x - width / 2, y - height / 2), (x + width / 2, y - height / 2), (x, y + height / 2)], rgb)
    elif pattern == 3:
        for k in (-1, 0, 1):
            canvas.rectangle(x + k * width * 0.36, y, width * 0.2, height, rgb)
    else:
        canvas.rectangle(x, y, width, height, (235, 235, 235))
        canvas.rectangle(x, y, width * 0.5, height * 0.5, rgb)


def _dirty(pixels: npt.NDArray[np.uint8], amount: float, seed: int, low_edge: bool) -> None:
    """Mix brown dust into a picture, more towards its lower edge for sides, and dull it."""
    if amount < 0.08:
        return
    height, width = pixels.shape[:2]
    random = np.random.default_rng(seed)
    noise = smooth_noise(height, width, 26, random) * 0.7 + smooth_noise(height, width, 7, random) * 0.3
    weight = amount * (0.12 + 0.6 * np.clip(noise * 2.2 - 0.7, 0, 1))
    if low_edge:
        weight *= np.linspace(0.25, 1.7, height, dtype=np.float32)[:, None]
    weight = np.clip(weight, 0, 0.7)[..., None]
    pixels[:] = (pixels * (1 - weight) + np.array([122, 108, 88, MATTE]) * weight).astype(np.uint8)


def _darker(rgb: tuple[int, ...], factor: float) -> Rgb:
    return (int(rgb[0] * factor), int(rgb[1] * factor), int(rgb[2] * factor))


def _lighter(rgb: tuple[int, ...], factor: float) -> Rgb:
    return (
        min(255, int(rgb[0] * factor + 10)),
        min(255, int(rgb[1] * factor + 10)),
        min(255, int(rgb[2] * factor + 10)),
    )
