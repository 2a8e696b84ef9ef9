"""A live site from start to stop: cameras, association, store, consumers."""

from __future__ import annotations

import json
import logging
import math
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.errors import InputError
from common.processes import available_processors
from detection.video import open_video
from mtmc.association.links_file import write_links
from mtmc.config import PipelineSettings
from mtmc.online.archive import Archive
from mtmc.online.corrections import FILE, PAGE, FileConstraints, page_corrections
from mtmc.online.engine import Engine, Window
from mtmc.online.lessons import model_of
from mtmc.online.messages import CameraReport
from mtmc.online.metrics import Metrics
from mtmc.online.networks import NO_APPEARANCE, choose_detector
from mtmc.online.redaction import redact
from mtmc.online.site import Retention, SiteFile, is_stream
from mtmc.online.store import Record, Store
from mtmc.online.stream_health import HEALTH, HealthWriter
from mtmc.online.streams import Playback
from mtmc.online.supervisor import Died, Supervisor
from mtmc.online.tiles import TILES
from mtmc.online.transport import Outbox, Transport
from mtmc.online.window_settings import WindowSettings
from mtmc.online.worker import CameraJob
from mtmc.scenarios.cityflow import with_ground
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.ground_map import Calibration, GroundMap, read_calibration
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracker import compile_ahead

LEAD_SECONDS = 5.0
"""Seconds of its own time that a file may be ahead of the slowest one when files are played as fast as possible.
Raising it costs memory."""
STOP_SECONDS = 3.0
"""Seconds that the cameras have to report once more when the site is stopped; the rest of five seconds is for writing.
Raising it loses less of slow cameras."""
CARE_SECONDS = 60.0
"""Seconds between two rounds of writing hours and deleting what is old. Raising it saves little."""

logger = logging.getLogger("mtmc.live")


@dataclass(frozen=True, slots=True)
class LivePlan:
    """What is watched, and how.

    Attributes:
        name: of the site or the scenario.
        store: the folder for results.
        jobs: one per camera.
        settings: of all stages.
        silent_seconds: see `mtmc.online.site.Site`; infinite where everybody waits for everybody.
        retention: how long results are kept.
        replay: what is replayed, "" for a site; a store belongs to one of them.
        links: zones and links that are given; None: learned.
        constraints: what users know about tracks, as a file; see `mtmc.online.corrections`.
        window: settings of the sliding window.
        redis: the address of a server for the events, with its credentials; not printed.
        ground: calibrations of cameras that have one.
        tiles: whether the newest pictures and the state of the streams are written, see `mtmc.online.tiles`.
    """

    name: str
    store: Path
    jobs: tuple[CameraJob, ...]
    settings: PipelineSettings
    silent_seconds: float
    retention: Retention = field(default_factory=Retention)
    replay: str = ""
    links: Path | None = None
    constraints: Path | None = None
    ground: Mapping[str, GroundMap] = field(default_factory=dict)
    window: WindowSettings = field(default_factory=WindowSettings)
    redis: str | None = field(default=None, repr=False)
    tiles: bool = False

    @property
    def extractor(self) -> str:
        """The extractor of all cameras that have one."""
        return next((job.extractor for job in self.jobs if job.extractor != NO_APPEARANCE), NO_APPEARANCE)

    def with_tiles(self) -> LivePlan:
        """The same, with pictures for the page."""
        return replace(self, tiles=True, jobs=tuple(replace(job, tiles=self.store / TILES) for job in self.jobs))


def plan_site(file: SiteFile, settings: PipelineSettings, now: float) -> LivePlan:
    """The plan of a site; files among its cameras begin `now`."""
    site, cache = file.site, file.store / "networks"
    threads = max(1, available_processors() // len(site.cameras))
    jobs = []
    for name, entry in site.cameras.items():
        address = file.address(name)
        jobs.append(
            CameraJob(
                name,
                address,
                None if is_stream(address) else Playback(_clock_of(Path(address), now), now, 0.0),
                settings,
                choose_detector(entry.detector or site.detector, settings, cache),
                file.extractor(name),
                cache,
                frame_rate=entry.frame_rate or site.frame_rate,
                clock_offset=entry.clock_offset,
                silent_seconds=site.silent_seconds,
                roi=file.path(entry.roi) if entry.roi is not None else None,
                threads=threads,
            )
        )
    return LivePlan(
        site.name,
        file.store,
        tuple(jobs),
        settings,
        site.silent_seconds,
        site.retention,
        links=file.path(site.links) if site.links is not None else None,
        constraints=file.path(site.constraints) if site.constraints is not None else None,
        ground=ground_of(file),
        window=site.window,
        redis=file.redis,
    )


def plan_replay(
    scenario: Scenario,
    *,
    speed: float,
    detector: str,
    extractor: str,
    settings: PipelineSettings,
    store: Path,
    frame_rate: float | None = None,
) -> LivePlan:
    """The plan of a replay: the scenario's videos as if they were cameras.

    Args:
        scenario: with videos.
        speed: seconds of the scenario in a second; infinite: as fast as possible, without dropping a frame.
        detector, extractor: as of `mtmc.run`.
        settings: of all stages.
        store: the folder for results.
        frame_rate: frames a second that are looked at; None: all.

    Raises:
        InputError: a camera has no video.
    """
    lossless = math.isinf(speed)
    begin = min(camera.span[0] for camera in scenario.cameras)
    threads = max(1, available_processors() // len(scenario.cameras))
    cache = store / "networks"
    jobs = []
    for camera in scenario.cameras:
        if camera.video is None:
            raise InputError(f"{scenario.name}: camera {camera.name} has no video to replay")
        jobs.append(
            CameraJob(
                camera.name,
                str(camera.video),
                Playback(camera.clock, begin, 0.0, speed),
                settings,
                choose_detector(detector, settings, cache),
                extractor,
                cache,
                frame_rate=frame_rate,
                silent_seconds=math.inf if lossless else 5.0,
                lossless=lossless,
                roi=camera.roi,
                threads=threads,
                image_fps=camera.fps,
            )
        )
    silent = math.inf if lossless else 5.0
    ground = {camera.name: camera.ground for camera in scenario.cameras if camera.ground is not None}
    return LivePlan(
        scenario.name, store, tuple(jobs), settings, silent, replay=scenario.name, links=scenario.links, ground=ground
    )


class LiveSite:
    """Watches cameras and says which vehicle is where, until stopped or until all cameras have ended.

    Args:
        plan: what is watched.
        window: makes the association.
        transports: where events go besides the iterator and the log.
        metrics: figures to keep up to date.

    Raises:
        InputError: the store cannot be used, or belongs to something else; the file of constraints is wrong.

    Examples:
        >>> with LiveSite(plan, make_window) as site:  # doctest: +SKIP
        ...     for event in site.events():  # doctest: +SKIP
        ...         print(event.kind, event.camera, event.track, event.identity)  # doctest: +SKIP
    """

    def __init__(
        self,
        plan: LivePlan,
        window: Callable[[], Window],
        transports: Sequence[Transport] = (),
        metrics: Metrics | None = None,
    ) -> None:
        self.plan = plan
        self.store = Store(plan.store)
        try:
            self._claim()
            self._lags: dict[str, float] = json.loads(self.store.meta("clocks") or "{}")
            self.archive = Archive(self.store, plan.retention.crop_gigabytes * 1e9)
            names = [job.camera for job in plan.jobs]
            self._constraints = FileConstraints(plan.constraints, names, self.store.corrections(FILE))
            self.engine = Engine(
                self.store, self.archive, window(), names, plan.settings, silent_seconds=plan.silent_seconds
            )
        except BaseException:
            self.store.close()
            raise
        self._supervisor = Supervisor(
            replace(_going_on(job, self.engine), lag=self._lags.get(job.camera)) for job in plan.jobs
        )
        self._outbox = Outbox(self.store, transports)
        self._metrics = metrics or Metrics()
        self._health = HealthWriter(plan.store / TILES / HEALTH) if plan.tiles else None
        self._lesson: Future[str] | None = None
        self._stopping = False
        self._cared = time.monotonic()
        self._said: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __enter__(self) -> LiveSite:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def stop(self) -> None:
        """End `events` soon; may be called from a signal handler or another thread."""
        self._stopping = True

    def close(self) -> None:
        """End the cameras' processes and close the store. What was not written by then is lost."""
        self._supervisor.stop(0.0)
        self.store.close()

    def process_of(self, camera: str) -> int | None:
        """The process id of a camera; None while it has none."""
        return self._supervisor.process_of(camera)

    @property
    def begun(self) -> float | None:
        """When files began to be played, in seconds since 1970; None before."""
        return self._supervisor.begun

    def events(self) -> Iterator[Record]:
        """Watch; yields every event once it is in the log.

        Raises:
            OSError: the disk is full.
        """
        compile_ahead()
        lossless = math.isinf(self.plan.silent_seconds)
        self._outbox.flush()
        while not self._stopping and not self.engine.finished():
            for message in self._supervisor.poll(
                0.1, lambda name: not lossless or not self.engine.ahead(name, LEAD_SECONDS)
            ):
                self._hear(message)
            while not self._stopping and (due := self.engine.due()) is not None:
                yield from self._tick(due)
            self._care()
        if self._stopping:
            for message in self._supervisor.stop(STOP_SECONDS):
                self._hear(message)
            self._keep_clocks()
            last = max((s for _, s in self.engine.states().values() if s > -math.inf), default=None)
            if last is not None and (self.engine.waiting or last > (self.engine.seconds or -math.inf)):
                # Later than the latest tick: the association takes an earlier one for a repetition.
                yield from self._tick(max(last, (self.engine.seconds or last) + 1e-3))
        else:
            while (due := self.engine.due()) is not None and math.isfinite(due):
                last = max(s for _, s in self.engine.states().values())
                if due > last:
                    break
                yield from self._tick(due)
            self._learn_at_the_end()
            yield from self._tick(math.inf)
            self.archive.roll(math.inf)

    def _tick(self, seconds: float) -> list[Record]:
        if self._lesson is not None and self._lesson.done():
            self._learned(self._lesson)
            self._lesson = None
        records = self._correct()
        records += self.engine.tick(seconds)
        lesson = self.engine.lesson() if self._lesson is None and math.isfinite(seconds) else None
        if lesson is not None:
            self._lesson = _in_background(lesson)
            # Waited for where nothing is dropped, so that a replay is the same every time.
            if math.isinf(self.plan.silent_seconds):
                self._wait_for_lesson()
        self._outbox.flush()
        for transport, problem in self._outbox.problems.items():
            self._say(transport, f"{transport}: {problem}; what was not sent is kept and sent later")
        self._measure(records)
        return records

    def _correct(self) -> list[Record]:
        """Carry out what users have told since the latest tick."""
        if self.engine.seconds is None:
            return []  # no track is known yet
        told = self._constraints.ready(self.engine.knows)
        try:
            told += page_corrections(self.plan.store, self.store.last_correction(PAGE))
        except InputError as error:
            self._say("corrections", str(error))
        if not told:
            return []
        records = self.engine.correct(told)
        numbers = {(each.source, each.seq) for each in told}
        for found in self.store.corrections():
            if found.state == "refused" and (found.correction.source, found.correction.seq) in numbers:
                logger.warning("%s (%s) is refused: %s", found.correction.name, found.correction.kind, found.reason)
        return records

    def _wait_for_lesson(self) -> None:
        while not self._stopping and self._lesson is not None:
            if wait([self._lesson], 0.1).done:
                self._learned(self._lesson)
                self._lesson = None

    def _learn_at_the_end(self) -> None:
        """Learn from everything that was seen before the last answers become final."""
        self._wait_for_lesson()
        lesson = self.engine.lesson(last=True)
        if lesson is not None and not self._stopping:
            self._lesson = _in_background(lesson)
            self._wait_for_lesson()

    def _learned(self, found: Future[str]) -> None:
        error = found.exception()
        self._metrics.set("lesson_failed", int(error is not None), "Whether links could not be learned, the last time.")
        if error is not None:
            # Identities with older links are worth more than none.
            logger.error("links could not be learned, those from before stay (an internal error)", exc_info=error)
            return
        lesson = found.result()
        self.engine.use(lesson)
        write_links(self.plan.store / "links.yaml", model_of(lesson)[0].links)

    def _hear(self, message: CameraReport | Died) -> None:
        self.engine.hear(message)
        if self._health is not None:
            self._health.hear(message)
        if isinstance(message, Died):
            again = "it is started again" if message.again else "it is left out"
            logger.error("%s: %s; %s", message.camera, redact(message.text), again)
            if message.trace:
                logger.error("%s", message.trace)
            return
        detail = f" ({message.detail})" if message.detail else ""
        self._say(message.camera, f"{message.camera}: {message.state}{detail}")
        name, set_ = message.camera, self._metrics.set
        set_("camera_up", int(message.state == "running"), "Whether the camera is running.", camera=name)
        set_("frames_read_total", message.read, "Frames that came, since its process began.", camera=name)
        set_("frames_seen_total", message.seen, "Frames that were looked at.", camera=name)
        set_("frames_dropped_total", message.dropped, "Frames lost because the machine was slow.", camera=name)
        set_("busy_seconds_total", message.busy, "Seconds of work on frames.", camera=name)
        set_("camera_seconds", message.seconds, "Time up to which the camera was heard.", camera=name)
        if message.lag is not None:
            self._lags[name] = message.lag
            set_("clock_lag_seconds", message.lag, "Seconds by which its own time is behind arrival.", camera=name)
            if message.clock == "arrival":
                off = f"{abs(message.lag):.0f} s {'behind' if message.lag > 0 else 'ahead of'} this machine's"
                self._say(f"clock of {name}", f"{name}: its clock is {off}; frames get the times of arrival")

    def _measure(self, records: Sequence[Record]) -> None:
        set_ = self._metrics.set
        set_("tick_seconds", self.engine.tick_seconds, "How long the latest solve and its writing took.")
        set_("waiting_reports", self.engine.waiting, "Reports that wait for their tick.")
        set_("site_seconds", self.engine.seconds or 0.0, "Time of the latest tick.")
        set_("crop_bytes", self.archive.crop_bytes, "Bytes of crops on disk.")
        # Linux gives kilobytes.
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        set_("max_resident_bytes", memory, "Largest memory of the parent so far.")
        for record in records:
            self._counts[record.kind] = self._counts.get(record.kind, 0) + 1
            set_("events_total", self._counts[record.kind], "Events, since the process began.", kind=record.kind)
        for name, count in self._supervisor.restarts.items():
            set_("restarts_total", count, "How often the process of a camera was started again.", camera=name)

    def _say(self, about: str, text: str) -> None:
        """Log a sentence about something unless it was the last one about it."""
        if self._said.get(about) != text:
            self._said[about] = text
            logger.info("%s", redact(text))

    def _care(self) -> None:
        if time.monotonic() - self._cared < CARE_SECONDS or self.engine.seconds is None:
            return
        self._cared = time.monotonic()
        self._keep_clocks()
        self.archive.roll(self.engine.seconds)
        before = self.engine.seconds - self.plan.retention.days * 86400.0
        with self.store.transaction():
            self.store.forget(before)
        self.archive.forget(before, self.plan.retention.gigabytes * 1e9)

    def _keep_clocks(self) -> None:
        """Write down what was learned of the cameras' clocks, for the next start."""
        if self._lags:
            self.store.set_meta("clocks", json.dumps({name: round(lag, 3) for name, lag in self._lags.items()}))

    def _claim(self) -> None:
        """A store belongs to one site or one replayed scenario, whose times have nothing to do with those of another,
        and to one extractor, whose features cannot be compared with those of another."""
        mine = f"replay of {self.plan.replay}" if self.plan.replay else f"site {self.plan.name}"
        owner = self.store.meta("owner")
        if owner is not None and owner != mine:
            raise InputError(f"{self.plan.store}: is the store of {owner}, not of {mine}; choose another one")
        extractor, known = self.plan.extractor, self.store.meta("extractor")
        if known not in (None, extractor):
            raise InputError(
                f"{self.plan.store}: holds features of {known}, which cannot be compared with those of {extractor}; "
                "set the extractor back, or choose another store"
            )
        self.store.set_meta("owner", mine)
        self.store.set_meta("extractor", extractor)


def _in_background(lesson: Callable[[], str]) -> Future[str]:
    """Learn in a thread that the end of the program does not wait for."""
    future: Future[str] = Future()

    def learn() -> None:
        try:
            future.set_result(lesson())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=learn, name="learning", daemon=True).start()
    return future


def _going_on(job: CameraJob, engine: Engine) -> CameraJob:
    """The job of a camera that goes on after what is in the store."""
    track, frame, session, written = engine.progress_of(job.camera)
    if job.playback is not None and written >= job.playback.begin:
        job = replace(job, playback=replace(job.playback.after(written), wall=0.0))
    return replace(job, first_track=track, first_frame=frame, session=session)


def ground_of(file: SiteFile) -> dict[str, GroundMap]:
    """The calibrations of a site, about one origin.

    Raises:
        InputError: one is malformed.
    """
    cameras: list[Camera] = []
    calibrations: list[Calibration | None] = []
    for name, entry in file.site.cameras.items():
        if entry.calibration is not None and entry.size is not None:
            calibrations.append(read_calibration(file.path(entry.calibration), entry.size))
            cameras.append(Camera(name, 0, 10.0, *entry.size, 0, Clock.uniform(10.0)))
    placed = with_ground(cameras, calibrations) if cameras else ()
    return {camera.name: camera.ground for camera in placed if camera.ground is not None}


def _clock_of(path: Path, now: float) -> Clock:
    video = open_video(path, threads=1)
    times = video.times()
    if len(times) > 1 and times[-1] > times[0]:
        return Clock.of_times(times, start=now)
    return Clock.uniform(video.info.fps, start=now)
