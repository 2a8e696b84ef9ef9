"""The table that all data sets are read into: one row per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.table import Table

UNKNOWN_CAMERA = -1
UNKNOWN_VIEWPOINT = -1


@dataclass(frozen=True, slots=True)
class ImageTable(Table):
    """A table with one row per image of a vehicle.

    Attributes:
        path: (n,) object (`str`), image file, absolute or relative to the working directory.
        identity: (n,) int64, vehicle number in the data set (arbitrary integers, not necessarily consecutive).
        camera: (n,) int64, camera number, `UNKNOWN_CAMERA` (-1) if the data set does not give it.
        viewpoint: (n,) int64, side from which the vehicle is seen, `UNKNOWN_VIEWPOINT` (-1) if it is not given.
    """

    path: npt.NDArray[np.object_]
    identity: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]
    viewpoint: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        path: Sequence[str],
        identity: npt.ArrayLike,
        camera: npt.ArrayLike | None = None,
        viewpoint: npt.ArrayLike | None = None,
    ) -> ImageTable:
        """Create a table from array-likes; camera and viewpoint default to unknown."""
        return cls._of(
            np.asarray(path, np.object_),
            identity,
            UNKNOWN_CAMERA if camera is None else camera,
            UNKNOWN_VIEWPOINT if viewpoint is None else viewpoint,
        )

    @property
    def identities(self) -> int:
        """Number of distinct vehicles."""
        return len(np.unique(self.identity))

    @property
    def cameras(self) -> int:
        """Number of distinct known cameras."""
        return len(np.unique(self.camera[self.camera != UNKNOWN_CAMERA]))

    def classes(self) -> npt.NDArray[np.int64]:
        """Return (n,) int64 class labels: the identities renumbered 0..k-1 in ascending order."""
        return np.unique(self.identity, return_inverse=True)[1].astype(np.int64)


def join_tables(tables: Sequence[ImageTable]) -> ImageTable:
    """Concatenate tables of different data sets, whose vehicles and cameras are all distinct.

    Identities and known cameras of each table are moved past those of the tables before it.
    """
    joined = ImageTable.empty()
    for table in tables:
        if len(joined) and len(table):
            known = table.camera != UNKNOWN_CAMERA
            camera = np.where(known, table.camera + joined.camera.max() + 1, UNKNOWN_CAMERA)
            table = ImageTable(table.path, table.identity + joined.identity.max() + 1, camera, table.viewpoint)
        joined = ImageTable.concatenate([joined, table])
    return joined
