"""Ground truth and predictions in a common form, from which every box metric starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.boxes import Boxes
from evaluation.overlap import Overlaps, overlaps


@dataclass(frozen=True, slots=True)
class Side:
    """The boxes of one side, sorted by time; rows of the same time keep their order.

    Attributes:
        boxes: n boxes, each (camera, identity, frame) once.
        time: (n,) int64, the frame's number on the time axis that all cameras share, non-decreasing.
        identity: (n,) int64, the position of the box's identity in `identities`.
        identities: (k,) int64, the numbers of the identities, ascending.
        camera: (n,) int64, the position of the box's camera in `Comparison.cameras`.
    """

    boxes: Boxes
    time: npt.NDArray[np.int64]
    identity: npt.NDArray[np.int64]
    identities: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides and the pairs of boxes that overlap.

    Attributes:
        truth: the ground truth.
        predicted: the predictions in the ground truth's cameras.
        cameras: (c,) int32, the ground truth's cameras, ascending.
        pairs: all overlapping pairs; `truth` and `predicted` of a pair are rows of the sides.
    """

    truth: Side
    predicted: Side
    cameras: npt.NDArray[np.int32]
    pairs: Overlaps


def compare(truth: Boxes, predictions: Boxes) -> Comparison:
    """Bring ground truth and predictions into a common form, by the rules of the official CityFlow scoring.

    Of several boxes with the same (camera, identity, frame), the first is kept. The cameras are concatenated on one
    time axis, in ascending order, each shifted by the sum of the previous cameras' largest frame numbers (ground truth
    and predictions together). Predictions in cameras that the ground truth lacks are ignored.
    """
    truth, predictions = truth.without_duplicates(), predictions.without_duplicates()
    cameras = np.unique(truth.camera)
    predictions = predictions[np.isin(predictions.camera, cameras)]
    truth_camera = np.searchsorted(cameras, truth.camera)
    predicted_camera = np.searchsorted(cameras, predictions.camera)
    last = np.zeros(len(cameras), np.int64)
    np.maximum.at(last, truth_camera, truth.frame)
    np.maximum.at(last, predicted_camera, predictions.frame)
    shift = np.cumsum(last) - last
    truth_side = _side(truth, truth_camera, shift)
    predicted_side = _side(predictions, predicted_camera, shift)
    pairs = overlaps(truth_side.time, truth_side.boxes.box, predicted_side.time, predicted_side.boxes.box)
    return Comparison(truth_side, predicted_side, cameras, pairs)


def _side(boxes: Boxes, camera: npt.NDArray[np.int64], shift: npt.NDArray[np.int64]) -> Side:
    time = boxes.frame + shift[camera]
    order = np.argsort(time, kind="stable")
    identities, identity = np.unique(boxes.identity[order], return_inverse=True)
    return Side(boxes[order], time[order], identity, identities, camera[order])
