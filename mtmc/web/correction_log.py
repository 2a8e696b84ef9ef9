"""Answers of people about passages, in an append-only SQLite log: nothing is changed or deleted, undo is an entry."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import InputError

KINDS = ("same", "different", "not-a-vehicle", "unsure", "undo")
MAX_AUTHOR, MAX_NOTE = 80, 400
"""Characters of an author's name and of a note. Safety bounds on what a request can store."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time TEXT NOT NULL,
  author TEXT NOT NULL,
  kind TEXT NOT NULL,
  first TEXT NOT NULL,
  second TEXT NOT NULL,
  undoes INTEGER REFERENCES entry (seq),
  note TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS entry_is_not_changed BEFORE UPDATE ON entry
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entry_is_not_deleted BEFORE DELETE ON entry
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log.

    Attributes:
        seq: its number, from 1, in the order of arrival.
        time: when, ISO 8601, UTC.
        author: who, as they call themselves.
        kind: of `KINDS`. same: all of `first` and `second` are one vehicle; different: no passage of `first` is the
            vehicle of any passage of `second`; not-a-vehicle: `first`; unsure: looked at, undecided.
        first, second: keys of passages (see `mtmc.web.passages.passage_keys`).
        undoes: for undo, the entry that no longer holds.
        note: free text.
    """

    seq: int
    time: str
    author: str
    kind: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    undoes: int | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The entry as plain values."""
        return {
            "seq": self.seq,
            "time": self.time,
            "author": self.author,
            "kind": self.kind,
            "first": list(self.first),
            "second": list(self.second),
            "undoes": self.undoes,
            "note": self.note,
        }


class Overtaken(Exception):
    """Somebody else answered about the same passages since the asker last looked."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        who = ", ".join(sorted({entry.author or "somebody" for entry in entries}))
        super().__init__(f"{who} has answered about the same tracks since you looked; see what changed, then answer")
        self.entries = tuple(entries)


class CorrectionLog:
    """The log of one run.

    Several processes and threads may write to one file: each entry is a transaction of its own.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = CorrectionLog(Path(folder) / "corrections.sqlite")
    ...     first = log.append("same", ["c041/3"], ["c042/8"], author="Ada")
    ...     _ = log.undo(first.seq, author="Ada")
    ...     (len(log.entries()), len(log.standing()))
    (2, 0)
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            InputError: it is no such log, or cannot be written.
        """
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(_SCHEMA)
        except (sqlite3.DatabaseError, OSError) as error:
            raise InputError(f"{path}: cannot be used as the log of corrections ({error})") from error

    def append(
        self,
        kind: str,
        first: Iterable[str],
        second: Iterable[str] = (),
        *,
        author: str = "",
        after: int | None = None,
        note: str = "",
    ) -> Entry:
        """Add an answer.

        Args:
            kind: of `KINDS`, but undo.
            first, second: keys of passages.
            author: who answers.
            after: the last entry that the asker had seen; None does not ask.
            note: free text.

        Raises:
            Overtaken: an entry after that one is about some of the same passages.
        """
        named = (tuple(first), tuple(second))
        with self._lock, closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                if after is not None:
                    keys = {key for side in named for key in side}
                    newer = [e for e in _read(connection, after) if keys & {*e.first, *e.second}]
                    if newer:
                        raise Overtaken(newer)
                entry = _insert(connection, author, kind, named, None, note)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return entry

    def undo(self, seq: int, *, author: str = "") -> Entry:
        """Add the entry that takes one back.

        Raises:
            InputError: there is no such answer, or it is undone already.
        """
        with self._lock, closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                entries = {entry.seq: entry for entry in _read(connection, 0)}
                undone = {entry.undoes for entry in entries.values()}
                entry = entries.get(seq)
                if entry is None or entry.kind == "undo":
                    raise InputError(f"answer {seq}: there is no such answer to undo")
                if seq in undone:
                    raise InputError(f"answer {seq}: is undone already")
                # It names the same passages, so that others see that something about them has changed.
                reverse = _insert(connection, author, "undo", (entry.first, entry.second), seq, "")
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return reverse

    def entries(self, after: int = 0) -> list[Entry]:
        """All entries with a number above `after`, in their order."""
        with closing(self._connect()) as connection:
            return _read(connection, after)

    def standing(self) -> list[Entry]:
        """The answers that have not been undone, in their order."""
        entries = self.entries()
        undone = {entry.undoes for entry in entries}
        return [entry for entry in entries if entry.kind != "undo" and entry.seq not in undone]

    @property
    def last(self) -> int:
        """The number of the latest entry; 0 for none."""
        with closing(self._connect()) as connection:
            (seq,) = connection.execute("SELECT coalesce(max(seq), 0) FROM entry").fetchone()
            return int(seq)

    def _connect(self) -> sqlite3.Connection:
        # Autocommit: transactions are begun and ended by hand.
        return sqlite3.connect(self._path, isolation_level=None, timeout=10)


def _insert(
    connection: sqlite3.Connection,
    author: str,
    kind: str,
    named: tuple[tuple[str, ...], tuple[str, ...]],
    undoes: int | None,
    note: str,
) -> Entry:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    author, note = author.strip()[:MAX_AUTHOR], note.strip()[:MAX_NOTE]
    values = (time, author, kind, json.dumps(named[0]), json.dumps(named[1]), undoes, note)
    cursor = connection.execute(
        "INSERT INTO entry (time, author, kind, first, second, undoes, note) VALUES (?, ?, ?, ?, ?, ?, ?)", values
    )
    return Entry(int(cursor.lastrowid or 0), time, author, kind, named[0], named[1], undoes, note)


def _read(connection: sqlite3.Connection, after: int) -> list[Entry]:
    columns = "seq, time, author, kind, first, second, undoes, note"
    rows = connection.execute(f"SELECT {columns} FROM entry WHERE seq > ? ORDER BY seq", (after,))
    return [
        Entry(seq, time, author, kind, tuple(json.loads(first)), tuple(json.loads(second)), undoes, note)
        for seq, time, author, kind, first, second, undoes, note in rows
    ]
