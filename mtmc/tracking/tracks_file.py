"""Tables of boxes on disk, as Parquet: detections and tracks with all their columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from detection.detections import Detections
from mtmc.tracking.tracks import Tracks

BOX = ("left", "top", "width", "height")


def write_tracks(path: Path, tracks: Tracks) -> None:
    """Write a table of tracks; the caller makes the write atomic (`Cache.write`)."""
    _frame(tracks).insert_column(0, pl.Series("track", tracks.track)).write_parquet(path)


def read_tracks(path: Path) -> Tracks:
    """Read what `write_tracks` wrote."""
    table = pl.read_parquet(path)
    return Tracks.of(table["track"], table["frame"], table.select(BOX).to_numpy(), table["score"], table["label"])


def write_detections(path: Path, detections: Detections) -> None:
    """Write a table of detections; the caller makes the write atomic (`Cache.write`)."""
    _frame(detections).write_parquet(path)


def read_detections(path: Path) -> Detections:
    """Read what `write_detections` wrote."""
    table = pl.read_parquet(path)
    return Detections.of(table["frame"], table.select(BOX).to_numpy(), table["score"], table["label"])


def _frame(table: Detections | Tracks) -> pl.DataFrame:
    box = np.ascontiguousarray(table.box.T)
    columns = {"frame": table.frame, **dict(zip(BOX, box, strict=True)), "score": table.score, "label": table.label}
    return pl.DataFrame(columns)
