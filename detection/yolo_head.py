"""What a YOLO network puts out, as boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detection.boxes import suppress
from detection.detections import Detections
from detection.letterbox import Letterbox

Array = npt.NDArray[np.float32]


def decode(
    output: Array, labels: npt.NDArray[np.int16], letterbox: Letterbox, *, score: float, nms_iou: float, position: int
) -> Detections:
    """Boxes of wanted classes in one frame.

    The class of a box is its best one among all; duplicates are suppressed between the wanted classes, because one
    vehicle is often found as car and truck at once.

    Args:
        output: of one picture: (4 + classes [+ more], anchors), rows centre x, centre y, width, height in the input's
            pixels, then a score a class; or, from networks that suppress duplicates themselves, (boxes, 6) with
            columns left, top, right, bottom, score, class.
        labels: (classes,) int16, the COCO label of each class, -1 where not wanted.
        letterbox: how the frame was fitted into the input.
        score: boxes need more than this.
        nms_iou: boxes that overlap by more are one vehicle.
        position: goes into the column `frame`.
    """
    if output.shape[-1] == 6 and output.shape[0] != 4 + len(labels):
        box, best, kind = _finished(output, score)
    else:
        box, best, kind = _anchors(output, len(labels), score)
    wanted = labels[kind] >= 0
    box, best, label = box[wanted], best[wanted], labels[kind[wanted]]
    rows = suppress(box, best, nms_iou)
    box = letterbox.undo(box[rows])
    box[:, 2:] -= box[:, :2]
    return Detections(np.full(len(rows), position, np.int32), box, best[rows], label[rows])


def _anchors(output: Array, classes: int, score: float) -> tuple[Array, Array, npt.NDArray[np.intp]]:
    scores = output[4 : 4 + classes]
    rows = np.flatnonzero(scores.max(0) > score)
    candidates = scores[:, rows]
    kind = candidates.argmax(0)
    centre, half = output[:2, rows], output[2:4, rows] * np.float32(0.5)
    corners: Array = np.concatenate((centre - half, centre + half)).T.astype(np.float32, copy=False)
    return corners, candidates[kind, np.arange(len(rows))], kind


def _finished(output: Array, score: float) -> tuple[Array, Array, npt.NDArray[np.intp]]:
    kept = output[output[:, 4] > score]
    return kept[:, :4], kept[:, 4], kept[:, 5].astype(np.intp)
