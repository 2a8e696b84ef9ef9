"""Motorcycles and scooters with their riders: models, and the individual details that distinguish look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtmc.simulation.bodies import Model, TwoWheeler

Rgb = tuple[int, int, int]
Case = Literal["none", "top case", "delivery box", "panniers", "backpack"]
CASES: tuple[Case, ...] = ("none", "top case", "delivery box", "panniers", "backpack")

FIRST_NUMBER = 100
"""Number of the first model of a two-wheeler; those of four-wheelers are below."""
_MODELS_OF_KIND: dict[TwoWheeler, int] = {"motorcycle": 6, "scooter": 5}
_SHARES: dict[TwoWheeler, float] = {"motorcycle": 0.45, "scooter": 0.55}

MACHINE_PAINTS: tuple[tuple[str, Rgb, float], ...] = (
    ("black", (24, 25, 28), 0.30),
    ("red", (158, 24, 26), 0.17),
    ("white", (222, 222, 218), 0.17),
    ("blue", (28, 60, 132), 0.13),
    ("grey", (104, 107, 111), 0.10),
    ("green", (44, 104, 58), 0.05),
    ("yellow", (214, 172, 38), 0.04),
    ("silver", (170, 173, 176), 0.04),
)
"""Name, colour and frequency of paints."""
_JACKETS: tuple[tuple[Rgb, float], ...] = (
    ((28, 29, 32), 0.34), ((72, 76, 82), 0.12), ((38, 52, 92), 0.12), ((150, 34, 34), 0.08), ((214, 214, 208), 0.08),
    ((82, 92, 60), 0.07), ((196, 214, 46), 0.06), ((224, 112, 30), 0.05), ((118, 86, 58), 0.05), ((60, 130, 150), 0.03)
)  # fmt: skip
_TROUSERS: tuple[tuple[Rgb, float], ...] = (
    ((30, 32, 36), 0.42), ((48, 62, 96), 0.30), ((92, 94, 98), 0.14), ((146, 130, 102), 0.14)
)  # fmt: skip
_HELMETS: tuple[tuple[Rgb, float], ...] = (
    ((26, 27, 30), 0.36), ((224, 224, 220), 0.26), ((128, 130, 134), 0.10), ((168, 30, 32), 0.10),
    ((34, 70, 150), 0.07), ((220, 160, 34), 0.06), ((206, 96, 30), 0.05)
)  # fmt: skip
_BOXES: tuple[tuple[Rgb, float], ...] = (
    ((30, 31, 34), 0.4), ((206, 48, 34), 0.15), ((40, 150, 130), 0.12), ((236, 132, 30), 0.12), ((222, 222, 218), 0.11),
    ((44, 80, 160), 0.1)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rider:
    """What one rider wears and carries, and the finish of the machine.

    Attributes:
        helmet, jacket, trousers: colours.
        pattern: of the jacket: 0 plain, 1 reflective band, 2 two colours, 3 stripe along the sleeves.
        accent: second colour of the jacket, and of the machine's stripe.
        visor: whether the helmet has a dark visor; else the face is seen.
        case, case_rgb: what is carried, and its colour.
        screen: whether the machine has a tall windscreen.
        two_tone: whether the machine's tail and fender are black instead of painted.
        plate: number of the licence plate pattern; logo: sign on a delivery box, 0 none.
    """

    helmet: Rgb
    jacket: Rgb
    trousers: Rgb
    pattern: int
    accent: Rgb
    visor: bool
    case: Case
    case_rgb: Rgb
    screen: bool
    two_tone: bool
    plate: int
    logo: int


def two_wheeler_models() -> tuple[Model, ...]:
    """All models of motorcycles and scooters; always the same."""
    random = np.random.default_rng(20_230_811)
    models: list[Model] = []
    for kind, count in _MODELS_OF_KIND.items():
        for _ in range(count):
            models.append(_model(kind, FIRST_NUMBER + len(models), random))
    return tuple(models)


def draw_two_wheeler(models: tuple[Model, ...], random: np.random.Generator) -> tuple[Model, str, Rgb]:
    """Draw a model, and the name and colour of its paint."""
    kinds = list(_SHARES)
    kind = kinds[int(random.choice(len(kinds), p=list(_SHARES.values())))]
    of_kind = [m for m in models if m.kind == kind]
    model = of_kind[int(random.integers(len(of_kind)))]
    name, rgb, _ = MACHINE_PAINTS[int(random.choice(len(MACHINE_PAINTS), p=[p for _, _, p in MACHINE_PAINTS]))]
    return model, name, rgb


def draw_rider(model: Model, random: np.random.Generator) -> Rider:
    """Draw a rider for a machine."""
    odds = [0.42, 0.16, 0.18, 0.04, 0.20] if model.kind == "scooter" else [0.52, 0.12, 0.03, 0.13, 0.20]
    case = CASES[int(random.choice(len(CASES), p=odds))]
    return Rider(
        helmet=_colour(_HELMETS, random),
        jacket=_colour(_JACKETS, random),
        trousers=_colour(_TROUSERS, random),
        pattern=int(random.choice(4, p=[0.5, 0.15, 0.2, 0.15])),
        accent=_colour(_JACKETS[3:], random),
        visor=bool(random.random() < 0.7),
        case=case,
        case_rgb=_colour(_BOXES, random),
        screen=bool(random.random() < 0.35),
        two_tone=bool(random.random() < 0.4),
        plate=int(random.integers(1 << 20)),
        logo=int(random.integers(1, 1 << 20)) if case == "delivery box" else 0,
    )


def rider_differences(first: Rider, second: Rider) -> int:
    """Count the visible details that differ."""
    return sum(
        (
            first.helmet != second.helmet,
            first.jacket != second.jacket,
            first.trousers != second.trousers,
            first.pattern != second.pattern,
            first.case != second.case,
            first.case != "none" and first.case_rgb != second.case_rgb,
            first.screen != second.screen,
            first.two_tone != second.two_tone,
        )
    )


def _colour(choices: tuple[tuple[Rgb, float], ...], random: np.random.Generator) -> Rgb:
    odds = np.array([share for _, share in choices])
    rgb = choices[int(random.choice(len(choices), p=odds / odds.sum()))][0]
    shade = float(np.exp(random.normal(0, 0.08)))
    red, green, blue = (int(np.clip(c * shade, 8, 240)) for c in rgb)
    return red, green, blue


def _model(kind: TwoWheeler, number: int, random: np.random.Generator) -> Model:
    """Style numbers: `lamp` is the posture of a motorcycle (0 upright, 1 leaning, 2 low and stretched)."""
    scooter = kind == "scooter"
    length = float(random.uniform(1.82, 1.96) if scooter else random.uniform(2.0, 2.24))
    radius = float(random.uniform(0.20, 0.25) if scooter else random.uniform(0.29, 0.33))
    height = float(random.uniform(1.66, 1.80))
    half = length / 2
    return Model(
        kind=kind,
        number=number,
        length=length,
        width=0.78,
        height=height,
        belt=float(random.uniform(0.74, 0.82)),
        lean=0.5,
        profile=np.array([(half, 0.3), (half * 0.4, 1.0), (0.0, height), (-half * 0.5, 1.0), (-half, 0.4)]),
        glass=(half * 0.5, half * 0.4, -half * 0.5, -half * 0.6),
        cabin=(half * 0.4, -half * 0.5),
        wheel_radius=radius,
        axle_front=half - radius,
        axle_rear=-half + radius,
        cargo=(0.0, 0.0, 0.0, 0.0),
        bed=(0.0, 0.0),
        lamp=int(random.integers(3)),
        grille=int(random.integers(3)),
        pillars=int(random.integers(3)),
    )
