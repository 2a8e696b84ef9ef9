"""The event log, the identities and what a restart needs: one SQLite file, written a tick at a time."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InputError
from common.files import DISK_FULL
from mtmc.online.corrections import Corrected, Correction
from mtmc.online.messages import LiveRows
from mtmc.online.packing import pack_rows, unpack_rows

VERSION = 1
"""Of the tables below; a file of another version is refused."""
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inputs (tick INTEGER PRIMARY KEY, seconds REAL NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lessons (tick INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, seconds REAL NOT NULL, kind TEXT NOT NULL, identity INTEGER, camera TEXT, track INTEGER,
    content TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_seconds ON events (seconds);
CREATE TABLE IF NOT EXISTS tracks (
    camera TEXT NOT NULL, track INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL, boxes INTEGER NOT NULL,
    label INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (camera, track)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tracks_last ON tracks (last);
CREATE TABLE IF NOT EXISTS assignments (
    camera TEXT NOT NULL, track INTEGER NOT NULL, identity INTEGER NOT NULL, final INTEGER NOT NULL,
    seconds REAL NOT NULL, PRIMARY KEY (camera, track)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS assignments_identity ON assignments (identity);
CREATE TABLE IF NOT EXISTS pending (
    camera TEXT NOT NULL, track INTEGER NOT NULL, hour INTEGER NOT NULL, rows BLOB NOT NULL, vector BLOB, weight REAL,
    PRIMARY KEY (camera, track)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS corrections (
    source TEXT NOT NULL, seq INTEGER NOT NULL, seconds REAL NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    content TEXT NOT NULL, effect TEXT NOT NULL, PRIMARY KEY (source, seq)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it lies in the log.

    Attributes:
        seq: its number, from 1, without gaps.
        seconds: on the time axis of the site, when it was said.
        kind: opened, assigned, revised, merged, split, closed, final.
        identity: whose; None where there is none yet.
        camera, track: of which track; None where it concerns a whole identity.
        content: everything else, by name.
    """

    seq: int
    seconds: float
    kind: str
    identity: int | None
    camera: str | None
    track: int | None
    content: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, as it is written to standard output and sent to other systems."""
        fixed = {name: getattr(self, name) for name in ("seq", "seconds", "kind", "identity", "camera", "track")}
        return {**fixed, **self.content}


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A closed track in the table of tracks.

    Attributes:
        camera, track: which.
        rows: its boxes.
        size: width and height of its camera's picture.
        vector: (d,) float32, or None.
        weight: of the vector.
    """

    camera: str
    track: int
    rows: LiveRows
    size: tuple[int, int]
    vector: np.ndarray[Any, np.dtype[np.float32]] | None
    weight: float


class Store:
    """The database of a live site; one process writes it.

    Everything of a tick is one transaction: what the cameras reported, the events that followed, the identities of
    tracks. A process that is killed loses the tick that it was in, and nothing else.

    Args:
        folder: created if missing.
        read_only: open beside a process that writes.

    Raises:
        InputError: another process writes it, it is of another version, or damaged.
    """

    def __init__(self, folder: Path, read_only: bool = False) -> None:
        self.folder, self.path = folder, folder / "live.sqlite"
        self._lock: int | None = None
        if read_only:
            if not self.path.is_file():
                raise InputError(f"{self.path}: no such store; start python -m mtmc.live SITE.yaml first")
        else:
            make_store_folder(folder)
            self._lock = _locked(folder / "lock")
        try:
            mode = "ro" if read_only else "rwc"
            self._base = sqlite3.connect(
                f"file:{_quoted(self.path)}?mode={mode}", uri=True, isolation_level=None, timeout=10.0
            )
            if not read_only:
                self._base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise self._problem(error) from error
        known = self.meta("version")
        if known is None and not read_only:
            self.set_meta("version", str(VERSION))
        elif known != str(VERSION):
            self.close()
            raise InputError(f"{self.path}: is of version {known}, this program writes {VERSION}; move it away")

    def close(self) -> None:
        """Close the file; what was committed stays."""
        self._base.close()
        self._unlock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is written, or nothing.

        Raises:
            OSError: the disk is full, with the path; nothing was written.
            InputError: the file is damaged.
        """
        try:
            self._base.execute("BEGIN IMMEDIATE")
            yield
            self._base.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._rollback()
            raise self._problem(error) from error
        except BaseException:
            self._rollback()
            raise

    def meta(self, key: str) -> str | None:
        """A value by its name; None where there is none."""
        found = self._read("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value under a name.

        Raises:
            OSError: the disk is full, with the path.
        """
        try:
            self._base.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        except sqlite3.DatabaseError as error:
            raise self._problem(error) from error

    def add_input(self, tick: int, seconds: float, content: bytes) -> None:
        """Keep what the cameras reported in a tick; part of a transaction."""
        self._base.execute("INSERT INTO inputs VALUES (?, ?, ?)", (tick, seconds, content))

    def inputs(self) -> list[tuple[int, float, bytes]]:
        """What was kept by `add_input`, in its order."""
        return [(int(t), float(s), bytes(c)) for t, s, c in self._read("SELECT * FROM inputs ORDER BY tick")]

    def forget_inputs(self, before: float) -> None:
        """Drop what was reported before a time, and what was learned before the latest thing that still counted then;
        part of a transaction."""
        self._base.execute("DELETE FROM inputs WHERE seconds < ?", (before,))
        self._base.execute(
            "DELETE FROM lessons WHERE tick < (SELECT max(tick) FROM lessons WHERE tick <= "
            "(SELECT coalesce(min(tick), 9e18) FROM inputs))"
        )

    def add_lesson(self, tick: int, content: str) -> None:
        """Keep what the association learned, and in which tick it first used it; part of a transaction."""
        self._base.execute("INSERT OR REPLACE INTO lessons VALUES (?, ?)", (tick, content))

    def lessons(self) -> list[tuple[int, str]]:
        """What was kept by `add_lesson`, in its order; the last is in use."""
        return [(int(t), str(c)) for t, c in self._read("SELECT * FROM lessons ORDER BY tick")]

    def add_event(
        self,
        seconds: float,
        kind: str,
        *,
        identity: int | None,
        camera: str | None,
        track: int | None,
        content: Mapping[str, Any],
    ) -> Record:
        """Append an event; part of a transaction."""
        row = (seconds, kind, identity, camera, track, json.dumps(dict(content)))
        cursor = self._base.execute(
            "INSERT INTO events (seq, seconds, kind, identity, camera, track, content) VALUES "
            "((SELECT coalesce(max(seq), ?) + 1 FROM events), ?, ?, ?, ?, ?, ?)",
            (int(self.meta("forgotten_events") or 0), *row),
        )
        return Record(int(cursor.lastrowid or 0), seconds, kind, identity, camera, track, dict(content))

    def events(self, after: int = 0, limit: int = -1) -> list[Record]:
        """Events with a number above `after`, in their order."""
        rows = self._read("SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [Record(seq, at, kind, who, camera, n, json.loads(text)) for seq, at, kind, who, camera, n, text in rows]

    def add_track(self, track: TrackRow, hour: int) -> None:
        """Keep a closed track; its boxes wait for the file of their hour. Part of a transaction."""
        rows, size = track.rows, track.size
        labels = rows.label[rows.label >= 0]
        label = int(np.bincount(labels).argmax()) if len(labels) else -1
        span = (float(rows.seconds.min()), float(rows.seconds.max()))
        key = (track.camera, track.track)
        self._base.execute(
            "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*key, *span, len(rows), label, *size)
        )
        vector = None if track.vector is None else track.vector.astype(np.float16).tobytes()
        self._base.execute(
            "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?)",
            (*key, hour, pack_rows(rows), vector, track.weight),
        )

    def set_identity(self, camera: str, track: int, identity: int, *, final: bool, seconds: float) -> None:
        """The present identity of a track, open or closed; -1: a user says that it is no vehicle. Part of a
        transaction."""
        self._base.execute(
            "INSERT INTO assignments VALUES (?, ?, ?, ?, ?) ON CONFLICT (camera, track) DO UPDATE SET "
            "identity = excluded.identity, final = max(final, excluded.final), seconds = excluded.seconds",
            (camera, track, identity, int(final), seconds),
        )

    def merge_identities(self, identity: int, into: int) -> None:
        """Give the tracks of one identity to another; part of a transaction."""
        self._base.execute("UPDATE assignments SET identity = ? WHERE identity = ?", (into, identity))

    def identities(self) -> dict[tuple[str, int], tuple[int, bool]]:
        """The identity of every track that has one, -1 if a user says that it is no vehicle, and whether it is
        final."""
        rows = self._read("SELECT camera, track, identity, final FROM assignments")
        return {(str(c), int(t)): (int(i), bool(f)) for c, t, i, f in rows}

    def identity_of(self, camera: str, track: int) -> int | None:
        """The present identity of one track, open or closed; None without one."""
        found = self.answer_of(camera, track)
        return found[0] if found is not None and found[0] > 0 else None

    def answer_of(self, camera: str, track: int) -> tuple[int, bool] | None:
        """The present identity of one track, -1 if a user says that it is no vehicle, and whether it is final; None
        before the first."""
        rows = self._read("SELECT identity, final FROM assignments WHERE camera = ? AND track = ?", (camera, track))
        return (int(rows[0][0]), bool(rows[0][1])) if rows else None

    def tracks_of(self, identity: int) -> list[tuple[str, int]]:
        """The tracks of an identity, open or closed."""
        query = "SELECT camera, track FROM assignments WHERE identity = ? ORDER BY camera, track"
        return [(str(camera), int(track)) for camera, track in self._read(query, (identity,))]

    def span_of(self, camera: str, track: int) -> tuple[float, float] | None:
        """Seconds of the first and the last box of a closed track; None for others."""
        rows = self._read("SELECT first, last FROM tracks WHERE camera = ? AND track = ?", (camera, track))
        return (float(rows[0][0]), float(rows[0][1])) if rows else None

    def is_merged(self, identity: int) -> bool:
        """Whether an identity became another one."""
        query = "SELECT 1 FROM events WHERE kind = 'merged' AND json_extract(content, '$.other') = ? LIMIT 1"
        return bool(self._read(query, (identity,)))

    def add_correction(self, corrected: Corrected) -> None:
        """Keep what became of a correction; part of a transaction."""
        told = corrected.correction
        row = (corrected.seconds, corrected.state, corrected.reason, told.to_json(), json.dumps(corrected.effect))
        self._base.execute(
            "INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?)", (told.source, told.seq, *row)
        )

    def corrections(self, source: str | None = None) -> list[Corrected]:
        """What became of corrections, of one source or of all, in the order of their numbers."""
        if not self._read("SELECT 1 FROM sqlite_master WHERE name = 'corrections'"):
            return []  # written by a version that did not know them, and only read here
        rows = self._read("SELECT * FROM corrections ORDER BY source, seq")
        return [
            Corrected(Correction.from_json(of, seq, content), state, reason, seconds, json.loads(effect))
            for of, seq, seconds, state, reason, content, effect in rows
            if source in (None, of)
        ]

    def last_correction(self, source: str) -> int:
        """The number of the latest correction of a source; 0 before the first."""
        return int(self._read("SELECT coalesce(max(seq), 0) FROM corrections WHERE source = ?", (source,))[0][0])

    def vector_of(self, camera: str, track: int) -> bytes | None:
        """The feature of a closed track that waits for the file of its hour, as float16; None if it does not, or has
        none."""
        rows = self._read("SELECT vector FROM pending WHERE camera = ? AND track = ?", (camera, track))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    def last_event(self) -> int:
        """The number of the latest event; 0 before the first."""
        return int(self._read("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def tracks(self, first: float = float("-inf"), last: float = float("inf")) -> list[tuple[Any, ...]]:
        """Closed tracks that end in [first, last): camera, track, first, last, boxes, label, width, height, identity
        and whether that is final, which is None without one."""
        return self._read(
            "SELECT tracks.*, identity, final FROM tracks LEFT JOIN assignments USING (camera, track) "
            "WHERE last >= ? AND last < ? ORDER BY camera, track",
            (max(first, -1e18), min(last, 1e18)),
        )

    def pending(self, hour: int | None = None) -> list[tuple[str, int, int, LiveRows, bytes | None, float]]:
        """Closed tracks that wait for the file of their hour: camera, track, hour, rows, vector, weight."""
        chosen, values = ("WHERE hour = ?", (hour,)) if hour is not None else ("", ())
        rows = self._read(f"SELECT * FROM pending {chosen} ORDER BY camera, track", values)
        return [(str(c), int(t), int(h), unpack_rows(bytes(r)), v, float(w)) for c, t, h, r, v, w in rows]

    def pending_hours(self) -> list[int]:
        """Hours for which tracks wait."""
        return [int(hour) for (hour,) in self._read("SELECT DISTINCT hour FROM pending ORDER BY hour")]

    def drop_pending(self, keys: Sequence[tuple[str, int]]) -> None:
        """Forget waiting tracks that are in the file of their hour by now."""
        self._base.executemany("DELETE FROM pending WHERE camera = ? AND track = ?", list(keys))

    def forget(self, before: float) -> None:
        """Delete events and tracks from before a time; the numbers of events go on. Part of a transaction."""
        newest = self._read("SELECT coalesce(max(seq), 0) FROM events")[0][0]
        if newest:
            self.set_meta("forgotten_events", str(newest))
        self._base.execute("DELETE FROM events WHERE seconds < ?", (before,))
        self._base.execute("DELETE FROM tracks WHERE last < ?", (before,))
        self._base.execute("DELETE FROM assignments WHERE seconds < ?", (before,))
        # The latest one stays: it says which were read.
        latest = "(SELECT max(seq) FROM corrections AS other WHERE other.source = corrections.source)"
        self._base.execute(f"DELETE FROM corrections WHERE seconds < ? AND seq < {latest}", (before,))

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._base.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._problem(error) from error

    def _rollback(self) -> None:
        if self._base.in_transaction:
            self._base.execute("ROLLBACK")

    def _problem(self, error: sqlite3.DatabaseError) -> Exception:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return InputError(f"{self.path}: is damaged ({error}); move it away, a new one will be begun")
        return InputError(f"{self.path}: {error}")

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def make_store_folder(folder: Path) -> None:
    """Create the folder of a store, if need be.

    Raises:
        InputError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise InputError(f"{folder}: cannot be used as the store ({error.strerror}); choose another folder") from error


def _locked(path: Path) -> int:
    """Hold a lock that vanishes with the process."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise InputError(
            f"{path.parent}: another process writes this store; stop it, or set another `store`"
        ) from error
    return handle


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path.absolute()))
