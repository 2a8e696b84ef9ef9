"""The files that `mtmc.run` writes, and its report, for an hour of a live site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from common.errors import InputError
from common.nearest import nearest
from evaluation.cityflow import filter_predictions, score_filtered
from mtmc.appearance.extraction import Extraction
from mtmc.association.links_file import Links
from mtmc.config import PipelineSettings
from mtmc.crops.table import Crops, write_crops
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of, score_by_own_rule
from mtmc.interface.result import ScenarioResult
from mtmc.observation.stage import Observation, Source
from mtmc.online.archive import Archive, hour_name
from mtmc.online.lessons import model_of
from mtmc.online.store import Store
from mtmc.pipeline import Outcome, RunResult
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.parked import parked
from mtmc.tracking.tracks import Tracks

NAME = "live"
"""What an hour's report calls the extractor: the answers were given while the cameras ran."""
_BOX = ("left", "top", "width", "height")


def hour_result(
    store: Store,
    hours: Sequence[int],
    settings: PipelineSettings,
    crops_folder: Path,
    scenario: Scenario | None = None,
) -> ScenarioResult:
    """The answers of some hours as the result of a run, whose `write` writes its files and its report.

    Frames are counted from the first one of these hours in each camera; in a replay, as in its videos.

    Args:
        store: of the site.
        hours: of `mtmc.online.archive.hour_of`; tracks belong to the hour in which they ended.
        settings: of the site.
        crops_folder: where the crops of the hours are collected.
        scenario: that was replayed: for its ground truth and its pictures.

    Raises:
        InputError: there are no tracks in these hours.
    """
    archive = Archive(store)
    boxes = pl.concat([archive.tracks(hour) for hour in hours]) if hours else pl.DataFrame()
    if not len(boxes):
        wanted = ", ".join(hour_name(hour) for hour in hours)
        raise InputError(f"{store.folder}: no track in {wanted or 'it'}{nearest(wanted, _names(archive))}")
    rows = {(row[0], row[1]): row for row in store.tracks()}
    cameras = scenario.cameras if scenario is not None else _cameras(boxes, rows)
    observations, identities = [], []
    for index, camera in enumerate(cameras):
        mine = boxes.filter(pl.col("camera") == camera.name)
        shift = 0 if scenario is not None else int(np.asarray(mine["frame"]).min()) - 1
        tracks = Tracks.of(
            mine["track"], np.asarray(mine["frame"]) - shift, mine.select(_BOX).to_numpy(), mine["score"], mine["label"]
        ).sorted()
        numbers = np.unique(tracks.track)
        crops = [archive.crops(hour, camera.name, n) for n in numbers.tolist() for hour in hours]
        observations.append(_observation(camera, tracks, Crops.concatenate(crops), shift, settings, crops_folder))
        known = [rows.get((camera.name, n)) for n in numbers.tolist()]
        identity = np.array([-1 if row is None or row[8] is None else row[8] for row in known], np.int32)
        identities.append(Identities._of(np.full(len(numbers), index), numbers, 0, identity))
    run = _run(store, scenario or Scenario(_name(store), "", tuple(cameras)), observations, identities)
    return ScenarioResult(run, settings, Source("live"))


def _run(
    store: Store, scenario: Scenario, observations: Sequence[Observation], identities: Sequence[Identities]
) -> RunResult:
    found = Identities.concatenate(list(identities))
    truth = ground_truth_of(scenario)
    everything = boxes_of(scenario, [observation.tracks for observation in observations], found)
    boxes, dropped = filter_predictions(everything, rois_of(scenario.cameras))
    score = score_filtered(truth, boxes, dropped) if truth is not None else None
    own, own_submitted = (
        score_by_own_rule(scenario, truth, rows) if truth is not None else None for rows in (everything, boxes)
    )
    lessons = store.lessons()
    links = model_of(lessons[-1][1])[0].links if lessons else Links()
    outcome = Outcome(Extraction(NAME, None), "", found, links, boxes, score, own, own_submitted)
    return RunResult(scenario, observations, [outcome], truth, False, StageLog(Console(stderr=True, quiet=True)))


def _cameras(boxes: pl.DataFrame, rows: dict[tuple[str, int], tuple[object, ...]]) -> list[Camera]:
    cameras = []
    for number, name in enumerate(sorted(boxes["camera"].unique().to_list()), 1):
        mine = boxes.filter(pl.col("camera") == name).unique("frame").sort("frame")
        frame, seconds = np.asarray(mine["frame"], np.float64), np.asarray(mine["seconds"], np.float64)
        rising = np.concatenate([[True], np.diff(np.maximum.accumulate(seconds)) > 0])
        frame, seconds = frame[rising] - frame[0] + 1, seconds[rising]
        if len(frame) > 1:
            clock, rate = Clock.of_knots(frame, seconds), float((frame[-1] - frame[0]) / (seconds[-1] - seconds[0]))
        else:
            clock, rate = Clock.uniform(10.0, float(seconds[0])), 10.0
        sizes = [row[6:8] for (camera, _), row in rows.items() if camera == name]
        width, height = (int(str(value)) for value in sizes[-1])
        cameras.append(Camera(name, number, rate, width, height, int(frame[-1]), clock))
    return cameras


def _observation(
    camera: Camera, tracks: Tracks, crops: Crops, shift: int, settings: PipelineSettings, folder: Path
) -> Observation:
    order = np.lexsort((crops.frame, crops.track))
    crops = crops[order]
    file = folder / f"{camera.name}.parquet"
    write_crops(file, replace(crops, frame=(crops.frame - shift).astype(np.int32)))
    still = parked(tracks, camera.clock, settings.repair)
    stats = {
        "camera": camera.name,
        "frames": camera.frame_count,
        "video": None,
        "seconds": {},
        "tracks": len(np.unique(tracks.track)),
        "boxes": len(tracks),
        "small": 0.0,
        "crops": len(crops),
        "first_boxes": None,
        "parked": still.tolist(),
    }
    return Observation(camera, "", tracks, still, file, stats)


def _name(store: Store) -> str:
    return (store.meta("owner") or "live").rpartition(" ")[2]


def _names(archive: Archive) -> list[str]:
    return [hour_name(hour) for hour in archive.hours()]
