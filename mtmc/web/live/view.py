"""One moment of a live site as the pages show it, and the reader that keeps it up to date from the site's store."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.online.store import Store
from mtmc.report.data import CameraInfo
from mtmc.report.view import clock_text
from mtmc.web.correcting import check_form
from mtmc.web.correction_log import CorrectionLog, Entry
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.live.answers import LiveAnswers, log_of
from mtmc.web.live.tracks import LiveTracks, Track
from mtmc.web.passages import Passages
from mtmc.web.shown import seconds_of

REFRESH_SECONDS = 2.0
"""Seconds for which a moment is shown before the store is asked again. Raising it saves work and shows older tracks."""
HURRY_SECONDS = 0.5
"""The same while an answer has not been taken. Raising it shows later what became of it."""
LATE_SECONDS = 900.0
"""Seconds by which a track may come into the store after another one that ended later: the longest track, and some
more. Raising it reads more rows again."""
HOURS = 24.0
"""Hours that are shown. Raising it costs 2 kB of memory for each track."""
SLACK_HOURS = 1.0
"""Hours beyond those after which what is older is left out. Raising it does that more rarely."""
WALL_CLOCK = 1e8
"""Seconds from which a time axis counts from 1970; below, it is that of a replay."""
DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class LiveView:
    """A moment of a live site; see `mtmc.web.shown.Shown`. Never changed, but colours and heights that become known."""

    name: str
    extractor: str
    cameras: tuple[str, ...]
    passages: Passages
    keys: list[str]
    colour: npt.NDArray[np.int8]
    tag: str
    index: IdentityIndex
    version: int
    sizes: Mapping[str, tuple[int, int]]
    places: Mapping[str, tuple[float, float]]
    answers: LiveAnswers
    _tracks: LiveTracks

    @property
    def simulated(self) -> bool:
        """Not known of a store."""
        return False

    @property
    def live(self) -> bool:
        """Its cameras are running, or were when the store was written."""
        return True

    def partners(self, number: int) -> dict[int, float]:
        """None: the store does not keep what the association considered."""
        return {}

    @property
    def crops(self) -> LiveView:
        """The crops are found by row."""
        return self

    def count(self, row: int) -> int:
        """How many crops a track has."""
        return len(self._tracks.images(row))

    def image(self, row: int, rank: int = 0) -> bytes | None:
        """The JPEG of the crop of this rank; None if there are fewer."""
        images = self._tracks.images(row)
        return images[rank] if 0 <= rank < len(images) else None

    @property
    def vectors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The feature of each track (n, d), and which have one (n,)."""
        return self._tracks.vectors(len(self.passages))

    def rows(self, keys: Iterable[str]) -> list[int]:
        """The rows of tracks by their keys.

        Raises:
            InputError: there is no such track.
        """
        found = []
        for key in keys:
            row = self.row(key)
            if row is None:
                raise InputError(f"{key}: there is no such track, or it is older than what is shown")
            found.append(row)
        return found

    def row(self, key: str) -> int | None:
        """The row of a track; None if there is none."""
        row = self._tracks.row_of.get(key, -1)
        return row if 0 <= row < len(self.passages) else None

    @property
    def wall_clock(self) -> bool:
        """Whether times are those of the day; else they count from the beginning of a replay."""
        return self._tracks.origin > 0.0

    def clock(self, seconds: float) -> str:
        """The time of the day, with the date where others are shown."""
        if not self.wall_clock:
            return clock_text(seconds)
        moment = datetime.fromtimestamp(self._tracks.origin + seconds)
        several = bool(len(self.passages)) and float(self.passages.end.max()) >= DAY
        return moment.strftime("%d %b %H:%M:%S" if several else "%H:%M:%S")

    def seconds(self, text: str) -> float | None:
        """The time that a user means: 13:05 is the latest such time; a date may stand before it."""
        if not self.wall_clock:
            return seconds_of(text)
        newest = float(self.passages.end.max(initial=0.0))
        try:
            if "-" in text:
                return datetime.fromisoformat(text).timestamp() - self._tracks.origin
            moment = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M")
        except (ValueError, OverflowError):
            return None
        since_midnight = 3600.0 * moment.hour + 60.0 * moment.minute + moment.second
        found = DAY * np.floor(newest / DAY) + since_midnight
        return float(found if found <= newest + 60.0 else found - DAY)

    def has_video(self, camera: int) -> bool:
        """Running cameras are not recorded."""
        return False

    def camera_infos(self) -> list[CameraInfo]:
        """The cameras with their span of tracks."""
        infos = []
        for index, name in enumerate(self.cameras):
            mine = self.passages.camera == index
            begin, end = self.passages.start[mine].min(initial=np.inf), self.passages.end[mine].max(initial=-np.inf)
            span = (float(begin), float(end)) if mine.any() else (0.0, 0.0)
            width, height = self.sizes.get(name, (0, 0))
            infos.append(CameraInfo(name, width, height, 0.0, *span, 0, position=self.places.get(name)))
        return infos

    def status(self) -> dict[str, Any]:
        """Where it stands; nothing is solved here, the live process does that."""
        return {
            "version": self.version,
            "solving": False,
            "identities": len(self.index),
            "problem": "",
            **self.answers.status(),
        }


class LiveReader:
    """Keeps the tracks of a store in memory. Opens the store for a moment, to read only: the writer waits for nobody.

    Args:
        folder: of the store.
        name: of the site; None: what the store says.
        places: metres east and north of the cameras whose place is known.
        hours: what is shown.

    Raises:
        InputError: there is no store, or it is damaged.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        places: Mapping[str, tuple[float, float]] | None = None,
        hours: float = HOURS,
    ) -> None:
        self.folder, self._hours, self._places = folder, hours, dict(places or {})
        self._name = name
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._seq, self._version, self._generation = -1, 0, 0
        self._answered = (0, 0)
        self._asked = float("-inf")
        self._tracks: LiveTracks | None = None
        self._sizes: dict[str, tuple[int, int]] = {}
        self._view = self._read()
        self._looker = threading.Thread(target=self._look, name="colours", daemon=True)
        self._looker.start()

    def close(self) -> None:
        """Stop the worker."""
        self._closed.set()
        self._looker.join(timeout=20)

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed.is_set()

    def now(self) -> LiveView:
        """The present moment, at most two seconds old; an older one while another request reads the store."""
        waiting = self._view.answers.last > self._view.answers.taken
        patience = HURRY_SECONDS if waiting else REFRESH_SECONDS
        if time.monotonic() - self._asked >= patience and self._lock.acquire(blocking=False):
            try:
                self._view = self._read()
            except InputError:
                pass  # the store is being moved or damaged: what was read stays
            finally:
                self._lock.release()
        return self._view

    def answer(
        self,
        kind: str,
        first: Sequence[str],
        second: Sequence[str] = (),
        *,
        author: str = "",
        after: int | None = None,
        note: str = "",
    ) -> Entry:
        """See `mtmc.web.correcting.Answering`; what contradicts what was seen is refused later, by the site."""
        check_form(kind, first, second)
        self.now().rows([*first, *second])
        found = self._log().append(kind, first, second, author=author, after=after, note=note)
        self._asked = float("-inf")
        return found

    def undo(self, seq: int, *, author: str = "") -> Entry:
        """See `mtmc.web.correcting.Answering`."""
        found = self._log().undo(seq, author=author)
        self._asked = float("-inf")
        return found

    def entries(self, after: int = 0) -> list[Entry]:
        """The log, from the entry after `after` on."""
        return [entry for entry in self.now().answers.entries if entry.seq > after]

    def status(self) -> dict[str, Any]:
        """Where the site stands."""
        return self.now().status()

    def _log(self) -> CorrectionLog:
        log = log_of(self.folder, make=True)
        assert log is not None
        return log

    def _read(self) -> LiveView:
        with closing(Store(self.folder, read_only=True)) as store:
            self._asked = time.monotonic()
            last, answers = store.last_event(), LiveAnswers.of(self.folder, store)
            if last == self._seq and (answers.last, answers.taken) == self._answered:
                return self._view
            newest = self._newest()
            rows = store.tracks(first=newest - LATE_SECONDS)
            identities = store.identities()
            owner, extractor = store.meta("owner") or "", store.meta("extractor") or "none"
            cameras = list(json.loads(store.meta("progress") or "{}").get("cameras", {}))
        self._seq, self._answered = last, (answers.last, answers.taken)
        newest = max([newest, *(float(row[3]) for row in rows)])
        tracks = self._tracks
        oldest = newest - self._hours * 3600.0
        if tracks is None or self._oldest(tracks) < oldest - SLACK_HOURS * 3600.0:
            tracks = self._begun(
                oldest, tracks, min((float(row[2]) for row in rows if row[3] >= oldest), default=newest)
            )
        tracks.cameras += [
            name for name in dict.fromkeys([*cameras, *(r[0] for r in rows)]) if name not in tracks.cameras
        ]
        place = {name: index for index, name in enumerate(tracks.cameras)}
        for camera, *_, width, height, _, _ in rows:
            self._sizes[camera] = (width, height)
        fresh = [Track(place[c], n, f, e, b, label) for c, n, f, e, b, label, *_ in rows if e >= oldest]
        tracks.add(sorted(fresh, key=lambda track: track.last))
        self._tracks, self._version = tracks, self._version + 1
        number = [identities.get((tracks.cameras[t.camera], t.number), (-1, False))[0] for t in tracks.tracks]
        passages = tracks.passages()
        mark = f"{self.folder.resolve()}:{self._generation}"
        return LiveView(
            self._name or owner.rpartition(" ")[2] or "live",
            Path(extractor).stem if extractor else "none",
            tuple(tracks.cameras),
            passages,
            tracks.keys,
            tracks.colour,
            hashlib.blake2b(mark.encode(), digest_size=4).hexdigest(),
            IdentityIndex(passages, np.array(number, np.int32)),
            self._version,
            dict(self._sizes),
            self._places,
            answers,
            tracks,
        )

    def _begun(self, oldest: float, old: LiveTracks | None, first: float) -> LiveTracks:
        """Tracks anew, without those that are too old to be shown; `first`: when the earliest new one began."""
        self._generation += 1
        kept = [track for track in old.tracks if track.last >= oldest] if old is not None else []
        first = min([first, *(track.first for track in kept)])
        origin = 0.0
        if first > WALL_CLOCK:
            origin = datetime.fromtimestamp(first).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        tracks = LiveTracks(self.folder, origin)
        tracks.cameras = list(old.cameras) if old is not None else []
        tracks.add(kept)
        return tracks

    def _newest(self) -> float:
        return (
            max((t.last for t in self._tracks.tracks[-2000:]), default=float("-inf")) if self._tracks else float("-inf")
        )

    @staticmethod
    def _oldest(tracks: LiveTracks) -> float:
        return tracks.tracks[0].last if tracks.tracks else float("inf")

    def _look(self) -> None:
        while not self._closed.is_set():
            tracks = self._tracks
            if tracks is None or not tracks.look():
                self._closed.wait(REFRESH_SECONDS)
