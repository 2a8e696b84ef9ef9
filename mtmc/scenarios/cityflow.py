"""A folder in CityFlowV2's layout, as it is distributed, read as a scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.mot_text import read_mot
from detection.video import open_video
from mtmc.scenarios.facts import CameraFacts, ScenarioFacts, camera_number
from mtmc.scenarios.ground_map import Calibration, read_calibration
from mtmc.scenarios.scenario import Camera, Scenario

SPLITS = ("train", "validation", "test")
VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".ts")
DEFAULT_FPS = 10.0
"""CityFlow's rate, for a clip whose video and facts are both absent."""


def scenario_folders(root: Path) -> dict[str, Path]:
    """The scenarios below a root, by name: `<root>/<split>/<name>/<camera>/`, or `<root>/<name>/<camera>/`."""
    folders: dict[str, Path] = {}
    for parent in (*(root / split for split in SPLITS), root):
        if parent.is_dir():
            for folder in sorted(parent.iterdir()):
                if folder.is_dir() and folder.name not in SPLITS and camera_folders(folder):
                    folders.setdefault(folder.name, folder)
    return folders


def camera_folders(folder: Path) -> list[Path]:
    """The cameras of a scenario's folder: sub-folders that hold a video, det/, mtsc/ or gt/."""
    return [
        entry
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and (_video_in(entry) or any((entry / part).is_dir() for part in ("det", "mtsc", "gt")))
    ]


def read_scenario(root: Path, folder: Path, facts: ScenarioFacts) -> Scenario:
    """Read the scenario that lies in `folder`; a camera that cannot be read is named in `missing`, the others stay.

    Args:
        root: where cam_timestamp/ and cam_framenum/ lie.
        folder: `<root>/<split>/<name>`.
        facts: what its YAML file tells; `ScenarioFacts(name=...)` where there is none.

    Raises:
        InputError: no camera can be used, or a file that all cameras share is malformed.
    """
    starts = _read_pairs(root / "cam_timestamp" / f"{folder.name}.txt")
    counts = _read_pairs(root / "cam_framenum" / f"{folder.name}.txt")
    cameras: list[Camera] = []
    calibrations: list[Calibration | None] = []
    found = {entry.name: entry for entry in camera_folders(folder)}
    missing = {name: f"{folder / name}: no such camera folder" for name in facts.cameras if name not in found}
    for index, (name, directory) in enumerate(found.items()):
        try:
            camera = _read_camera(
                directory,
                number=camera_number(name) or index + 1,
                facts=facts.facts_of(name),
                fps=facts.fps,
                start=starts.get(name, 0.0),
                count=int(counts.get(name, 0)),
            )
            calibration_file = directory / "calibration.txt"
            use_calibration = facts.facts_of(name).calibrated and calibration_file.is_file()
            calibration = read_calibration(calibration_file, (camera.width, camera.height)) if use_calibration else None
        except InputError as error:
            missing[name] = str(error)
            continue
        cameras.append(camera)
        calibrations.append(calibration)
    if not cameras:
        reasons = "; ".join(missing.values()) or "it holds no camera folders"
        raise InputError(f"{folder}: no camera can be used: {reasons}")
    split = folder.parent.name if folder.parent.name in SPLITS else facts.split
    return Scenario(folder.name, split, _with_ground(cameras, calibrations), missing, facts.simulation is not None)


def read_roi(path: Path) -> npt.NDArray[np.uint8]:
    """The region of interest as (height, width) uint8 grey values.

    Raises:
        InputError: the file is no picture.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise InputError(f"{path}: cannot be read as a picture; mend it or remove it to use the whole frame")
    return np.asarray(picture, np.uint8)


def numbered(cameras: Iterable[Camera]) -> tuple[Camera, ...]:
    """The cameras, renumbered from 1 where two share a number: a submission knows cameras by number only."""
    cameras = tuple(cameras)
    if len({camera.number for camera in cameras}) == len(cameras):
        return cameras
    return tuple(replace(camera, number=index) for index, camera in enumerate(cameras, 1))


def _read_camera(
    directory: Path, *, number: int, facts: CameraFacts, fps: float | None, start: float, count: int
) -> Camera:
    video = _video_in(directory)
    roi = directory / "roi.jpg"
    ground_truth = directory / "gt" / "gt.txt"
    if video is not None:
        info = open_video(video).info
        width, height = info.width, info.height
        rate = facts.fps or fps or info.fps or DEFAULT_FPS
        count = count or info.frames
    else:
        rate = facts.fps or fps or DEFAULT_FPS
        width, height, last = _extent(directory, roi)
        count = count or last
    return Camera(
        name=directory.name,
        number=number,
        fps=rate,
        width=width,
        height=height,
        frame_count=count,
        clock=facts.make_clock(rate, start),
        directory=directory,
        video=video,
        roi=roi if roi.is_file() else None,
        ground_truth=ground_truth if ground_truth.is_file() else None,
    )


def _video_in(directory: Path) -> Path | None:
    return next((p for suffix in VIDEO_SUFFIXES if (p := directory / f"vdo{suffix}").is_file()), None)


def _extent(directory: Path, roi: Path) -> tuple[int, int, int]:
    """Width, height and last frame of a clip without video: the ROI's size, else what the boxes reach."""
    last, right, bottom = 0, 1, 1
    for text in sorted(directory.glob("[dmg]*t*/*.txt")):
        table = read_mot(text)
        if len(table.frame):
            last = max(last, int(table.frame.max()))
            corner = (table.box[:, :2] + table.box[:, 2:]).max(axis=0)
            right, bottom = max(right, int(corner[0])), max(bottom, int(corner[1]))
    if roi.is_file():
        bottom, right = read_roi(roi).shape
    return right, bottom, last


def _with_ground(cameras: list[Camera], calibrations: list[Calibration | None]) -> tuple[Camera, ...]:
    """Give every calibrated camera its map to metres about one origin: where the first one's foot points are."""
    origin: tuple[float, float] | None = None
    placed = []
    for camera, calibration in zip(cameras, calibrations, strict=True):
        if calibration is None:
            placed.append(camera)
            continue
        if origin is None:
            latitude, longitude = calibration.gps_of([[camera.width / 2, camera.height * 0.9]])[0]
            origin = (float(latitude), float(longitude))
        placed.append(replace(camera, ground=calibration.ground_map(origin, (camera.width, camera.height))))
    return numbered(placed)


def _read_pairs(path: Path) -> dict[str, float]:
    """A file of `c041 1.640` lines; absent: empty."""
    if not path.is_file():
        return {}
    pairs: dict[str, float] = {}
    for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, value = line.split()
            pairs[name] = float(value)
        except ValueError as error:
            raise InputError(f"{path}:{line_number}: must be 'camera number', not '{line.strip()[:60]}'") from error
    return pairs
