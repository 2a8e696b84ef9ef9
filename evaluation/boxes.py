"""Boxes with identities in several cameras: predictions to score, or the ground truth to score them against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.table import Table, Width

LARGEST = 1e7
"""Pixels: larger than any picture, yet small enough that sums and products of coordinates stay accurate."""


@dataclass(frozen=True, slots=True)
class Boxes(Table):
    """One row per box.

    Attributes:
        camera: (n,) int32, the camera's number (41 for c041).
        identity: (n,) int64, the vehicle's number, the same in all cameras.
        frame: (n,) int32, the frame's number, counted from 1.
        box: (n, 4) float64, left, top, width, height in pixels; width and height above 0.

    Raises:
        InputError: a frame below 1, a box that is not finite, or one without area; the message names the row.
    """

    camera: npt.NDArray[np.int32]
    identity: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float64], Width(4)]

    def __post_init__(self) -> None:
        Table.__post_init__(self)
        for wrong, fault in faults(self.frame, self.box):
            if wrong.any():
                raise InputError(f"boxes: row {int(np.flatnonzero(wrong)[0])}: {fault}")

    @classmethod
    def of(cls, camera: npt.ArrayLike, identity: npt.ArrayLike, frame: npt.ArrayLike, box: npt.ArrayLike) -> Boxes:
        """Make a table from anything array-like; a single camera number stands for all rows."""
        return cls._of(camera, identity, frame, box)

    def without_duplicates(self) -> Boxes:
        """Only the first row of each (camera, identity, frame), in the order of the rows."""
        order = np.lexsort((self.frame, self.identity, self.camera))  # stable: the first of equals stays first
        camera, identity, frame = self.camera[order], self.identity[order], self.frame[order]
        repeated = (camera[1:] == camera[:-1]) & (identity[1:] == identity[:-1]) & (frame[1:] == frame[:-1])
        if not repeated.any():
            return self
        keep = np.ones(len(self), np.bool_)
        keep[order[1:][repeated]] = False
        return self[keep]


def faults(
    frame: npt.NDArray[np.integer], box: npt.NDArray[np.float64]
) -> tuple[tuple[npt.NDArray[np.bool_], str], ...]:
    """What can be wrong with a row: for each fault, the (n,) rows that have it, and its description with the fix."""
    invalid: npt.NDArray[np.bool_] = np.any(~(np.abs(box) < LARGEST), axis=1)  # also where NaN
    flat: npt.NDArray[np.bool_] = ~invalid & (box[:, 2:] <= 0).any(axis=1)
    return (
        (invalid, f"left, top, width and height must be finite numbers below {LARGEST:g}; remove or fix the box"),
        (flat, "width and height must be above 0; remove or fix the box"),
        (frame < 1, "frames count from 1; add 1 to every frame if yours count from 0"),
    )
