"""Ground truth boxes as an annotator would draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.canvas import as_pixels
from mtmc.simulation.lens import Lens
from mtmc.simulation.network import Network
from mtmc.simulation.renderer import RenderedFrame

MIN_SIDE = 20
"""Minimum width and height of an annotated box in pixels."""
MIN_VISIBLE = 0.35
"""Minimum visible fraction of an annotated vehicle."""
_REACH = 85.0
_CAR_HEIGHT = 1.45


@dataclass(frozen=True, slots=True)
class Rows:
    """All vehicles seen by a camera, one row per box, ordered by frame.

    Attributes:
        frame: (n,) int64 from 1; vehicle: (n,) int64 from 1, the same in all cameras; label: (n,) int64 COCO class.
        box: (n, 4) float64 left, top, width, height in pixels; visible, inside: (n,) float64 (see `RenderedFrame`).
    """

    frame: npt.NDArray[np.int64]
    vehicle: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    box: npt.NDArray[np.float64]
    visible: npt.NDArray[np.float64]
    inside: npt.NDArray[np.float64]

    @staticmethod
    def collector() -> RowCollector:
        """Return a collector of rows."""
        return RowCollector([], [])

    def lines(self) -> list[str]:
        """Format as text: `frame,id,left,top,width,height,visible,inside,label`."""
        return [
            f"{f},{v},{b[0]:.1f},{b[1]:.1f},{b[2]:.1f},{b[3]:.1f},{s:.3f},{i:.3f},{k}"
            for f, v, b, s, i, k in zip(
                self.frame, self.vehicle, self.box, self.visible, self.inside, self.label, strict=True
            )
        ]


@dataclass(frozen=True, slots=True)
class RowCollector:
    """Collects the rows of one camera."""

    counts: list[npt.NDArray[np.int64]]
    boxes: list[npt.NDArray[np.float64]]

    def add(
        self, frame: int, vehicle: npt.NDArray[np.int64], rendered: RenderedFrame, label: npt.NDArray[np.int64]
    ) -> None:
        """Add the visible vehicles of one frame."""
        there = rendered.visible > 0
        self.counts.append(np.column_stack([np.full(len(vehicle), frame), vehicle, label])[there])
        self.boxes.append(np.column_stack([rendered.box, rendered.visible, rendered.inside])[there].astype(np.float64))

    def finish(self) -> Rows:
        """Return all rows."""
        counts, boxes = np.concatenate(self.counts), np.concatenate(self.boxes)
        return Rows(counts[:, 0], counts[:, 1], counts[:, 2], boxes[:, :4], boxes[:, 4], boxes[:, 5])


def annotated(cameras: Sequence[Rows], regions: Sequence[Path]) -> list[list[str]]:
    """Each camera's `gt.txt`: `frame,id,left,top,width,height,1,-1,-1,-1` with integer boxes, ordered by vehicle and
    frame.

    A box is annotated if it is at least `MIN_SIDE` pixels wide and high, at least `MIN_VISIBLE` of the vehicle is
    visible, and its corners lie in the region of interest (white in the camera's image in `regions`). Vehicles seen by
    only one camera are omitted.
    """
    kept = []
    for rows, path in zip(cameras, regions, strict=True):
        region = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) > 200
        box = np.round(rows.box).astype(np.int64)
        large = (box[:, 2:] >= MIN_SIDE).all(1) & (rows.visible >= MIN_VISIBLE)
        height, width = region.shape
        right, bottom = np.minimum(box[:, 0] + box[:, 2], width - 1), np.minimum(box[:, 1] + box[:, 3], height - 1)
        left, top = np.clip(box[:, 0], 0, width - 1), np.clip(box[:, 1], 0, height - 1)
        within = region[top, left] & region[top, right] & region[bottom, left] & region[bottom, right]
        keep = np.flatnonzero(large & within)
        kept.append((rows.frame[keep], rows.vehicle[keep], box[keep]))
    vehicles = np.concatenate([np.unique(v) for _, v, _ in kept]) if kept else np.zeros(0, np.int64)
    number, cameras_of = np.unique(vehicles, return_counts=True)
    shared = number[cameras_of > 1]
    result = []
    for frame, vehicle, box in kept:
        rows_of = np.flatnonzero(np.isin(vehicle, shared))
        rows_of = rows_of[np.lexsort((frame[rows_of], vehicle[rows_of]))]
        result.append([f"{frame[i]},{vehicle[i]},{','.join(map(str, box[i]))},1,-1,-1,-1" for i in rows_of])
    return result


def region_of_interest(lens: Lens, network: Network) -> npt.NDArray[np.uint8]:
    """(h, w) uint8, 255 where vehicles on roads are large enough to be annotated: the hull of that road surface and the
    space above it.

    It ends where a car would be less than `MIN_SIDE` pixels high, at 85 metres at most, so that boxes that no annotator
    would draw lie outside, as in CityFlow.
    """
    margin = int(0.03 * lens.width)
    reach = min(_REACH, lens.focal * _CAR_HEIGHT / MIN_SIDE)
    points = []
    for number, road in enumerate(network.roads):
        a, b = network.nodes[road.start], network.nodes[road.end]
        way = network.direction(number, road.start)
        side = np.array([-way[1], way[0]])
        along = np.arange(0.0, float(np.linalg.norm(b - a)) + 0.1, 2.0)
        for across in (-road.half_width - 1, road.half_width + 1):
            ground = a + along[:, None] * way + across * side
            ground = ground[np.linalg.norm(ground - lens.centre[:2], axis=1) < reach]
            points += [np.column_stack([ground, np.full(len(ground), z)]) for z in (0.0, 3.3)]
    pixels, depth = lens.project(np.concatenate(points))
    seen = (depth > 3) & (np.abs(pixels / [lens.width, lens.height] - 0.5) < 0.75).all(1)
    region = np.zeros((lens.height, lens.width), np.uint8)
    if seen.any():
        low = [[0.1 * lens.width, lens.height], [0.9 * lens.width, lens.height]]
        hull = cv2.convexHull(np.concatenate([pixels[seen], low]).astype(np.float32)).astype(np.int32)
        cv2.fillConvexPoly(region, hull, 255)
        # Extend to the sides and below only: the small boxes of distant vehicles are above.
        kernel = np.ones((margin + 1, 2 * margin + 1), np.uint8)
        region = as_pixels(cv2.dilate(region, kernel, anchor=(margin, margin)))
    return region
