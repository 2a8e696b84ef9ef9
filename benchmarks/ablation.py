"""What each ingredient of the association contributes, and how far the whole is from a perfect association.

    python benchmarks/ablation.py               # simulated: 3 layouts x 5 seeds, rendered once and cached
    python benchmarks/ablation.py --no-video    # the same from ground-truth tracks only, in minutes
    python benchmarks/ablation.py --layouts crossing --uncalibrated --no-ingredients
    python benchmarks/ablation.py --layouts --data-root DIR --scenarios R01 R02 --detector yolo11n.pt

Prints for each layout (or scenario), source of tracks and extractor: the mean IDF1 with all ingredients, the ceiling
(IDF1 of the same tracks if every track is assigned to its true vehicle, which a perfect association would reach), the
share of the ceiling that is reached, and the change of IDF1, in points, without each ingredient. The seeds of the
simulated scenarios were used in no training; docs/association.md says which were used during development.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from simulated import simulated_scenario

from common.cache import Cache
from common.command_line import run_command
from common.errors import InputError
from common.resources import resource
from detection.mot_text import read_mot
from evaluation.boxes import Boxes
from evaluation.cityflow import score
from evaluation.overlap import overlaps
from mtmc.association.associate import associate
from mtmc.association.learned import camera_tracks
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import TrackSummaries, summarise
from mtmc.config import load_config
from mtmc.execution.choice import make_executor
from mtmc.execution.clips import work_on_clips
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of
from mtmc.interface.running import choose_extractors
from mtmc.interface.scenarios import load_scenario
from mtmc.observation.stage import Source
from mtmc.pipeline import cut_tracks, track_features
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.tracks import Tracks

OTHER_TRACKS = {"split": "embedding.split=false", "reliable_spans": "association.reliable_spans=false"}
"""Settings that change the input tracks of the association, by ingredient."""
SWITCHES = tuple(
    name
    for name, field in AssociationSettings.model_fields.items()
    if field.annotation is bool and name not in OTHER_TRACKS
)
PIXELS_ONLY = {"split", "appearance", "camera_mean", "joint_appearance", "overlapping_views"}
CAMERAS = {"corridor": 6, "crossing": 6, "network": 20}
QUIET = Console(stderr=True, quiet=True)


@dataclass(frozen=True)
class Problem:
    """The tracks of a scenario for one extractor, which may split some, and the true vehicle of each.

    Attributes:
        scenario, truth, rois: for scoring.
        settings: settings of the association.
        tracks: the boxes, one table per camera.
        summaries: one row per track.
        vehicle: (n,) int64, true vehicle of each row of the summaries, -1 for none.
    """

    scenario: Scenario
    truth: Boxes
    rois: Mapping[int, npt.NDArray[np.uint8]]
    settings: AssociationSettings
    tracks: list[Tracks]
    summaries: TrackSummaries
    vehicle: npt.NDArray[np.int64]

    def idf1(self, identity: npt.NDArray[np.integer]) -> float:
        """The official IDF1 of identities (n,), in percent; tracks with identity -1 are left out."""
        rows = self.summaries
        found = Identities(rows.camera, rows.track, np.zeros_like(rows.track), identity.astype(np.int32))
        boxes = boxes_of(self.scenario, self.tracks, found)
        return 100.0 * score(self.truth, boxes, self.rois).identity.idf1

    def ceiling(self) -> float:
        """IDF1 of the true vehicles; a track without a vehicle is an identity of its own."""
        alone = int(self.vehicle.max(initial=0)) + 1 + np.arange(len(self.vehicle))
        return self.idf1(np.where(self.vehicle >= 0, self.vehicle, alone))

    def solved(self, **settings: bool) -> float:
        """IDF1 of the association with these settings changed."""
        found = associate(self.summaries, None, self.settings.model_copy(update=settings))
        return self.idf1(np.where(found.dropped, -1, found.identity))


def true_vehicles(camera: Camera, tracks: Tracks) -> npt.NDArray[np.int64]:
    """The vehicle that at least half of a track's boxes match (IoU 0.5), else -1; one entry per track, by track number.

    Simulated scenarios list every visible vehicle (`gt/visible.txt`), others only the annotated ones.
    """
    everything = camera.ground_truth.parent / "visible.txt" if camera.ground_truth is not None else Path()
    if everything.is_file():
        text = everything.read_text()
        rows = np.loadtxt(text.splitlines(), delimiter=",", ndmin=2) if text.strip() else np.zeros((0, 6))
        frame, number, box = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:6]
    elif camera.ground_truth is not None:
        table = read_mot(camera.ground_truth)
        frame, number, box = table.frame.astype(np.int64), table.id.astype(np.int64), table.box.astype(np.float64)
    else:
        frame, number, box = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4))
    ids, owner, count = np.unique(tracks.track, return_inverse=True, return_counts=True)
    pairs = overlaps(frame, box, tracks.frame.astype(np.int64), tracks.box.astype(np.float64)).within(0.5)
    votes, times = np.unique(
        np.stack([owner.reshape(-1)[pairs.predicted], number[pairs.truth]]), axis=1, return_counts=True
    )
    result = np.full(len(ids), -1, np.int64)
    order = np.argsort(times, kind="stable")
    enough = order[times[order] >= 0.5 * count[votes[0, order]]]
    result[votes[0, enough]] = votes[1, enough]
    return result


def load(
    scenario: Scenario,
    source: Source,
    extractor: str,
    cache: Cache,
    workers: int,
    calibrated: bool,
    overrides: list[str],
) -> Problem:
    """Observe and embed a scenario, from the cache where possible; drop its calibrations unless `calibrated`."""
    log, settings = StageLog(QUIET), load_config(None, overrides)
    (extraction,) = choose_extractors(extractor)
    with closing(make_executor(workers=workers)) as executor:
        scenario, observations, embedded = work_on_clips(
            scenario, source, [extraction], settings=settings, cache=cache, executor=executor, log=log, console=QUIET
        )
    crops = embedded[0].crops
    cuts = cut_tracks(extraction, observations, crops, settings=settings, log=log)
    tracks = [cut.apply(o.tracks) for cut, o in zip(cuts, observations, strict=True)]
    features = [track_features(*parts) for parts in zip(cuts, crops, strict=True)]
    cameras = [
        camera_tracks(*parts, settings=settings.association, repair=settings.repair)
        for parts in zip(scenario.cameras, tracks, features, strict=True)
    ]
    if not calibrated:
        cameras = [replace(camera, ground=None) for camera in cameras]
    truth = ground_truth_of(scenario)
    if truth is None:
        raise InputError(f"{scenario.name}: no ground truth to measure against")
    vehicle = [true_vehicles(*parts) for parts in zip(scenario.cameras, tracks, strict=True)]
    rois = rois_of(scenario.cameras)
    return Problem(scenario, truth, rois, settings.association, tracks, summarise(cameras), np.concatenate(vehicle))


def measure(problem: Problem, others: Mapping[str, Problem], switches: Sequence[str]) -> dict[str, float]:
    """IDF1 with all ingredients, of the ceiling, of each of the other inputs, and without each switch."""
    figures = {"everything": problem.solved(), "ceiling": problem.ceiling()}
    figures |= {name: other.solved() for name, other in others.items()}
    return figures | {switch: problem.solved(**{switch: False}) for switch in switches}


def main(argv: Sequence[str] | None = None) -> int:
    """Run all cases and print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="*", default=list(CAMERAS), choices=list(CAMERAS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--no-video", action="store_true", help="ground-truth tracks without appearance")
    parser.add_argument("--data-root", type=Path, help="the folder that holds --scenarios")
    parser.add_argument("--scenarios", nargs="*", default=[], help="scenarios that are not simulated")
    parser.add_argument("--detector", default="yolo11n.pt", help="detector for --scenarios (default: yolo11n.pt)")
    parser.add_argument("--tracks", nargs="+", default=["gt", "detector"], choices=["gt", "detector"])
    parser.add_argument(
        "--reid", nargs="+", default=["ssbver", "none"], help="shipped extractors, weights files, or none"
    )
    parser.add_argument("--uncalibrated", action="store_true", help="ignore the calibrations of the cameras")
    parser.add_argument("--no-ingredients", action="store_true", help="only the whole association and the ceiling")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args(argv)
    cache, console = Cache(arguments.cache), Console(width=max(Console().width, 120))
    extractors = ["none"] if arguments.no_video else arguments.reid
    origins = ["gt"] if arguments.no_video else arguments.tracks
    cases: list[tuple[str, Scenario, str]] = [
        (
            f"simulated {layout}",
            simulated_scenario(
                layout,
                seed,
                cache=cache,
                workers=arguments.workers,
                console=QUIET,
                seconds=arguments.seconds,
                cameras=CAMERAS[layout],
                video=not arguments.no_video,
            ),
            str(resource("weights", "detector.onnx")),
        )
        for layout in arguments.layouts
        for seed in arguments.seeds
    ]
    for name in arguments.scenarios:
        cases.append((name, load_scenario(name, arguments.data_root), arguments.detector))
    figures: defaultdict[tuple[str, str, str], list[dict[str, float]]] = defaultdict(list)
    for group, scenario, detector in cases:
        for origin in origins:
            source = Source(detector, tracks="gt" if origin == "gt" else None)
            for extractor in extractors:
                calibrated = not arguments.uncalibrated
                problem_with = partial(load, scenario, source, extractor, cache, arguments.workers, calibrated)
                problem = problem_with(arguments.set)
                left_out = () if extractor != "none" else PIXELS_ONLY
                if arguments.no_ingredients:
                    found = measure(problem, {}, [])
                else:
                    others = {
                        name: problem_with([*arguments.set, key])
                        for name, key in OTHER_TRACKS.items()
                        if name not in left_out
                    }
                    found = measure(problem, others, [name for name in SWITCHES if name not in left_out])
                figures[group, origin, extractor].append(found)
                share = 100.0 * found["everything"] / max(found["ceiling"], 1e-9)
                QUIET.quiet = False
                QUIET.print(
                    f"{scenario.name}, {origin} tracks, {extractor}: {len(problem.vehicle)} tracks, IDF1 "
                    f"{found['everything']:.1f} of {found['ceiling']:.1f} ({share:.0f} %)",
                    highlight=False,
                )
                QUIET.quiet = True
    _print(console, figures)
    if arguments.json:
        arguments.json.write_text(json.dumps({", ".join(key): runs for key, runs in figures.items()}, indent=2) + "\n")
    return 0


def _print(console: Console, figures: dict[tuple[str, str, str], list[dict[str, float]]]) -> None:
    table = Table(
        title="IDF1 in percent; below the line: change in points without one ingredient", title_justify="left"
    )
    table.add_column("")
    for (group, origin, extractor), runs in figures.items():
        table.add_column(f"{group}\n{origin} tracks\n{extractor}, n={len(runs)}", justify="right")
    columns = list(figures.values())

    def mean(runs: list[dict[str, float]], name: str) -> float:
        return float(np.mean([run[name] for run in runs]))

    table.add_row("everything", *(f"{mean(runs, 'everything'):.2f}" for runs in columns))
    table.add_row("ceiling", *(f"{mean(runs, 'ceiling'):.2f}" for runs in columns))
    table.add_row(
        "share of ceiling",
        *(f"{100 * mean(runs, 'everything') / max(mean(runs, 'ceiling'), 1e-9):.1f} %" for runs in columns),
    )
    table.add_section()
    for switch in (*OTHER_TRACKS, *SWITCHES):
        cells = [
            f"{mean(runs, switch) - mean(runs, 'everything'):+.2f}" if switch in runs[0] else "" for runs in columns
        ]
        if any(cells):
            table.add_row(f"without {switch}", *cells)
    console.print(table)


if __name__ == "__main__":
    sys.exit(run_command(main))
