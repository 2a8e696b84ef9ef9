"""Observe all cameras of a scenario: what is in the cache, what is to be done, and what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.cache import Cache, key_of
from common.code_version import code_version
from common.errors import InputError
from detection.det_files import find_det_file
from mtmc.crops.table import Crops, read_crops
from mtmc.observation.disk_space import FRAME_BYTES, check_space
from mtmc.observation.first_boxes import doubts
from mtmc.observation.job import DetectorChoice, ObserveJob
from mtmc.observation.settings import ObserveSettings
from mtmc.observation.sources import tracks_file
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.choice import DEFAULT_TRACKER, make_tracker, tracker_key
from mtmc.tracking.tracks import Tracks
from mtmc.tracking.tracks_file import read_tracks

MANY_SMALL = 0.5
"""Share of boxes that are too small above which the user is warned. Raising it warns less often."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the boxes of a run come from: a detector, or files of detections or of tracks, which replace it.

    Attributes:
        detector: a name or file for `detection.loading.load_detector`.
        detections: `NAME` of det/det_NAME.txt, or a folder of `<camera>.txt`; replaces the detector.
        tracks: `NAME` of mtsc/mtsc_NAME.txt, `gt`, or a folder of `<camera>.txt`; replaces detector and tracker.
        device: for the detector.
        tracker: links boxes into tracks: a name of `mtmc.tracking.choice.TRACKERS`, or `package.module:Class`.
    """

    detector: str
    detections: str | None = None
    tracks: str | None = None
    device: str = "auto"
    tracker: str = DEFAULT_TRACKER

    def describe(self) -> str:
        """Where the boxes come from, in words."""
        if self.tracks is not None:
            return f"tracks {self.tracks}"
        return f"detections {self.detections}" if self.detections is not None else f"detector {self.detector}"


@dataclass(frozen=True, slots=True)
class Observation:
    """The tracks and crops of one camera.

    Attributes:
        camera: the clip.
        key: its key in the cache, part of the keys of later stages.
        tracks: its tracks.
        parked: (k,) int32, numbers of the tracks of parked vehicles.
        crops_file: where `crops()` reads the crops.
        stats: frames read and lost, seconds of each part of the work.
    """

    camera: Camera
    key: str
    tracks: Tracks
    parked: npt.NDArray[np.int32]
    crops_file: Path
    stats: Mapping[str, Any]

    def crops(self) -> Crops:
        """The crops of its tracks."""
        return read_crops(self.crops_file)

    @property
    def frames(self) -> tuple[int, int]:
        """Frames that were read, and frames that could not be."""
        video = self.stats["video"]
        return (video["decoded"], video["lost"]) if video else (self.camera.frame_count, 0)


@dataclass(frozen=True, slots=True)
class ObservationPlan:
    """What observing a scenario will take.

    Attributes:
        detector: the detector that workers load; None where boxes are given.
        description: the detector in words, "" for none.
        jobs: a job for each camera that can be observed, by name.
        due: those of them whose results are not in the cache.
        missing: camera name to the reason why it cannot be observed.
        notes: what is strange about the videos, one line each.
    """

    detector: DetectorChoice | None
    description: str
    jobs: Mapping[str, ObserveJob]
    due: Mapping[str, ObserveJob]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()


def plan_observation(scenario: Scenario, source: Source, *, settings: ObserveSettings, cache: Cache) -> ObservationPlan:
    """Load the tracker and the detector once, and find out what is in the cache. No frame is read.

    Raises:
        InputError: the tracker or the detector cannot be loaded, or the cache has no room for the results.
    """
    ours = source.tracker == DEFAULT_TRACKER and not settings.options.tracker
    if (
        source.tracks is None and scenario.cameras and not ours
    ):  # a slip must not cost the detection of a whole scenario
        make_tracker(source.tracker, settings.tracking, scenario.cameras[0].clock, settings.options.tracker)
    detector = _choose_detector(scenario, source, settings, cache)
    loaded = detector.load(0) if detector is not None else None
    describe = getattr(loaded, "describe", None)
    missing = dict(scenario.missing)
    jobs: dict[str, ObserveJob] = {}
    for camera in scenario.cameras:
        try:
            jobs[camera.name] = _job(
                camera,
                source,
                detector=detector,
                detector_key=loaded.key if loaded is not None else "",
                settings=settings,
                cache=cache,
            )
        except InputError as error:
            missing[camera.name] = str(error)
    due = {name: job for name, job in jobs.items() if cache.find("observe", job.key) is None}
    frames = sum(job.camera.frame_count for job in due.values())
    check_space(cache.root, frames * FRAME_BYTES, f"the {frames} frames to observe", "--cache")
    notes = same_videos([camera for camera in scenario.cameras if camera.name in jobs], cache)
    return ObservationPlan(detector, describe() if describe is not None else "", jobs, due, missing, notes)


def same_videos(cameras: Sequence[Camera], cache: Cache) -> tuple[str, ...]:
    """A line for each group of cameras whose videos have the same content, as after a slip in copying or linking."""
    names: dict[str, list[str]] = {}
    for camera in cameras:
        if camera.video is not None:
            names.setdefault(cache.file_digest(camera.video), []).append(camera.name)
    return tuple(
        f"{', '.join(same[:-1])} and {same[-1]} have the same video: every vehicle in it is seen by each of them; "
        "check that the files are those of the cameras"
        for same in names.values()
        if len(same) > 1
    )


def read_observations(
    scenario: Scenario,
    plan: ObservationPlan,
    failed: Mapping[str, str],
    *,
    settings: ObserveSettings,
    cache: Cache,
    log: StageLog,
) -> tuple[Scenario, list[Observation]]:
    """What the cameras gave, from the cache; the log says what was left out, lost or looks strange.

    Args:
        scenario: all cameras.
        plan: its observation.
        failed: cameras that failed since, with the reason.
        settings: what they were observed with.
        cache: where their results are.
        log: where messages go.

    Returns:
        The scenario without the cameras that failed, which its `missing` lists, and an observation for each of the
        others, in their order.

    Raises:
        InputError: no camera is left.
    """
    missing = {**plan.missing, **failed}
    cameras = tuple(camera for camera in scenario.cameras if camera.name not in missing)
    if not cameras:
        raise InputError(f"{scenario.name}: no camera can be used: {'; '.join(missing.values())}")
    observations = []
    for camera in cameras:
        observation = _read(camera, plan.jobs[camera.name], cache)
        observations.append(observation)
        seconds = sum(observation.stats["seconds"].values())
        log.add("observe", camera.name, seconds, observation.frames[0], reused=camera.name not in plan.due)
    for name in missing.keys() - scenario.missing.keys():
        log.say(f"{name}: left out: {missing[name]}")
    for observation in observations:
        if observation.frames[1]:
            log.say(f"{observation.camera.name}: {observation.frames[1]} frames could not be read and are skipped")
        small = observation.stats["small"]
        if small > MANY_SMALL:
            log.say(
                f"{observation.camera.name}: {small:.0%} of its boxes are dropped because they are smaller than "
                f"{settings.repair.min_side:g} pixels; --set repair.min_side=0 keeps them"
            )
    if doubt := doubtful_boxes(observations):
        log.say(f"observe: {doubt}")
    notes = (*scenario.notes, *plan.notes)
    return replace(scenario, cameras=cameras, missing=missing, notes=notes), observations


def doubtful_boxes(observations: Sequence[Observation]) -> str:
    """What is strange about the first boxes of all cameras, in a sentence; "" where nothing is."""
    counts = [observation.stats.get("first_boxes") for observation in observations]
    return doubts([count for count in counts if count is not None])


def _choose_detector(
    scenario: Scenario, source: Source, settings: ObserveSettings, cache: Cache
) -> DetectorChoice | None:
    if source.detections is not None or source.tracks is not None:
        return None
    if not any(camera.video for camera in scenario.cameras):
        raise InputError(f"{scenario.name}: no camera has a video; start from boxes with --detections or --tracks")
    chosen = settings.detection
    options: dict[str, Any] = {
        "device": source.device,
        "score": chosen.score,
        "image_size": chosen.image_size,
        "precision": chosen.precision,
        "classes": chosen.classes,
        "layout": chosen.layout,
        "cache_dir": cache.root,
        "own_options": settings.options.detector,
    }
    if chosen.precision == "int8":
        options["calibration"] = [camera.video for camera in scenario.cameras if camera.video is not None]
    return DetectorChoice(source.detector, options)


def _job(
    camera: Camera,
    source: Source,
    *,
    detector: DetectorChoice | None,
    detector_key: str,
    settings: ObserveSettings,
    cache: Cache,
) -> ObserveJob:
    """The task for a camera, with the key of everything that the result depends on."""
    video = cache.file_digest(camera.video) if camera.video is not None else None
    job = ObserveJob(camera, "", cache, settings, detector=detector, tracker=source.tracker)
    parts: dict[str, Any] = {
        "code": code_version("mtmc.observation.camera"),
        "video": video,
        "clock": [camera.clock.frames.tolist(), camera.clock.seconds.tolist()],
        "size": [camera.width, camera.height],
        "frames": camera.frame_count,
        "roi": cache.file_digest(camera.roi) if camera.roi is not None else None,
        "crops": settings.crops.model_dump(),
    }
    if source.tracks is not None:
        path = tracks_file(camera, source.tracks)
        job = replace(job, tracks=path)
        parts["tracks"] = cache.file_digest(path)
    else:
        parts["tracking"] = settings.tracking.model_dump()
        parts["tracker"] = [tracker_key(source.tracker), settings.options.tracker]
        parts["repair"] = settings.repair.model_dump()
    if source.detections is not None and source.tracks is None:
        path = find_det_file(camera.directory or Path(), camera.name, source.detections)
        job = replace(job, detections=path)
        parts["detections"] = [cache.file_digest(path), settings.detection.score]
    if detector is not None:
        if camera.video is None:
            raise InputError(f"{camera.name}: no video; start from boxes with --detections or --tracks")
        code = code_version("detection.loading", "detection.video", "mtmc.tracking.tracks_file")
        detect = {"code": code, "video": video, "detector": detector_key}
        job = replace(job, detect_key=key_of(detect))
        parts["detect"] = detect
    return replace(job, key=key_of(parts))


def prepare_observation(plan: ObservationPlan, cache: Cache) -> None:
    """Compile the tracker, and export or compile the network once per image size, before several processes would."""
    detector, due = plan.detector, plan.due
    if due:
        from mtmc.tracking.tracker import compile_ahead  # numba, which a run from the cache does not need

        compile_ahead()
    if detector is None:
        return
    sizes = {
        (job.camera.height, job.camera.width) for job in due.values() if cache.find("detect", job.detect_key) is None
    }
    network = detector.load(0) if sizes else None
    for height, width in sorted(sizes):
        if network is not None:
            network.prepare(height, width)


def _read(camera: Camera, job: ObserveJob, cache: Cache) -> Observation:
    folder = cache.need("observe", job.key)
    stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    parked = np.array(stats["parked"], np.int32)
    return Observation(camera, job.key, read_tracks(folder / "tracks.parquet"), parked, folder / "crops.parquet", stats)
