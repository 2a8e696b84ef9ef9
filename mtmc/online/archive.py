"""Tracks, features and crops of a live site as files: Parquet by the hour, crops in a ring."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from common.files import atomic
from mtmc.crops.table import Crops, read_crops, write_crops
from mtmc.online.messages import LiveRows
from mtmc.online.store import Store

HOUR = 3600.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BOX = ("left", "top", "width", "height")


def hour_of(seconds: float) -> int:
    """The hour that a time belongs to, counted from the origin of the time axis.

    >>> hour_of(3599.9), hour_of(3600.0)
    (0, 1)
    """
    return int(seconds // HOUR)


def hour_name(hour: int) -> str:
    """The name of an hour: its date and hour in UTC, where the time axis counts from 1970.

    >>> hour_name(0), hour_name(498_000)
    ('1970-01-01T00', '2026-10-24T00')
    """
    return (_EPOCH + timedelta(hours=hour)).strftime("%Y-%m-%dT%H")


def hour_named(name: str) -> int:
    """The hour of this name.

    Raises:
        ValueError: it is not of the form 2026-11-28T22.

    >>> hour_named("1970-01-01T02")
    2
    """
    moment = datetime.strptime(name, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    return round((moment - _EPOCH).total_seconds() / HOUR)


def table_file(folder: Path, kind: str, hour: int) -> Path:
    """Where the tracks or features (`kind`) of an hour that is over lie in a store."""
    return folder / kind / f"{hour_name(hour)}.parquet"


def crop_file(folder: Path, hour: int, camera: str, track: int) -> Path:
    """Where the crops of a track that ended in an hour lie in a store."""
    return folder / "crops" / hour_name(hour) / f"{camera}-{track}.parquet"


class Archive:
    """The files beside the database: `tracks/HOUR.parquet`, `features/HOUR.parquet`, `crops/HOUR/CAMERA-TRACK.parquet`.

    A closed track waits in the database until its hour is over. Its file is then written whole and only afterwards the
    track is taken from the database: a process that is killed in between does the same again.

    Args:
        store: the database.
        crop_bytes: space for crops; the oldest make room.
    """

    def __init__(self, store: Store, crop_bytes: float = 5e9) -> None:
        self._store, self._folder, self._crop_bytes = store, store.folder, crop_bytes
        self._ring: deque[tuple[Path, int]] = deque()
        self.crop_bytes = 0
        """Bytes of crops on disk."""
        for path in sorted(self._folder.glob("crops/*/*.parquet"), key=lambda p: (p.parent.name, p.stat().st_mtime)):
            self._enter(path)

    def roll(self, now: float) -> None:
        """Write the files of the hours that ended before `now`; infinity writes everything.

        Raises:
            OSError: the disk is full or not writable; nothing is lost.
        """
        for hour in self._store.pending_hours():
            if (hour + 1) * HOUR <= now:
                self._write(hour)

    def tracks(self, hour: int) -> pl.DataFrame:
        """The boxes of the tracks that ended in an hour: camera, track, frame, seconds, box, score, label."""
        return _without_doubles(_read(self._file("tracks", hour), _boxes(self._store.pending(hour))))

    def features(self, hour: int) -> pl.DataFrame:
        """The features of the tracks that ended in an hour: camera, track, weight, vector."""
        found = _read(self._file("features", hour), _vectors(self._store.pending(hour)))
        return found.unique(["camera", "track"], keep="last", maintain_order=True)

    def crops(self, hour: int, camera: str, track: int) -> Crops:
        """The crops of a track; none where the ring has overwritten them."""
        path = self._crop_file(hour, camera, track)
        return read_crops(path) if path.is_file() else Crops.empty()

    def keep_crops(self, hour: int, camera: str, track: int, crops: Crops) -> None:
        """Write the crops of a closed track, and delete the oldest ones beyond the limit."""
        path = self._crop_file(hour, camera, track)
        write_crops(path, crops)
        _sync(path)
        self._enter(path)
        while self.crop_bytes > self._crop_bytes and len(self._ring) > 1:
            oldest, size = self._ring.popleft()
            oldest.unlink(missing_ok=True)
            if oldest.parent != path.parent and not any(oldest.parent.iterdir()):
                shutil.rmtree(oldest.parent, ignore_errors=True)
            self.crop_bytes -= size

    def hours(self) -> list[int]:
        """Hours in which a track ended, in their order."""
        written = {hour_named(path.stem) for path in self._folder.glob("tracks/*.parquet")}
        return sorted(written | set(self._store.pending_hours()))

    def forget(self, before: float, max_bytes: float) -> None:
        """Delete the files of hours that ended before a time, and the oldest beyond a total size."""
        found = [*self._folder.glob("tracks/*.parquet"), *self._folder.glob("features/*.parquet")]
        files = sorted(found, key=lambda path: path.stem)
        total = sum(path.stat().st_size for path in files)
        for path in files:
            if (hour_named(path.stem) + 1) * HOUR <= before or total > max_bytes:
                total -= path.stat().st_size
                path.unlink()
        while self._ring and (hour_named(self._ring[0][0].parent.name) + 1) * HOUR <= before:
            oldest, size = self._ring.popleft()
            oldest.unlink(missing_ok=True)
            self.crop_bytes -= size

    def _write(self, hour: int) -> None:
        waiting = self._store.pending(hour)
        for kind, table in (("tracks", self.tracks(hour)), ("features", self.features(hour))):
            with atomic(self._file(kind, hour)) as aside:
                table.write_parquet(aside)
            _sync(self._file(kind, hour))
        with self._store.transaction():
            self._store.drop_pending([(camera, track) for camera, track, *_ in waiting])

    def _file(self, kind: str, hour: int) -> Path:
        return table_file(self._folder, kind, hour)

    def _crop_file(self, hour: int, camera: str, track: int) -> Path:
        return crop_file(self._folder, hour, camera, track)

    def _enter(self, path: Path) -> None:
        size = path.stat().st_size
        self._ring.append((path, size))
        self.crop_bytes += size


def _sync(path: Path) -> None:
    """Have a file and its name on the disk, where a power failure leaves them, before the database says that it is."""
    for each in (path, path.parent):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_Waiting = Sequence[tuple[str, int, int, LiveRows, bytes | None, float]]


def _boxes(waiting: _Waiting) -> pl.DataFrame:
    tables = []
    for camera, track, _, rows, _, _ in waiting:
        box = dict(zip(_BOX, np.ascontiguousarray(rows.box.T), strict=True))
        columns = {"track": np.full(len(rows), track, np.int32), "frame": rows.frame, "seconds": rows.seconds, **box}
        table = pl.DataFrame({**columns, "score": rows.score, "label": rows.label})
        tables.append(table.insert_column(0, pl.Series("camera", [camera] * len(rows), dtype=pl.String)))
    if not tables:
        columns = {"track": pl.Int32, "frame": pl.Int32, "seconds": pl.Float64, **dict.fromkeys(_BOX, pl.Float32)}
        return pl.DataFrame(schema={"camera": pl.String, **columns, "score": pl.Float32, "label": pl.Int16})
    return pl.concat(tables)


def _vectors(waiting: _Waiting) -> pl.DataFrame:
    known = [(c, t, w, v) for c, t, _, _, v, w in waiting if v is not None]
    vectors = [np.frombuffer(vector, np.float16).astype(np.float32).tolist() for *_, vector in known]
    return pl.DataFrame(
        {
            "camera": pl.Series([c for c, *_ in known], dtype=pl.String),
            "track": pl.Series([t for _, t, *_ in known], dtype=pl.Int32),
            "weight": pl.Series([w for _, _, w, _ in known], dtype=pl.Float32),
            "vector": pl.Series(vectors, dtype=pl.List(pl.Float32)),
        }
    )


def _read(path: Path, more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path), more]) if path.is_file() else more


def _without_doubles(boxes: pl.DataFrame) -> pl.DataFrame:
    return boxes.unique(["camera", "track", "frame"], keep="last", maintain_order=True).sort("camera", "track", "frame")
