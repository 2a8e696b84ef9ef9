"""What can be known of given boxes before the first frame is read: whether they fit the clips that they belong to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from common.errors import InputError
from detection.mot_text import MotTable, line_of, read_mot
from mtmc.scenarios.scenario import Camera

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
