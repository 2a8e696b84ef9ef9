"""The table that all data sets are read into: one row per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNKNOWN_CAMERA = -1


@dataclass(frozen=True, slots=True)
class ImageTable:
    """A table with one row per image of a vehicle.

    Attributes:
        path: (n,) object (`str`), image file, absolute or relative to the working directory.
        identity: (n,) int64, vehicle number in the data set (arbitrary integers, not necessarily consecutive).
        camera: (n,) int64, camera number, `UNKNOWN_CAMERA` (-1) if the data set does not give it.
    """

    path: npt.NDArray[np.object_]
    identity: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.path)
        if self.identity.shape != (n,) or self.camera.shape != (n,):
            raise ValueError(
                f"columns differ in length: path {n}, identity {self.identity.shape}, camera {self.camera.shape}"
            )

    @classmethod
    def of(cls, path: Sequence[str], identity: npt.ArrayLike, camera: npt.ArrayLike | None = None) -> ImageTable:
        """Create a table from array-likes; the camera defaults to unknown."""
        paths = np.empty(len(path), np.object_)
        paths[:] = list(path)
        n = len(paths)
        return cls(
            paths,
            np.asarray(identity, np.int64).reshape(n),
            np.full(n, UNKNOWN_CAMERA, np.int64) if camera is None else np.asarray(camera, np.int64).reshape(n),
        )

    @classmethod
    def empty(cls) -> ImageTable:
        """Create a table without rows."""
        return cls.of([], [])

    @classmethod
    def concatenate(cls, tables: Sequence[ImageTable]) -> ImageTable:
        """Concatenate the rows of `tables` in order."""
        if not tables:
            return cls.empty()
        return cls(
            np.concatenate([t.path for t in tables]),
            np.concatenate([t.identity for t in tables]),
            np.concatenate([t.camera for t in tables]),
        )

    def __len__(self) -> int:
        return len(self.path)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice) -> ImageTable:
        return ImageTable(self.path[rows], self.identity[rows], self.camera[rows])

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
