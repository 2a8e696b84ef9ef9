"""The order of the stages: observe, embed, associate, evaluate, report; each reuses what is there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from safetensors.numpy import load_file, save_file

from common.cache import Cache, code_version, key_of
from common.files import file_digest
from evaluation.boxes import Boxes
from evaluation.cityflow import filter_predictions
from evaluation.scoring import Score
from mtmc.appearance.embedding import CropExtractor, embed_crops
from mtmc.appearance.features import CropVectors
from mtmc.appearance.splitting import Cuts, split_tracks
from mtmc.association.associate import associate
from mtmc.association.links_file import Links, read_links, write_links
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.config import PipelineSettings
from mtmc.identities import Identities, boxes_of, ground_truth_of, rois_of, score_run
from mtmc.observation.stage import Observation, Source, observe_cameras
from mtmc.scenarios.scenario import Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.reliable_span import sure_part
from mtmc.tracking.repair import parked

StoredCrops = Callable[[], CropVectors]
"""What reads the vectors of a camera's crops: of all cameras together they need not fit in memory."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An extractor as a row of the table: its name, and its weights (None: no appearance)."""

    name: str
    weights: Path | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one extractor gave.

    Attributes:
        extraction: which.
        checksum: digest of its weights, "" without.
        identities: the vehicle of every track, or part of one.
        links: zones and travel times, given or learned.
        boxes: what is submitted: by the official rules, identities that at least two cameras saw.
        score: None without ground truth.
    """

    extraction: Extraction
    checksum: str
    identities: Identities
    links: Links
    boxes: Boxes
    score: Score | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """Everything that came out of a run.

    Attributes:
        scenario: with the cameras that took part; the others are in `missing`.
        observations: one a camera.
        outcomes: one an extractor.
        truth: the ground truth, None where there is none.
        links_given: whether zones and links were given; else each extractor's run learned its own.
        log: seconds of every stage.
    """

    scenario: Scenario
    observations: Sequence[Observation]
    outcomes: Sequence[Outcome]
    truth: Boxes | None
    links_given: bool
    log: StageLog


def run(
    scenario: Scenario,
    source: Source,
    extractions: Sequence[Extraction],
    settings: PipelineSettings,
    cache: Cache,
    *,
    links: Path | None,
    workers: int,
    console: Console,
) -> RunResult:
    """Work a scenario through all stages up to the scores.

    Args:
        scenario: what to work on.
        source: where boxes come from.
        extractions: one row of the table each.
        settings: of all stages.
        cache: results of stages.
        links: zones and links to use; None: the scenario's own, else learned.
        workers: cameras at a time.
        console: where progress is told.

    Raises:
        InputError: something that the person gave cannot be used.
    """
    log = StageLog(console)
    file = links or scenario.links
    # Read before the long work, so that a mistake in it shows at once.
    given = read_links(file, [*(c.name for c in scenario.cameras), *scenario.missing]) if file is not None else None
    scenario, observations = observe_cameras(scenario, source, settings, cache, workers, log, console)
    log.tell("observe")
    truth = ground_truth_of(scenario)
    if given is not None:
        given = _among(given, [camera.name for camera in scenario.cameras])
    outcomes = []
    for extraction in extractions:
        crops, keys = embed_observations(extraction, observations, settings, cache, source.device, log)
        cuts = cut_tracks(extraction, observations, crops, settings, log)
        identities, used = _associate(extraction.name, observations, crops, cuts, keys, given, settings, cache, log)
        with log.timed("evaluate", extraction.name):
            everything = boxes_of(scenario, [o.tracks for o in observations], identities)
            boxes, _ = filter_predictions(everything, rois_of(scenario.cameras))
            score = score_run(scenario, truth, everything) if truth is not None else None
        checksum = file_digest(extraction.weights) if extraction.weights is not None else ""
        outcomes.append(Outcome(extraction, checksum, identities, used, boxes, score))
    for stage in ("embed", "associate", "evaluate"):
        log.tell(stage)
    return RunResult(scenario, observations, outcomes, truth, given is not None, log)


def embed_observations(
    extraction: Extraction,
    observations: Sequence[Observation],
    settings: PipelineSettings,
    cache: Cache,
    device: str,
    log: StageLog,
) -> tuple[list[StoredCrops | None], list[str]]:
    """The vectors of every camera's crops, and the keys that they lie under."""
    if extraction.weights is None:
        return [None] * len(observations), [""] * len(observations)
    parts = {
        "code": code_version(
            "mtmc.appearance.embedding",
            "mtmc.appearance.features",
            "reid.extractor",
            "reid.backends",
            "reid.deploy",
            "reid.views",
        ),
        "weights": cache.file_digest(extraction.weights),
        "settings": settings.embedding.model_dump(exclude={"split"}),
        "device": device,
    }
    keys = [key_of({**parts, "observation": o.key}) for o in observations]
    extractor: CropExtractor | None = None
    found: list[StoredCrops | None] = []
    for key, observation in zip(keys, observations, strict=True):
        part = f"{extraction.name} {observation.camera.name}"
        if cache.find("embed", key) is None:
            if extractor is None:
                with log.timed("embed", f"load {extraction.name}"):
                    # Here, not above: it brings torch along, and every process that watches a camera imports this.
                    from reid.extractor import Extractor

                    extractor = Extractor.load(extraction.weights, device, cache_dir=cache.root / "extractors")
            crops = observation.crops()
            with log.timed("embed", part, len(crops)), cache.write("embed", key) as folder:
                _write_vectors(folder / "vectors.safetensors", embed_crops(crops, extractor, settings.embedding))
        else:
            log.add("embed", part, 0.0, reused=True)
        found.append(partial(_read_vectors, cache.folder("embed", key) / "vectors.safetensors"))
    return found, keys


def _write_vectors(path: Path, crops: CropVectors) -> None:
    """Vectors in half precision, which is far below what two pictures of one thing differ by."""
    vector = crops.vector.astype(np.float16)
    columns = {"track": crops.track, "frame": crops.frame, "weight": crops.weight, "clear": crops.clear}
    save_file({**columns, "vector": vector}, path)


def _read_vectors(path: Path) -> CropVectors:
    columns = load_file(path)
    columns["vector"] = columns["vector"].astype(np.float32)
    return CropVectors(**columns)


def cut_tracks(
    extraction: Extraction,
    observations: Sequence[Observation],
    crops: Sequence[StoredCrops | None],
    settings: PipelineSettings,
    log: StageLog,
) -> list[Cuts]:
    """Where the tracks of each camera go over to another vehicle; nowhere without crops."""
    known = [(o.tracks, c) for o, c in zip(observations, crops, strict=True) if c is not None]
    if not settings.embedding.split or len(known) < len(observations):
        return [Cuts.none() for _ in observations]
    with log.timed("embed", f"{extraction.name} split"):
        return split_tracks(known)


def _associate(
    name: str,
    observations: Sequence[Observation],
    crops: Sequence[StoredCrops | None],
    cuts: Sequence[Cuts],
    keys: Sequence[str],
    links: Links | None,
    settings: PipelineSettings,
    cache: Cache,
    log: StageLog,
) -> tuple[Identities, Links]:
    """The vehicle of every track or part of one, and the links that were given or learned."""
    key = key_of(
        {
            "code": code_version(
                "mtmc.association",
                "mtmc.appearance.embedding",
                "mtmc.appearance.features",
                "mtmc.appearance.splitting",
                "mtmc.tracking.reliable_span",
                "mtmc.tracking.parked",
            ),
            "observations": [o.key for o in observations],
            "features": list(keys),
            "split": settings.embedding.split,
            "clocks": [[o.camera.clock.frames.tolist(), o.camera.clock.seconds.tolist()] for o in observations],
            "ground": [str(o.camera.ground) for o in observations],
            "links": links.model_dump() if links is not None else None,
            "settings": settings.association.model_dump(),
        }
    )
    if cache.find("associate", key) is None:
        with log.timed("associate", name, sum(len(np.unique(o.tracks.track)) for o in observations)):
            cameras = [camera_tracks(*parts, settings) for parts in zip(observations, cuts, crops, strict=True)]
            summaries = summarise(cameras)
            association = associate(summaries, links, settings.association)
        identity = np.where(association.dropped, -1, association.identity)
        track, since = summaries.track.copy(), np.zeros(len(summaries), np.int32)
        for index, cut in enumerate(cuts):
            mine = summaries.camera == index
            track[mine], since[mine] = cut.whole(summaries.track[mine])
        with cache.write("associate", key) as folder:
            columns = {"camera": summaries.camera, "track": track, "since": since, "identity": identity}
            save_file({k: np.asarray(v, np.int32) for k, v in columns.items()}, folder / "identities.safetensors")
            write_links(folder / "links.yaml", association.links)
    else:
        log.add("associate", name, 0.0, reused=True)
    folder = cache.folder("associate", key)
    return Identities(**load_file(folder / "identities.safetensors")), read_links(folder / "links.yaml")


def _among(links: Links, cameras: Sequence[str]) -> Links:
    """The zones of these cameras, and what is between them: the others may have been left out of the run."""
    zones = tuple(zone for zone in links.zones if zone.camera in cameras)
    names = {zone.name for zone in zones}
    within = tuple(k for k in links.links if {k.source, k.target} <= names)
    return links.model_copy(update={"zones": zones, "links": within})


def camera_tracks(
    observation: Observation, cuts: Cuts, crops: StoredCrops | None, settings: PipelineSettings
) -> CameraTracks:
    """What association knows of a camera: the sure parts of its tracks, which may have been cut, and their features."""
    camera, tracks = observation.camera, cuts.apply(observation.tracks)
    features = None
    if crops is not None:
        found = crops()
        features = replace(found, track=cuts.part(found.track, found.frame)).by_track()
    return CameraTracks(
        camera.name,
        sure_part(tracks, camera.clock) if settings.association.sure_parts else tracks,
        camera.clock,
        camera.width,
        camera.height,
        camera.frame_count,
        camera.ground,
        features,
        observation.parked if tracks is observation.tracks else parked(tracks, camera.clock, settings.repair),
    )
