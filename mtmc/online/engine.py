"""The parent of a live site: hears the cameras, ticks the association, writes down what follows."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from mtmc.appearance.features import TrackFeatures
from mtmc.config import PipelineSettings
from mtmc.crops.table import Crops
from mtmc.online.archive import Archive, hour_of
from mtmc.online.correcting import NO_VEHICLE, Changes, Refused, decide, undo
from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, SAME, UNDO, Corrected, Correction
from mtmc.online.messages import CameraReport, ClosedTrack, LiveRows
from mtmc.online.packing import pack_reports, unpack_reports
from mtmc.online.settling import settle
from mtmc.online.store import Record, Store, TrackRow
from mtmc.online.supervisor import Died

TICK_SECONDS = 1.0
"""Seconds between two solves of the association. Raising it saves computing time and answers later."""
MAX_BEHIND = 10
"""Ticks that may be due before some are left out. Raising it keeps the rhythm through short overloads, and recovers
later from long ones."""
KEEP_SECONDS = 420.0
"""Seconds for which inputs are kept beyond what the association may still change: the longest track that may be open,
and some more. Raising it costs space."""


@dataclass(frozen=True, slots=True)
class Said:
    """An event of the association, before it has a number in the log.

    Attributes:
        kind: opened, assigned, revised, merged, split, closed, final.
        identity: whose; None where there is none yet.
        camera, track: of which track; None where it concerns a whole identity.
        content: the reason and everything else, by name.
    """

    kind: str
    identity: int | None = None
    camera: str | None = None
    track: int | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


class Window(Protocol):
    """The association over a sliding window of time.

    It has no other input than the calls of `tick`, and is a function of them: a restart makes a new one and repeats the
    calls.
    """

    @property
    def horizon(self) -> float:
        """Calls with times before this cannot change what it says any more: they are not needed for a restart."""

    def tick(self, seconds: float, reports: Sequence[CameraReport]) -> list[Said]:
        """Take what the cameras reported up to a time, and say what follows.

        Args:
            seconds: the present on the time axis; rises from call to call. Infinity: nothing will come any more.
            reports: since the previous call.
        """

    def restore(
        self,
        identities: Mapping[tuple[str, int], int],
        final: Collection[tuple[str, int]],
        next_identity: int,
        until: float,
    ) -> None:
        """Before the calls of `tick` up to the second `until` are repeated: what they led to. What a repeated call
        says is not heard."""

    def hold(self, standing: Sequence[Correction]) -> None:
        """Solve under these corrections, and no others, from the next tick on."""

    def amend(self, merged: Mapping[int, int], moved: Mapping[tuple[str, int], int], next_identity: int) -> None:
        """Identities have been corrected: they are called otherwise now, or tracks moved, to -1 where they are no
        vehicle; `next_identity` is the smallest number that was never used."""

    def lesson(self, *, last: bool = False) -> Callable[[], str] | None:
        """What could be learned now, as a function that takes seconds and may run in another thread; None: nothing.

        Args:
            last: whether nothing will come any more, so that it is time in any case.
        """

    def use(self, lesson: str) -> None:
        """Solve with what such a function returned from the next tick on."""


@dataclass(slots=True)
class _Camera:
    """What is known of a camera.

    Attributes:
        seconds: everything up to here has been heard.
        risen: when that last rose, by the wall clock.
        size: of its picture.
        open: rows of the tracks in sight, and their latest features.
        next_track, next_frame, session, written: where a new process goes on, see `Engine.progress_of`.
    """

    risen: float
    seconds: float = -math.inf
    ended: bool = False
    state: str = "connecting"
    size: tuple[int, int] = (0, 0)
    open: dict[int, list[LiveRows]] = field(default_factory=dict)
    features: dict[int, TrackFeatures] = field(default_factory=dict)
    next_track: int = 1
    next_frame: int = 1
    session: int = 0
    written: float = -math.inf


class Engine:
    """Ticks the association with what the cameras report; every tick is written as a whole before anyone hears of it.

    Args:
        store, archive: where results go.
        window: the association, fresh; it is brought to where it was.
        cameras: their names.
        settings: for the repair of tracks whose process died.
        silent_seconds: seconds without news after which nobody waits for a camera; infinite: everybody waits.
        wall: seconds of a clock that runs.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        window: Window,
        cameras: Iterable[str],
        settings: PipelineSettings,
        *,
        silent_seconds: float,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._archive, self._window, self._settings = store, archive, window, settings
        self._silent_seconds, self._wall = silent_seconds, wall
        self._cameras = {name: _Camera(wall()) for name in cameras}
        self._waiting: list[CameraReport] = []
        self._tick = 0
        self.seconds: float | None = None
        """The time of the latest tick; None before the first."""
        self.tick_seconds = 0.0
        """How long the latest tick took."""
        self._lesson: str | None = None
        self._restore()

    def lesson(self, *, last: bool = False) -> Callable[[], str] | None:
        """What the association could learn now; see `Window`."""
        return self._window.lesson(last=last)

    def use(self, lesson: str) -> None:
        """Let the association use what it learned from the next tick on, also after a restart."""
        self._lesson = lesson

    def progress_of(self, camera: str) -> tuple[int, int, int, float]:
        """Where the process that watches a camera goes on: numbers of the next track and frame, number of the latest
        session, and the second up to which everything was written; minus infinity where nothing was."""
        known = self._cameras[camera]
        return known.next_track, known.next_frame, known.session, known.written

    def states(self) -> dict[str, tuple[str, float]]:
        """State of each camera, and up to which second it was heard."""
        return {name: (c.state, c.seconds) for name, c in self._cameras.items()}

    @property
    def waiting(self) -> int:
        """Reports that wait for their tick."""
        return len(self._waiting)

    def hear(self, message: CameraReport | Died) -> None:
        """Take news of a camera; it counts from the next tick on."""
        camera = self._cameras[message.camera]
        if isinstance(message, Died):
            camera.state = "restarting" if message.again else "ended"
            camera.ended = not message.again
            self._waiting.append(self._lost(message.camera, "lost sight"))
            return
        camera.state, camera.ended = message.state, message.state == "ended"
        if message.seconds > camera.seconds:
            camera.seconds, camera.risen = message.seconds, self._wall()
        if message.width:
            camera.size = (message.width, message.height)
        if len(message.rows) or len(message.features) or message.closed:
            self._note(camera, message)
            self._waiting.append(message)

    def ahead(self, camera: str, seconds: float) -> bool:
        """Whether a camera is further than some seconds ahead of the slowest that is still running."""
        slowest = min((c.seconds for c in self._cameras.values() if not c.ended), default=math.inf)
        return self._cameras[camera].seconds > slowest + seconds

    def due(self) -> float | None:
        """The time for which a tick is due: everything up to it was heard, but for silent cameras; else None."""
        now = self._wall()
        live = [c for c in self._cameras.values() if not c.ended and now - c.risen <= self._silent_seconds]
        heard = [c.seconds for c in self._cameras.values() if c.seconds > -math.inf]
        if not heard:
            return None
        # While all are silent, time goes on with the clock, so that answers become final.
        silence = 0.0 if math.isinf(self._silent_seconds) else now - max(c.risen for c in self._cameras.values())
        reached = min((c.seconds for c in live), default=max(heard) + silence)
        if self.seconds is None:
            return math.floor(reached / TICK_SECONDS) * TICK_SECONDS if math.isfinite(reached) else None
        following = self.seconds + TICK_SECONDS
        if reached < following:
            return None
        if reached - following > MAX_BEHIND * TICK_SECONDS and math.isfinite(self._silent_seconds):
            return math.floor(reached / TICK_SECONDS) * TICK_SECONDS
        return following

    def finished(self) -> bool:
        """Whether every camera has ended for good."""
        return all(camera.ended for camera in self._cameras.values())

    def tick(self, seconds: float) -> list[Record]:
        """Solve with everything up to `seconds`; returns the events, which are in the log by then.

        Raises:
            OSError: the disk is full; nothing of this tick was written.
        """
        start = time.perf_counter()
        reports = sorted((r for r in self._waiting if r.seconds <= seconds), key=lambda r: (r.camera, r.seconds))
        taken = {id(report) for report in reports}
        waiting = [report for report in self._waiting if id(report) not in taken]
        for report in reports:
            for track in report.closed:
                if len(track.crops):
                    hour = hour_of(float(track.rows.seconds.max()))
                    self._archive.keep_crops(hour, report.camera, track.number, track.crops)
        content = pack_reports(reports)
        stored = unpack_reports(content)
        lesson = self._lesson
        if lesson is not None:
            self._window.use(lesson)
        said = self._window.tick(seconds, stored)
        at = seconds if math.isfinite(seconds) else max((c.seconds for c in self._cameras.values()), default=0.0)
        at = max(at, self.seconds or at) if math.isfinite(at) else 0.0
        with self._store.transaction():
            self._store.add_input(self._tick + 1, at, content)
            if lesson is not None:
                self._store.add_lesson(self._tick + 1, lesson)
            for report in stored:
                for track in report.closed:
                    if len(track.rows):
                        size = (report.width, report.height)
                        row = TrackRow(report.camera, track.number, track.rows, size, track.vector, track.weight)
                        self._store.add_track(row, hour_of(float(track.rows.seconds.max())))
            records = [self._write(at, event) for event in said]
            self._store.set_meta("progress", json.dumps(self._progress(at, reports)))
            self._store.forget_inputs(min(self._window.horizon, at) - KEEP_SECONDS)
        self._waiting, self.seconds, self._tick = waiting, at, self._tick + 1
        self._lesson = None if self._lesson is lesson else self._lesson
        self.tick_seconds = time.perf_counter() - start
        return records

    def knows(self, track: tuple[str, int]) -> bool:
        """Whether there is such a track, open or closed."""
        return _Identified(self._store, self._cameras).identity(track) is not None

    def correct(self, corrections: Sequence[Correction]) -> list[Record]:
        """Carry out what users know, between two ticks; the next solve is bound by it.

        All is written as a whole before anyone hears of it, with what became of each correction: a correction that is
        in the store is not to be given again.

        Returns:
            The events of what changed at once; there are none before the first tick, when no track is known.

        Raises:
            OSError: the disk is full; nothing was written.
        """
        seconds = self.seconds or 0.0
        records: list[Record] = []
        changes = []
        with self._store.transaction():
            for correction in corrections:
                changed, said = self._corrected(correction, seconds)
                records += [self._write(seconds, event) for event in said]
                changes.append(changed)
        for changed in changes:
            merged = {other: into for other, into, _ in changed.merged}
            self._window.amend(merged, {key: new for key, _, new in changed.moved}, self._next_identity())
        self._window.hold(self._standing())
        return records

    def _corrected(self, correction: Correction, seconds: float) -> tuple[Changes, list[Said]]:
        """What a correction changes, and the events that say so; notes what became of it."""
        site, standing = _Identified(self._store, self._cameras), self._standing()
        reason, changes, text = "", Changes(), "corrected"
        try:
            if correction.kind == UNDO:
                text = "correction undone"
                undone = self._undone(correction)
                if undone is not None:
                    standing = [each for each in standing if each != undone.correction]
                    changes = undo(Changes.from_json(dict(undone.effect)), standing, site, self._fresh)
                    self._store.add_correction(replace(undone, state="undone"))
            else:
                changes = decide(correction, standing, site, self._fresh)
        except Refused as refused:
            reason = str(refused)
        state = "refused" if reason else "applied"
        self._store.add_correction(Corrected(correction, state, reason, seconds, changes.to_json()))
        return changes, _said_of(changes, text)

    def _undone(self, correction: Correction) -> Corrected | None:
        """What a correction takes back, if it holds."""
        known = self._store.corrections(correction.source)
        found = next((each for each in known if each.correction.seq == correction.undoes), None)
        return found if found is not None and found.state == "applied" else None

    def _standing(self) -> list[Correction]:
        held = (SAME, DIFFERENT, NOT_A_VEHICLE)
        return [
            each.correction
            for each in self._store.corrections()
            if each.state == "applied" and each.correction.kind in held
        ]

    def _next_identity(self) -> int:
        return int(self._store.meta("next_identity") or 1)

    def _fresh(self) -> int:
        number = self._next_identity()
        self._store.set_meta("next_identity", str(number + 1))
        return number

    def _write(self, seconds: float, event: Said) -> Record:
        if event.identity is None and event.kind == "revised" and event.camera is not None and event.track is not None:
            self._store.set_identity(event.camera, event.track, NO_VEHICLE, final=False, seconds=seconds)
        if event.identity is not None:
            if event.identity >= self._next_identity():
                self._store.set_meta("next_identity", str(event.identity + 1))
            if event.kind == "merged":
                self._store.merge_identities(int(event.content["other"]), event.identity)
            elif event.camera is not None and event.track is not None and event.kind in _ASSIGNING:
                final = event.kind == "final"
                self._store.set_identity(event.camera, event.track, event.identity, final=final, seconds=seconds)
        return self._store.add_event(
            seconds,
            event.kind,
            identity=event.identity,
            camera=event.camera,
            track=event.track,
            content=event.content,
        )

    def _note(self, camera: _Camera, report: CameraReport) -> None:
        """Keep the rows of open tracks, in case that the process of their camera dies."""
        for number in np.unique(report.rows.track).tolist():
            camera.open.setdefault(number, []).append(report.rows[report.rows.track == number])
        for row, number in enumerate(report.features.track.tolist()):
            camera.features[number] = report.features[row : row + 1]
        for track in report.closed:
            camera.open.pop(track.number, None)
            camera.features.pop(track.number, None)

    def _lost(self, name: str, why: str) -> CameraReport:
        """A report that closes what a dead process left open."""
        camera = self._cameras[name]
        closed = []
        every = LiveRows.concatenate([rows for tables in camera.open.values() for rows in tables])
        for number in sorted(camera.open):
            rows = settle(number, every, camera.size, self._settings.repair)
            feature = camera.features.get(number)
            vector, weight = (None, 0.0) if feature is None else (feature.vector[0], float(feature.weight[0]))
            closed.append(ClosedTrack(number, rows, Crops.empty(), vector, weight, why))
        camera.open.clear()
        camera.features.clear()
        return CameraReport(
            name,
            camera.session,
            camera.state,
            why,
            "",
            camera.seconds,
            camera.next_frame - 1,
            *camera.size,
            closed=tuple(closed),
        )

    def _progress(self, seconds: float, reports: Sequence[CameraReport]) -> dict[str, Any]:
        for report in reports:
            camera = self._cameras[report.camera]
            numbers = [int(report.rows.track.max(initial=0)), *(track.number for track in report.closed)]
            camera.next_track = max(camera.next_track, max(numbers) + 1)
            camera.next_frame = max(camera.next_frame, report.frame + 1)
            camera.session = max(camera.session, report.session)
            camera.written = max(camera.written, report.seconds)
        names = ("next_track", "next_frame", "session", "size", "written")
        cameras = {name: {key: getattr(c, key) for key in names} for name, c in self._cameras.items()}
        return {"seconds": seconds, "tick": self._tick + 1, "cameras": cameras}

    def _restore(self) -> None:
        """Bring everything to where it was after the latest tick in the store."""
        found = self._store.meta("progress")
        if found is None:
            return
        progress = json.loads(found)
        self.seconds, self._tick = float(progress["seconds"]), int(progress["tick"])
        for name, row in progress["cameras"].items():
            if name in self._cameras:
                camera = self._cameras[name]
                camera.next_track, camera.next_frame = int(row["next_track"]), int(row["next_frame"])
                camera.session, camera.size = int(row["session"]), (int(row["size"][0]), int(row["size"][1]))
                camera.written = float(row["written"])
        inputs = self._store.inputs()
        known = self._store.identities()
        self._window.restore(
            {key: identity for key, (identity, _) in known.items()},
            {key for key, (_, final) in known.items() if final},
            self._next_identity(),
            self.seconds,
        )
        standing = self._standing()
        if standing:
            self._window.hold(standing)
        lessons = self._store.lessons()
        for tick, seconds, content in inputs:
            while lessons and lessons[0][0] <= tick:
                self._window.use(lessons.pop(0)[1])
            reports = [report for report in unpack_reports(content) if report.camera in self._cameras]
            for report in reports:
                self._note(self._cameras[report.camera], report)
            self._window.tick(seconds, reports)
        for name, camera in self._cameras.items():
            if camera.open:
                # Its process ended with the parent.
                self._waiting.append(replace(self._lost(name, "restart"), seconds=camera.written))


@dataclass(frozen=True, slots=True)
class _Identified:
    """See `mtmc.online.correcting.Identified`."""

    store: Store
    cameras: Mapping[str, _Camera]

    def identity(self, key: tuple[str, int]) -> int | None:
        found = self.store.answer_of(*key)
        if found is not None:
            return found[0]
        return 0 if self.span(key) is not None else None

    def final(self, key: tuple[str, int]) -> bool:
        found = self.store.answer_of(*key)
        return found is not None and found[1]

    def span(self, key: tuple[str, int]) -> tuple[float, float] | None:
        camera = self.cameras.get(key[0])
        # Of the tracks in sight, the association has heard of those below the next number.
        if camera is not None and key[1] in camera.open and key[1] < camera.next_track:
            seconds = np.concatenate([rows.seconds for rows in camera.open[key[1]]])
            return float(seconds.min()), float(seconds.max())
        return self.store.span_of(*key)

    def members(self, identity: int) -> list[tuple[str, int]]:
        return self.store.tracks_of(identity)

    def merged(self, identity: int) -> bool:
        return self.store.is_merged(identity)


def _said_of(changes: Changes, reason: str) -> list[Said]:
    """The events of what a correction changed."""
    said = [Said("merged", into, None, None, {"reason": reason, "other": other}) for other, into, _ in changes.merged]
    said += [Said("split", number, None, None, {"reason": reason, "other": other}) for number, other in changes.split]
    for (camera, track), old, new in changes.moved:
        # One that has no identity is assigned one, also if it was taken for no vehicle in between.
        kind = "assigned" if old <= 0 < new else "revised"
        other = {"other": old} if old > 0 else {}
        said.append(Said(kind, new if new > 0 else None, camera, track, {"reason": reason, **other}))
    return said


_ASSIGNING = ("assigned", "revised", "final")
"""Kinds of events that say the identity of a track."""
