"""Live mode on a replayed scenario: answers, how late they come, frames that are dropped, and a day of traffic.

    python benchmarks/live.py --scenario sim-S06
    python benchmarks/live.py --scenario sim-S06 --speeds 0.5 1 2
    python benchmarks/live.py --scenario sim-S06 --frames 100
    python benchmarks/live.py --day --vehicles 30 --hours 24

Without --speeds the scenario is played as fast as its frames are looked at, without dropping one. The table then says
IDF1 of the final answers by CityFlow's rule, where there is ground truth; how late answers come in seconds of the
scenario; the time of a solve with its writing in the first and in the second half; frames a second and CPU seconds of
all processes together.

With --speeds it is played at these speeds, as if the cameras ran that much faster. The share of dropped frames says
what this machine bears; answers are timed by the wall clock until a consumer has them.

With --frames the first camera's frames go through what its process does with them (decoding, detection, tracking,
crops, features), and CPU time is measured, which other programs on the machine do not change.

With --day tracks and features of simulated traffic (`synthetic_tracks.py`, no pixels) go through the engine, the store
and the association, for that many hours of traffic. For each quarter of an hour it prints memory, the size of
the window, what waits, and CPU milliseconds of a tick; then their slopes per hour after the first one, with standard
errors.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from association_quality import Looks, with_features
from synthetic_tracks import corridor

from mtmc.appearance.features import TrackFeatures
from mtmc.association.track_summaries import CameraTracks
from mtmc.config import make_settings
from mtmc.crops.table import Crops
from mtmc.interface.running import default_detector
from mtmc.interface.scenarios import load_scenario
from mtmc.online.archive import Archive
from mtmc.online.association_window import AssociationWindow
from mtmc.online.engine import Engine
from mtmc.online.hour_report import hour_result
from mtmc.online.live_site import LiveSite, plan_replay
from mtmc.online.messages import CameraReport, ClosedTrack, LiveRows
from mtmc.online.metrics import Metrics
from mtmc.online.networks import load_extractor
from mtmc.online.store import Record, Store
from mtmc.online.streams import Playback, PlayedFile
from mtmc.online.supervisor import Died
from mtmc.online.watcher import CameraWatcher
from mtmc.scenarios.scenario import Scenario

FEATURE_SECONDS = 1.0
"""Seconds after which the feature of a simulated track comes."""
STEP_SECONDS = 900.0
"""Seconds of the simulated day in a row of its table."""
WARM_UP = 10
"""Frames before CPU time of a frame is measured."""
CARE_SECONDS = 60.0
"""Seconds of the simulated day between two rounds of writing hours and deleting what is old."""

Track = tuple[str, int]


class History(Metrics):
    """Metrics that remember the time of every solve, and the frames of every camera."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks: list[float] = []
        self.frames: dict[tuple[str, str], float] = {}

    def set(self, name: str, value: float, text: str, **labels: str) -> None:
        """See `Metrics`."""
        super().set(name, value, text, **labels)
        if name == "tick_seconds":
            self.ticks.append(value)
        if name.startswith("frames_") or name == "busy_seconds_total":
            self.frames[name, labels["camera"]] = value

    def total(self, name: str) -> float:
        """Sum over the cameras."""
        return sum(value for (known, _), value in self.frames.items() if known == name)


@dataclass
class Moments:
    """When what tracks are waiting for was filmed, and when consumers heard of it; by kind of event and by track."""

    filmed: dict[str, dict[Track, float]] = field(default_factory=lambda: {"opened": {}, "assigned": {}, "final": {}})
    heard: dict[str, dict[Track, float]] = field(default_factory=lambda: {"opened": {}, "assigned": {}, "final": {}})
    latest: dict[str, float] = field(default_factory=dict)

    def report(self, report: CameraReport | Died) -> None:
        """Note what a camera reported."""
        if isinstance(report, Died):
            return
        camera = report.camera
        for track in np.unique(report.rows.track).tolist():
            first = float(report.rows.seconds[report.rows.track == track].min())
            self.filmed["opened"].setdefault((camera, track), first)
        for track in report.features.track.tolist():
            # The third crop came after the previous report: that makes the latency at most half a second too long.
            self.filmed["assigned"].setdefault((camera, track), self.latest.get(camera, report.seconds))
        for closed in report.closed:
            if len(closed.rows):
                self.filmed["final"][camera, closed.number] = float(closed.rows.seconds.max())
        self.latest[camera] = report.seconds

    def show(self) -> None:
        """Print latencies."""
        words = {"opened": "frame to local", "assigned": "third crop to provisional", "final": "exit to final"}
        for kind, what in words.items():
            known = self.heard[kind].keys() & self.filmed[kind].keys()
            late = [self.heard[kind][key] - self.filmed[kind][key] for key in known]
            print(f"  {what:26} {quantiles(late):>15} s (p50 / p95, {len(late)} tracks)")


def replay(
    scenario: Scenario, arguments: argparse.Namespace, speed: float, store: Path
) -> tuple[History, list[Record], Moments]:
    """Replay; returns the figures, the events and their moments: on the clock of the scenario if it is played as fast
    as possible, else in seconds of the wall clock, from which frames are due."""
    settings, history, moments = make_settings({}), History(), Moments()
    detector = arguments.detector or default_detector(scenario)
    plan = plan_replay(
        scenario,
        speed=speed,
        detector=detector,
        extractor=arguments.reid,
        settings=settings,
        store=store,
        frame_rate=arguments.frame_rate,
    )
    names = [camera.name for camera in scenario.cameras]
    events = []
    with LiveSite(plan, lambda: AssociationWindow(names, settings, ground=plan.ground), metrics=history) as site:
        hear = site.engine.hear

        def note(message: CameraReport | Died) -> None:
            moments.report(message)
            hear(message)

        site.engine.hear = note  # type: ignore[method-assign]
        for event in site.events():
            events.append(event)
            if event.kind in moments.heard and event.camera is not None and event.track is not None:
                now = event.seconds
                if math.isfinite(speed):
                    begin = min(camera.span[0] for camera in scenario.cameras)
                    now = begin + (time.time() - (site.begun or 0.0)) * speed
                moments.heard[event.kind].setdefault((event.camera, event.track), now)
    return history, events, moments


def quantiles(values: Sequence[float]) -> str:
    """p50 and p95."""
    return f"{np.quantile(values, 0.5):.2f} / {np.quantile(values, 0.95):.2f}" if len(values) else "-"


def cpu_seconds() -> float:
    """CPU seconds of this process and of those that it waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def played(scenario: Scenario, arguments: argparse.Namespace, speed: float, store: Path) -> None:
    """Replay at a speed, and print what follows."""
    start, cpu = time.perf_counter(), cpu_seconds()
    history, events, moments = replay(scenario, arguments, speed, store)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    read, dropped, seen = (history.total(f"frames_{name}_total") for name in ("read", "dropped", "seen"))
    if math.isinf(speed):
        base = Store(store, read_only=True)
        print(hour_result(base, Archive(base).hours(), make_settings({}), store / "report", scenario).table())
        half = len(history.ticks) // 2
        for name, part in (("first", history.ticks[:half]), ("second", history.ticks[half:])):
            print(f"  solve, {name} half: {quantiles([1000 * t for t in part])} ms (p50 / p95)")
        print(f"  {seen / seconds:.1f} frames a second, loading included")
    else:
        rate = sum(min(camera.fps * speed, (arguments.frame_rate or math.inf) * speed) for camera in scenario.cameras)
        print(f"speed {speed:g}: {rate:.0f} frames a second offered, {dropped / max(read, 1):.1%} dropped")
    moments.show()
    changes = sum(event.kind in ("revised", "merged", "split") for event in events)
    busy = history.total("busy_seconds_total")
    print(
        f"  {read:.0f} frames read, {seen:.0f} looked at; {1000 * busy / max(seen, 1):.0f} ms each; "
        f"{cpu:.0f} CPU seconds in {seconds:.0f} s; {changes} changes of identities",
        flush=True,
    )


def watched(scenario: Scenario, arguments: argparse.Namespace, folder: Path) -> None:
    """CPU milliseconds of a frame of the first camera with all that its process does."""
    settings = make_settings({})
    detector = arguments.detector or default_detector(scenario)
    plan = plan_replay(
        scenario, speed=math.inf, detector=detector, extractor=arguments.reid, settings=settings, store=folder
    )
    job, camera = plan.jobs[0], scenario.cameras[0]
    watcher = CameraWatcher(job.detector.load(1), load_extractor(job.extractor, settings, job.cache, 1), settings)
    source = PlayedFile(Path(job.address), Playback(camera.clock, camera.span[0], 0.0, math.inf), threading.Event())
    cpu = []
    before = time.process_time()
    for frame in source.frames(1, 1):
        watcher.see(frame)
        cpu.append(1000 * (time.process_time() - before))
        before = time.process_time()
        if len(cpu) >= arguments.frames + WARM_UP:
            break
    steady = np.array(cpu[WARM_UP:])
    error = steady.std() / math.sqrt(len(steady))
    print(
        f"{camera.name}, {frame.width} x {frame.height}: {steady.mean():.1f} +- {error:.1f} CPU ms a frame: "
        f"{1000 / steady.mean():.0f} frames a second of all cameras together for each processor"
    )


def reports_of(cameras: Sequence[CameraTracks], start: float, numbers: dict[str, int]) -> list[CameraReport]:
    """What the cameras of an hour report: boxes twice a second, features, ends of tracks; in the order of time."""
    found = []
    for camera in cameras:
        seconds = np.asarray(camera.clock.at(camera.tracks.frame), np.float64) + start
        shift = numbers.get(camera.camera, 0)
        track = (camera.tracks.track + shift).astype(np.int32)
        numbers[camera.camera] = shift + int(camera.tracks.track.max(initial=0)) + 1
        tables = camera.tracks
        rows = LiveRows._of(track, tables.frame, seconds, tables.box, tables.score, tables.label)
        features = camera.features
        order = np.argsort(seconds, kind="stable")
        step = np.floor(2 * seconds[order])
        for part in np.split(order, np.flatnonzero(np.diff(step)) + 1):
            found.append(_report(camera, (math.floor(2 * seconds[part[0]]) + 1) / 2, rows[np.sort(part)]))
        for number in np.unique(tables.track).tolist():
            own = rows[track == number + shift]
            first, last = float(own.seconds.min()), float(own.seconds.max())
            vector = None
            if features is not None and (known := np.flatnonzero(features.track == number)).size:
                vector = features.vector[known[0]]
                told = TrackFeatures._of([number + shift], vector[None], [1.0])
                found.append(_report(camera, min(first + FEATURE_SECONDS, last), features=told))
            closed = ClosedTrack(number + shift, own, Crops.empty(), vector, 1.0)
            found.append(_report(camera, last + 2.0, closed=closed))
    return sorted(found, key=lambda report: report.seconds)


def _report(
    camera: CameraTracks,
    seconds: float,
    rows: LiveRows | None = None,
    features: TrackFeatures | None = None,
    closed: ClosedTrack | None = None,
) -> CameraReport:
    return CameraReport(
        camera.camera,
        1,
        "running",
        "",
        "file",
        seconds,
        1,
        camera.width,
        camera.height,
        rows if rows is not None else LiveRows.empty(),
        features if features is not None else TrackFeatures.empty(),
        (closed,) if closed is not None else (),
    )


def traffic(vehicles: int) -> Iterator[list[CameraReport]]:
    """The reports of each second of a day that does not end, hour after hour."""
    numbers: dict[str, int] = {}
    hour, late = 0, list[CameraReport]()
    while True:
        problem = corridor(700 + hour, vehicles=vehicles, seconds=3600.0, degraded=True)
        told = late + reports_of(with_features(problem, Looks(problem, hour).at(2.0)), 3600.0 * hour, numbers)
        told.sort(key=lambda report: report.seconds)
        place = 0
        for second in range(3600 * hour + 1, 3600 * (hour + 1) + 1):
            begin = place
            while place < len(told) and told[place].seconds <= second:
                place += 1
            yield told[begin:place]
        hour, late = hour + 1, told[place:]


def day(arguments: argparse.Namespace, folder: Path) -> None:
    """Memory, what waits, and CPU milliseconds of a tick, by the time of a simulated day."""
    settings = make_settings({})
    store = Store(folder)
    archive = Archive(store)
    names = [camera.camera for camera in corridor(700, vehicles=4, seconds=60.0).cameras]
    window = AssociationWindow(names, settings)
    engine = Engine(store, archive, window, names, settings, silent_seconds=math.inf)
    events = 0
    rows: list[tuple[float, float, float, float, float]] = []
    cpu: list[float] = []
    waiting = 0
    print("hours   memory MB   tracks in window   waiting   CPU ms a tick, median / 95 %   database MB")
    for second, reports in enumerate(traffic(arguments.vehicles), 1):
        if second > 3600.0 * arguments.hours:
            break
        for report in reports:
            engine.hear(report)
        waiting = max(waiting, engine.waiting)
        begin = time.process_time()
        events += len(engine.tick(float(second)))
        cpu.append(1000 * (time.process_time() - begin))
        if (lesson := engine.lesson()) is not None:
            engine.use(lesson())
        if second % CARE_SECONDS == 0:
            archive.roll(float(second))
        if second % STEP_SECONDS == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            memory, size = pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(window)
            base = store.path.stat().st_size / 1e6
            middle, high = np.quantile(cpu, [0.5, 0.95])
            rows.append((second / 3600, memory, float(np.mean(cpu)), size, base))
            print(
                f"{second / 3600:5.1f} {memory:11.0f} {size:18} {waiting:9} {middle:20.1f} / {high:.1f} {base:13.1f}",
                flush=True,
            )
            cpu, waiting = [], 0
    table = np.array(rows).reshape(-1, 5)
    steady = table[table[:, 0] > 1]
    for name, column in (("memory, MB", 1), ("CPU ms a tick", 2), ("tracks in the window", 3)):
        print(f"{name}: {slope(steady[:, 0], steady[:, column])} an hour after the first one")
    print(
        f"{(engine.seconds or 0.0) / 3600:.1f} hours of {arguments.vehicles} vehicles each (simulated), {events} events"
    )
    store.close()


def slope(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> str:
    """Slope of a line through points, with its standard error."""
    if len(x) < 3:
        return "too short to tell"
    (rise, _), covariance = np.polyfit(x, y, 1, cov="unscaled")
    left = y - np.polyval(np.polyfit(x, y, 1), x)
    error = math.sqrt(float(covariance[0, 0]) * float((left**2).sum()) / (len(x) - 2))
    return f"{rise:+.3f} +- {error:.3f}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="sim-S06")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--detector")
    parser.add_argument("--reid", default="baseline")
    parser.add_argument("--frame-rate", type=float, help="frames a second that are looked at (default: all)")
    parser.add_argument("--speeds", type=float, nargs="+")
    parser.add_argument(
        "--frames", type=int, help="instead: the CPU time of the first N frames of the first camera", metavar="N"
    )
    parser.add_argument("--day", action="store_true", help="tracks of simulated traffic instead of a scenario")
    parser.add_argument("--vehicles", type=int, default=30, help="in an hour of --day (default: 30)")
    parser.add_argument("--hours", type=float, default=24.0, help="of --day (default: 24)")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = parser.parse_args()
    if arguments.day:
        with tempfile.TemporaryDirectory() as folder:
            day(arguments, Path(folder))
        return 0
    scenario = load_scenario(arguments.scenario, arguments.data_root, cache=arguments.cache)
    simulated = " (simulated)" if scenario.simulated else ""
    print(f"{scenario.name}{simulated}, {len(scenario.cameras)} cameras, detector {arguments.detector or 'default'}")
    if arguments.frames:
        with tempfile.TemporaryDirectory() as folder:
            watched(scenario, arguments, Path(folder))
        return 0
    for speed in arguments.speeds or [math.inf]:
        with tempfile.TemporaryDirectory() as folder:
            played(scenario, arguments, speed, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
