"""Tracks: the boxes of vehicles in one camera, each vehicle with one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Tracks:
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
    box: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        n = len(self.track)
        shapes = (self.frame.shape, self.box.shape, self.score.shape, self.label.shape)
        if shapes != ((n,), (n, 4), (n,), (n,)):
            raise ValueError(f"columns differ in length: track {n}, frame, box, score, label {shapes}")

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
        tracks = np.asarray(track, np.int32).reshape(-1)
        n = len(tracks)
        return cls(
            tracks,
            np.asarray(frame, np.int32).reshape(n),
            np.asarray(box, np.float32).reshape(n, 4),
            np.ones(n, np.float32) if score is None else np.asarray(score, np.float32).reshape(n),
            np.full(n, -1, np.int16) if label is None else np.asarray(label, np.int16).reshape(n),
        )

    @classmethod
    def empty(cls) -> Tracks:
        """A table without rows."""
        return cls.of([], [], np.zeros((0, 4)))

    @classmethod
    def concatenate(cls, tables: Sequence[Tracks]) -> Tracks:
        """All rows of `tables`, in their order."""
        if not tables:
            return cls.empty()
        return cls(
            np.concatenate([t.track for t in tables]),
            np.concatenate([t.frame for t in tables]),
            np.concatenate([t.box for t in tables]),
            np.concatenate([t.score for t in tables]),
            np.concatenate([t.label for t in tables]),
        )

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice) -> Tracks:
        return Tracks(self.track[rows], self.frame[rows], self.box[rows], self.score[rows], self.label[rows])

    def sorted(self) -> Tracks:
        """The rows ordered by (track, frame)."""
        return self[np.lexsort((self.frame, self.track))]
