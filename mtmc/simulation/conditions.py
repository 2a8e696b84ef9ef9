"""Weather, time of day and lens faults of a camera: their names, and the numbers that are drawn for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.errors import InputError
from common.nearest import nearest
from mtmc.simulation.condition_names import CONDITIONS, Condition
from mtmc.simulation.light import Light
from mtmc.simulation.sensor import Sensor

Mix = dict[tuple[Condition, ...], float]
"""Shares of conditions; they sum to 1, and `()` is a clear day."""
_SODIUM, _LED = (1.2, 0.86, 0.5), (0.94, 1.0, 1.08)
"""Colours of street light."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one camera.

    Attributes:
        names: the conditions; empty is a clear day.
        exposure: exposure time in seconds, over which moving vehicles blur; 0 is instantaneous.
        rain: 0 dry to 1 heavy.
        visibility: metres at which the veil of rain hides 63 % of the contrast; inf without rain.
        elevation: height of a low sun in radians.
        street_light, night_sky: brightness below a street lamp, and away from all lamps, relative to daylight.
        lamp_tint: colour of the street lamps.
        cast: factors of red, green, blue.
        defocus: standard deviation of additional lens blur in pixels.
        vignette: darkening of the corners, 0 to 1.
        fringe: radial displacement of red against blue, as a fraction of the radius.
        noise: factor of the sensor's noise.
    """

    names: tuple[Condition, ...]
    exposure: float
    rain: float
    visibility: float
    elevation: float
    street_light: float
    night_sky: float
    lamp_tint: tuple[float, float, float]
    cast: tuple[float, float, float]
    defocus: float
    vignette: float
    fringe: float
    noise: float

    @classmethod
    def draw(cls, names: Sequence[Condition], random: np.random.Generator) -> Conditions:
        """Draw the strength of each of `names`."""
        night, rain, poor = "night" in names, "rain" in names, "poor-lens" in names
        exposure = {"motion-blur": random.uniform(1 / 25, 1 / 10), "night": random.uniform(1 / 50, 1 / 20)}
        amount, visibility = random.uniform(0.45, 1.0), random.uniform(70, 190)
        elevation = random.uniform(0.10, 0.24)
        street_light, night_sky = random.uniform(0.32, 0.6), random.uniform(0.08, 0.15)
        tint = _SODIUM if random.random() < 0.5 else _LED
        cast = np.exp(random.normal(0, 0.12, 3)) if "colour-cast" in names else np.ones(3)
        defocus, vignette, fringe = random.uniform(1.0, 2.0), random.uniform(0.25, 0.6), random.uniform(0.001, 0.004)
        noise = random.uniform(1.7, 3.0)
        return cls(
            names=tuple(name for name in CONDITIONS if name in names),
            exposure=float(max((exposure[name] for name in names if name in exposure), default=0.0)),
            rain=float(amount) if rain else 0.0,
            visibility=float(visibility) if rain else np.inf,
            elevation=float(elevation),
            street_light=float(street_light),
            night_sky=float(night_sky),
            lamp_tint=tint,
            cast=(float(cast[0]), float(cast[1]), float(cast[2])),
            defocus=float(defocus) if poor else 0.0,
            vignette=float(vignette) if poor else 0.0,
            fringe=float(fringe) if poor else 0.0,
            noise=float(noise) if night else 1.0,
        )

    @property
    def night(self) -> bool:
        """Whether street lamps light the scene."""
        return "night" in self.names

    @property
    def low_sun(self) -> bool:
        """Whether the sun is low; not at night."""
        return "low-sun" in self.names and not self.night

    def light(self, day: Light) -> Light:
        """The light on surfaces, given that of the same place on a clear day."""
        if self.night:  # lamps above; their brightness at each place is applied to the finished image
            return Light(np.array([0.0, 0.0, 1.0]), 0.36, 0.6)
        if self.rain:
            return replace(day, strength=0.04, ambient=0.74)
        if "overcast" in self.names:
            return replace(day, strength=0.03, ambient=0.92)
        if self.low_sun:
            flat = day.sun[:2] / np.linalg.norm(day.sun[:2]) * np.cos(self.elevation)
            return Light(np.array([*flat, np.sin(self.elevation)]), 0.85, 0.4)
        return day

    def sky_reflection(self) -> tuple[float, float]:
        """Brightness of sky and ground as glossy surfaces reflect them."""
        return (0.2, 0.12) if self.night else (0.92, 0.30)

    def sensor(self, day: Sensor) -> Sensor:
        """The image characteristics of a camera that has those of `day` on a clear day."""
        red, green, blue = (gain * factor for gain, factor in zip(day.gains, self.cast, strict=True))
        dull = 0.72 if self.night else 0.78 if self.rain or "overcast" in self.names else 1.0
        return replace(
            day,
            gains=(red, green, blue),
            saturation=day.saturation * dull,
            blur=float(np.hypot(day.blur, self.defocus)) if self.defocus else day.blur,
            noise=day.noise * self.noise,
        )


def parse_conditions(text: str, option: str) -> tuple[Condition, ...]:
    """Conditions that hold together, such as `night+rain`; `day` is a clear day.

    Raises:
        InputError: a name is unknown.

    Example:
        >>> parse_conditions("night+rain", "--conditions")
        ('rain', 'night')
    """
    names = [] if text == "day" else text.split("+")
    for name in names:
        if name not in CONDITIONS:
            known = ("day", *CONDITIONS)
            raise InputError(f"{option} {name}: unknown condition{nearest(name, known, len(known))}")
    return tuple(name for name in CONDITIONS if name in names)


def parse_mix(items: Sequence[str], option: str = "--conditions") -> Mix:
    """Shares of conditions from `NAME` or `NAME=SHARE` items; they sum to 1.

    Items without a share, and a clear day if it is not named, share equally what the others leave.

    Raises:
        InputError: a name is unknown or repeated, a share is not a number from 0 to 1, or the shares exceed 1.

    Example:
        >>> parse_mix(["night=0.3", "rain+low-sun=0.2"])
        {('night',): 0.3, ('low-sun', 'rain'): 0.2, (): 0.5}
    """
    shares: dict[tuple[Condition, ...], float | None] = {}
    for item in items:
        text, equals, number = item.partition("=")
        names = parse_conditions(text, option)
        if names in shares:
            raise InputError(f"{option} {item}: {text} is named twice")
        shares[names] = _share(item, number, option) if equals else None
    given = sum(share for share in shares.values() if share is not None)
    if given > 1 + 1e-9:
        raise InputError(f"{option}: the shares sum to {given:g}; they must sum to at most 1")
    shares.setdefault((), None)
    open_items = [names for names, share in shares.items() if share is None]
    rest = max(0.0, 1 - given) / max(1, len(open_items))
    return {names: rest if share is None else share for names, share in shares.items()}


def _share(item: str, number: str, option: str) -> float:
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError(f"{option} {item}: the share must be a number from 0 to 1, for example night=0.3")
    return share


def allot(mix: Mix, count: int, random: np.random.Generator) -> list[tuple[Condition, ...]]:
    """Distribute `count` places among the conditions of a mix as its shares say (largest remainders), shuffled."""
    exact = np.array(list(mix.values())) / sum(mix.values()) * count
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: count - int(whole.sum())]] += 1
    flat = [names for names, number in zip(mix, whole, strict=True) for _ in range(number)]
    return [flat[i] for i in random.permutation(count)]
