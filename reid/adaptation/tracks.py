"""The crops of a run's tracks, as `python -m mtmc.run --crops` writes them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from common.nearest import nearest
from common.table import Table

CROPS_FILE = "crops/crops.csv"
"""Where a run's folder lists its crops.

Columns: path (relative to the list), track (any word), camera (any word), start and end (seconds of the whole track on
the time axis of all cameras), and one column `identity NAME` for each extractor."""
_IDENTITY = "identity"
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class TrackCrops(Table):
    """One row per crop.

    Attributes:
        path: (n,) object (`str`), image file.
        track: (n,) int64, number of the track, 0, 1, ...; each is of one camera.
        camera: (n,) int64, number of the camera, 0, 1, ...
        start: (n,) float64, seconds when the track begins.
        end: (n,) float64, seconds when it ends.
        identity: (n,) int64, the vehicle that the run took it for, -1 where unknown.
    """

    path: npt.NDArray[np.object_]
    track: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    identity: npt.NDArray[np.int64]


def read_run(path: Path, extractor: str = "") -> TrackCrops:
    """Read the crops of a run.

    Args:
        path: the run's folder, or a list of crops in the same format.
        extractor: whose identities to use; empty, or not in the list: the first one's, or none.

    Raises:
        InputError: there is no list, it is malformed, or an image is missing.
    """
    file = path / CROPS_FILE if path.is_dir() else path
    if not file.is_file():
        if path.is_dir() and (path / "run.json").is_file():
            raise InputError(
                f"{path}: the run has no crops; repeat its command with --crops (results in the cache are used again)"
            )
        raise path_not_found(path, "run")
    with file.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = reader.fieldnames or []
        for column in ("path", "track", "camera", "start", "end"):
            if column not in columns:
                raise InputError(f"{file}: no column {column!r}{nearest(column, columns)}")
        identities = [name for name in columns if name.startswith(_IDENTITY)]
        identity = next((n for n in identities if n == f"{_IDENTITY} {extractor}"), identities[0] if identities else "")
        rows = list(reader)
    if not rows:
        raise InputError(f"{file}: lists no crops")
    paths = [str(file.parent / row["path"]) for row in rows]
    missing = next((p for p in paths if not Path(p).is_file()), None)
    if missing is not None:
        raise InputError(f"{file}: {missing} does not exist")
    try:
        start, end = (np.array([float(row[name]) for row in rows]) for name in ("start", "end"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: start and end must be seconds ({error})") from error
    vehicle = np.array([row[identity] or "" for row in rows]) if identity else np.full(len(rows), "")
    table = TrackCrops._of(
        np.array(paths, np.object_),
        np.unique([row["track"] for row in rows], return_inverse=True)[1],
        np.unique([row["camera"] for row in rows], return_inverse=True)[1],
        start,
        end,
        np.where(vehicle == "", UNKNOWN, np.unique(vehicle, return_inverse=True)[1]),
    )
    return table[np.argsort(table.track, kind="stable")]
