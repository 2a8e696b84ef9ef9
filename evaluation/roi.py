"""Regions of interest: the part of a camera's picture in which boxes count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError, path_not_found
from evaluation.boxes import Boxes


def outside_roi(boxes: Boxes, rois: Mapping[int, npt.NDArray[np.uint8]]) -> npt.NDArray[np.bool_]:
    """(n,) whether a corner of the box lies on a pixel that is outside, by the challenge's rule.

    Any value below 255 is outside, so JPEG noise at the border counts. The right and lower corners are left + width
    and top + height, without - 1. A corner outside the picture is ignored. Coordinates are rounded down.

    Args:
        boxes: predicted boxes.
        rois: (h, w) uint8 by camera number.

    Raises:
        InputError: a camera of `boxes` is not in `rois`.
    """
    outside = np.zeros(len(boxes), np.bool_)
    for camera in np.unique(boxes.camera).tolist():
        roi = rois.get(camera)
        if roi is None:
            names = ", ".join(f"c{number:03d}" for number in sorted(rois))
            raise InputError(f"regions of interest: camera c{camera:03d} has predictions but none; there are {names}")
        height, width = roi.shape
        rows = np.flatnonzero(boxes.camera == camera)
        left, top = boxes.box[rows, 0], boxes.box[rows, 1]
        for x in (left, left + boxes.box[rows, 2]):
            for y in (top, top + boxes.box[rows, 3]):
                column, line = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
                inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
                outside[rows[inside]] |= roi[line[inside], column[inside]] < 255
    return outside


def read_rois(folder: Path, cameras: Sequence[int]) -> dict[int, npt.NDArray[np.uint8]]:
    """Read `folder/c041/roi.jpg` or `folder/<scenario>/c041/roi.jpg` for each camera number: (h, w) uint8.

    Raises:
        InputError: a picture is missing, exists in several scenarios, or cannot be read.
    """
    rois: dict[int, npt.NDArray[np.uint8]] = {}
    for camera in cameras:
        path = folder / f"c{camera:03d}" / "roi.jpg"
        if not path.is_file():
            deeper = sorted(folder.glob(f"*/c{camera:03d}/roi.jpg"))
            if not deeper:
                raise path_not_found(path, f"region of interest of camera c{camera:03d}")
            if len(deeper) > 1:
                raise InputError(
                    f"{folder}: camera c{camera:03d} is in several scenarios; name one: {deeper[0].parent.parent}"
                )
            path = deeper[0]
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise InputError(f"{path}: cannot be read as a picture; copy it again from the data set")
        rois[camera] = np.asarray(picture, np.uint8)
    return rois
