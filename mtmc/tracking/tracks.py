"""Tracks: the boxes of vehicles in one camera, each vehicle with one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from common.table import Table, Width


@dataclass(frozen=True, slots=True)
class Tracks(Table):
    """One row a box, of one camera. Functions that return tracks sort the rows by (track, frame).

    Attributes:
        track: (n,) int32, the track's number, from 1, unique in the camera.
        frame: (n,) int32, the frame's number, counted from 1; at most one row for each (track, frame).
        box: (n, 4) float32, left, top, width, height in pixels of the full frame.
        score: (n,) float32, confidence in [0, 1]; 0 where the box was interpolated.
        label: (n,) int16, the COCO class id, -1 where unknown.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]

    @classmethod
    def of(
        cls,
        track: npt.ArrayLike,
        frame: npt.ArrayLike,
        box: npt.ArrayLike,
        score: npt.ArrayLike | None = None,
        label: npt.ArrayLike | None = None,
    ) -> Tracks:
        """Make a table from anything array-like; score defaults to 1, label to -1."""
        return cls._of(track, frame, box, 1 if score is None else score, -1 if label is None else label)

    def sorted(self) -> Tracks:
        """The rows ordered by (track, frame)."""
        return self[np.lexsort((self.frame, self.track))]
