"""How good the association is for features of a set quality, beside plain average linkage and the ceiling.

    python benchmarks/association_quality.py --quick   # a smoke test of under a minute
    python benchmarks/association_quality.py           # all layouts and qualities, 3 seeds
    python benchmarks/association_quality.py --quality 85 75 --without label lane   # what these two ingredients give
    python benchmarks/association_quality.py --json FILE   # in pieces: what is in the file is not measured again

Traffic and cameras are simulated as arrays (`synthetic_tracks.py`), without pixels: a road with six cameras
(corridor), overlapping views of a crossing, a network of streets, short clips at different times along a road (route),
and a small site with 20 vehicles and 60 to 80 tracks. Tracks are those of the ground truth, or degraded as by a
detector: cut short, broken, missed, and false ones.

A feature is the vehicle's latent vector, which look-alikes share for the most part, plus a shift of its camera and
direction, a part of its own for each side of the vehicle, and noise. The last three are scaled so that the mAP of
retrieval across cameras takes the set value.

Printed are IDF1 in per cent, as means over seeds with their standard errors: of the association, of average linkage
with the threshold that is best for each single problem (it knows the ground truth), and the ceiling, which is what the
true vehicles of the same tracks score. Without features, joining by time alone takes the place of average linkage: each
track continues as the one of another camera that starts soonest after it ends, and within the longest gap that is best
for each single problem. As in the AI City Challenge, only vehicles that at least two cameras see, and
identities in at least two cameras, count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from synthetic_tracks import LAYOUTS, Problem

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.linkage import best_threshold
from mtmc.association.settings import AssociationSettings
from mtmc.association.solving.chains import identities_of
from mtmc.association.track_summaries import CameraTracks, TrackSummaries, summarise

QUALITIES = (100.0, 99.0, 95.0, 85.0, 75.0, 60.0, None)
"""mAP in per cent of the features; None: there are none."""
PERFECT = 99.95
"""mAP in per cent that stands for 100: that of any smaller scale is 100 as well."""
DIMENSION = 128
LOOKALIKES = 0.4
"""Share of the vehicles that share most of their latent vector with others."""
OWN = 0.5
"""Part of a look-alike's latent vector that is its own."""
CAMERA_SHIFT, SIDE, NOISE = 0.6, 0.5, 0.8
"""Length of the shift of a camera and direction, of a vehicle's own part for each side, and of the noise of a track,
relative to each other."""
GAPS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Longest gaps in seconds between two tracks that are tried when joining by time alone."""
OVERLAPS = (0.0, 2.0, 8.0)
"""Seconds for which the two tracks may overlap, likewise."""
SWITCHES = [name for name, field in AssociationSettings.model_fields.items() if field.annotation is bool]
APPEARANCE = {"appearance", "camera_mean", "joint_appearance"}
"""Those that change nothing without features."""
QUICK = {"corridor": 25, "crossing": 20, "network": 20, "route": 40, "site": 20}
"""Vehicles in the quick mode."""

IntArray = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


class Looks:
    """The features of a problem's tracks, at any scale of what is not the vehicle's."""

    def __init__(self, problem: Problem, seed: int) -> None:
        """Draw all parts once, so that the scale changes nothing else."""
        random = np.random.default_rng([seed, 77])
        vehicles, cameras = problem.visible.shape

        def draw(*shape: int) -> npt.NDArray[np.float64]:
            return np.asarray(random.normal(size=(*shape, DIMENSION)) / np.sqrt(DIMENSION), np.float64)

        own, models = draw(vehicles), draw(max(vehicles // 5, 2))
        twin = np.asarray(random.random(vehicles) < LOOKALIKES)
        alike = np.sqrt(1 - OWN**2) * models[random.integers(len(models), size=vehicles)] + OWN * own
        latent = np.where(twin[:, None], alike, own)
        row, real = problem.vehicle, np.asarray(problem.vehicle >= 0)
        short = np.asarray(problem.boxes < 8)
        self._fixed = np.where(real[:, None], latent[row], draw(len(row)))
        self._moving = CAMERA_SHIFT * draw(cameras, 3)[problem.camera, problem.facing]
        self._moving += SIDE * real[:, None] * draw(vehicles, 3)[row, problem.facing]
        self._moving += NOISE * (1.0 + short)[:, None] * draw(len(row))
        self._problem = problem

    def at(self, scale: float) -> Vectors:
        """(n, d) features of length 1."""
        vector = self._fixed + scale * self._moving
        return np.asarray(vector / np.linalg.norm(vector, axis=1, keepdims=True), np.float32)

    def of_quality(self, quality: float) -> Vectors:
        """(n, d) features whose mAP is nearly `quality` per cent."""
        target = min(quality, PERFECT)
        low, high = 0.0, 16.0
        for _ in range(14):
            middle = 0.5 * (low + high)
            if mean_average_precision(self._problem, self.at(middle)) < target:
                high = middle
            else:
                low = middle
        return self.at(low)


def mean_average_precision(problem: Problem, vector: Vectors) -> float:
    """mAP in per cent: every track of a vehicle that another camera sees too is a query among other cameras' tracks."""
    found = []
    similarity = vector @ vector.T
    for query in np.flatnonzero(problem.vehicle >= 0):
        gallery = np.flatnonzero(problem.camera != problem.camera[query])
        right = problem.vehicle[gallery] == problem.vehicle[query]
        if not right.any():
            continue
        right = right[np.argsort(-similarity[query, gallery], kind="stable")]
        rank = np.flatnonzero(right) + 1
        found.append(float(np.mean(np.arange(1, len(rank) + 1) / rank)))
    return 100.0 * float(np.mean(found)) if found else 100.0


def idf1(problem: Problem, identity: IntArray) -> float:
    """IDF1 in per cent of identities (n,); -1 leaves a track out."""
    several = (problem.visible > 0).sum(1) > 1
    _, number = np.unique(identity, return_inverse=True)
    seen = np.zeros((int(number.max(initial=0)) + 1, problem.visible.shape[1]), np.bool_)
    seen[number, problem.camera] = True
    counted = (identity >= 0) & (seen.sum(1) > 1)[number]
    hit = counted & (problem.vehicle >= 0) & several[problem.vehicle]
    shape = (len(seen), len(several))
    table = coo_array((problem.boxes[hit], (number[hit], problem.vehicle[hit])), shape=shape).toarray()
    rows, columns = linear_sum_assignment(table, maximize=True)
    total = problem.boxes[counted].sum() + problem.visible[several].sum()
    return 200.0 * float(table[rows, columns].sum()) / max(float(total), 1.0)


def join_by_time(summaries: TrackSummaries, gap: float, overlap: float) -> IntArray:
    """Identities (n,): pairs of tracks of two cameras, nearest in time first; each track has one successor at most."""
    n = len(summaries)
    seconds = summaries.start - summaries.end[:, None]
    later = (summaries.start > summaries.start[:, None]) & (summaries.camera != summaries.camera[:, None])
    source, target = np.nonzero(later & (seconds <= gap) & (seconds >= -overlap))
    following, taken = np.full(n, -1), np.zeros(n, np.bool_)
    for row in np.argsort(np.abs(seconds[source, target]), kind="stable"):
        i, j = source[row], target[row]
        if following[i] < 0 and not taken[j]:
            following[i], taken[j] = j, True
    return identities_of(following)


@dataclass(frozen=True)
class Job:
    """A problem; `vehicles` is None for the usual number."""

    layout: str
    seed: int
    degraded: bool
    calibrated: bool
    vehicles: int | None


@dataclass(frozen=True)
class Run:
    """A problem at one quality: IDF1 in per cent of the association, of average linkage (without features, of joining
    by time), the ceiling, and the association without each of some ingredients."""

    job: Job
    quality: float | None
    tracks: int
    vehicles: int
    ours: float
    linkage: float
    ceiling: float
    without: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_json(cls, line: str) -> Run:
        """Read what `to_json` wrote."""
        columns = json.loads(line)
        return cls(**{**columns, "job": Job(**columns["job"])})

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def measure(piece: tuple[Job, Sequence[float | None]], *, without: Sequence[str]) -> list[Run]:
    """One problem at some qualities."""
    job, qualities = piece
    size = {} if job.vehicles is None else {"vehicles": job.vehicles}
    problem = LAYOUTS[job.layout](job.seed, degraded=job.degraded, calibrated=job.calibrated, **size)
    looks = Looks(problem, job.seed)
    alone = problem.visible.shape[0] + np.arange(len(problem.vehicle))
    ceiling = idf1(problem, np.where(problem.vehicle >= 0, problem.vehicle, alone))
    vehicles = int(((problem.visible > 0).sum(1) > 1).sum())
    result = []
    for quality in qualities:
        cameras = problem.cameras
        if quality is None:
            rows = summarise(cameras)
            linkage = max(idf1(problem, join_by_time(rows, gap, own)) for gap in GAPS for own in OVERLAPS)
        else:
            cameras = with_features(problem, looks.of_quality(quality))
            tracks, features = [c.tracks for c in cameras], [c.features for c in cameras]
            _, linkage = best_threshold(tracks, features, lambda identity: idf1(problem, identity))
        summaries, figures = summarise(cameras), []
        for variant in ({}, *({name: False} for name in without)):
            if figures and quality is None and APPEARANCE & set(variant):
                figures.append(figures[0])
                continue
            found = associate(summaries, None, AssociationSettings().model_copy(update=variant))
            figures.append(idf1(problem, np.where(found.dropped, -1, found.identity)))
        changed = dict(zip(without, figures[1:], strict=True))
        result.append(Run(job, quality, len(problem.vehicle), vehicles, figures[0], linkage, ceiling, changed))
    return result


def with_features(problem: Problem, vector: Vectors) -> list[CameraTracks]:
    """The problem's cameras with features (n, d)."""
    cameras = []
    for number, camera in enumerate(problem.cameras):
        own = vector[problem.camera == number]
        tracks = np.arange(1, len(own) + 1, dtype=np.int32)
        cameras.append(replace(camera, features=TrackFeatures(tracks, own, np.ones(len(own), np.float32))))
    return cameras


def main(argv: Sequence[str] | None = None) -> int:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--tracks", nargs="+", default=["gt", "detector"], choices=["gt", "detector"])
    parser.add_argument("--calibration", nargs="+", default=["with", "without"], choices=["with", "without"])
    parser.add_argument("--quality", nargs="+", default=list(QUALITIES), type=_quality, metavar="MAP", help="or none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303])
    parser.add_argument("--vehicles", type=int, help="vehicles in each problem (default: as many as the layout has)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one seed and three qualities of a part of this",
    )
    parser.add_argument(
        "--without", nargs="+", default=[], choices=SWITCHES, metavar="SWITCH", help="also without each of these"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--json", type=Path, help="append the figures of every problem to this file, and skip those that it holds"
    )
    arguments = parser.parse_args(argv)
    seeds, qualities = arguments.seeds, tuple(arguments.quality)
    if arguments.quick:
        seeds, qualities = seeds[:1], (100.0, 85.0, None)
        arguments.tracks, arguments.calibration = ["detector"], ["without"]
    vehicles = QUICK if arguments.quick else {}
    jobs = [
        Job(layout, seed, tracks == "detector", calibration == "with", vehicles.get(layout, arguments.vehicles))
        for seed in seeds
        for layout in arguments.layouts
        for tracks in arguments.tracks
        for calibration in arguments.calibration
    ]
    known = read_results(arguments.json, arguments.without)
    pieces = [(job, [quality for quality in qualities if (job, quality) not in known]) for job in jobs]
    missing = [piece for piece in pieces if piece[1]]
    for runs in _measured(missing, arguments.without, arguments.workers):
        known |= {(run.job, run.quality): run for run in runs}
        if arguments.json:
            with arguments.json.open("a", encoding="utf-8") as file:
                file.writelines(run.to_json() + "\n" for run in runs)
    runs = [known[job, quality] for job in jobs for quality in qualities]
    _print(runs, qualities)
    if arguments.without:
        _print_without(runs, qualities, arguments.without)
    return 0


def read_results(path: Path | None, without: Sequence[str] = ()) -> dict[tuple[Job, float | None], Run]:
    """The runs of a file of results that were also made without each of some ingredients; a later line replaces an
    earlier one."""
    if path is None or not path.is_file():
        return {}
    runs = [Run.of_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(run.job, run.quality): run for run in runs if set(without) <= set(run.without)}


def _measured(
    pieces: Sequence[tuple[Job, Sequence[float | None]]], without: Sequence[str], workers: int
) -> Iterable[list[Run]]:
    """The runs of each piece, as they come."""
    work = partial(measure, without=without)
    if workers == 1:
        yield from map(work, pieces)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, pieces)


def _quality(text: str) -> float | None:
    return None if text == "none" else float(text)


def _print(runs: Sequence[Run], qualities: Sequence[float | None]) -> None:
    """One row for each kind of problem, one column for each quality."""
    table = Table(
        title="IDF1 in per cent: association ± standard error / average linkage, or by time", title_justify="left"
    )
    table.add_column("")
    table.add_column("ceiling", justify="right")
    for quality in qualities:
        table.add_column("none" if quality is None else f"mAP {quality:g}", justify="right")
    for name, own in _by_problem(runs).items():
        cells = [f"{np.mean([run.ceiling for run in own]):.1f}"]
        for quality in qualities:
            some = [run for run in own if run.quality == quality]
            linkage = float(np.mean([run.linkage for run in some]))
            cells.append(f"{_mean([run.ours for run in some])} / {linkage:.1f}")
        table.add_row(name, *cells)
    Console(width=max(Console().width, 150)).print(table)


def _print_without(runs: Sequence[Run], qualities: Sequence[float | None], without: Sequence[str]) -> None:
    """The change without each ingredient: one row for each kind of problem, and one for all."""
    table = Table(title="Change of IDF1 in points ± standard error without an ingredient", title_justify="left")
    table.add_column("")
    for quality in qualities:
        table.add_column("none" if quality is None else f"mAP {quality:g}", justify="right")
    for switch in without:
        for name, own in {**_by_problem(runs), "all": list(runs)}.items():
            changes = [
                _mean([run.without[switch] - run.ours for run in own if run.quality == quality], "+.2f")
                for quality in qualities
            ]
            table.add_row(f"{switch}: {name}", *changes)
        table.add_section()
    Console(width=max(Console().width, 150)).print(table)


def _by_problem(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each kind of problem."""
    groups: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        tracks = "detector" if run.job.degraded else "gt"
        groups[f"{run.job.layout}, {tracks}, {'' if run.job.calibrated else 'un'}calibrated"].append(run)
    return dict(groups)


def _mean(values: Sequence[float], form: str = ".1f") -> str:
    """Mean ± standard error."""
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return f"{np.mean(values):{form}}±{error:{form.lstrip('+')}}"


if __name__ == "__main__":
    sys.exit(main())
