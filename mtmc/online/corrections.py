"""What users know about the tracks of a running site, and how the site hears of it.

There are two ways in. `constraints: FILE` in SITE.yaml holds what is known for good, in the format of
`mtmc.run --constraints`. And the page appends the answers of its users to `PAGE_LOG` below the store, with
`mtmc.web.correction_log.CorrectionLog`: the site reads what is new there before each tick and writes nothing to it, as
the page writes nothing to `live.sqlite`. What became of an answer is a row of the store (`Store.corrections`, by the
number of the answer): `applied`, or `refused` with a reason to show. An answer of which there is no row yet was not
read: the site is not running, or will tick within a second.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from common.errors import InputError
from mtmc.association.constraints import ConstraintKind, TrackName, check_cameras
from mtmc.association.constraints_file import read_constraints
from mtmc.online.identity_numbers import TrackKey

PAGE_LOG = Path("page") / "corrections.sqlite"
"""The log of the page's answers, below the store."""
PAGE, FILE = "page", "file"
"""Where corrections come from."""
SAME, DIFFERENT, NOT_A_VEHICLE, UNDO = "same", "different", "not-a-vehicle", "undo"
_KINDS = {
    ConstraintKind.MUST_LINK: SAME,
    ConstraintKind.CANNOT_LINK: DIFFERENT,
    ConstraintKind.NOT_A_VEHICLE: NOT_A_VEHICLE,
}


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody knows about tracks.

    Attributes:
        source: `PAGE` or `FILE`.
        seq: its number there, from 1.
        kind: same: all tracks are one vehicle; different: none of `first` is the vehicle of any of `second`;
            not-a-vehicle: `first`; undo: `undoes` no longer holds; everything else says nothing.
        first, second: tracks, by camera and number.
        undoes: the number of a correction of the same source.
    """

    source: str
    seq: int
    kind: str
    first: tuple[TrackKey, ...] = ()
    second: tuple[TrackKey, ...] = ()
    undoes: int | None = None

    @property
    def tracks(self) -> tuple[TrackKey, ...]:
        """All tracks that it names."""
        return (*self.first, *self.second)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"answer {self.seq}" if self.source == PAGE else "the file of constraints"

    def to_json(self) -> str:
        """What it says, without its source and number."""
        values: dict[str, Any] = {"kind": self.kind, "first": self.first, "second": self.second}
        return json.dumps(values if self.undoes is None else values | {"undoes": self.undoes})

    @classmethod
    def from_json(cls, source: str, seq: int, text: str) -> Correction:
        """The reverse of `to_json`.

        >>> told = Correction(PAGE, 3, SAME, (("gate", 7),), (("bridge", 2),))
        >>> Correction.from_json(PAGE, 3, told.to_json()) == told
        True
        """
        content = json.loads(text)
        first, second = (tuple((str(c), int(n)) for c, n in content[side]) for side in ("first", "second"))
        return cls(source, seq, content["kind"], first, second, content.get("undoes"))


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of a correction.

    Attributes:
        correction: what somebody said.
        state: `applied`; `refused`; `undone`: it was applied, and holds no longer.
        reason: why it was refused, else "".
        seconds: on the time axis of the site, when.
        effect: what it changed at once, see `mtmc.online.correcting.Changes.to_json`.
    """

    correction: Correction
    state: str
    reason: str
    seconds: float
    effect: Mapping[str, Any]


def page_corrections(store: Path, after: int) -> list[Correction]:
    """The page's answers with a number above `after`, in their order; none where it has no log.

    Args:
        store: the folder of the site's store.
        after: the number of the last one that was read.

    Raises:
        InputError: the log cannot be read.
    """
    path = store / PAGE_LOG
    if not path.is_file():
        return []
    query = "SELECT seq, kind, first, second, undoes FROM entry WHERE seq > ? ORDER BY seq"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)) as log:
            rows = log.execute(query, (after,)).fetchall()
        return [Correction(PAGE, seq, kind, _keys(a), _keys(b), undoes) for seq, kind, a, b, undoes in rows]
    except (sqlite3.DatabaseError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


class FileConstraints:
    """What a file of constraints says beyond what the site was told before.

    A row holds as long as it stands in the file when the site is started. One that names a track that has not been seen
    yet waits for it.

    Args:
        path: of the file; None: there is none.
        cameras: of the site.
        known: what became of earlier rows, see `mtmc.online.store.Store.corrections`.

    Raises:
        InputError: the file is missing or malformed, names a camera that the site does not have, or a track by a point:
            frames of a stream are not kept.
    """

    def __init__(self, path: Path | None, cameras: Collection[str], known: Sequence[Corrected]) -> None:
        rows = _rows(path, cameras) if path is not None else []
        holding = {each.correction.seq: each.correction for each in known if each.state == "applied"}
        said = {replace(each, seq=0) for each in holding.values()}
        self._last = max((each.correction.seq for each in known), default=0)
        self._waiting = [row for row in dict.fromkeys(rows) if row not in said]
        gone = [seq for seq, each in holding.items() if each.kind != UNDO and replace(each, seq=0) not in set(rows)]
        self._waiting += [Correction(FILE, 0, UNDO, holding[seq].first, holding[seq].second, seq) for seq in gone]

    def ready(self, knows: Callable[[TrackKey], bool]) -> list[Correction]:
        """The rows of which all tracks are known by now, each once."""
        found = [row for row in self._waiting if row.kind == UNDO or all(map(knows, row.tracks))]
        self._waiting = [row for row in self._waiting if row not in found]
        numbered = [replace(row, seq=self._last + place) for place, row in enumerate(found, 1)]
        self._last += len(found)
        return numbered


def _rows(path: Path, cameras: Collection[str]) -> list[Correction]:
    constraints = read_constraints(path)
    check_cameras(constraints, cameras, str(path))
    found = []
    for row in range(len(constraints)):
        line, names = int(constraints.line[row]), constraints.names(row)
        if any(not name.track for name in names):
            raise InputError(f"{path}:{line}: a track of a live site is named by camera and track, not by a point")
        kind = _KINDS[ConstraintKind(int(constraints.kind[row]))]
        found.append(Correction(FILE, 0, kind, _of_names(names[:1]), _of_names(names[1:])))
    return found


def linked(corrections: Sequence[Correction]) -> dict[TrackKey, set[TrackKey]]:
    """For each track that is named as the same vehicle as others: all of these, also through further tracks.

    >>> a, b, c = ("gate", 1), ("gate", 2), ("bridge", 5)
    >>> sorted(linked([Correction(PAGE, 1, SAME, (a,), (c,)), Correction(PAGE, 2, SAME, (c, b))])[b])
    [('bridge', 5), ('gate', 1), ('gate', 2)]
    """
    found: dict[TrackKey, set[TrackKey]] = {}
    for correction in corrections:
        if correction.kind == SAME:
            every = set(correction.tracks).union(*(found.get(key, ()) for key in correction.tracks))
            found |= dict.fromkeys(every, every)
    return found


def _keys(text: str) -> tuple[TrackKey, ...]:
    """Tracks by the keys of the page: `gate/7`. What is no such key is a track that nobody knows."""
    found = []
    for key in json.loads(text):
        camera, _, rest = str(key).partition("/")
        number = rest.partition("/")[0]
        found.append((camera, int(number) if number.isdecimal() and len(number) < 10 else 0))
    return tuple(found)


def _of_names(names: Sequence[TrackName]) -> tuple[TrackKey, ...]:
    return tuple((name.camera, name.track) for name in names)
