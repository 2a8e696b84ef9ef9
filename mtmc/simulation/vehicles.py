"""The vehicle population: model, paint and the individual details that distinguish look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from mtmc.simulation.bodies import Kind, Model, catalogue
from mtmc.simulation.two_wheelers import (
    Rider,
    draw_rider,
    draw_two_wheeler,
    rider_differences,
    two_wheeler_models,
)

Rgb = tuple[int, int, int]

PAINTS: tuple[tuple[str, Rgb, float], ...] = (
    ("white", (226, 226, 222), 0.27),
    ("black", (22, 23, 26), 0.20),
    ("grey", (96, 99, 103), 0.17),
    ("silver", (172, 175, 178), 0.13),
    ("blue", (32, 58, 112), 0.08),
    ("red", (140, 26, 28), 0.07),
    ("beige", (176, 162, 136), 0.03),
    ("brown", (78, 56, 44), 0.02),
    ("green", (36, 74, 54), 0.02),
    ("yellow", (206, 164, 40), 0.01),
)
"""Name, colour and frequency of paints on real roads; white, black, grey and silver make up three quarters."""

_SHARES: dict[Kind, float] = {
    "sedan": 0.33, "hatchback": 0.17, "suv": 0.25, "pickup": 0.08, "van": 0.09, "truck": 0.05, "bus": 0.03
}  # fmt: skip
_ACCENTS: tuple[Rgb, ...] = (
    (200, 30, 30), (30, 70, 170), (235, 235, 235), (20, 20, 22), (235, 190, 30), (40, 130, 60), (230, 110, 20), (120,
    40, 130)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sticker:
    """A sticker: surface ("left", "right", "hood", "rear", "roof"), position and size in metres, colour, pattern."""

    surface: str
    x: float
    y: float
    width: float
    height: float
    rgb: Rgb
    pattern: int


@dataclass(frozen=True, slots=True)
class Details:
    """Individual details of one vehicle: accessories, repairs and wear.

    Attributes:
        rack: 0 none, 1 rails, 2 cross bars, 3 roof box, 4 ladder.
        stripe: 0 none, 1 two stripes over hood and roof, 2 a stripe along the sides, 3 a dark lower body, 4 a roof in a
            different colour.
        accent: colour of stripe and roof box.
        stickers: stickers on the paint.
        rim: wheel style, 0 to 5; rim_tone: brightness of the wheels.
        dirt: 0 clean to 1 very dirty; dirt_seed: seed of the dirt pattern.
        panel: replaced body panel, -1 none; panel_rgb: its colour.
        tint: tint of the side windows, 0 clear to 1 black.
        sunroof, spoiler, black_bumpers, sun_strip, fog_lamps: whether it has the item.
        logo: number of the company sign on vans, trucks and buses, 0 none.
        plate: number of the licence plate pattern.
        cargo: load on a pickup's bed: 0 nothing, 1 boxes, 2 pipes, 3 a cover.
    """

    rack: int
    stripe: int
    accent: Rgb
    stickers: tuple[Sticker, ...]
    rim: int
    rim_tone: float
    dirt: float
    dirt_seed: int
    panel: int
    panel_rgb: Rgb
    tint: float
    sunroof: bool
    spoiler: bool
    black_bumpers: bool
    sun_strip: bool
    fog_lamps: bool
    logo: int
    plate: int
    cargo: int


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One individual vehicle.

    Attributes:
        model: the vehicle model, shared with others.
        paint: name of the paint.
        rgb: colour of the paint.
        details: individual details.
        twin_of: number of its group of look-alikes, -1 if none.
        rider: on a two-wheeler, whose `details` are all plain; None for other vehicles.
    """

    model: Model
    paint: str
    rgb: Rgb
    details: Details
    twin_of: int
    rider: Rider | None = None


def population(
    count: int, random: np.random.Generator, look_alikes: float = 0.5, two_wheelers: float = 0.0
) -> list[Vehicle]:
    """Draw `count` vehicles, at least `look_alikes` of them in groups of two or three of the same model and paint.

    Members of a group differ in at least four details, two-wheelers in three. The order is shuffled.

    Args:
        count: number of vehicles.
        random: source of all choices.
        look_alikes: minimum share in groups; two_wheelers: share of motorcycles and scooters.
    """
    narrow = round(count * two_wheelers)
    vehicles = _four_wheelers(count - narrow, random, look_alikes)
    if narrow:
        vehicles += _two_wheelers(narrow, random, look_alikes, 1 + max((v.twin_of for v in vehicles), default=-1))
    order = random.permutation(count)
    return [vehicles[i] for i in order]


def check_share(two_wheelers: float) -> None:
    """Refuse a share of two-wheelers that is none.

    Raises:
        InputError: it is not from 0 to 1.
    """
    if not 0 <= two_wheelers <= 1:
        raise InputError(f"--two-wheelers: must be from 0 to 1, not {two_wheelers:g}")


def _four_wheelers(count: int, random: np.random.Generator, look_alikes: float) -> list[Vehicle]:
    models = catalogue()
    vehicles: list[Vehicle] = []
    group = 0
    while len(vehicles) < count:
        model = _draw_model(models, random)
        paint, rgb = _draw_paint(model, random)
        size = 1
        if len(vehicles) < round(count * look_alikes) and count - len(vehicles) >= 2:
            size = min(int(random.choice([2, 2, 3])), count - len(vehicles))
        members: list[Details] = []
        while len(members) < size:
            details = _draw_details(model, rgb, random)
            if all(differences(details, other) >= 4 for other in members):
                members.append(details)
        vehicles += [Vehicle(model, paint, rgb, details, group if size > 1 else -1) for details in members]
        group += size > 1
    return vehicles


def _two_wheelers(count: int, random: np.random.Generator, look_alikes: float, group: int) -> list[Vehicle]:
    models = two_wheeler_models()
    vehicles: list[Vehicle] = []
    while len(vehicles) < count:
        model, paint, rgb = draw_two_wheeler(models, random)
        size = 1
        if len(vehicles) < round(count * look_alikes) and count - len(vehicles) >= 2:
            size = min(int(random.choice([2, 2, 3])), count - len(vehicles))
        riders: list[Rider] = []
        while len(riders) < size:
            rider = draw_rider(model, random)
            if all(rider_differences(rider, other) >= 3 for other in riders):
                riders.append(rider)
        vehicles += [Vehicle(model, paint, rgb, _PLAIN, group if size > 1 else -1, rider) for rider in riders]
        group += size > 1
    return vehicles


_PLAIN = Details(
    rack=0, stripe=0, accent=(0, 0, 0), stickers=(), rim=0, rim_tone=0.5, dirt=0.0, dirt_seed=0, panel=-1,
    panel_rgb=(0, 0, 0), tint=0.0, sunroof=False, spoiler=False, black_bumpers=False, sun_strip=False, fog_lamps=False,
    logo=0, plate=0, cargo=0
)  # fmt: skip


def vehicle_list(vehicles: Sequence[Vehicle]) -> list[str]:
    """Return lines that list the look-alikes: identity from 1, group of look-alikes or -1, model number, paint."""
    rows = [f"{n} {v.twin_of} {v.model.number} {v.paint}" for n, v in enumerate(vehicles, start=1)]
    return ["# identity look-alikes model paint", *rows]


def differences(first: Details, second: Details) -> int:
    """Count the visible details that differ."""
    return sum(
        (
            first.rack != second.rack,
            first.stripe != second.stripe,
            {(s.surface, s.pattern) for s in first.stickers} != {(s.surface, s.pattern) for s in second.stickers},
            first.rim != second.rim,
            abs(first.dirt - second.dirt) > 0.35,
            first.panel != second.panel,
            abs(first.tint - second.tint) > 0.4,
            first.sunroof != second.sunroof,
            first.black_bumpers != second.black_bumpers,
            first.logo != second.logo,
            first.cargo != second.cargo,
            first.spoiler != second.spoiler,
        )
    )


def _draw_model(models: tuple[Model, ...], random: np.random.Generator) -> Model:
    kinds = list(_SHARES)
    kind = kinds[int(random.choice(len(kinds), p=list(_SHARES.values())))]
    of_kind = [m for m in models if m.kind == kind]
    return of_kind[int(random.integers(len(of_kind)))]


def _draw_paint(model: Model, random: np.random.Generator) -> tuple[str, Rgb]:
    shares = np.array([share for _, _, share in PAINTS])
    if model.kind in ("van", "truck"):
        shares[0] += 0.6
    name, rgb, _ = PAINTS[int(random.choice(len(PAINTS), p=shares / shares.sum()))]
    return name, rgb


def _accent(random: np.random.Generator) -> Rgb:
    return _ACCENTS[int(random.integers(len(_ACCENTS)))]


def _draw_details(model: Model, rgb: Rgb, random: np.random.Generator) -> Details:
    commercial = model.kind in ("van", "truck", "bus")
    rack_odds = {
        "suv": (0.48, 0.28, 0.16, 0.08, 0.0),
        "van": (0.5, 0.0, 0.2, 0.0, 0.3),
        "hatchback": (0.74, 0.08, 0.12, 0.06, 0.0),
    }
    odds = rack_odds.get(model.kind, (0.8, 0.04, 0.10, 0.06, 0.0))
    stickers = tuple(_sticker(model, random) for _ in range(int(random.choice(4, p=[0.35, 0.3, 0.2, 0.15]))))
    panel = int(random.integers(6)) if random.random() < 0.2 else -1
    off_colour = tuple(int(np.clip(c + random.integers(-60, 60), 15, 235)) for c in rgb)
    return Details(
        rack=0 if model.kind in ("bus", "truck") else int(random.choice(5, p=odds)),
        stripe=int(random.choice(5, p=[0.64, 0.1, 0.1, 0.08, 0.08])),
        accent=_accent(random),
        stickers=stickers,
        rim=int(random.integers(6)),
        rim_tone=float(random.choice([0.25, 0.65, 0.85], p=[0.3, 0.4, 0.3])),
        dirt=float(random.beta(1.2, 2.5)),
        dirt_seed=int(random.integers(1 << 30)),
        panel=panel,
        panel_rgb=(off_colour[0], off_colour[1], off_colour[2]) if random.random() < 0.5 else (58, 58, 60),
        tint=float(random.choice([0.15, 0.5, 0.95])),
        sunroof=bool(random.random() < 0.3),
        spoiler=bool(random.random() < 0.2),
        black_bumpers=bool(random.random() < 0.25),
        sun_strip=bool(random.random() < 0.15),
        fog_lamps=bool(random.random() < 0.4),
        logo=int(random.integers(1, 1 << 20)) if commercial and random.random() < 0.75 else 0,
        plate=int(random.integers(1 << 20)),
        cargo=int(random.integers(4)) if model.kind == "pickup" else 0,
    )


def _sticker(model: Model, random: np.random.Generator) -> Sticker:
    surface = str(random.choice(["left", "right", "hood", "rear", "roof"]))
    x = float(random.uniform(-0.35, 0.35) * model.length)
    y = float(random.uniform(-0.3, 0.3) * model.width)
    size = float(random.uniform(0.25, 0.6))
    return Sticker(
        surface, x, y, size, size * float(random.uniform(0.5, 1.0)), _accent(random), int(random.integers(5))
    )
