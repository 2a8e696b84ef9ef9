"""One colour per identity, the same on the page, in the annotated videos and in the mosaic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_GOLDEN_RATIO = (5**0.5 - 1) / 2
# Consecutive numbers differ in hue by the golden ratio; three levels separate numbers of similar hue.
_SATURATIONS = np.array([0.75, 0.55, 0.9])
_VALUES = np.array([0.95, 0.8, 0.65])


def identity_colours(identity: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Colours that depend on the number of the identity alone, so that they are the same in every run.

    Args:
        identity: (n,) identities; negative ones (no identity) are grey.

    Returns:
        (n, 3) uint8, red, green, blue.
    """
    number = np.asarray(identity, np.int64).reshape(-1)
    hue = (number * _GOLDEN_RATIO) % 1.0 * 6.0
    level = number % 3
    saturation, value = _SATURATIONS[level][:, None], _VALUES[level][:, None]
    # Hue, saturation, value to red, green, blue: each channel is a trapezoid over the circle of hues.
    distance = (np.array([5.0, 3.0, 1.0]) + hue[:, None]) % 6.0
    colour = value * (1.0 - saturation * np.clip(np.minimum(distance, 4.0 - distance), 0.0, 1.0))
    result: npt.NDArray[np.uint8] = np.rint(255 * np.where(number[:, None] >= 0, colour, 0.5)).astype(np.uint8)
    return result


def css_colours(identity: npt.ArrayLike) -> list[str]:
    """The same colours as `#rrggbb`."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in identity_colours(identity).tolist()]
