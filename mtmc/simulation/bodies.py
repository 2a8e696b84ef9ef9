"""Body shapes: the vehicle models of the simulated city, as parameters and as smooth shells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from mtmc.simulation.mesh import Mesh, grid_mesh, grid_normals

Kind = Literal["sedan", "hatchback", "suv", "pickup", "van", "truck", "bus"]
TwoWheeler = Literal["motorcycle", "scooter"]
KINDS: tuple[Kind, ...] = ("sedan", "hatchback", "suv", "pickup", "van", "truck", "bus")
COCO_LABEL: dict[Kind | TwoWheeler, int] = {
    "sedan": 2, "hatchback": 2, "suv": 2, "pickup": 7, "van": 2, "truck": 7, "bus": 5, "motorcycle": 3, "scooter": 3
}  # fmt: skip
"""COCO class of each kind: 2 car, 3 motorcycle, 5 bus, 7 truck."""

_MODELS_OF_KIND: dict[Kind, int] = {"sedan": 7, "hatchback": 5, "suv": 7, "pickup": 3, "van": 4, "truck": 3, "bus": 2}
_SILL = 0.24
_Between = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Model:
    """A vehicle model, shared by all vehicles of the same make. Lengths are in metres; x is 0 at the centre and
    positive towards the front.

    Attributes:
        kind: vehicle class.
        number: index in the catalogue.
        length, width, height: overall dimensions without mirrors.
        belt: height of the beltline (lower edge of the side windows).
        lean: tumblehome: how much narrower the roof is than the beltline, as a fraction of the width.
        profile: (k, 2) float64, x and z along the centre line from the front bumper over the roof to the rear bumper;
            x is strictly decreasing.
        glass: x of the bottom and top of the windscreen, then of the top and bottom of the rear window.
        cabin: x of the front and rear ends of the side windows.
        wheel_radius, axle_front, axle_rear: wheel radius, and x of the axles.
        cargo: x of rear and front, and height of floor and roof, of a separate box behind the cab; zeros if there is
            none.
        bed: x of front and rear of a pickup's open bed; zeros if there is none.
        lamp, grille, pillars: index of the style.
    """

    kind: Kind | TwoWheeler
    number: int
    length: float
    width: float
    height: float
    belt: float
    lean: float
    profile: npt.NDArray[np.float64]
    glass: tuple[float, float, float, float]
    cabin: tuple[float, float]
    wheel_radius: float
    axle_front: float
    axle_rear: float
    cargo: tuple[float, float, float, float]
    bed: tuple[float, float]
    lamp: int
    grille: int
    pillars: int

    def top(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Height of the profile at each x."""
        return np.asarray(np.interp(np.asarray(x, np.float64), self.profile[::-1, 0], self.profile[::-1, 1]))

    @property
    def arc(self) -> npt.NDArray[np.float64]:
        """(k,) float64, arc length along the profile at each of its points."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.profile, axis=0), axis=1))])

    def arc_at(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Arc length along the profile at each x."""
        return np.asarray(np.interp(np.asarray(x, np.float64), self.profile[::-1, 0], self.arc[::-1]))

    def arc_front(self, z: float) -> float:
        """Arc length at which the front of the profile reaches height z."""
        highest = int(np.argmax(self.profile[:, 1]))
        return float(np.interp(z, self.profile[: highest + 1, 1], self.arc[: highest + 1]))

    def arc_rear(self, z: float) -> float:
        """Arc length at which the rear of the profile descends to height z."""
        highest = int(np.argmax(self.profile[:, 1]))
        return float(np.interp(z, self.profile[highest:, 1][::-1], self.arc[highest:][::-1]))


def catalogue() -> tuple[Model, ...]:
    """Return all vehicle models; always the same."""
    random = np.random.default_rng(20_190_613)
    models: list[Model] = []
    for kind in KINDS:
        for _ in range(_MODELS_OF_KIND[kind]):
            models.append(_model(kind, len(models), random))
    return tuple(models)


def shell(model: Model, side: tuple[int, int], other: tuple[int, int], strip: tuple[int, int], scale: float) -> Mesh:
    """Build the body of `model` as a loft of its profile.

    Args:
        side, other, strip: left and top texel of the textures of the left side (x to the right, seen from the left),
            right side and centre strip (front at the left).
        scale: texels per metre.
    """
    x, z = model.profile[:, 0], model.profile[:, 1]
    half_length = model.length / 2
    rounded = np.clip((np.abs(x) - (half_length - 0.55)) / 0.55, 0, 1)
    plan = 1 - (0.16 if model.kind not in ("bus", "truck") else 0.05) * rounded**2.2
    rise = np.linspace(0, 1, 9)
    height = _SILL + (z[:, None] - 0.035 - _SILL) * rise
    height = np.maximum(height, _SILL)
    bulge = 1 - 0.05 * ((height - 0.62) / 0.45) ** 2 * (height < model.belt)
    above = np.clip((height - model.belt) / max(model.height - model.belt, 0.2), 0, 1)
    half = model.width / 2 * plan[:, None] * bulge * (1 - model.lean * above**1.15)
    across = np.linspace(-1, 1, 9)[1:-1]
    top = np.stack(
        [
            np.broadcast_to(x[:, None], (len(x), 7)),
            -across * half[:, -1:],
            z[:, None] - 0.035 * np.abs(across) ** 3,
        ],
        axis=-1,
    )
    left = np.stack([np.broadcast_to(x[:, None], half.shape), half, height], axis=-1)
    right = left[:, ::-1] * [1, -1, 1]
    points = np.concatenate([left, top, right], axis=1).astype(np.float32)
    normals = grid_normals(points)
    meshes = []
    for origin, columns in ((side, slice(0, 9)), (other, slice(16, 25))):
        part = points[:, columns]
        uv = np.stack(
            [
                origin[0] + (part[..., 0] + half_length) * scale,
                origin[1] + (model.height + 0.05 - part[..., 2]) * scale,
            ],
            axis=-1,
        )
        meshes.append(grid_mesh(part, normals[:, columns], uv))
    part = points[:, 8:17]
    fraction = np.broadcast_to(np.linspace(0, 1, 9), part.shape[:2])
    uv = np.stack(
        [
            strip[0] + np.broadcast_to(model.arc[:, None], part.shape[:2]) * scale,
            strip[1] + fraction * model.width * scale,
        ],
        axis=-1,
    )
    meshes.append(grid_mesh(part, normals[:, 8:17], uv))
    return Mesh.concatenate(meshes)


def _smooth(corners: list[tuple[float, float, float]]) -> npt.NDArray[np.float64]:
    """Round each corner (x, z, radius) of a polyline and subdivide it into segments of at most 0.16 m."""
    points = np.array([(x, z) for x, z, _ in corners])
    result = [points[0]]
    for i in range(1, len(points) - 1):
        before, after = points[i - 1] - points[i], points[i + 1] - points[i]
        reach = min(corners[i][2], 0.45 * float(np.linalg.norm(before)), 0.45 * float(np.linalg.norm(after)))
        start = points[i] + before / np.linalg.norm(before) * reach
        end = points[i] + after / np.linalg.norm(after) * reach
        for t in np.linspace(0, 1, 5):
            result.append((1 - t) ** 2 * start + 2 * t * (1 - t) * points[i] + t**2 * end)
    result.append(points[-1])
    dense = [result[0]]
    for previous, point in pairwise(result):
        pieces = max(1, int(np.ceil(np.linalg.norm(point - previous) / 0.16)))
        dense.extend(previous + (point - previous) * (k + 1) / pieces for k in range(pieces))
    profile = np.array(dense)
    keep = np.concatenate([[True], np.linalg.norm(np.diff(profile, axis=0), axis=1) > 1e-6])
    profile = profile[keep]
    profile[:, 0] = np.minimum.accumulate(profile[:, 0]) - np.arange(len(profile)) * 1e-5
    return np.asarray(profile)


def _model(kind: Kind, number: int, random: np.random.Generator) -> Model:
    def between(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    styles = {"lamp": int(random.integers(4)), "grille": int(random.integers(4)), "pillars": int(random.integers(3))}
    if kind in ("bus", "truck"):
        return _large(kind, number, between, styles)
    length, width, height, belt = {
        "sedan": (between(4.4, 5.0), between(1.78, 1.88), between(1.40, 1.48), between(0.90, 0.95)),
        "hatchback": (between(3.7, 4.3), between(1.68, 1.80), between(1.45, 1.54), between(0.92, 0.98)),
        "suv": (between(4.3, 4.95), between(1.82, 1.98), between(1.64, 1.82), between(1.05, 1.15)),
        "pickup": (between(5.1, 5.7), between(1.88, 2.02), between(1.76, 1.90), between(1.10, 1.20)),
        "van": (between(4.6, 5.8), between(1.88, 2.05), between(1.90, 2.35), between(1.12, 1.25)),
    }[kind]
    front, rear = length / 2, -length / 2
    nose = {"sedan": 0.70, "hatchback": 0.74, "suv": 0.90, "pickup": 0.98, "van": 0.95}[kind] + between(-0.04, 0.05)
    cowl_z = belt + between(0.0, 0.06)
    hood = {
        "sedan": between(1.15, 1.4),
        "hatchback": between(0.85, 1.1),
        "suv": between(1.05, 1.3),
        "pickup": between(1.2, 1.45),
    }
    cowl = front - hood.get(kind, between(0.5, 0.95))
    screen = {
        "sedan": between(0.75, 0.95),
        "hatchback": between(0.7, 0.9),
        "suv": between(0.55, 0.75),
        "pickup": between(0.55, 0.7),
    }
    roof_front = cowl - screen.get(kind, between(0.6, 0.9))
    corners = [
        (front, 0.26, 0.0),
        (front - 0.01, 0.50, 0.1),
        (front - 0.06, nose - 0.06, 0.1),
        (front - between(0.14, 0.26), nose, 0.15),
        (cowl, cowl_z, 0.12),
        (roof_front, height - between(0.03, 0.07), 0.35),
    ]
    bed = (0.0, 0.0)
    if kind == "sedan":
        trunk = between(0.45, 0.75)
        roof_rear, foot, deck = rear + trunk + between(0.85, 1.0), rear + trunk, belt + between(0.04, 0.12)
        corners += [
            ((roof_front + roof_rear) / 2, height, 0.6),
            (roof_rear, height - between(0.05, 0.1), 0.4),
            (foot, deck, 0.2),
            (rear + 0.08, deck - 0.03, 0.1),
            (rear + 0.03, 0.62, 0.1),
            (rear, 0.28, 0.0),
        ]
    elif kind == "pickup":
        roof_rear, foot, deck = roof_front - between(0.9, 1.5), 0.0, belt + 0.02
        roof_rear = max(roof_rear, rear + 1.75)
        foot = roof_rear - 0.12
        corners += [
            (roof_rear, height - 0.04, 0.15),
            (foot, deck, 0.05),
            (rear + 0.05, deck - 0.01, 0.04),
            (rear + 0.02, 0.6, 0.1),
            (rear, 0.34, 0.0),
        ]
        bed = (foot - 0.05, rear + 0.1)
    else:
        slope = {"hatchback": between(0.3, 0.6), "suv": between(0.18, 0.45), "van": between(0.05, 0.15)}[kind]
        roof_rear, foot = rear + 0.08 + slope, rear + 0.08
        corners += [
            ((roof_front + roof_rear) / 2, height, 0.6),
            (roof_rear, height - between(0.02, 0.07), 0.25),
            (foot, belt + 0.05, 0.08),
            (rear + 0.03, 0.62, 0.1),
            (rear, 0.28, 0.0),
        ]
    rear_end = foot + 0.1 if kind != "van" else roof_rear - 0.05
    radius = {"sedan": 0.325, "hatchback": 0.305, "suv": 0.365, "pickup": 0.385, "van": 0.345}[kind]
    return Model(
        kind=kind,
        number=number,
        length=length,
        width=width,
        height=height,
        belt=belt,
        lean={"sedan": 0.24, "hatchback": 0.21, "suv": 0.17, "pickup": 0.17, "van": 0.11}[kind] + between(-0.02, 0.02),
        profile=_smooth(corners),
        glass=(cowl - 0.04, roof_front + 0.04, roof_rear - 0.02, foot + 0.03),
        cabin=(cowl - 0.12, rear_end),
        wheel_radius=radius + between(-0.015, 0.015),
        axle_front=front - between(0.82, 0.95),
        axle_rear=rear + between(0.78, 1.0) + (0.2 if kind == "pickup" else 0.0),
        cargo=(0.0, 0.0, 0.0, 0.0),
        bed=bed,
        **styles,
    )


def _large(kind: Kind, number: int, between: _Between, styles: dict[str, int]) -> Model:
    if kind == "bus":
        length, width, height, belt = between(9.5, 12.0), 2.5, between(2.9, 3.2), between(1.25, 1.45)
        front, rear = length / 2, -length / 2
        corners = [
            (front, 0.3, 0.0),
            (front - 0.02, 0.9, 0.1),
            (front - 0.12, height - 0.35, 0.1),
            (front - 0.35, height, 0.25),
            (rear + 0.2, height, 0.15),
            (rear + 0.05, height - 0.3, 0.1),
            (rear, 0.32, 0.0),
        ]
        glass = (front - 0.03, front - 0.13, rear + 0.08, rear + 0.03)
        cabin, cargo, radius = (front - 0.25, rear + 0.3), (0.0, 0.0, 0.0, 0.0), 0.48
        axles = (front - 2.5, rear + 3.0)
        full = height
    else:
        length, width, full = between(6.2, 8.6), 2.3, between(2.9, 3.5)
        front, rear = length / 2, -length / 2
        height, belt, cab = between(2.15, 2.5), between(1.35, 1.5), between(1.7, 2.0)
        corners = [
            (front, 0.35, 0.0),
            (front - 0.02, 0.8, 0.1),
            (front - 0.10, belt, 0.1),
            (front - 0.45, height - 0.05, 0.2),
            (front - 0.9, height, 0.3),
            (front - cab + 0.05, height - 0.03, 0.1),
            (front - cab, 0.6, 0.0),
        ]
        glass = (front - 0.11, front - 0.44, front - cab, front - cab)
        cabin, radius = (front - 0.35, front - cab + 0.45), 0.45
        cargo = (rear, front - cab - 0.1, 0.85, full)
        axles = (front - 1.0, rear + 1.5)
    return Model(
        kind=kind,
        number=number,
        length=length,
        width=width,
        height=height,
        belt=belt,
        lean=0.05 if kind == "bus" else 0.1,
        profile=_smooth(corners),
        glass=glass,
        cabin=cabin,
        wheel_radius=radius,
        axle_front=axles[0],
        axle_rear=axles[1],
        cargo=cargo,
        bed=(0.0, 0.0),
        **styles,
    )
