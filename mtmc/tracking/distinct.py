"""Non-maximum suppression within a frame, so that each vehicle has one box to track."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.suppression import suppress_overlaps


def distinct(box: npt.NDArray[np.float32], score: npt.NDArray[np.float32], max_iou: float) -> npt.NDArray[np.bool_]:
    """Greedy non-maximum suppression.

    Detectors do this too, but keep boxes with an IoU of up to 0.7 for the sake of dense traffic, and detection files
    hold whatever their makers kept. Each surplus box would start a track of its own.

    Args:
        box: (n, 4) left, top, width, height in pixels.
        score: (n,).
        max_iou: of two boxes with a higher IoU, the one with the lower score is suppressed.

    Returns:
        (n,) bool, which boxes remain.
    """
    corners = box.copy("C")
    corners[:, 2:] += box[:, :2]
    return suppress_overlaps(corners, box[:, 2] * box[:, 3], score, max_iou)
