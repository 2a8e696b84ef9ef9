"""A folder of plain videos, one camera each, read as a scenario."""

from __future__ import annotations

from pathlib import Path

from common.errors import InputError
from detection.video import open_video
from mtmc.scenarios.cityflow import DEFAULT_FPS, VIDEO_SUFFIXES, numbered
from mtmc.scenarios.facts import ScenarioFacts, camera_number
from mtmc.scenarios.scenario import Camera, Scenario


def videos_in(folder: Path) -> list[Path]:
    """The videos directly in a folder."""
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix.lower() in VIDEO_SUFFIXES)


def read_video_folder(folder: Path, facts: ScenarioFacts) -> Scenario:
    """Read every video of `folder` as a camera named like the file; all start together unless `facts` says otherwise.

    Raises:
        InputError: no video can be opened.
    """
    cameras: list[Camera] = []
    missing = {name: f"{folder}: no video named {name}" for name in facts.cameras}
    for index, video in enumerate(videos_in(folder), 1):
        missing.pop(video.stem, None)
        known = facts.facts_of(video.stem)
        try:
            info = open_video(video).info
        except InputError as error:
            missing[video.stem] = str(error)
            continue
        rate = known.fps or facts.fps or info.fps or DEFAULT_FPS
        number = camera_number(video.stem) or index
        clock = known.make_clock(rate, 0.0)
        cameras.append(Camera(video.stem, number, rate, info.width, info.height, info.frames, clock, None, video))
    if not cameras:
        raise InputError(f"{folder}: no video can be used: {'; '.join(missing.values()) or 'it holds none'}")
    return Scenario(facts.name, facts.split, numbered(cameras), missing)
