"""Lighting of the simulated city."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Light:
    """Sun and sky.

    Attributes:
        sun: (3,) unit vector towards the sun.
        strength: intensity of the sun; ambient: diffuse intensity of the sky. They sum to about 1.
    """

    sun: npt.NDArray[np.float64]
    strength: float
    ambient: float

    @classmethod
    def draw(cls, random: np.random.Generator) -> Light:
        """Draw a random sun position and cloud cover."""
        azimuth, elevation = random.uniform(0, 2 * np.pi), random.uniform(0.6, 1.15)
        strength = float(random.uniform(0.15, 0.62))
        sun = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        return cls(sun, strength, float(1.02 - 0.72 * strength))
