"""Appearance as vectors: of crops, and of tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class TrackFeatures:
    """Appearance of the tracks of one camera.

    Attributes:
        track: (m,) int32, track numbers, each at most once; tracks may be missing.
        vector: (m, d) float32, L2-normalised; a row with a value that is not finite counts as missing.
        weight: (m,) float32, how much the vector is to be trusted, above 0 (1: an ordinary track).
    """

    track: npt.NDArray[np.int32]
    vector: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropVectors:
    """The crops of one camera that count, as vectors.

    Attributes:
        track: (n,) int32, the number of the track.
        frame: (n,) int32, the frame's number.
        vector: (n, d) float32, L2-normalised.
        weight: (n,) float32, how much the crop counts in its track's feature, above 0.
        clear: (n,) bool, false for the stopgap of a track whose crops are all hidden too much.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    vector: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    clear: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> CropVectors:
        return CropVectors(self.track[rows], self.frame[rows], self.vector[rows], self.weight[rows], self.clear[rows])

    def by_track(self) -> TrackFeatures:
        """The feature of every track that is there: the weighted mean of its vectors, L2-normalised.

        Returns:
            One row a track, by track number; `weight` is the sum of the weights of its crops, at most 1.
        """
        tracks, owner = np.unique(self.track, return_inverse=True)
        total = np.zeros((len(tracks), self.vector.shape[1]))
        np.add.at(total, owner, self.vector * self.weight[:, None])
        length = np.linalg.norm(total, axis=1)
        kept = length > 0
        mean = total[kept] / length[kept, None]
        trust = np.clip(np.bincount(owner, self.weight, len(tracks)), 1e-3, 1.0)
        return TrackFeatures(tracks[kept].astype(np.int32), mean.astype(np.float32), trust[kept].astype(np.float32))
