"""The crops of a run, read from its Parquet files one at a time: together they need not fit in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from mtmc.appearance.splitting import Cuts
from mtmc.pipeline import track_features
from mtmc.report.stored_run import StoredRun
from mtmc.web.passages import Passages

KEPT = 4096
"""Crops kept in memory, a few kilobytes each. Raising it costs memory and saves reading files."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The crops of one camera without their pictures, sorted by (part, -quality)."""

    row: npt.NDArray[np.int64]
    part: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    quality: npt.NDArray[np.float32]


class CropStore:
    """Finds the crops of a passage, the best first."""

    def __init__(self, run: StoredRun, passages: Passages) -> None:
        self._files = [observation.crops_file for observation in run.observations]
        self._index = [_read_index(path, cuts) for path, cuts in zip(self._files, run.cuts, strict=True)]
        self._passages = passages
        self._image = lru_cache(KEPT)(self._read)

    def count(self, row: int) -> int:
        """How many crops a passage has."""
        first, last = self._span(row)
        return last - first

    def frames(self, row: int) -> list[int]:
        """The frames of its crops, the best first."""
        first, last = self._span(row)
        frames: list[int] = self._index[self._passages.camera[row]].frame[first:last].tolist()
        return frames

    def image(self, row: int, rank: int = 0) -> bytes | None:
        """The JPEG of the passage's crop of this rank, 0 for the best; None if it has fewer."""
        first, last = self._span(row)
        if not 0 <= rank < last - first:
            return None
        camera = int(self._passages.camera[row])
        return self._image(camera, int(self._index[camera].row[first + rank]))

    def best_images(self, camera: int) -> dict[int, bytes]:
        """The best crop of each part of one camera, by part number; reads the file once."""
        index = self._index[camera]
        if not len(index.part):
            return {}
        images = pl.read_parquet(self._files[camera], columns=["image"])["image"]
        first = np.flatnonzero(np.diff(index.part, prepend=index.part[0] - 1))
        return {int(index.part[k]): images[int(index.row[k])] for k in first}

    def _span(self, row: int) -> tuple[int, int]:
        part = self._passages.part[row]
        first, last = np.searchsorted(self._index[self._passages.camera[row]].part, [part, part + 1])
        return int(first), int(last)

    def _read(self, camera: int, row: int) -> bytes:
        table = pl.scan_parquet(self._files[camera]).select("image").slice(row, 1).collect()
        image: bytes = table["image"][0]
        return image


def _read_index(path: Path, cuts: Cuts) -> _Index:
    if not path.is_file():
        return _Index(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    table = pl.read_parquet(path, columns=["track", "frame", "quality"])
    track, frame = table["track"].to_numpy().astype(np.int32), table["frame"].to_numpy().astype(np.int32)
    quality = table["quality"].to_numpy().astype(np.float32)
    part = cuts.part(track, frame)
    order = np.lexsort((frame, -quality, part))
    return _Index(order, part[order], frame[order], quality[order])


def track_vectors(run: StoredRun, passages: Passages) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """One feature (n, d) for each passage, zeros where missing, and which are known (n,); d = 0 without appearance."""
    found = [track_features(cuts, crops) for cuts, crops in zip(run.cuts, run.vectors, strict=True)]
    width = max((f.vector.shape[1] for f in found if f is not None and len(f.track)), default=0)
    vector, known = np.zeros((len(passages), width), np.float32), np.zeros(len(passages), np.bool_)
    for index, features in enumerate(found):
        if features is None or not len(features.track):
            continue
        rows = np.flatnonzero(passages.camera == index)
        good = np.isfinite(features.vector).all(axis=1) & np.isin(features.track, passages.part[rows])
        at = rows[np.searchsorted(passages.part[rows], features.track[good])]
        vector[at], known[at] = features.vector[good], True
    return vector, known
