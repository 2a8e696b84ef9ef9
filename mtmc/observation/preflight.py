"""What can be known before the first frame is read: whether given boxes fit their clips, and results can be written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from common.errors import InputError
from detection.det_files import find_det_file
from detection.mot_text import MotTable, line_of, read_mot
from mtmc.observation.disk_space import VIDEO_BITS, check_space
from mtmc.observation.sources import tracks_file
from mtmc.observation.stage import Source
from mtmc.scenarios.scenario import Camera, Scenario

BEYOND_SECONDS = 1.0
"""Seconds by which boxes may outlast the clip that is announced: containers and frame lists may miss a few frames."""
OUTSIDE_SHARE = 0.05
"""Share of boxes wholly outside the picture from which on they are taken for those of another picture size. Trackers
that predict leave a few boxes just outside."""


def check_boxes(path: Path, camera: Camera, *, flat_allowed: bool = False) -> MotTable:
    """Read a file of boxes and hold it against the camera's clip.

    Args:
        path: MOTChallenge text.
        camera: whose boxes they are.
        flat_allowed: accept boxes without area, as detectors write them; they are left out later.

    Raises:
        InputError: a row is malformed, a box has no area, lies in a frame beyond the end of the clip, or the boxes are
            those of another picture size; names FILE:LINE.
    """
    table = read_mot(path)
    if not len(table):
        return table
    flat = (table.box[:, 2:] <= 0).any(axis=1)
    if flat.any() and not flat_allowed:
        row = int(np.argmax(flat))
        width, height = table.box[row, 2:]
        raise InputError(
            f"{line_of(path, row)}: the box is {width:g} x {height:g} pixels; width and height must be above 0"
        )
    if camera.frame_count:
        beyond = table.frame > camera.frame_count + BEYOND_SECONDS * camera.fps
        if beyond.any():
            row = int(np.argmax(beyond))
            raise InputError(
                f"{line_of(path, row)}: frame {table.frame[row]} is beyond the {camera.frame_count} frames of camera "
                f"{camera.name}; give the boxes of this clip"
            )
    outside = (table.box[:, 0] >= camera.width) | (table.box[:, 1] >= camera.height)
    if camera.width and outside.mean() > OUTSIDE_SHARE:
        row = int(np.argmax(outside))
        left, top = table.box[row, :2]
        raise InputError(
            f"{line_of(path, row)}: the box at {left:g}, {top:g} lies outside the picture of camera {camera.name} "
            f"({camera.width} x {camera.height}), as do {outside.mean():.0%} of the boxes; scale them to its size"
        )
    return table


def check_given_boxes(scenario: Scenario, source: Source) -> None:
    """Read the ground truth and the given boxes of all cameras, so that a mistake in them shows before the first frame.

    Cameras that have no file of the given name are left to the observation, which leaves them out.

    Raises:
        InputError: see `check_boxes`.
    """
    for camera in scenario.cameras:
        if camera.ground_truth is not None:
            check_boxes(camera.ground_truth, camera)
        if source.tracks is None and source.detections is None:
            continue
        try:
            if source.tracks is not None:
                path = tracks_file(camera, source.tracks)
            else:
                path = find_det_file(camera.directory or Path(), camera.name, str(source.detections))
        except InputError:
            continue
        check_boxes(path, camera, flat_allowed=source.tracks is None)


def check_writable(path: Path, scenario: Scenario, flag: str) -> None:
    """Make sure that a folder can be written to and is not among the videos.

    Args:
        path: the folder; it need not exist.
        scenario: whose videos must stay alone.
        flag: the option that names the folder, for errors.

    Raises:
        InputError: it cannot be used; names the path and the fix.
    """
    existing = next((p for p in (path.absolute(), *path.absolute().parents) if os.path.lexists(p)), Path("/"))
    if not existing.is_dir():
        raise InputError(f"{existing}: is not a folder; name another with {flag}")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{existing}: cannot be written to; name another folder with {flag}")
    target = path.resolve()
    for camera in scenario.cameras:
        if camera.video is None:
            continue
        videos = camera.video.resolve() if camera.video.is_dir() else camera.video.resolve().parent
        if target == videos or videos in target.parents:
            raise InputError(f"{path}: lies in the folder of the videos, {videos}; name another with {flag}")


def check_space_for_videos(output: Path, scenario: Scenario, *, each: bool, mosaic: bool) -> None:
    """Make sure that the annotated videos of each camera and the mosaic, where they are wanted, will fit.

    Raises:
        InputError: see `check_space`.
    """
    pixels = float(sum(camera.frame_count * camera.width * camera.height for camera in scenario.cameras))
    # The mosaic shows each camera once, smaller and seldom at more frames per second.
    needed = (each + mosaic) * pixels * VIDEO_BITS / 8
    if needed:
        check_space(output, needed, "the videos", "--output")
