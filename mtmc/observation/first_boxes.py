"""Whether the first boxes of a run look like those of a detector that was read rightly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from detection.detections import Detections

FIRST_FRAMES = 200
"""Frames of a camera that are looked at: twenty seconds at 10 Hz, in which some camera of a site sees a vehicle."""
_COVERS = 0.9
"""Share of the picture from which a box covers it; a truck right under a camera reaches about a half."""
_DOUBTFUL = 0.5
"""Share of strange boxes from which they are reported; a real detector has hardly any."""


def count_first_boxes(detections: Detections, width: int, height: int) -> dict[str, int]:
    """Count a camera's boxes in its first frames: all, those that cover the picture, those that lie outside it.

    Args:
        detections: of the camera, in pixels.
        width, height: of the picture.

    >>> boxes = Detections.of([1, 1, 300], [[0, 0, 640, 480], [700, 10, 20, 20], [5, 5, 20, 20]])
    >>> count_first_boxes(boxes, 640, 480)
    {'boxes': 2, 'covering': 1, 'outside': 1}
    """
    box = detections.box[detections.frame <= FIRST_FRAMES].astype(np.float64)
    low, high = box[:, :2].clip(0), np.minimum(box[:, :2] + box[:, 2:], [width, height])
    # Detectors clip to the picture, which leaves no area to a box that was outside.
    area = (high - low).clip(0).prod(axis=1)
    return {
        "boxes": len(box),
        "covering": int((area >= _COVERS * width * height).sum()),
        "outside": int((area <= 0).sum()),
    }


def doubts(counts: Iterable[Mapping[str, int]]) -> str:
    """What is strange about the first boxes of all cameras together, in a sentence; "" where nothing is.

    >>> doubts([{"boxes": 0, "covering": 0, "outside": 0}])[:46]
    'no box was found in the first 200 frames of an'
    """
    counts = list(counts)
    boxes, covering, outside = (sum(count[key] for count in counts) for key in ("boxes", "covering", "outside"))
    check = "check that the detector's classes, layout and input size are read rightly (docs/detectors.md)"
    if not counts:
        return ""
    if not boxes:
        return f"no box was found in the first {FIRST_FRAMES} frames of any camera; {check}"
    strange = [
        f"{count / boxes:.0%} {what}"
        for count, what in ((covering, "cover the whole picture"), (outside, "lie outside the picture"))
        if count > _DOUBTFUL * boxes
    ]
    if strange:
        return f"of the boxes in the first {FIRST_FRAMES} frames of all cameras {' and '.join(strange)}; {check}"
    return ""
