"""The rows of each track in a table sorted by (track, frame), and sums and quantiles over tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.tracking.tracks import Tracks

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segments:
    """k tracks in n rows.

    Attributes:
        number: (k,) int32, the tracks' numbers, ascending.
        first: (k,) int64, each track's first row.
        last: (k,) int64, each track's last row.
        owner: (n,) int64, the position of each row's track in `number`.
    """

    number: npt.NDArray[np.int32]
    first: IntArray
    last: IntArray
    owner: IntArray

    @classmethod
    def of(cls, tracks: Tracks) -> Segments:
        """The segments of a table that is sorted by (track, frame)."""
        changes = np.flatnonzero(np.diff(tracks.track)) + 1
        ends = len(tracks) > 0
        first = np.concatenate((np.zeros(int(ends), np.int64), changes))
        last = np.concatenate((changes, np.full(int(ends), len(tracks), np.int64))) - 1
        return cls(tracks.track[first], first, last, np.repeat(np.arange(len(first)), last - first + 1))

    def __len__(self) -> int:
        return len(self.number)

    @property
    def length(self) -> IntArray:
        """(k,) rows of each track."""
        return self.last - self.first + 1

    def total(self, values: npt.NDArray[np.floating | np.integer | np.bool_]) -> FloatArray:
        """(k,) float64, the sum of (n,) `values` over each track."""
        result: FloatArray = np.bincount(self.owner, values.astype(np.float64), len(self)).astype(np.float64)
        return result

    def quantile(self, values: FloatArray, share: float) -> FloatArray:
        """(k,) float64, the quantile of (n,) `values` in each track; the lower neighbour, without interpolation."""
        ordered = values[np.lexsort((values, self.owner))]
        result: FloatArray = ordered[self.first + np.floor(share * (self.length - 1)).astype(np.int64)]
        return result


def centre(box: npt.NDArray[np.floating]) -> FloatArray:
    """(n, 2) float64, the boxes' centres."""
    result: FloatArray = box[:, :2].astype(np.float64) + box[:, 2:].astype(np.float64) / 2
    return result


def size(box: npt.NDArray[np.floating]) -> FloatArray:
    """(n,) float64, the square root of the boxes' area, at least a pixel."""
    area = np.maximum(box[:, 2], 0).astype(np.float64) * np.maximum(box[:, 3], 0)
    result: FloatArray = np.sqrt(np.maximum(area, 1.0))
    return result
