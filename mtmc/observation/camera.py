"""From one camera's video to tracks and crops, in one pass; runs in a worker process."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.cache import Cache
from common.files import write_json
from detection.det_files import read_detections as read_detection_file
from detection.detections import Detections
from detection.video import Video, open_video
from mtmc.crops.selector import CropSelector, choose_frames
from mtmc.crops.table import Crops, write_crops
from mtmc.observation.first_boxes import count_first_boxes
from mtmc.observation.job import ObserveJob
from mtmc.observation.sources import read_tracks_text
from mtmc.scenarios.roi import read_roi
from mtmc.tracking.choice import joined, make_tracker
from mtmc.tracking.interface import CameraTracker
from mtmc.tracking.repair import Repaired, parked, repair
from mtmc.tracking.tracker import track
from mtmc.tracking.tracks import Tracks
from mtmc.tracking.tracks_file import read_detections, write_detections, write_tracks

Frames = Iterable[tuple[int, npt.NDArray[np.uint8]]]
BATCH = 8
"""Frames per call of the detector: enough to keep every core, or the GPU, busy. Raising it costs memory."""


class _Timer:
    """Wall-clock seconds of each part of the work."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - start

    def timed(self, part: str, frames: Frames) -> Frames:
        """The same frames, with the time to get each added to `part`."""
        iterator = iter(frames)
        while True:
            with self.of(part):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def observe_camera(job: ObserveJob, advance: Callable[[str, int], None] | None = None) -> None:
    """Write `tracks.parquet`, `crops.parquet` and `stats.json` of a camera under its key.

    The frames are decoded once. The boxes are kept under `detect_key`, so that detection need not run again for other
    settings of the tracker.

    Args:
        job: the task.
        advance: called with the camera's name and the number of frames processed since the last call.

    Raises:
        InputError: the camera's files cannot be used.
    """
    cache, camera, timer = job.cache, job.camera, _Timer()
    video = open_video(camera.video, threads=job.threads, image_fps=camera.fps) if camera.video is not None else None
    report = advance or (lambda name, frames: None)
    known = None if job.detector is None else cache.find("detect", job.detect_key)
    boxes: Detections | None = None
    if job.tracks is not None:
        raw = tracks = read_tracks_text(job.tracks)
        crops = _crops_of_known(tracks, video, job, timer, report)
    elif known is None and job.detections is None:
        boxes, raw, tracks, crops = _one_pass(video, job, timer, report, cache)
    else:
        boxes = _given_boxes(known, job)
        with timer.of("track"):
            raw = track(boxes[boxes.score >= job.settings.detection.score], camera.clock, _tracker(job))
        raw = joined([raw], job.tracker)
        tracks = _repair(raw, job, timer).tracks
        crops = _crops_of_known(tracks, video, job, timer, report)
    stats = {
        "camera": camera.name,
        "frames": camera.frame_count,
        "video": asdict(video.stats) | {"lost": video.stats.lost} if video is not None else None,
        "seconds": dict(timer.seconds),
        "tracks": len(np.unique(tracks.track)),
        "boxes": len(tracks),
        "small": float(np.mean(raw.box[:, 2:].min(axis=1) < job.settings.repair.min_side))
        if len(raw) and job.tracks is None
        else 0.0,
        "crops": len(crops),
        "first_boxes": None if boxes is None else count_first_boxes(boxes, camera.width, camera.height),
        "parked": parked(tracks, camera.clock, job.settings.repair).tolist(),
    }
    with cache.write("observe", job.key) as folder:
        write_tracks(folder / "tracks.parquet", tracks)
        write_crops(folder / "crops.parquet", crops)
        write_json(folder / "stats.json", stats)


def _one_pass(
    video: Video | None, job: ObserveJob, timer: _Timer, report: Callable[[str, int], None], cache: Cache
) -> tuple[Detections, Tracks, Tracks, Crops]:
    """Decode, detect, track and choose crops frame by frame; returns boxes, tracks before and after repair, crops."""
    camera = job.camera
    if video is None or job.detector is None:
        raise ValueError(f"{camera.name}: without given boxes, a video and a detector are needed")
    with timer.of("load"):
        detector = job.detector.load(job.threads)
    tracker, selector = _tracker(job), CropSelector(job.settings.crops)
    found: list[Detections] = []
    raw: list[Tracks] = []
    for batch in _batches(timer.timed("decode", video.frames()), BATCH):
        with timer.of("detect"):
            detected = detector.detect([picture for _, picture in batch])
        for (number, picture), detections in zip(batch, detected, strict=True):
            table = replace(detections, frame=np.full(len(detections), number, np.int32))
            found.append(table)
            with timer.of("track"):
                rows = tracker.update(table, float(camera.clock.at(number)))
            raw.append(rows)
            with timer.of("crop"):
                selector.add(picture, number, rows)
        report(camera.name, len(batch))
    boxes = Detections.concatenate(found)
    with cache.write("detect", job.detect_key) as folder:
        write_detections(folder / "detections.parquet", boxes)
    every = joined(raw, job.tracker)
    result = _repair(every, job, timer)
    with timer.of("crop"):
        return boxes, every, result.tracks, selector.finish(result.mapping)


def _tracker(job: ObserveJob) -> CameraTracker:
    return make_tracker(job.tracker, job.settings.tracking, job.camera.clock, job.settings.options.tracker)


def _given_boxes(known: Path | None, job: ObserveJob) -> Detections:
    """The boxes of an earlier run of the detector, or of a file."""
    if known is not None:
        return read_detections(known / "detections.parquet")
    if job.detections is None:
        raise ValueError(f"{job.camera.name}: no boxes are given")
    return read_detection_file(job.detections)


def _repair(raw: Tracks, job: ObserveJob, timer: _Timer) -> Repaired:
    camera = job.camera
    roi = read_roi(camera.roi) if camera.roi is not None else None
    with timer.of("track"):
        return repair(raw, camera.clock, (camera.width, camera.height), job.settings.repair, roi)


def _crops_of_known(
    tracks: Tracks, video: Video | None, job: ObserveJob, timer: _Timer, report: Callable[[str, int], None]
) -> Crops:
    """Crops of tracks that are known beforehand: only frames that hold a crop are converted to images."""
    camera = job.camera
    if video is None or not len(tracks):
        report(camera.name, camera.frame_count)
        return Crops.empty()
    wanted = choose_frames(tracks, (camera.width, camera.height), job.settings.crops)
    selector = CropSelector(job.settings.crops)
    done = 0
    for number, picture in timer.timed("decode", video.frames(wanted=set(wanted.tolist()))):
        with timer.of("crop"):
            selector.add(picture, number, tracks)
        report(camera.name, number - done)
        done = number
    report(camera.name, camera.frame_count - done)
    with timer.of("crop"):
        return selector.finish()


def _batches(frames: Frames, size: int) -> Iterator[list[tuple[int, npt.NDArray[np.uint8]]]]:
    iterator = iter(frames)
    while batch := list(islice(iterator, size)):
        yield batch
