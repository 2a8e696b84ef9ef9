"""The process of one camera: reads it, watches it, and reports to the parent until that says stop or is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.config import PipelineSettings
from mtmc.observation.job import DetectorChoice
from mtmc.online.frames import NewestFrame
from mtmc.online.messages import CameraReport, LiveRows
from mtmc.online.networks import load_extractor
from mtmc.online.reader import CameraReader, ReaderState
from mtmc.online.redaction import redact
from mtmc.online.streams import FrameSource, NetworkStream, Playback, PlayedFile
from mtmc.online.tiles import TileWriter
from mtmc.online.watcher import CameraWatcher
from mtmc.scenarios.roi import read_roi
from mtmc.tracking.choice import DEFAULT_TRACKER

REPORT_SECONDS = 0.5
"""Seconds between two reports of a camera, of the wall clock and of its own. Raising it saves messages and answers
later."""
ALIVE_SECONDS = 5.0
"""Seconds after which a camera that has nothing to report says that it lives. Raising it notices a hanging process
later."""
STOP = "stop"
"""What the parent sends to end a process. To begin, it sends the time from which `Playback.wall` counts."""


@dataclass(frozen=True, slots=True)
class CameraJob:
    """The task of a camera's process.

    Attributes:
        camera: its name.
        address: where it is read, with credentials; not printed.
        playback: how a file is played; None for a network stream.
        settings: of all stages.
        detector: what finds the boxes.
        extractor: a name or file, as `mtmc.run --reid`; "none": without appearance.
        cache: the folder for exports of networks.
        frame_rate: frames a second that are looked at; None: all.
        clock_offset: seconds to add to a stream's times.
        lag: what was learned of a stream's clock before, see `mtmc.online.stream_clock`.
        silent_seconds: seconds without a frame after which its tracks are closed.
        lossless: wait for frames to be looked at instead of dropping them; for files played without end of speed.
        tracker: its name, see `mtmc.tracking.choice`.
        roi: a picture of the region of interest, or None.
        threads: for the networks.
        image_fps: frames per second of a folder of images.
        first_track, first_frame, session: where to go on counting, for a camera that was watched before.
        tiles: the folder for its newest picture; None writes none.
    """

    camera: str
    address: str = field(repr=False)
    playback: Playback | None
    settings: PipelineSettings
    detector: DetectorChoice
    extractor: str
    cache: Path
    frame_rate: float | None = None
    clock_offset: float = 0.0
    lag: float | None = None
    silent_seconds: float = 5.0
    lossless: bool = False
    tracker: str = DEFAULT_TRACKER
    roi: Path | None = None
    threads: int = 1
    image_fps: float = 10.0
    first_track: int = 1
    first_frame: int = 1
    session: int = 0
    tiles: Path | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a process ended by itself.

    Attributes:
        camera: whose.
        text: one line for the user, without credentials.
        hopeless: the same will happen again: do not start it again.
        trace: the traceback of a fault of ours, "" otherwise.
    """

    camera: str
    text: str
    hopeless: bool
    trace: str = ""


def work(job: CameraJob, pipe: Connection) -> None:
    """Watch a camera; the target of its process. Never returns: a thread inside FFmpeg could keep the process alive."""
    # The parent alone decides when a camera ends; both signals go to the whole group of processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        _Worker(job, pipe).run()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the parent is gone
    except InputError as error:
        _tell(pipe, Failure(job.camera, redact(error), hopeless=True))
    except Exception as error:
        trace = redact(traceback.format_exc())
        _tell(pipe, Failure(job.camera, redact(f"{type(error).__name__}: {error}"), hopeless=False, trace=trace))
    os._exit(0)


def _tell(pipe: Connection, failure: Failure) -> None:
    try:
        pipe.send(failure)
    except OSError:
        os._exit(1)


def open_source(job: CameraJob, stop: threading.Event, begun: float) -> FrameSource:
    """The frames of a camera: a stream of the network, or a file that is played from the time `begun` on."""
    if job.playback is None:
        return NetworkStream(job.address, job.clock_offset, job.lag)
    return PlayedFile(Path(job.address), replace(job.playback, wall=job.playback.wall + begun), stop, job.image_fps)


class _Worker:
    def __init__(self, job: CameraJob, pipe: Connection) -> None:
        self._job, self._pipe = job, pipe
        self._stop = threading.Event()
        self._slot = NewestFrame(job.lossless)
        self._source: FrameSource | None = None
        self._session = job.session
        self._reported = (float("-inf"), float("-inf"))
        self._looked = time.monotonic()
        self._tile = TileWriter(job.tiles, job.camera) if job.tiles is not None else None
        roi = read_roi(job.roi) if job.roi is not None else None
        self._watcher = CameraWatcher(
            job.detector.load(job.threads),
            load_extractor(job.extractor, job.settings, job.cache, job.threads),
            job.settings,
            tracker=job.tracker,
            roi=roi,
            first_track=job.first_track,
        )

    def run(self) -> None:
        # Networks take seconds to load, and files begin together.
        self._pipe.send(self._report_of("ready", ReaderState(session=self._session)))
        begun = self._pipe.recv()
        if begun == STOP:
            return
        self._source = open_source(self._job, self._stop, begun)
        self._reader = CameraReader(
            self._source,
            self._slot,
            frame_rate=self._job.frame_rate,
            stop=self._stop,
            first_number=self._job.first_frame,
            session=self._job.session,
        )
        self._reader.start()
        self._looked = time.monotonic()
        while True:
            if self._pipe.poll(0) and self._pipe.recv() == STOP:
                self._finish("stopped", embed=False)
                return
            ended = not self._reader.is_alive()
            frame = self._slot.take(0.0 if ended else 0.2)
            if frame is not None:
                if frame.session != self._session:
                    self._watcher.end_session("lost sight")
                    self._session = frame.session
                self._watcher.see(frame)
                if self._tile is not None:
                    self._tile.offer(frame, self._watcher.in_sight)
                self._looked = time.monotonic()
            elif ended:
                self._finish("left")
                return
            elif time.monotonic() - self._looked > self._job.silent_seconds:
                self._watcher.end_session("lost sight")
                self._looked = time.monotonic()
            wall, seconds = self._reported
            if self._watcher.seconds - seconds >= REPORT_SECONDS or (
                # As fast as possible, reports are cut by the time of the file alone: the same again on any machine.
                not self._job.lossless and time.monotonic() - wall >= REPORT_SECONDS
            ):
                self._report()
            elif self._job.lossless and time.monotonic() - wall >= ALIVE_SECONDS:
                self._alive()

    def _finish(self, why: str, embed: bool = True) -> None:
        self._stop.set()
        self._slot.close()
        self._watcher.end_session(why, embed)
        self._report("ended")

    def _report(self, state: str = "") -> None:
        watcher, news = self._watcher, self._watcher.news()
        reader = self._reader.state
        report = self._report_of(state or ("running" if reader.state == "ended" else reader.state), reader)
        self._pipe.send(
            replace(
                report,
                rows=LiveRows.concatenate(news.rows),
                features=TrackFeatures.concatenate(news.features),
                closed=tuple(news.closed),
            )
        )
        self._reported = (time.monotonic(), watcher.seconds)

    def _alive(self) -> None:
        """Say that the process lives, and nothing else."""
        _, seconds = self._reported
        report = self._report_of(self._reader.state.state, self._reader.state)
        self._pipe.send(replace(report, seconds=seconds))
        self._reported = (time.monotonic(), seconds)

    def _report_of(self, state: str, reader: ReaderState) -> CameraReport:
        watcher = self._watcher
        return CameraReport(
            self._job.camera,
            self._session,
            state,
            reader.detail,
            self._source.clock if self._source is not None else "",
            watcher.seconds,
            watcher.frame,
            *watcher.size,
            read=reader.read,
            dropped=self._slot.dropped,
            skipped=reader.skipped,
            seen=watcher.seen,
            busy=watcher.busy,
            still=time.monotonic() - reader.alive if reader.alive else 0.0,
            lag=self._source.lag if self._source is not None else None,
        )
