"""Pictures of bright boxes, a detector that finds them, and an extractor that knows their colour."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from detection.detections import Detections

SIZE = (320, 180)
VEHICLE = (40, 30)
_GROUND = 30


def draw(vehicles: Sequence[tuple[float, float, tuple[int, int, int]]]) -> npt.NDArray[np.uint8]:
    """A picture of vehicles, each as left, top and colour (BGR)."""
    picture = np.full((SIZE[1], SIZE[0], 3), _GROUND, np.uint8)
    for left, top, colour in vehicles:
        corner = (round(left) + VEHICLE[0] - 1, round(top) + VEHICLE[1] - 1)
        cv2.rectangle(picture, (round(left), round(top)), corner, colour, -1)
    return picture


class BrightBoxes:
    """A detector for `--detector`: every bright rectangle is a car."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        tables = []
        for frame in frames:
            bright = (frame.max(axis=2) > 120).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
            boxes = [stats[i, :4] for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 150]
            tables.append(Detections.of([1] * len(boxes), np.array(boxes).reshape(-1, 4), 0.9, 2))
        return tables


class MeanColour:
    """An extractor for `extractor:`: a vehicle's colour."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        colours = np.array([crop.reshape(-1, 3).mean(axis=0) for crop in crops], np.float32) - _GROUND
        return np.asarray(colours / np.maximum(np.linalg.norm(colours, axis=1, keepdims=True), 1e-6), np.float32)
