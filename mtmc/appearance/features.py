"""Appearance as vectors: one for each crop, and one for each track."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from common.table import Table, Width


@dataclass(frozen=True, slots=True)
class TrackFeatures(Table):
    """Appearance of the tracks of one camera.

    Attributes:
        track: (m,) int32, track numbers, each at most once; tracks may be missing.
        vector: (m, d) float32, L2-normalised; a row with a value that is not finite counts as missing.
        weight: (m,) float32, how much to trust the vector, above 0 (1: an ordinary track).
    """

    track: npt.NDArray[np.int32]
    vector: Annotated[npt.NDArray[np.float32], Width(None)]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropVectors(Table):
    """Vectors of the usable crops of one camera.

    Attributes:
        track: (n,) int32, the number of the track.
        frame: (n,) int32, the frame's number.
        vector: (n, d) float32, L2-normalised.
        weight: (n,) float32, the crop's weight in its track's feature, above 0.
        clear: (n,) bool, False for a fallback: the least occluded crop of a track whose crops are all occluded.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    vector: Annotated[npt.NDArray[np.float32], Width(None)]
    weight: npt.NDArray[np.float32]
    clear: npt.NDArray[np.bool_]

    def by_track(self) -> TrackFeatures:
        """One feature for each track: the weighted mean of its crops' vectors, L2-normalised.

        Returns:
            One row per track, by track number; `weight` is the sum of its crops' weights, at most 1.
        """
        tracks, owner = np.unique(self.track, return_inverse=True)
        total = np.zeros((len(tracks), self.vector.shape[1]))
        np.add.at(total, owner, self.vector * self.weight[:, None])
        length = np.linalg.norm(total, axis=1)
        kept = length > 0
        mean = total[kept] / length[kept, None]
        trust = np.clip(np.bincount(owner, self.weight, len(tracks)), 1e-3, 1.0)
        return TrackFeatures(tracks[kept].astype(np.int32), mean.astype(np.float32), trust[kept].astype(np.float32))


def write_vectors(path: Path, crops: CropVectors) -> None:
    """Write a safetensors file.

    Vectors are stored in half precision: its error is far below the difference between two crops of one vehicle.
    """
    vector = crops.vector.astype(np.float16)
    columns = {"track": crops.track, "frame": crops.frame, "weight": crops.weight, "clear": crops.clear}
    save_file({**columns, "vector": vector}, path)


def read_vectors(path: Path) -> CropVectors:
    """Read what `write_vectors` wrote."""
    columns = load_file(path)
    columns["vector"] = columns["vector"].astype(np.float32)
    return CropVectors(**columns)
