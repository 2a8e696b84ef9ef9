"""Detections: boxes of vehicles in frames, as a table of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Detections:
    """One row a box.

    Attributes:
        frame: (n,) int32, the frame's number, counted from 1.
        box: (n, 4) float32, left, top, width, height in pixels of the full frame; may reach over its border.
        score: (n,) float32, confidence in [0, 1].
        label: (n,) int16, the COCO class id (2 car, 3 motorcycle, 5 bus, 7 truck), -1 where unknown.
    """

    frame: npt.NDArray[np.int32]
    box: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        n = len(self.frame)
        if self.box.shape != (n, 4) or self.score.shape != (n,) or self.label.shape != (n,):
            raise ValueError(
                f"columns differ in length: frame {n}, box {self.box.shape}, "
                f"score {self.score.shape}, label {self.label.shape}"
            )

    @classmethod
    def of(
        cls,
        frame: npt.ArrayLike,
        box: npt.ArrayLike,
        score: npt.ArrayLike | None = None,
        label: npt.ArrayLike | None = None,
    ) -> Detections:
        """Make a table from anything array-like; score defaults to 1, label to -1."""
        frames = np.asarray(frame, np.int32).reshape(-1)
        n = len(frames)
        return cls(
            frames,
            np.asarray(box, np.float32).reshape(n, 4),
            np.ones(n, np.float32) if score is None else np.asarray(score, np.float32).reshape(n),
            np.full(n, -1, np.int16) if label is None else np.asarray(label, np.int16).reshape(n),
        )

    @classmethod
    def empty(cls) -> Detections:
        """A table without rows."""
        return cls.of([], np.zeros((0, 4)))

    @classmethod
    def concatenate(cls, tables: Sequence[Detections]) -> Detections:
        """All rows of `tables`, in their order."""
        if not tables:
            return cls.empty()
        return cls(
            np.concatenate([t.frame for t in tables]),
            np.concatenate([t.box for t in tables]),
            np.concatenate([t.score for t in tables]),
            np.concatenate([t.label for t in tables]),
        )

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.integer] | slice) -> Detections:
        return Detections(self.frame[rows], self.box[rows], self.score[rows], self.label[rows])
