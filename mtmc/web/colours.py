"""The colour of a vehicle in one word, from its best crop: coarse, for filtering, not for identification."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

COLOURS = ("white", "grey", "black", "red", "orange", "yellow", "green", "blue", "purple")
"""In the order of their numbers; -1 is unknown."""
SATURATED = 80
"""Saturation (of 255) from which a pixel has a hue. Raising it calls more vehicles white, grey or black."""
SHARE = 0.25
"""Share of coloured pixels from which the vehicle is coloured: windows, tyres and road are grey on every vehicle.
Raising it calls more vehicles white, grey or black."""
DARK, LIGHT = 70, 160
"""Brightness (of 255) below which a grey vehicle is black, and above which it is white."""
_HUES = ((8, 3), (20, 4), (34, 5), (85, 6), (130, 7), (160, 8), (181, 3))
"""Upper hue (of 180) of each band, and its colour."""


def colour_of(image: bytes) -> int:
    """The index in `COLOURS` of an encoded crop; -1 if it cannot be decoded.

    >>> red = np.zeros((40, 60, 3), np.uint8); red[...] = (20, 20, 200)
    >>> COLOURS[colour_of(cv2.imencode(".png", red)[1].tobytes())]
    'red'
    """
    picture = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_REDUCED_COLOR_2) if image else None
    if picture is None:
        return -1
    height, width = picture.shape[:2]
    # The middle of the box is the vehicle, its edges are road.
    middle = picture[height // 5 : max(1, height * 4 // 5), width // 6 : max(1, width * 5 // 6)]
    hsv = cv2.cvtColor(middle, cv2.COLOR_BGR2HSV).reshape(-1, 3)
    hue, saturation, value = hsv.T
    coloured = (saturation >= SATURATED) & (value >= 50)
    if coloured.mean() >= SHARE:
        upper = np.array([bound for bound, _ in _HUES])
        votes = np.bincount(np.searchsorted(upper, hue[coloured], side="right"), minlength=len(_HUES))
        by_colour = np.zeros(len(COLOURS))
        np.add.at(by_colour, [colour for _, colour in _HUES], votes[: len(_HUES)])
        return int(np.argmax(by_colour))
    bright = float(np.percentile(value, 60))
    return 2 if bright < DARK else 0 if bright > LIGHT else 1


def colour_names(colour: npt.NDArray[np.int8]) -> list[str | None]:
    """The words for colours by number; None for unknown.

    >>> colour_names(np.array([3, -1], np.int8))
    ['red', None]
    """
    return [COLOURS[c] if c >= 0 else None for c in colour.tolist()]
