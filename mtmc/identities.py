"""The identities of a run, and the boxes, ground truth and regions of interest that score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.table import Table
from detection.mot_text import read_mot
from evaluation import roundabouthd
from evaluation.boxes import Boxes
from evaluation.scoring import Score
from mtmc.scenarios.roi import read_roi
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracks import Tracks


@dataclass(frozen=True, slots=True)
class Identities(Table):
    """The identity of each track; one row per track, or per part of a track that was cut.

    Attributes:
        camera: (n,) int32, index into the scenario's cameras.
        track: (n,) int32, the track's number in its camera.
        since: (n,) int32, the first frame of the part; 0 for the first part of a track, usually the only one.
        identity: (n,) int32, the vehicle's number, from 1, the same in all cameras; -1: the track is left out.
    """

    camera: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    since: npt.NDArray[np.int32]
    identity: npt.NDArray[np.int32]

    def of_boxes(self, index: int, track: npt.NDArray[np.int32], frame: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The identity of each box of camera `index`, by its track (n,) and frame (n,); -1 where it has none."""
        rows = np.flatnonzero(self.camera == index)
        if not len(rows):
            return np.full(len(track), -1, np.int32)
        key = self.track[rows].astype(np.int64) << 32 | self.since[rows].astype(np.int64)
        order = np.argsort(key)
        at = np.searchsorted(key[order], track.astype(np.int64) << 32 | frame.astype(np.int64), "right") - 1
        row = rows[order[np.maximum(at, 0)]]
        return np.where((at >= 0) & (self.track[row] == track), self.identity[row], -1).astype(np.int32)

    def of_tracks(self, index: int, tracks: Tracks) -> npt.NDArray[np.int32]:
        """The identity of each row (n,) of the tracks of camera `index`; -1 where it has none.

        No vehicle is in two places at once. Tracks of one identity may overlap outside their reliable spans
        (`mtmc.tracking.reliable_span`); there, only the box with the highest score keeps the identity.
        """
        identity = self.of_boxes(index, tracks.track, tracks.frame)
        order = np.lexsort((tracks.track, -tracks.score, tracks.frame, identity))
        double = (np.diff(identity[order]) == 0) & (np.diff(tracks.frame[order]) == 0)
        identity[order[1:][double]] = -1
        return identity


def boxes_of(scenario: Scenario, tracks: Sequence[Tracks], identities: Identities) -> Boxes:
    """Every box that has an identity, clipped to the image, as it is scored and submitted."""
    tables = []
    for index, (camera, rows) in enumerate(zip(scenario.cameras, tracks, strict=True)):
        identity = identities.of_tracks(index, rows)
        box = clip_boxes(rows.box, camera.width, camera.height)
        kept = (identity >= 0) & (box[:, 2:] >= 1).all(axis=1)
        tables.append(Boxes.of(camera.number, identity[kept], rows.frame[kept], box[kept]))
    return Boxes.concatenate(tables)


def clip_boxes(box: npt.NDArray[np.float32], width: int, height: int) -> npt.NDArray[np.float64]:
    """(n, 4) left, top, width, height of the part of each box inside the image; width or height 0 if there is none."""
    low = np.clip(box[:, :2].astype(np.float64), 0, [width, height])
    high = np.clip((box[:, :2] + box[:, 2:]).astype(np.float64), 0, [width, height])
    return np.column_stack([low, high - low])


def ground_truth_of(scenario: Scenario) -> Boxes | None:
    """The ground truth of all cameras that have any; None if none has.

    Raises:
        InputError: a gt.txt is malformed.
    """
    tables = []
    for camera in scenario.cameras:
        if camera.ground_truth is not None:
            table = read_mot(camera.ground_truth)
            tables.append(Boxes.of(camera.number, table.id, table.frame, table.box))
    return Boxes.concatenate(tables) if tables else None


def truth_of_camera(truth: Boxes, camera: Camera) -> Tracks:
    """The ground truth of one camera, with the vehicles' global numbers as track numbers."""
    mine = truth[truth.camera == camera.number]
    return Tracks.of(mine.identity, mine.frame, mine.box)


def score_by_own_rule(scenario: Scenario, truth: Boxes, predictions: Boxes) -> Score | None:
    """Score by the rule that the scenario's data set has of its own; None where it has none."""
    return roundabouthd.score(truth, predictions) if scenario.rule == roundabouthd.NAME else None


def rois_of(cameras: Sequence[Camera]) -> Mapping[int, npt.NDArray[np.uint8]]:
    """The region of interest of each camera, by its number; the whole frame for a camera without one."""
    return {
        camera.number: read_roi(camera.roi)
        if camera.roi is not None
        else np.full((camera.height, camera.width), 255, np.uint8)
        for camera in cameras
    }
