"""IDF1 against the number of answers of a simulated annotator, asked by doubt and at random.

    python benchmarks/corrections.py --layouts corridor crossing site --seeds 301 302
    python benchmarks/corrections.py --run runs/sim-S06 --data-root DATA

The annotator is asked about pairs of tracks as the page asks (`mtmc.web.doubts`), answers from the ground truth and is
never wrong; after each batch the association solves again with all answers. "At random" asks the same kind of
questions, joins that were made and joins that were considered, without an order. Answers are counted in per cent of the
joins that the association makes at the start. Layouts are synthetic: tracks without pixels, with drawn features.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from association_quality import QUICK, Job, Looks, idf1, with_features
from rich.console import Console
from rich.table import Table
from synthetic_tracks import LAYOUTS

import mtmc
from common.errors import InputError
from detection.mot_text import read_mot
from evaluation.cityflow import filter_predictions, score_filtered
from mtmc.association.associate import associate
from mtmc.association.constraints import Constraints, TrackName, known_vehicles
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import summarise
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of
from mtmc.report.stored_run import open_run
from mtmc.report.tabulate import followed_vehicle
from mtmc.tracking.tracks import Tracks
from mtmc.web.answers import apply_directly, around_answers
from mtmc.web.correction_log import Entry
from mtmc.web.crop_store import track_vectors
from mtmc.web.doubts import Doubt, find_doubts
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.joins import Joins
from mtmc.web.passages import Passages, load_passages, passage_keys
from mtmc.web.resolve import Resolver
from mtmc.web.sides import Features, centred

SHARES = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
CONSIDERED = 0.02
"""Probability from which a pair that is not joined may be asked about at random. Raising it asks less hopeless ones."""
ORDERS = ("doubt", "random", "known")
"""By expected boxes; at random; and by an annotator who knows the mistakes and corrects the largest one first."""
IntArray = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Answer = tuple[int, int, bool]
"""Two rows, and whether they are one vehicle."""


@dataclass(frozen=True)
class Case:
    """A problem: its passages, their vehicles (-1: none) and features, how it is solved under answers, and scored (per
    cent)."""

    name: str
    passages: Passages
    vehicle: IntArray
    features: Features
    solve: Callable[[Sequence[Answer]], tuple[npt.NDArray[np.int32], Joins]]
    score: Callable[[npt.NDArray[np.int32]], float]


def layout_case(job: Job, quality: float) -> Case:
    """A synthetic layout with features of a quality (mAP)."""
    size = {} if job.vehicles is None else {"vehicles": job.vehicles}
    problem = LAYOUTS[job.layout](job.seed, degraded=job.degraded, calibrated=job.calibrated, **size)
    cameras = with_features(problem, Looks(problem, job.seed).of_quality(quality))
    tables = []
    for index, camera in enumerate(cameras):
        track, begin, count = np.unique(camera.tracks.track, return_index=True, return_counts=True)
        first, last = camera.tracks.frame[begin], camera.tracks.frame[begin + count - 1]
        start, end = camera.clock.at(first), camera.clock.at(last)
        tables.append(Passages._of(index, track, 0, track, first, last, start, end, count, -1, 0))
    passages = Passages.concatenate(tables)
    names = [camera.camera for camera in cameras]
    tracks = [camera.tracks for camera in cameras]
    summaries = summarise(cameras)

    def named(row: int) -> TrackName:
        return TrackName(names[passages.camera[row]], int(passages.track[row]))

    def solve(answers: Sequence[Answer]) -> tuple[npt.NDArray[np.int32], Joins]:
        given = [
            (Constraints.must_link if same else Constraints.cannot_link)(named(a), named(b)) for a, b, same in answers
        ]
        known = known_vehicles(Constraints.concatenate(given), names, tracks)
        found = associate(summaries, None, AssociationSettings(), known)
        identity = np.where(found.dropped, -1, found.identity).astype(np.int32)
        return identity, Joins.of(found)

    name = f"{job.layout} {job.seed} (synthetic)"
    features = centred((summaries.vector, summaries.weight > 0), passages.camera)
    return Case(
        name, passages, problem.vehicle, features, solve, lambda identity: idf1(problem, identity.astype(np.int64))
    )


def run_case(folder: Path, data_root: Path | None) -> Case:
    """A finished run of a scenario with ground truth."""
    run = open_run(folder)
    scenario = mtmc.load_scenario(run.scenario.name, data_root)
    truth = ground_truth_of(scenario)
    if truth is None:
        raise InputError(f"{scenario.name}: has no ground truth to answer from")
    passages, resolver = load_passages(run), Resolver(run)
    keys = passage_keys(passages, [camera.name for camera in run.scenario.cameras])
    vehicle = np.full(len(passages), -1, np.int64)
    for index, camera in enumerate(scenario.cameras):
        if camera.ground_truth is not None:
            table = read_mot(camera.ground_truth)
            known = Tracks.of(table.id, table.frame, table.box)
            vehicle[passages.camera == index] = followed_vehicle(resolver.tracks[index], known)
    rois = rois_of(scenario.cameras)

    def solve(answers: Sequence[Answer]) -> tuple[npt.NDArray[np.int32], Joins]:
        entries = [
            Entry(k, "", "", "same" if same else "different", (keys[a],), (keys[b],))
            for k, (a, b, same) in enumerate(answers, 1)
        ]
        found = resolver.solve(entries)
        return found.identity, found.joins

    def score(identity: npt.NDArray[np.int32]) -> float:
        rows = Identities(passages.camera, passages.track, passages.since, identity)
        boxes, dropped = filter_predictions(boxes_of(scenario, [o.tracks for o in run.observations], rows), rois)
        return 100.0 * float(score_filtered(truth, boxes, dropped).identity.idf1)

    kind = " (simulated)" if run.scenario.simulated else ""
    features = centred(track_vectors(run, passages), passages.camera)
    return Case(f"{run.scenario.name}{kind}", passages, vehicle, features, solve, score)


@dataclass(frozen=True)
class Curve:
    """IDF1 in per cent after each share of answers, and with the best identities that these tracks allow."""

    case: str
    order: str
    joins: int
    idf1: tuple[float, ...]
    ceiling: float


def annotate(case: Case, order: str, shares: Sequence[float], seed: int = 0) -> Curve:
    """Ask, answer and solve until the last share of answers is reached, or nothing is left to ask."""
    random = np.random.default_rng(seed)
    answers: list[Answer] = []
    asked: set[tuple[int, int]] = set()
    identity, joins = case.solve(answers)
    begun = identity
    count = len(IdentityIndex(case.passages, identity).source)
    alone = int(case.vehicle.max(initial=0)) + 1 + np.arange(len(case.vehicle))
    ceiling = case.score(np.where(case.vehicle >= 0, case.vehicle, alone).astype(np.int32))
    curve: list[float] = []
    for share in shares:
        wanted = round(count * share / 100)
        while len(answers) < wanted:
            index = IdentityIndex(case.passages, identity)
            questions = find_doubts(joins, index, case.features, limit=10**6, answered=asked)
            if order == "random":
                questions = [d for d in questions if d.joined or d.probability >= CONSIDERED]
                random.shuffle(questions)
            elif order == "known":
                questions = [d for d in questions if _same(case, d) != d.joined]
                questions.sort(key=_worth, reverse=True)
            batch = questions[: min(max(count // 100, 1), wanted - len(answers))]
            if not batch:
                break
            for doubt in batch:
                a, b = doubt.source, doubt.target
                asked.add((min(a, b), max(a, b)))
                answers.append((a, b, _same(case, doubt)))
                try:
                    solved = case.solve(answers) if doubt is batch[-1] else None
                except InputError:  # the ground truth follows a track that contradicts what is seen: unsure
                    answers.pop()
                    solved = case.solve(answers)
                if solved is not None:
                    joins = solved[1]
                    identity = _shown(begun, answers, solved[0])
        curve.append(case.score(identity))
    return Curve(case.name, order, count, tuple(curve), ceiling)


def _shown(begun: Ids, answers: Sequence[Answer], solved: Ids) -> Ids:
    """(n,) the identities that the page shows after a new solution; see `mtmc.web.session`."""
    entries = [
        Entry(k, "", "", "same" if same else "different", (str(a),), (str(b),))
        for k, (a, b, same) in enumerate(answers, 1)
    ]
    direct = apply_directly(begun, entries, {str(row): row for row in range(len(begun))}, 0)
    return around_answers(direct, solved, np.array([row for a, b, _ in answers for row in (a, b)], np.int64))


def _same(case: Case, doubt: Doubt) -> bool:
    """The answer of the ground truth."""
    return bool(case.vehicle[doubt.source] == case.vehicle[doubt.target] >= 0)


def _worth(doubt: Doubt) -> float:
    """Boxes that the answer puts right if it is not what the identities say."""
    return doubt.expected / max(1.0 - doubt.probability if doubt.joined else doubt.probability, 1e-9)


def given_back(curves: Sequence[Curve]) -> list[float]:
    """Per cent of the lost IDF1 that each share of answers gives back, over several problems together."""
    lost = sum(curve.ceiling - curve.idf1[0] for curve in curves)
    gained = np.sum([np.array(curve.idf1) - curve.idf1[0] for curve in curves], axis=0)
    return [100.0 * float(each) / max(lost, 1e-9) for each in gained]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="*", default=["corridor", "crossing", "site"], choices=list(LAYOUTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[301, 302, 303])
    parser.add_argument("--vehicles", type=int, help="vehicles of each layout (default: the layout's own)")
    parser.add_argument("--quality", type=float, default=80.0, help="mAP of the features of the layouts, per cent")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="folders of finished runs, instead of layouts")
    parser.add_argument("--data-root", type=Path, help="where the scenarios of these runs are")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=list(SHARES), help="answers, per cent of the joins; the first is 0"
    )
    parser.add_argument("--quick", action="store_true", help="one small layout")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        jobs = [Job("site", 301, True, False, QUICK["site"])]
    else:
        problems = product(arguments.layouts, arguments.seeds)
        jobs = [Job(layout, seed, True, False, arguments.vehicles) for layout, seed in problems]
    cases = [run_case(folder, arguments.data_root) for folder in arguments.run]
    cases = cases or [layout_case(job, arguments.quality) for job in jobs]
    table = Table(title="IDF1, per cent, after answers to a share of the joins")
    for head in ("", "joins", "order", *(f"{share:g} %" for share in arguments.shares), "ceiling"):
        table.add_column(head, justify="left" if head in ("", "order") else "right")
    curves = []
    for case in cases:
        for order in ORDERS:
            curve = annotate(case, order, arguments.shares)
            curves.append(curve)
            figures = [f"{value:.2f}" for value in curve.idf1]
            table.add_row(case.name, str(curve.joins), order, *figures, f"{curve.ceiling:.2f}")
    back = Table(title="Per cent of the lost IDF1 given back, all of the above together")
    for head in ("order", *(f"{share:g} %" for share in arguments.shares)):
        back.add_column(head, justify="left" if head == "order" else "right")
    for order in ORDERS:
        found = given_back([curve for curve in curves if curve.order == order])
        back.add_row(order, *(f"{value:.0f}" for value in found))
    console = Console(width=140)
    console.print(table)
    console.print(back)
    if arguments.json:
        rows = [asdict(curve) for curve in curves]
        arguments.json.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
