"""Tracks of one camera to rows of the report's table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.boxes import iou
from mtmc.report.data import TrackTable
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks


def tabulate_tracks(camera: int, tracks: Tracks, clock: Clock, truth: Tracks | None = None) -> TrackTable:
    """One row for each track of a camera, in ascending order of its number.

    Args:
        camera: the camera's index in `ReportData.cameras`.
        tracks: its tracks, in any order.
        clock: its clock.
        truth: its ground truth, whose `track` column holds the vehicles' global numbers; None where there is none.
    """
    if len(tracks) == 0:
        return TrackTable.empty()
    rows = tracks.sorted()
    numbers, first, boxes = np.unique(rows.track, return_index=True, return_counts=True)
    first_frame = rows.frame[first]
    last_frame = rows.frame[first + boxes - 1]
    return TrackTable.of(
        np.full(len(numbers), camera),
        numbers,
        clock.at(first_frame),
        clock.at(last_frame),
        first_frame,
        last_frame,
        boxes,
        None if truth is None else followed_vehicle(rows, truth),
    )


def followed_vehicle(
    tracks: Tracks, truth: Tracks, *, overlap: float = 0.5, minimum_share: float = 0.25
) -> npt.NDArray[np.int32]:
    """The ground truth vehicle that each track follows: the one that it covers in most of its frames.

    Args:
        tracks: tracks of one camera.
        truth: ground truth of the same camera, `track` holds the vehicle.
        overlap: IoU from which a box covers a vehicle; 0.5 is the scoring's own. Raising it leaves loose boxes out.
        minimum_share: part of a track's boxes that must cover the vehicle. Raising it turns tracks that slide from
            one vehicle to another, or wander off, into tracks of none.

    Returns:
        (m,) int32, one entry for each distinct track number in ascending order: the vehicle, -1 where it follows none.
        Ties go to the lower vehicle number.
    """
    numbers, row_of = np.unique(tracks.track, return_inverse=True)
    followed = np.full(len(numbers), -1, np.int32)
    left, right = _same_frame_pairs(tracks.frame, truth.frame)
    covers = iou(tracks.box[left].astype(np.float64), truth.box[right].astype(np.float64)) >= overlap
    if not covers.any():
        return followed
    pairs, count = np.unique(
        np.stack([row_of[left[covers]], truth.track[right[covers]]], axis=1), axis=0, return_counts=True
    )
    # The last write wins: the order puts the largest count, then the lowest vehicle, last.
    order = np.lexsort((-pairs[:, 1], count, pairs[:, 0]))
    row, vehicle, covered = pairs[order, 0], pairs[order, 1], count[order]
    last = np.flatnonzero(np.append(row[1:] != row[:-1], True))
    enough = covered[last] >= minimum_share * np.bincount(row_of, minlength=len(numbers))[row[last]]
    followed[row[last[enough]]] = vehicle[last[enough]]
    return followed


def passage_lengths(camera: int, truth: Tracks) -> dict[tuple[int, int], int]:
    """Boxes of each vehicle in a camera: {(vehicle, camera): boxes}, its part of `ReportData.truth_lengths`."""
    vehicles, boxes = np.unique(truth.track, return_counts=True)
    return {(vehicle, camera): count for vehicle, count in zip(vehicles.tolist(), boxes.tolist(), strict=True)}


def _same_frame_pairs(
    a: npt.NDArray[np.int32], b: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Indices (i, j) of all pairs with a[i] == b[j]."""
    order = np.argsort(b, kind="stable")
    low = np.searchsorted(b[order], a, side="left")
    size = np.searchsorted(b[order], a, side="right") - low
    i = np.repeat(np.arange(len(a)), size)
    within = np.arange(len(i)) - np.repeat(np.cumsum(size) - size, size)
    return i, order[np.repeat(low, size) + within]
