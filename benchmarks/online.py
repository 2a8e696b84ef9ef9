"""Replays scenarios through the sliding window of live mode, and compares its final answers with the offline result.

    python benchmarks/online.py --layouts site --vehicles 10 --seeds 601   # a smoke test of under a minute
    python benchmarks/online.py --layouts crossing network --seeds 601 602
    python benchmarks/online.py --layouts network --vehicles 60 --warm
    python benchmarks/online.py --layouts network --vehicles 60 --length 3
    python benchmarks/online.py --scenario R01 --data-root DIR --detector YOLO.pt --reid ssbver --cache DIR
    python benchmarks/online.py --hour

Scenarios are simulated as arrays (`synthetic_tracks.py`, tracks degraded as by a detector, features of a set quality
that come one second after a track begins), or come from the cache of a run of `mtmc.run`; then a feature comes with
the third crop, and changes with later ones. Links are learned from what has been seen, when live mode does, and once
more at the end. Nothing is known when a replay begins (cold), or, with `--warm`, what the same cameras' traffic of an
earlier day teaches (simulated layouts only: the same streets and cameras, three times as long, other times).

Printed: IDF1 of the final answers and of the offline association of the same tracks; seconds from the feature to the
first identity, and from the end of a track to its final answer (median, 95 %); with `--hour`, CPU milliseconds of an
update in each quarter of an hour of traffic.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from association_quality import Looks, idf1, with_features
from rich.console import Console
from synthetic_tracks import LAYOUTS, Problem

from common.cache import Cache
from evaluation.cityflow import filter_predictions, score_filtered
from mtmc.appearance.features import CropVectors, TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.interface import rows_of
from mtmc.association.learned import LearnedAssociation
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.config import make_settings
from mtmc.execution.clips import work_on_clips
from mtmc.execution.in_turn import InTurn
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of
from mtmc.interface.running import choose_extractors, default_detector
from mtmc.interface.scenarios import load_scenario
from mtmc.observation.stage import Source
from mtmc.online.events import Answers, Event, EventKind
from mtmc.online.lessons import LessonPlan
from mtmc.online.window import SlidingWindow
from mtmc.online.window_model import History, WindowModel, learn
from mtmc.online.window_tracks import CameraNews, ClosedTrack, TimedBoxes
from mtmc.stage_log import StageLog

EARLIER = 3.0
"""How many times as long the traffic is from which links are learned for `--warm`."""
MIN_CROPS = 3
"""Crops with which a track's feature comes."""
FEATURE_SECONDS = 1.0
"""Seconds after which the feature of a simulated track comes."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Feature:
    """A feature of a track and when it comes."""

    seconds: float
    track: int
    vector: npt.NDArray[np.float32]
    weight: float


@dataclass(frozen=True)
class Recording:
    """A camera to replay: its tracks, each box's time, the features in the order of their times, and ends of tracks."""

    camera: CameraTracks
    seconds: npt.NDArray[np.float64]
    features: Sequence[Feature]
    ends: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int32]

    @classmethod
    def of(cls, camera: CameraTracks, crops: CropVectors | None = None) -> Recording:
        seconds = np.asarray(camera.clock.at(camera.tracks.frame), np.float64)
        numbers = np.unique(camera.tracks.track)
        ends = np.array([seconds[camera.tracks.track == number].max() for number in numbers])
        features = []
        if crops is not None:
            for number in np.unique(crops.track).tolist():
                mine = crops[np.flatnonzero(crops.track == number)]
                mine = mine[np.argsort(mine.frame, kind="stable")]
                for count in sorted({min(MIN_CROPS, len(mine)), len(mine)}):
                    row = mine[:count].by_track()
                    when = float(camera.clock.at(mine.frame[count - 1]))
                    features += [
                        Feature(when, number, v, float(w)) for v, w in zip(row.vector, row.weight, strict=True)
                    ]
        elif camera.features is not None:
            table = camera.features
            for number, vector, weight in zip(table.track.tolist(), table.vector, table.weight, strict=True):
                own = seconds[camera.tracks.track == number]
                features.append(Feature(min(own.min() + FEATURE_SECONDS, own.max()), number, vector, float(weight)))
        return cls(camera, seconds, sorted(features, key=lambda f: f.seconds), ends, numbers)

    def news(self, since: float, now: float) -> CameraNews:
        """What it tells at `now`."""
        rows = np.flatnonzero((self.seconds > since) & (self.seconds <= now))
        ended = self.numbers[(self.ends > since) & (self.ends <= now)]
        due = [f for f in self.features if since < f.seconds <= now]
        features = TrackFeatures.empty()
        if due:
            features = TrackFeatures(
                np.array([f.track for f in due], np.int32),
                np.stack([f.vector for f in due]),
                np.array([f.weight for f in due], np.float32),
            )
        return CameraNews(
            self.camera.camera,
            self.camera.width,
            self.camera.height,
            TimedBoxes(self.camera.tracks[rows], self.seconds[rows]),
            features,
            [ClosedTrack(number) for number in ended.tolist()],
        )


@dataclass(frozen=True)
class Replay:
    """What a replay said, the CPU seconds of each update, and the number of tracks in the window."""

    events: Sequence[Event]
    cpu: npt.NDArray[np.float64]
    size: npt.NDArray[np.int64]


def replay(recordings: Sequence[Recording], tick: float, model: WindowModel | None = None) -> Replay:
    """All recordings from their first box to their last one, with links from before, if there are."""
    first = min(r.seconds.min(initial=np.inf) for r in recordings) - 1e-6
    last = max(r.seconds.max(initial=-np.inf) for r in recordings)
    ground = {r.camera.camera: r.camera.ground for r in recordings if r.camera.ground is not None}
    window = SlidingWindow([r.camera.camera for r in recordings], ground=ground, model=model)
    plan = LessonPlan()
    if model is not None:
        plan.done(sum((model.tracks or {}).values()), first)
    events: list[Event] = []
    cpu, size = [], []
    now = first
    while now < last:
        news = [r.news(now, now + tick) for r in recordings]
        now += tick
        begin = time.process_time()
        events += window.update(now, news)
        cpu.append(time.process_time() - begin)
        size.append(len(window))
        if plan.due(window.ended, now):
            window.use(learn(window.history()))
    window.use(learn(window.history()))
    events += window.finish(now)
    return Replay(events, np.array(cpu), np.array(size))


def identities_of(events: Sequence[Event], recordings: Sequence[Recording]) -> IntArray:
    """The final identity of each track, camera after camera, by track number."""
    answers = Answers.after(events)
    return np.array([answers.of(r.camera.camera, int(k)) for r in recordings for k in r.numbers], np.int64)


def latencies(events: Sequence[Event], recordings: Sequence[Recording]) -> tuple[list[float], list[float]]:
    """Seconds from the feature (or else the first box) to the first identity, and from the end to the final answer."""
    said = {(e.kind, e.camera, e.track): e.seconds for e in reversed(events)}
    provisional, final = [], []
    for r in recordings:
        ready: dict[int, float] = {}
        for f in r.features:
            ready.setdefault(f.track, f.seconds)
        for number, end in zip(r.numbers.tolist(), r.ends.tolist(), strict=True):
            key = (r.camera.camera, number)
            if number in ready:
                provisional.append(said[EventKind.ASSIGNED, *key] - ready[number])
            final.append(said[EventKind.FINAL, *key] - end)
    return provisional, final


def show(name: str, found: Replay, recordings: Sequence[Recording], online: float, offline: float) -> None:
    """One line."""
    provisional, final = latencies(found.events, recordings)
    words = [
        f"{what} {np.quantile(seconds, 0.5):.1f} / {np.quantile(seconds, 0.95):.1f} s"
        for what, seconds in (("provisional", provisional), ("final", final))
        if seconds
    ]
    changes = sum(e.kind in (EventKind.REVISED, EventKind.MERGED, EventKind.SPLIT) for e in found.events)
    print(
        f"{name}: final answers {online:.2f}, offline {offline:.2f} ({100 * online / max(offline, 1e-9):.1f} %); "
        f"{', '.join(words)}; {changes} changes; {1e3 * np.median(found.cpu):.0f} CPU ms an update, "
        f"{found.size.max()} tracks at most",
        flush=True,
    )


def simulated(
    layout: str, seed: int, quality: float | None, *, vehicles: int | None, length: float, warm: bool, tick: float
) -> None:
    """One simulated problem."""
    usual = inspect.signature(LAYOUTS[layout]).parameters

    def traffic(times: float) -> tuple[Problem, Sequence[CameraTracks]]:
        size = {"vehicles": round(times * (vehicles or usual["vehicles"].default))}
        if "seconds" in usual:
            size["seconds"] = times * usual["seconds"].default
        problem = LAYOUTS[layout](seed, degraded=True, **size)
        if quality is None:
            return problem, problem.cameras
        return problem, with_features(problem, Looks(problem, seed).of_quality(quality))

    model = None
    if warm:
        before = [camera for camera in traffic(EARLIER * length)[1] if len(camera.tracks)]
        model = learn(History(before))
    problem, cameras = traffic(length)
    recordings = [Recording.of(camera) for camera in cameras]
    offline = associate(summarise(cameras), None, AssociationSettings()).identity
    found = replay(recordings, tick, model)
    online = idf1(problem, identities_of(found.events, recordings))
    begin = "warm" if warm else "cold"
    show(f"{layout} {seed} {begin} (simulated)", found, recordings, online, idf1(problem, offline))


def recorded(arguments: argparse.Namespace) -> None:
    """A scenario with what a run of `mtmc.run` left in the cache."""
    settings, console = make_settings({}), Console(stderr=True)
    scenario = load_scenario(arguments.scenario, arguments.data_root, cache=arguments.cache)
    cache, log = Cache(arguments.cache), StageLog(console)
    source = Source(arguments.detector or default_detector(scenario), None, None, "cpu", "arrays")
    extractions = choose_extractors(arguments.reid)
    scenario, observations, embedded = work_on_clips(
        scenario, source, extractions, settings=settings, cache=cache, executor=InTurn(), log=log, console=console
    )
    truth, rois = ground_truth_of(scenario), rois_of(scenario.cameras)
    if truth is None:
        raise SystemExit(f"{scenario.name} has no ground truth")
    tracks = [o.tracks for o in observations]
    camera, number = rows_of(tracks)

    def score(identity: IntArray) -> float:
        table = Identities(camera, number, np.zeros(len(number), np.int32), identity.astype(np.int32))
        boxes, dropped = filter_predictions(boxes_of(scenario, tracks, table), rois)
        return 100.0 * float(score_filtered(truth, boxes, dropped).identity.idf1)

    for extraction, stored in zip(extractions, embedded, strict=True):
        vectors = [read() if read is not None else None for read in stored.crops]
        features = [v.by_track() if v is not None else None for v in vectors]
        found = LearnedAssociation(settings.association, settings.repair).associate(tracks, features, scenario)
        parts = zip(scenario.cameras, tracks, vectors, strict=True)
        recordings = [
            Recording.of(CameraTracks(c.name, t, c.clock, c.width, c.height, c.frame_count, c.ground), v)
            for c, t, v in parts
        ]
        replayed = replay(recordings, arguments.tick)
        online = score(identities_of(replayed.events, recordings))
        offline = score(np.where(found.dropped, -1, found.identity))
        show(f"{scenario.name}, {extraction.name}", replayed, recordings, online, offline)


def hour(vehicles: int | None, tick: float) -> None:
    """Time of an update over an hour of simulated traffic."""
    problem = LAYOUTS["corridor"](601, degraded=True, vehicles=vehicles or 1200, seconds=3600.0)
    looks = Looks(problem, 601)
    recordings = [Recording.of(replace(camera)) for camera in with_features(problem, looks.at(2.0))]
    found = replay(recordings, tick)
    for quarter, part in enumerate(np.array_split(np.arange(len(found.cpu)), 4), 1):
        cpu = 1e3 * np.quantile(found.cpu[part], [0.5, 0.95])
        print(
            f"quarter {quarter} (simulated): {cpu[0]:.0f} / {cpu[1]:.0f} CPU ms an update (median / 95 %), "
            f"{found.size[part].mean():.0f} tracks in the window"
        )
    online = idf1(problem, identities_of(found.events, recordings))
    print(f"{len(problem.vehicle)} tracks; IDF1 of the final answers {online:.2f}")


def main(argv: Sequence[str] | None = None) -> int:
    """Replay and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=["crossing", "network"], choices=list(LAYOUTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[601, 602])
    parser.add_argument("--quality", type=float, default=85.0, help="mAP in per cent of the features (default: 85)")
    parser.add_argument("--vehicles", type=int)
    parser.add_argument("--length", type=float, default=1.0, help="times as long, and as many vehicles (default: 1)")
    parser.add_argument("--warm", action="store_true", help="begin with the links of earlier traffic")
    parser.add_argument("--tick", type=float, default=1.0, help="seconds between two updates (default: 1)")
    parser.add_argument("--hour", action="store_true", help="an hour of traffic past six cameras")
    parser.add_argument("--scenario", help="a scenario of mtmc.run instead")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--detector")
    parser.add_argument("--reid", nargs="+", default=["ssbver"])
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = parser.parse_args(argv)
    if arguments.scenario:
        recorded(arguments)
    elif arguments.hour:
        hour(arguments.vehicles, arguments.tick)
    else:
        for layout in arguments.layouts:
            for seed in arguments.seeds:
                simulated(
                    layout,
                    seed,
                    arguments.quality,
                    vehicles=arguments.vehicles,
                    length=arguments.length,
                    warm=arguments.warm,
                    tick=arguments.tick,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
