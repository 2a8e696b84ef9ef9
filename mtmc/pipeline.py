"""The order of the stages: observe, embed, associate, evaluate, report; each reuses what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from safetensors.numpy import load_file, save_file

from evaluation.boxes import Boxes
from evaluation.cityflow import filter_predictions
from evaluation.scoring import Score
from mtmc.association.associate import associate
from mtmc.association.links import Links, read_links, write_links
from mtmc.association.summaries import CameraTracks, TrackFeatures, summarise
from mtmc.cache import Cache, code_version, file_digest, key_of
from mtmc.config import PipelineSettings
from mtmc.embed import CropExtractor, embed_tracks
from mtmc.observing import Observation, Source, observe_cameras
from mtmc.result import Identities, boxes_of, ground_truth_of, rois_of, score_run
from mtmc.scenario import Scenario
from mtmc.stage_log import StageLog


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
        identities: the vehicle of every track.
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
        features, keys = embed_observations(extraction, observations, settings, cache, source.device, log)
        identities, used = _associate(extraction.name, observations, features, keys, given, settings, cache, log)
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
) -> tuple[list[TrackFeatures | None], list[str]]:
    """The features of every camera's tracks, and the keys that they lie under."""
    if extraction.weights is None:
        return [None] * len(observations), [""] * len(observations)
    parts = {
        "code": code_version("mtmc.embed", "reid.extractor", "reid.backends", "reid.deploy", "reid.views"),
        "weights": cache.file_digest(extraction.weights),
        "settings": settings.embedding.model_dump(),
        "device": device,
    }
    keys = [key_of({**parts, "observation": o.key}) for o in observations]
    extractor: CropExtractor | None = None
    features: list[TrackFeatures | None] = []
    for key, observation in zip(keys, observations, strict=True):
        part = f"{extraction.name} {observation.camera.name}"
        found = cache.find("embed", key)
        if found is None:
            if extractor is None:
                with log.timed("embed", f"load {extraction.name}"):
                    # Here, not above: it brings torch along, and every process that watches a camera imports this.
                    from reid.extractor import Extractor

                    extractor = Extractor.load(extraction.weights, device, cache_dir=cache.root / "extractors")
            crops = observation.crops()
            with log.timed("embed", part, len(crops)), cache.write("embed", key) as folder:
                made = embed_tracks(crops, extractor, settings.embedding)
                columns = {"track": made.track, "vector": made.vector, "weight": made.weight}
                save_file(columns, folder / "features.safetensors")
        else:
            log.add("embed", part, 0.0, reused=True)
        features.append(TrackFeatures(**load_file(cache.folder("embed", key) / "features.safetensors")))
    return features, keys


def _associate(
    name: str,
    observations: Sequence[Observation],
    features: Sequence[TrackFeatures | None],
    keys: Sequence[str],
    links: Links | None,
    settings: PipelineSettings,
    cache: Cache,
    log: StageLog,
) -> tuple[Identities, Links]:
    """The vehicle of every track, and the links that were given or learned."""
    key = key_of(
        {
            "code": code_version("mtmc.association"),
            "observations": [o.key for o in observations],
            "features": list(keys),
            "clocks": [[o.camera.clock.frames.tolist(), o.camera.clock.seconds.tolist()] for o in observations],
            "ground": [str(o.camera.ground) for o in observations],
            "links": links.model_dump() if links is not None else None,
            "settings": settings.association.model_dump(),
        }
    )
    if cache.find("associate", key) is None:
        with log.timed("associate", name, sum(len(np.unique(o.tracks.track)) for o in observations)):
            summaries = summarise(list(map(camera_tracks, observations, features)))
            association = associate(summaries, links, settings.association)
        identity = np.where(association.dropped, -1, association.identity).astype(np.int32)
        with cache.write("associate", key) as folder:
            columns = {"camera": summaries.camera, "track": summaries.track, "identity": identity}
            save_file({k: np.asarray(v, np.int32) for k, v in columns.items()}, folder / "identities.safetensors")
            write_links(folder / "links.yaml", association.links)
    else:
        log.add("associate", name, 0.0, reused=True)
    folder = cache.folder("associate", key)
    return Identities(**load_file(folder / "identities.safetensors")), read_links(folder / "links.yaml")


def _among(links: Links, cameras: Sequence[str]) -> Links:
    """The zones of these cameras and the links between them: the others may have been left out of the run."""
    zones = tuple(zone for zone in links.zones if zone.camera in cameras)
    names = {zone.name for zone in zones}
    return Links(zones=zones, links=tuple(k for k in links.links if {k.source, k.target} <= names))


def camera_tracks(observation: Observation, features: TrackFeatures | None) -> CameraTracks:
    camera = observation.camera
    return CameraTracks(
        camera.name,
        observation.tracks,
        camera.clock,
        camera.width,
        camera.height,
        camera.frame_count,
        camera.ground,
        features,
        observation.parked,
    )
