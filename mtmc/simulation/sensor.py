"""Sensor simulation: exposure, white balance, contrast, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Sensor:
    """Image characteristics of one camera.

    Attributes:
        gains: exposure times white balance for red, green, blue.
        gamma: values above 1 brighten dark areas.
        contrast: contrast factor around mid-grey, 1 for no change.
        saturation: 1 for no change, 0 for greyscale.
        blur: standard deviation of the lens blur in pixels.
        noise: standard deviation of the noise in grey levels.
        quality: H.264 constant rate factor, from 18 (very good) to 34 (poor).
    """

    gains: tuple[float, float, float]
    gamma: float
    contrast: float
    saturation: float
    blur: float
    noise: float
    quality: int

    @classmethod
    def draw(cls, random: np.random.Generator) -> Sensor:
        """Draw a random camera."""
        exposure = float(np.exp(random.normal(0.12, 0.12)))
        warm = float(random.normal(0, 0.06))
        tint = float(random.normal(0, 0.025))
        return cls(
            gains=(exposure * (1 + warm), exposure * (1 + tint), exposure * (1 - warm)),
            gamma=float(np.exp(random.normal(0.14, 0.10))),
            contrast=float(random.uniform(0.8, 1.2)),
            saturation=float(random.uniform(0.55, 1.1)),
            blur=float(random.uniform(0.35, 0.9)),
            noise=float(random.uniform(1.5, 6.0)),
            quality=int(random.integers(22, 31)),
        )


class Exposure:
    """Applies a `Sensor` to images of one size; deterministic given seed and frame number.

    Args:
        sensor: image characteristics.
        height, width: image size in pixels.
        seed: seed of the noise.
    """

    def __init__(self, sensor: Sensor, height: int, width: int, seed: int) -> None:
        self._sensor = sensor
        levels = np.arange(256, dtype=np.float64) / 255
        tables = []
        for gain in sensor.gains:
            value = np.clip(levels * gain, 0, 1) ** (1 / sensor.gamma)
            tables.append(np.clip((value - 0.5) * sensor.contrast + 0.5, 0, 1) * 255)
        self._table = np.stack(tables, axis=-1).round().astype(np.uint8)[None]
        random = np.random.default_rng(seed)
        self._size = height, width
        self._seed = seed
        noise = random.normal(0, sensor.noise, (height + 64, width + 64, 1)) + random.normal(
            0, sensor.noise * 0.4, (height + 64, width + 64, 3)
        )
        self._noise = noise.round().astype(np.int16)

    def apply(self, image: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.uint8]:
        """Return the rendered image (h, w, 3) uint8 RGB as captured in frame `number`."""
        result = cv2.LUT(image, self._table)
        if self._sensor.saturation != 1:
            grey = cv2.cvtColor(cv2.cvtColor(result, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
            result = cv2.addWeighted(result, self._sensor.saturation, grey, 1 - self._sensor.saturation, 0)
        if self._sensor.blur > 0.2:
            size = 3 if self._sensor.blur < 0.7 else 5 if self._sensor.blur < 1.0 else 9
            result = cv2.GaussianBlur(result, (size, size), self._sensor.blur)
        row, column = np.random.default_rng([self._seed, number]).integers(0, 64, 2)
        height, width = result.shape[:2]
        grain = self._noise[row : row + height, column : column + width]
        return np.asarray(cv2.add(result, grain, dtype=cv2.CV_8U))
