"""A folder of plain videos, one per camera, read as a scenario."""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError
from mtmc.scenarios.camera_names import camera_names, camera_number
from mtmc.scenarios.cityflow import numbered
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.footage import ignored_in, is_video, read_footage
from mtmc.scenarios.scenario import Camera, Scenario


def videos_in(folder: Path) -> list[Path]:
    """The videos directly in a folder, including links to files that do not exist."""
    return sorted(path for path in folder.iterdir() if is_video(path))


def read_video_folder(folder: Path, facts: ScenarioFacts) -> Scenario:
    """Read each video in `folder` as a camera of that name; all start at the same time unless `facts` says otherwise.

    Cameras are named by the stems of the files, or by the whole file names where two share a stem.

    Raises:
        InputError: no video can be opened.
    """
    videos = videos_in(folder)
    names = camera_names(videos)
    cameras: list[Camera] = []
    missing = {name: f"{folder}: no video named {name}" for name in facts.cameras if name not in names}
    notes: list[str] = []
    for index, (name, video) in enumerate(zip(names, videos, strict=True), 1):
        try:
            footage = read_footage(video, facts.facts_of(name), fps=facts.fps, start=0.0)
        except InputError as error:
            missing[name] = str(error)
            continue
        if footage.note:
            notes.append(f"{name}: {footage.note}")
        number = camera_number(video.stem) or index
        size = (footage.width, footage.height)
        cameras.append(Camera(name, number, footage.fps, *size, footage.frames, footage.clock, None, video))
    if not cameras:
        raise InputError(f"{folder}: no video can be used: {'; '.join(missing.values()) or 'it holds none'}")
    notes += ignored_in(folder, videos)
    return Scenario(facts.name, facts.split, numbered(cameras), missing, notes=tuple(notes))
