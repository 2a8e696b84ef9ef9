"""The table of crops, in memory and on disk."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from common.errors import InputError
from common.files import write_bytes
from common.table import Table, Width

_COLUMNS = ("track", "frame", "left", "top", "width", "height", "quality", "occlusion", "image")


@dataclass(frozen=True, slots=True)
class Crops(Table):
    """The crops of one camera, one per row, sorted by (track, frame); at most one for each (track, frame).

    Attributes:
        track: (n,) int32, the number of the track.
        frame: (n,) int32, the frame's number, counted from 1.
        box: (n, 4) float32, left, top, width, height of the track's box in that frame, in pixels.
        quality: (n,) float32 in [0, 1], a product of size, sharpness, occlusion, truncation and score.
        occlusion: (n,) float32 in [0, 1], the share of the box that is covered by boxes nearer to the camera.
        image: (n,) object, each the `bytes` of a JPEG file; crops larger than the settings allow are shrunk.
    """

    track: npt.NDArray[np.int32]
    frame: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    quality: npt.NDArray[np.float32]
    occlusion: npt.NDArray[np.float32]
    image: npt.NDArray[np.object_]

    @classmethod
    def of(
        cls,
        track: npt.ArrayLike,
        frame: npt.ArrayLike,
        box: npt.ArrayLike,
        quality: npt.ArrayLike,
        occlusion: npt.ArrayLike,
        image: Sequence[bytes],
    ) -> Crops:
        """Make a table from anything array-like."""
        return cls._of(track, frame, box, quality, occlusion, np.asarray(image, np.object_))

    def pictures(self) -> list[npt.NDArray[np.uint8]]:
        """The decoded crops: n BGR images, (h, w, 3) uint8 each."""
        decoded = (cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR) for image in self.image)
        return [np.asarray(picture, np.uint8) for picture in decoded]

    def renumbered(self, mapping: Mapping[int, int] | None, per_track: int) -> Crops:
        """The crops under the tracks' final numbers, at most `per_track` of each.

        Args:
            mapping: track number to final number; tracks that it does not contain are dropped. None keeps the
                numbers.
            per_track: maximum number of crops per track.
        """
        number, rows = self.track, np.arange(len(self))
        if mapping is not None:
            old, owner = np.unique(self.track, return_inverse=True)
            number = np.array([mapping.get(n, -1) for n in old.tolist()], np.int32)[owner]
            rows = np.flatnonzero(np.isin(self.track, np.array(list(mapping), np.int32)))
        rows = rows[best_rows(number[rows], self.frame[rows], self.quality[rows], per_track)]
        chosen = self[rows]
        return Crops(number[rows], chosen.frame, chosen.box, chosen.quality, chosen.occlusion, chosen.image)


def best_rows(
    track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32], quality: npt.NDArray[np.float32], per_track: int
) -> npt.NDArray[np.int64]:
    """The best rows of each track, spread over time.

    A track's time is divided into `per_track` equal parts. The best row of each part is taken first, unless its quality
    is below a quarter of the track's best; the best of the other rows fill the remaining places.

    Returns:
        Row numbers, sorted by (track, frame), each (track, frame) at most once.
    """
    if not len(track):
        return np.zeros(0, np.int64)
    order = np.lexsort((-quality, frame, track))
    first_of_frame = np.ones(len(order), np.bool_)
    first_of_frame[1:] = (np.diff(track[order]) != 0) | (np.diff(frame[order]) != 0)
    rows = order[first_of_frame]

    starts = np.flatnonzero(np.diff(track[rows], prepend=track[rows[0]] - 1))
    lengths = np.diff(np.append(starts, len(rows)))
    group = np.repeat(np.arange(len(starts)), lengths)
    begin = frame[rows[starts]].astype(np.int64)
    span = frame[rows[starts + lengths - 1]] - begin + 1
    part = (frame[rows] - begin[group]) * per_track // span[group]
    best = np.maximum.reduceat(quality[rows], starts)

    by_part = np.lexsort((-quality[rows], part, group))
    leads = np.ones(len(rows), np.bool_)
    leads[1:] = (np.diff(group[by_part]) != 0) | (np.diff(part[by_part]) != 0)
    leader = np.zeros(len(rows), np.bool_)
    leader[by_part] = leads
    leader &= quality[rows] >= 0.25 * best[group]

    by_rank = np.lexsort((-quality[rows], ~leader, group))
    rank = np.arange(len(rows)) - starts[group[by_rank]]
    chosen: npt.NDArray[np.int64] = rows[np.sort(by_rank[rank < per_track])]
    return chosen


def write_crops(path: Path, crops: Crops) -> None:
    """Write crops as Parquet, with the JPEG files in a binary column; atomically."""
    values = (crops.track, crops.frame, *np.ascontiguousarray(crops.box.T), crops.quality, crops.occlusion)
    columns = [pl.Series(name, column) for name, column in zip(_COLUMNS, values, strict=False)]
    table = pl.DataFrame([*columns, pl.Series("image", list(crops.image), dtype=pl.Binary)])
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="uncompressed")  # JPEG does not shrink further
    write_bytes(path, buffer.getvalue())


def read_crops(path: Path) -> Crops:
    """Read what `write_crops` wrote.

    Raises:
        InputError: the file is missing, or is not a table of crops.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of crops; run again to create it")
    try:
        table = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: cannot be read as Parquet ({error}); delete it and run again") from error
    lacking = [name for name in _COLUMNS if name not in table.columns]
    if lacking:
        raise InputError(f"{path}: column {lacking[0]} is missing; delete the file and run again")
    box = table.select(_COLUMNS[2:6]).to_numpy()
    return Crops.of(table["track"], table["frame"], box, table["quality"], table["occlusion"], table["image"].to_list())
