"""Starts a process for each camera, hears their reports, and starts those again that died or hang."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from common.processes import worker_context
from mtmc.online.messages import CameraReport
from mtmc.online.streams import Pauses
from mtmc.online.worker import STOP, CameraJob, Failure, work

HANG_SECONDS = 40.0
"""Seconds without progress after which a process hangs and is killed. Raising it loses more when one hangs. A stream
takes up to twice `OPEN_SECONDS` and `READ_SECONDS` to give up by itself."""
WORKED_SECONDS = 0.02
"""Seconds of computing since the last report from which a silent process is starved, not hanging. Raising it kills
processes of an overloaded machine. One that waits for ever computes nothing."""
PATIENCE = 10.0
"""How many times longer such a process may be silent. Raising it waits longer for one that turns in a circle."""
LOAD_SECONDS = 300.0
"""Seconds in which a process has to load its networks and give its first report. Raising it waits longer where they
are exported for the first time."""


@dataclass(frozen=True, slots=True)
class Died:
    """A camera's process is gone, with what it had not reported.

    Attributes:
        camera: whose.
        text: why, in one line.
        trace: a traceback, or "".
        again: whether it will be started again.
    """

    camera: str
    text: str
    again: bool
    trace: str = ""


class _Child:
    def __init__(self, job: CameraJob) -> None:
        self.job = job
        self.pauses = Pauses(random.random)
        self.process: BaseProcess | None = None
        self.pipe: Connection | None = None
        self.start_at = 0.0
        self.heard = self.computed = self.still = 0.0
        self.reported = False
        self.ready = False
        self.ended = False
        self.restarts = -1

    def start(self) -> None:
        context = worker_context()
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(self.job, theirs), name=self.job.camera, daemon=True)
        self.process.start()
        theirs.close()
        self.note()
        self.reported = self.ready = False
        self.still = 0.0
        self.restarts += 1

    def note(self) -> None:
        """Remember that the process gave a sign of life, and how much it had computed by then."""
        self.heard, self.computed, self.reported = time.monotonic(), self.computing(), True

    def computing(self) -> float:
        """Seconds of computing of the process so far; 0 where the system does not tell."""
        try:
            text = Path(f"/proc/{self.process.pid if self.process is not None else 0}/stat").read_text()
        except OSError:
            return 0.0
        words = text.rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Kill the process and forget it."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process.close()
        if self.pipe is not None:
            self.pipe.close()
        self.process = self.pipe = None


class Supervisor:
    """The processes of all cameras.

    Args:
        jobs: one per camera.
    """

    def __init__(self, jobs: Iterable[CameraJob]) -> None:
        self._children = {job.camera: _Child(job) for job in jobs}
        self.begun: float | None = None
        """When files began to be played, in seconds since 1970; None before."""

    @property
    def running(self) -> set[str]:
        """Cameras that have not ended for good."""
        return {name for name, child in self._children.items() if not child.ended}

    @property
    def restarts(self) -> dict[str, int]:
        """How often the process of each camera was started again."""
        return {name: max(child.restarts, 0) for name, child in self._children.items()}

    def process_of(self, camera: str) -> int | None:
        """The process id of a camera; None while it has none."""
        process = self._children[camera].process
        return process.pid if process is not None else None

    def poll(self, timeout: float, wanted: Callable[[str], bool] = lambda camera: True) -> list[CameraReport | Died]:
        """What the cameras have to tell; starts what is due.

        Args:
            timeout: seconds to wait for the first report.
            wanted: whether to hear a camera now; one that is not heard waits once its pipe is full.
        """
        for child in self._children.values():
            if child.process is None and not child.ended and time.monotonic() >= child.start_at:
                child.start()
        pipes = {c.pipe: c for n, c in self._children.items() if c.pipe is not None and wanted(n)}
        told: list[CameraReport | Died] = []
        for ready in wait(list(pipes), timeout) if pipes else []:
            told += self._hear(pipes[ready])  # type: ignore[index]
        if not pipes:
            time.sleep(min(timeout, 0.05))
        for child in self._children.values():
            if child.process is not None and not child.ended and self._hangs(child):
                told.append(self._died(child, "hangs and was killed"))
        self._begin()
        return told

    def stop(self, seconds: float) -> list[CameraReport | Died]:
        """Ask all processes to end, hear their last reports for at most `seconds`, and kill those that are left."""
        end = time.monotonic() + seconds
        told: list[CameraReport | Died] = []
        for child in self._children.values():
            if child.pipe is not None:
                try:
                    child.pipe.send(STOP)
                except OSError:
                    told.append(self._died(child, "is gone"))
            else:
                child.ended = True
        while (left := end - time.monotonic()) > 0:
            pipes = {child.pipe: child for child in self._children.values() if child.pipe is not None}
            if not pipes:
                break
            for ready in wait(list(pipes), left):
                told += self._hear(pipes[ready])  # type: ignore[index]
        for child in self._children.values():
            child.ended = True
            if child.process is not None:
                told.append(self._died(child, "did not stop in time"))
            child.end()
        return told

    def _begin(self) -> None:
        """Tell cameras to begin that have loaded their networks: streams at once, files together."""
        children = [child for child in self._children.values() if not child.ended]
        files = [child for child in children if child.job.playback is not None]
        if self.begun is None and all(child.ready or child.restarts > 0 for child in files):
            self.begun = time.time()
        for child in children:
            begun = self.begun if child.job.playback is not None else time.time()
            if begun is not None and child.ready and child.pipe is not None:
                child.ready = False
                child.note()
                with contextlib.suppress(OSError):  # the next poll hears of it
                    child.pipe.send(begun)

    def _hear(self, child: _Child) -> list[CameraReport | Died]:
        try:
            message = child.pipe.recv() if child.pipe is not None else None
        except (EOFError, OSError):
            return [] if child.ended else [self._died(child, "its process died")]
        if isinstance(message, Failure):
            child.ended = message.hopeless
            return [self._died(child, message.text, message.trace)]
        if not isinstance(message, CameraReport):
            return []
        child.note()
        # A file's reader may wait for its frame to be looked at.
        child.still = message.still if child.job.playback is None else 0.0
        if message.state == "ready":
            child.ready = True
            return [message]
        child.pauses.reset()
        # Where its successor has to go on counting.
        tracks = [int(message.rows.track.max(initial=0)), *(c.number for c in message.closed)]
        job = child.job
        if job.playback is not None and message.seconds > job.playback.begin:
            job = replace(job, playback=job.playback.after(message.seconds))
        child.job = replace(
            job,
            first_track=max(job.first_track, max(tracks) + 1),
            first_frame=max(job.first_frame, message.frame + 1),
            session=max(job.session, message.session),
            lag=job.lag if message.lag is None else message.lag,
        )
        if message.state == "ended":
            child.ended = True
            child.end()
        return [message]

    def _hangs(self, child: _Child) -> bool:
        limit = LOAD_SECONDS if child.ready or not child.reported else HANG_SECONDS
        silent = time.monotonic() - child.heard
        if child.still > HANG_SECONDS or silent > PATIENCE * limit:
            return True
        return silent > limit and child.computing() - child.computed < WORKED_SECONDS

    def _died(self, child: _Child, text: str, trace: str = "") -> Died:
        child.end()
        child.start_at = time.monotonic() + child.pauses.next()
        return Died(child.job.camera, text, not child.ended, trace)
