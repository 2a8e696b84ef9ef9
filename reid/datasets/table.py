"""The table that every data set becomes: one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.table import Table

UNKNOWN_CAMERA = -1


@dataclass(frozen=True, slots=True)
class ImageTable(Table):
    """One row an image of one vehicle.

    Attributes:
        path: (n,) object, each a `str`: the image's file, absolute or relative to the working directory.
        identity: (n,) int64, the vehicle's number as the data set gives it (any integers, not consecutive).
        camera: (n,) int64, the camera's number, `UNKNOWN_CAMERA` (-1) where the data set does not say.
    """

    path: npt.NDArray[np.object_]
    identity: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]

    @classmethod
    def of(cls, path: Sequence[str], identity: npt.ArrayLike, camera: npt.ArrayLike | None = None) -> ImageTable:
        """Make a table from anything array-like; the camera defaults to unknown."""
        return cls._of(np.asarray(path, np.object_), identity, UNKNOWN_CAMERA if camera is None else camera)

    @property
    def identities(self) -> int:
        """How many different vehicles the table shows."""
        return len(np.unique(self.identity))

    @property
    def cameras(self) -> int:
        """How many different known cameras the table shows."""
        return len(np.unique(self.camera[self.camera != UNKNOWN_CAMERA]))

    def classes(self) -> npt.NDArray[np.int64]:
        """(n,) int64, the identities renumbered 0..k-1 in ascending order: the labels of a classifier."""
        return np.unique(self.identity, return_inverse=True)[1].astype(np.int64)
