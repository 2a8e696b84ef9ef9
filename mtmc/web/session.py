"""A finished run in memory: what the page shows of it now, and a worker that solves it again after each answer."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.association.constraints import ConstraintKind, Constraints, TrackName
from mtmc.identities import Identities
from mtmc.report.data import CameraInfo
from mtmc.report.stored_run import StoredRun, read_identities, write_identities
from mtmc.report.view import clock_text
from mtmc.web.answers import answered_pairs, apply_directly, around_answers
from mtmc.web.colours import colour_of
from mtmc.web.correcting import MAX_NAMED, check_form
from mtmc.web.correction_log import CorrectionLog, Entry
from mtmc.web.crop_store import CropStore, track_vectors
from mtmc.web.doubts import Doubt, find_doubts, find_partners
from mtmc.web.identity_index import IdentityIndex, carry_numbers, changes
from mtmc.web.joins import Joins
from mtmc.web.passages import load_passages, passage_keys
from mtmc.web.resolve import Resolver
from mtmc.web.shown import seconds_of
from mtmc.web.sides import Features, centred
from mtmc.web.traffic import camera_infos

WORK = "page"
"""Folder below the run's where the page keeps what it makes: the log of answers, corrected identities, clips."""
GIVEN = "given with --constraints"
"""Note of the answers that the run was made with."""


_ANSWERS = {
    ConstraintKind.MUST_LINK: "same",
    ConstraintKind.CANNOT_LINK: "different",
    ConstraintKind.NOT_A_VEHICLE: "not-a-vehicle",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A passage whose identity was changed by an answer without having been named in it."""

    row: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the page shows at one moment; never changed, only replaced.

    Attributes:
        version: rises with each replacement.
        seq: the last entry of the log that it contains.
        solved: the last entry that the association was solved with; below `seq` while it is solving.
        index: the identities.
        joins: candidate pairs of the last solution.
        changes: what else the last solution changed.
        problem: why the last solution failed, "" if it did not.
    """

    version: int
    seq: int
    solved: int
    index: IdentityIndex
    joins: Joins
    changes: tuple[Change, ...] = ()
    problem: str = ""


class Session:
    """A run that is open in the page.

    Args:
        run: the run.
        solve: solve the association in the background, at the start and after each answer. Without it, answers act
            directly only, and there are no doubts.
    """

    def __init__(self, run: StoredRun, *, solve: bool = True) -> None:
        self.run = run
        self.work = run.folder / WORK
        self.cameras = tuple(camera.name for camera in run.scenario.cameras)
        self.passages = load_passages(run)
        self.keys = passage_keys(self.passages, self.cameras)
        self.row_of = {key: row for row, key in enumerate(self.keys)}
        # Part of the addresses of pictures, so that a browser does not show those of another run.
        self.tag = hashlib.blake2b(f"{run.folder.resolve()}:{run.extraction.name}".encode(), digest_size=4).hexdigest()
        self.crops = CropStore(run, self.passages)
        self.log = CorrectionLog(self.work / "corrections.sqlite")
        self.resolver = Resolver(run)
        self.colour = np.full(len(self.passages), -1, np.int8)
        self._original = _identity_of(run.identities, self.passages.camera, self.passages.track, self.passages.since)
        self._taken = int(self._original.max(initial=0))
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._closed = threading.Event()
        self._given = self._take_given()
        self._counted = (-1, 0)
        self._asked: tuple[int, int, int, list[Doubt]] | None = None
        self.snapshot = self._first()
        self._workers = [threading.Thread(target=self._find_colours, name="colours", daemon=True)]
        if solve:
            self._workers.append(threading.Thread(target=self._solve_again, name="association", daemon=True))
            self._due.set()
        for worker in self._workers:
            worker.start()

    def close(self) -> None:
        """Stop the workers; a solution under way is finished, but no longer shown."""
        self._closed.set()
        self._due.set()
        for worker in self._workers:
            worker.join(timeout=60)

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.run.scenario.name

    @property
    def simulated(self) -> bool:
        """Whether the scenario is."""
        return self.run.scenario.simulated

    @property
    def live(self) -> bool:
        """A run is finished."""
        return False

    @property
    def wall_clock(self) -> bool:
        """Recorded videos have a time axis of their own."""
        return False

    @property
    def extractor(self) -> str:
        """Name of the extractor, "none" without appearance."""
        return self.run.extraction.name

    @property
    def index(self) -> IdentityIndex:
        """The present identities."""
        return self.snapshot.index

    def camera_infos(self) -> list[CameraInfo]:
        """The cameras as the map places them."""
        return camera_infos(self.run.scenario)

    def has_video(self, camera: int) -> bool:
        """Whether clips of a camera can be cut."""
        return self.run.scenario.cameras[camera].video is not None

    def clock(self, seconds: float) -> str:
        """A time of the scenario's axis in words."""
        return clock_text(seconds)

    def seconds(self, text: str) -> float | None:
        """The time that a user means; None if it cannot be read."""
        return seconds_of(text)

    @cached_property
    def vectors(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """The feature of each passage (n, d), and which passages have one (n,)."""
        return track_vectors(self.run, self.passages)

    @cached_property
    def _centred(self) -> Features:
        return centred(self.vectors, self.passages.camera)

    def rows(self, keys: Iterable[str]) -> list[int]:
        """The rows of passages by their keys.

        Raises:
            InputError: there is no such passage.
        """
        found = []
        for key in keys:
            if key not in self.row_of:
                raise InputError(f"{key}: there is no such passage in this run")
            found.append(self.row_of[key])
        return found

    def keys_of(self, name: TrackName) -> list[str]:
        """The keys of the passages that a located track has: all parts of a cut one, or the part with its frame."""
        p, camera = self.passages, self.cameras.index(name.camera)
        mine = (p.camera == camera) & (p.track == name.track)
        if name.frame:
            part = self.run.cuts[camera].part(np.array([name.track], np.int32), np.array([name.frame], np.int32))
            mine &= p.part == part[0]
        return [self.keys[row] for row in np.flatnonzero(mine).tolist()]

    def said_by(self, constraints: Constraints) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """What constraints say, as answers: their kind and the keys of both sides.

        Raises:
            InputError: a track is not there.
        """
        found = []
        for row, names in enumerate(self.resolver.located(constraints)):
            sides = [tuple(self.keys_of(name)) for name in names]
            kind = _ANSWERS[ConstraintKind(int(constraints.kind[row]))]
            found.append((kind, sides[0], sides[1] if len(sides) > 1 else ()))
        return found

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
        """See `mtmc.web.correcting.Answering`: refused if it contradicts a fact or an earlier answer, else logged and
        applied."""
        check_form(kind, first, second)
        self.rows([*first, *second])
        with self._lock:
            self._catch_up()
            entry = Entry(self.log.last + 1, "", author, kind, tuple(first), tuple(second))
            if kind != "unsure":
                self.resolver.check([*self.log.standing(), entry])
            found = self.log.append(kind, first, second, author=author, after=after, note=note)
            self._refresh(found)
        return found

    def undo(self, seq: int, *, author: str = "") -> Entry:
        """Take an answer back.

        Raises:
            InputError: there is none with this number, or it is undone already.
        """
        with self._lock:
            found = self.log.undo(seq, author=author)
            self._refresh(found)
        return found

    def entries(self, after: int = 0) -> list[Entry]:
        """The log, from the entry after `after` on."""
        return self.log.entries(after)

    def row(self, key: str) -> int | None:
        """The row of a passage; None if there is none."""
        return self.row_of.get(key)

    def doubts(self, limit: int = 20) -> list[Doubt]:
        """The questions whose answers are expected to change most."""
        now, last, found = self.snapshot, self.log.last, self._asked
        if found is None or found[:3] != (now.version, last, limit):
            answered = answered_pairs(self.log.standing(), self.row_of)
            doubts = find_doubts(now.joins, now.index, self._centred, limit=limit, answered=answered)
            found = self._asked = (now.version, last, limit, doubts)
        return found[3]

    def partners(self, number: int) -> dict[int, float]:
        """Identities that the association considered for one, with the probability that both are one vehicle."""
        now = self.snapshot
        return find_partners(now.joins, now.index, number, self._centred)

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""
        return self._closed.is_set()

    @property
    def solving(self) -> bool:
        """Whether a solution is due or under way."""
        return self._due.is_set() and not self._closed.is_set()

    def status(self) -> dict[str, Any]:
        """Where the session stands, as plain values."""
        now = self.snapshot
        return {
            "version": now.version,
            "seq": now.seq,
            "solved": now.solved,
            "solving": self.solving,
            "identities": len(now.index),
            "answers": self._count_answers(now.seq),
            "changes": [
                {"passage": self.keys[c.row], "before": c.before, "after": c.after} for c in now.changes[:MAX_NAMED]
            ],
            "problem": now.problem,
        }

    def _take_given(self) -> frozenset[int]:
        """The entries that stand for what the run was given; they enter the log when it is first opened.

        So they are shown, kept when the association solves again, exported, and can be taken back, as answers are.
        """
        given = frozenset(entry.seq for entry in self.log.entries() if entry.note == GIVEN)
        if given or not len(self.run.constraints):
            return given
        said = self.said_by(self.run.constraints)
        return frozenset(self.log.append(*each, author="mtmc.run", note=GIVEN).seq for each in said)

    def _as_run(self, standing: Sequence[Entry]) -> bool:
        """Whether these answers say what the run knew, no more and no less."""
        return {entry.seq for entry in standing if entry.kind != "unsure"} == self._given

    def _count_answers(self, seq: int) -> int:
        """How many answers stand after an entry; counted once, as the state is asked for all the time."""
        if self._counted[0] != seq:
            self._counted = (seq, len(self.log.standing()))
        return self._counted[1]

    def _first(self) -> Snapshot:
        """The run's identities, or the corrected ones that were stored under the last answer."""
        seq, standing = self.log.last, self.log.standing()
        stored = self._stored(seq)
        identity = self._original if stored is None else stored
        if stored is None and standing:
            identity = apply_directly(self._original, standing, self.row_of, self._taken)
        self._taken = max(self._taken, int(identity.max(initial=0)))
        solved = seq if stored is not None or not seq else 0
        return Snapshot(1, seq, solved, IdentityIndex(self.passages, identity), Joins.none())

    def _catch_up(self) -> None:
        """Take in what another process has written to the log."""
        now = self.snapshot
        if self.log.last != now.seq:
            identity = apply_directly(self._original, self.log.standing(), self.row_of, self._taken)
            self._taken = max(self._taken, int(identity.max(initial=0)))
            index = IdentityIndex(self.passages, identity)
            self.snapshot = Snapshot(now.version + 1, self.log.last, now.solved, index, now.joins)
            self._due.set()

    def _refresh(self, entry: Entry) -> None:
        """Show an entry's direct effect at once, and have the association solved again."""
        now = self.snapshot
        base = now.index.identity
        if entry.kind == "undo":
            base = apply_directly(self._original, self.log.standing(), self.row_of, self._taken)
        elif entry.kind != "unsure":
            base = apply_directly(base, [entry], self.row_of, self._taken)
        self._taken = max(self._taken, int(base.max(initial=0)))
        index = IdentityIndex(self.passages, base)
        unsure = entry.kind == "unsure"
        solved = entry.seq if unsure and now.solved == now.seq else now.solved
        self.snapshot = Snapshot(now.version + 1, entry.seq, solved, index, now.joins)
        if not unsure:
            self._due.set()

    def _solve_again(self) -> None:
        while True:
            self._due.wait()
            if self._closed.is_set():
                return
            with self._lock:
                self._catch_up()
                seq, standing = self.snapshot.seq, self.log.standing()
            try:
                solution = self.resolver.solve(standing)
                problem = ""
            except (InputError, ValueError, MemoryError) as error:
                solution, problem = None, " ".join(str(error).split())
            with self._lock:
                if self.log.last == seq or self._closed.is_set():
                    self._due.clear()
                if self._closed.is_set():
                    return
                if self.snapshot.seq != seq:
                    continue  # answered meanwhile: solve again with it
                self._show(seq, standing, solution, problem)

    def _show(self, seq: int, standing: Sequence[Entry], solution: Any, problem: str) -> None:
        now = self.snapshot
        if solution is None:
            self.snapshot = Snapshot(now.version + 1, seq, now.solved, now.index, now.joins, (), problem)
            return
        before = now.index.identity
        if self._as_run(standing):
            after = self._original
        elif self.resolver.takes_answers:
            told = [e for e in standing if e.kind != "unsure"]
            direct = apply_directly(self._original, told, self.row_of, self._taken)
            about = [self.row_of[key] for e in told for key in (*e.first, *e.second) if key in self.row_of]
            near = around_answers(direct, solution.identity, np.array(about, np.int64))
            after = carry_numbers(before, near, self.passages.boxes, self._taken)
        else:
            after = before
        named = [self.row_of[key] for e in standing[-1:] for key in (*e.first, *e.second) if key in self.row_of]
        moved = tuple(Change(*change) for change in changes(before, after, named))
        self._taken = max(self._taken, int(after.max(initial=0)))
        index = IdentityIndex(self.passages, after)
        if standing:
            self._store(seq, after)
        self.snapshot = Snapshot(now.version + 1, seq, seq, index, solution.joins, moved)

    def identities(self) -> Identities:
        """The present identities as a table."""
        p = self.passages
        return Identities(p.camera, p.track, p.since, self.snapshot.index.identity)

    def _store(self, seq: int, identity: npt.NDArray[np.int32]) -> None:
        p = self.passages
        with contextlib.suppress(OSError):  # a full disk: the log is what counts
            for old in self.work.glob("corrected-*.parquet"):
                old.unlink(missing_ok=True)
            table = Identities(p.camera, p.track, p.since, identity)
            write_identities(self._stored_file(seq), table, self.cameras)

    def _stored(self, seq: int) -> npt.NDArray[np.int32] | None:
        path = self._stored_file(seq)
        if not seq or not path.is_file():
            return None
        table = read_identities(path, self.cameras)
        return _identity_of(table, self.passages.camera, self.passages.track, self.passages.since)

    def _stored_file(self, seq: int) -> Path:
        return self.work / f"corrected-{self.run.extraction.name}-{seq}.parquet"

    def _find_colours(self) -> None:
        for camera in range(len(self.cameras)):
            rows = np.flatnonzero(self.passages.camera == camera)
            try:
                images = self.crops.best_images(camera)
            except (OSError, InputError):
                continue
            for row in rows.tolist():
                if self._closed.is_set():
                    return
                self.colour[row] = colour_of(images.get(int(self.passages.part[row]), b""))


def _identity_of(
    identities: Identities,
    camera: npt.NDArray[np.int32],
    track: npt.NDArray[np.int32],
    since: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """(n,) the identity of each passage; -1 where the table has none."""
    known = {
        (c, t, s): i
        for c, t, s, i in zip(
            identities.camera.tolist(),
            identities.track.tolist(),
            identities.since.tolist(),
            identities.identity.tolist(),
            strict=True,
        )
    }
    rows = zip(camera.tolist(), track.tolist(), since.tolist(), strict=True)
    return np.array([known.get(row, -1) for row in rows], np.int32)
