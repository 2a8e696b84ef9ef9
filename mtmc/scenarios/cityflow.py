"""Reads a folder in the layout of CityFlowV2 as a scenario."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.nearest import nearest
from detection.mot_text import read_mot
from mtmc.scenarios.camera_names import camera_number
from mtmc.scenarios.facts import CameraFacts, ScenarioFacts
from mtmc.scenarios.footage import DEFAULT_FPS, footage_in, ignored_in, read_footage
from mtmc.scenarios.ground_map import Calibration, read_calibration
from mtmc.scenarios.roi import read_roi
from mtmc.scenarios.scenario import Camera, Scenario

SPLITS = ("train", "validation", "test")


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
    """The camera folders of a scenario: subfolders that hold a video, images, det/, mtsc/ or gt/."""
    folders = (entry for entry in sorted(folder.iterdir()) if entry.is_dir() and not entry.name.startswith("."))
    return [f for f in folders if any((f / part).is_dir() for part in ("det", "mtsc", "gt")) or footage_in(f)]


def read_scenario(root: Path, folder: Path, facts: ScenarioFacts) -> Scenario:
    """Read the scenario in `folder`. A camera that cannot be read is listed in `missing`; the others are kept.

    Args:
        root: the folder that holds cam_timestamp/ and cam_framenum/.
        folder: `<root>/<split>/<name>`.
        facts: of its YAML file; `ScenarioFacts(name=...)` if there is none.

    Raises:
        InputError: no camera can be used, or a file shared by all cameras is malformed.
    """
    found = {entry.name: entry for entry in camera_folders(folder)}
    starts = _read_pairs(root / "cam_timestamp" / f"{folder.name}.txt", found)
    counts = _read_pairs(root / "cam_framenum" / f"{folder.name}.txt", found)
    cameras: list[Camera] = []
    calibrations: list[Calibration | None] = []
    notes: list[str] = []
    missing = {name: f"{folder / name}: no such camera folder" for name in facts.cameras if name not in found}
    for index, (name, directory) in enumerate(found.items()):
        try:
            camera, note = _read_camera(
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
        if note:
            notes.append(f"{name}: {note}")
        cameras.append(camera)
        calibrations.append(calibration)
    if not cameras:
        reasons = "; ".join(missing.values()) or "it holds no camera folders"
        raise InputError(f"{folder}: no camera can be used: {reasons}")
    notes += ignored_in(folder, [*found.values(), *(folder / name for name in SPLITS)])
    split = folder.parent.name if folder.parent.name in SPLITS else facts.split
    placed, simulated = with_ground(cameras, calibrations), facts.simulation is not None
    return Scenario(folder.name, split, placed, missing, simulated, notes=tuple(notes))


def numbered(cameras: Iterable[Camera]) -> tuple[Camera, ...]:
    """The cameras, renumbered from 1 if two share a number: a submission identifies cameras by number only."""
    cameras = tuple(cameras)
    if len({camera.number for camera in cameras}) == len(cameras):
        return cameras
    return tuple(replace(camera, number=index) for index, camera in enumerate(cameras, 1))


def _read_camera(
    directory: Path, *, number: int, facts: CameraFacts, fps: float | None, start: float, count: int
) -> tuple[Camera, str]:
    """The camera of a folder, and what the user should know of its clock."""
    path = footage_in(directory)
    roi = directory / "roi.jpg"
    ground_truth = directory / "gt" / "gt.txt"
    note = ""
    if path is not None:
        footage = read_footage(path, facts, fps=fps, start=start)
        width, height, rate, frames = footage.width, footage.height, footage.fps, footage.frames
        clock, note = footage.clock, footage.note
    else:
        width, height, frames = _extent(directory, roi)
        rate = facts.fps or fps or DEFAULT_FPS
        clock = facts.make_clock(rate, start)
    camera = Camera(
        name=directory.name,
        number=number,
        fps=rate,
        width=width,
        height=height,
        frame_count=count or frames,
        clock=clock,
        directory=directory,
        video=path,
        roi=roi if roi.is_file() else None,
        ground_truth=ground_truth if ground_truth.is_file() else None,
    )
    return camera, note


def _extent(directory: Path, roi: Path) -> tuple[int, int, int]:
    """Width, height and last frame of a clip without video: the size of its ROI image, else the extent of its boxes."""
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


def with_ground(cameras: list[Camera], calibrations: list[Calibration | None]) -> tuple[Camera, ...]:
    """Give every calibrated camera its map to metres, about a common origin near the first one's foot points."""
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


def _read_pairs(path: Path, cameras: Collection[str]) -> dict[str, float]:
    """The pairs in a file of lines such as `c041 1.640`, one per camera; empty if there is no file.

    Raises:
        InputError: a line is malformed, its value is not finite, or names no camera while a camera has no line.
    """
    if not path.is_file():
        return {}
    pairs: dict[str, float] = {}
    strangers: dict[str, int] = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text in UTF-8; write one 'camera number' per line") from error
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, number = re.split(r"[\s;,]+", line.strip())
            value = float(number)
        except ValueError as error:
            raise InputError(f"{path}:{line_number}: must be 'camera number', not '{line.strip()[:60]}'") from error
        if not np.isfinite(value):
            raise InputError(f"{path}:{line_number}: the number of {name} must be finite, not {number}")
        if name in cameras:
            pairs[name] = value
        else:
            strangers.setdefault(name, line_number)
    without = [name for name in cameras if name not in pairs]
    # Lines for cameras that are not there are fine (a part of the data set was copied), unless they may be misspelt.
    if strangers and without:
        name, line_number = next(iter(strangers.items()))
        what = f"there is no camera {name}, and camera {without[0]} has no line"
        raise InputError(f"{path}:{line_number}: {what}{nearest(name, without)}")
    return pairs
