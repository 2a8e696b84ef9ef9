"""The files of a run's folder that people and other programs read."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common.files import write_json, write_text
from common.versions import versions
from detection.mot_text import MotTable, write_mot
from evaluation.submission import write_submission
from evaluation.tables import Result, ResultTable
from mtmc.association.constraints_file import write_constraints
from mtmc.association.links_file import write_links
from mtmc.pipeline import Outcome, RunResult
from mtmc.report.join_table import joins_table
from mtmc.report.stored_run import CONSTRAINTS, STAGES, describe_stages, write_identities

PACKAGES = (
    "av",
    "numba",
    "numpy",
    "cv2",
    "openvino",
    "scipy",
    "torch",
    "torchvision",
    "ultralytics",
)


def table_of(result: RunResult) -> ResultTable:
    """The table that a run prints: one row an extractor, with the differences to the first."""
    rows = [Result.of(o.extraction.name, o.score) for o in result.outcomes]
    kind = " (simulated)" if result.scenario.simulated else ""
    return ResultTable(f"{result.scenario.name}{kind}, per cent", rows)


def own_tables_of(result: RunResult) -> list[ResultTable]:
    """The tables by the data set's own rule; none where it has none, or there is no ground truth.

    The first scores every box that has an identity, the second the submission, whose identities are seen by at least
    two cameras. The rule filters nothing, but the data set's ground truth holds only such vehicles.
    """
    everything = [(o.extraction.name, o.own) for o in result.outcomes]
    submitted = [(o.extraction.name, o.own_submitted) for o in result.outcomes]
    tables = []
    for what, scores in (("all identities", everything), ("track1.txt", submitted)):
        rows = [Result.of(name, score) for name, score in scores if score is not None]
        if rows:
            tables.append(ResultTable(f"{result.scenario.name} by its own rule, {what}, per cent", rows))
    return tables


def write_run(result: RunResult, folder: Path, configuration: Mapping[str, Any], command: str) -> None:
    """Write track1.txt, tracks/, identities.parquet, joins.csv, links.yaml, metrics.json, run.json, stages.json.

    And constraints.yaml, where constraints were given. Each is written whole or not at all. Where there are several
    extractors, the first five lie in a folder for each of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for outcome in result.outcomes:
        _write_outcome(result, outcome, folder_of(result, outcome, folder))
    if result.constraints is not None and len(result.constraints):
        write_constraints(folder / CONSTRAINTS, result.constraints)
    else:
        (folder / CONSTRAINTS).unlink(missing_ok=True)  # of an earlier run in the same folder
    write_json(folder / "metrics.json", metrics_of(result))
    write_json(folder / "run.json", _run_of(result, configuration, command))
    folders = [folder_of(result, outcome, folder).relative_to(folder) for outcome in result.outcomes]
    write_json(folder / STAGES, describe_stages(result, folders))


def folder_of(result: RunResult, outcome: Outcome, folder: Path) -> Path:
    """Where an extractor's files lie: the run's folder, or one below it where there are several extractors."""
    return folder if len(result.outcomes) == 1 else folder / outcome.extraction.name


def metrics_of(result: RunResult) -> dict[str, Any]:
    """The figures of a run as plain values: fractions by extractor, null where there is no ground truth."""
    return {
        "scenario": result.scenario.name,
        "simulated": result.scenario.simulated,
        "ground_truth": result.truth is not None,
        "cameras": {camera.name: camera.number for camera in result.scenario.cameras},
        "missing_cameras": dict(result.scenario.missing),
        "extractors": {o.extraction.name: _figures_of(result, o) for o in result.outcomes},
    }


def _figures_of(result: RunResult, outcome: Outcome) -> dict[str, object] | None:
    """CityFlow's figures, and those of the data set's own rule under its name."""
    if outcome.score is None:
        return None
    own = {"": outcome.own, "_track1": outcome.own_submitted}
    more = {f"{result.scenario.rule}{part}": score.to_json() for part, score in own.items() if score is not None}
    return outcome.score.to_json() | more


def run_versions() -> dict[str, str]:
    """Versions of Python, of this project and of the packages that decide figures; and the machine's kind."""
    return versions(("mtmc", *PACKAGES)) | {"machine": f"{platform.system()} {platform.machine()}"}


def _write_outcome(result: RunResult, outcome: Outcome, folder: Path) -> None:
    (folder / "tracks").mkdir(parents=True, exist_ok=True)
    write_submission(folder / "track1.txt", outcome.boxes, result.scenario.first_frame)
    write_links(folder / "links.yaml", outcome.links)
    write_identities(folder / "identities.parquet", outcome.identities, [c.name for c in result.scenario.cameras])
    write_text(folder / "joins.csv", joins_table(result, outcome).write_csv(float_precision=4))
    for index, observation in enumerate(result.observations):
        tracks = observation.tracks
        identity = outcome.identities.of_tracks(index, tracks)
        kept = identity >= 0
        table = MotTable.of(tracks.frame[kept], identity[kept], tracks.box[kept], tracks.score[kept])
        write_mot(folder / "tracks" / f"{observation.camera.name}.txt", table)


def _run_of(result: RunResult, configuration: Mapping[str, Any], command: str) -> dict[str, Any]:
    return {
        "command": command,
        "scenario": result.scenario.name,
        "simulated": result.scenario.simulated,
        "configuration": dict(configuration),
        "versions": run_versions(),
        "weights": {
            o.extraction.name: {"file": o.extraction.own or o.extraction.weights, "checksum": o.checksum}
            for o in result.outcomes
        },
        "cameras": [dict(observation.stats) for observation in result.observations],
        "missing_cameras": dict(result.scenario.missing),
        "notes": list(result.notes),
        "stages": [asdict(entry) for entry in result.log.entries],
    }
