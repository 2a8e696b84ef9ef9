"""Detections: boxes of vehicles in frames, as a table of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt

from common.table import Table, Width
from detection.vehicle_classes import VEHICLES, class_names, coco_label, coco_labels

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Detections(Table):
    """One row a box.

    Attributes:
        frame: (n,) int32, the frame's number, counted from 1.
        box: (n, 4) float32, left, top, width, height in pixels of the full frame; may reach over its border.
        score: (n,) float32, confidence in [0, 1].
        label: (n,) int16, the COCO class id (2 car, 3 motorcycle, 5 bus, 7 truck), -1 where unknown.
    """

    frame: npt.NDArray[np.int32]
    box: Annotated[npt.NDArray[np.float32], Width(4)]
    score: npt.NDArray[np.float32]
    label: npt.NDArray[np.int16]

    @classmethod
    def of(
        cls,
        frame: npt.ArrayLike,
        box: npt.ArrayLike,
        score: npt.ArrayLike | None = None,
        label: npt.ArrayLike | None = None,
    ) -> Detections:
        """Make a table from anything array-like; score defaults to 1, label to -1."""
        return cls._of(frame, box, 1 if score is None else score, -1 if label is None else label)

    @classmethod
    def from_ultralytics(cls, results: Any, first_frame: int = 1) -> Detections:
        """The vehicles in results of ultralytics; boxes of other classes are left out.

        Args:
            results: an `ultralytics.engine.results.Results`, or a sequence of them, one per frame.
            first_frame: the number of the first result's frame.

        Raises:
            InputError: none of the network's classes is a vehicle.

        Examples:
            >>> from ultralytics import YOLO  # doctest: +SKIP
            >>> results = YOLO("yolo11n.pt")(["frame1.jpg", "frame2.jpg"])  # doctest: +SKIP
            >>> detections = Detections.from_ultralytics(results)  # doctest: +SKIP
        """
        tables = []
        for frame, result in enumerate([results] if hasattr(results, "boxes") else results, first_frame):
            labels = coco_labels(result.names, max(result.names, default=-1) + 1, VEHICLES, "ultralytics results")
            label = labels[_array(result.boxes.cls).astype(np.int64)]
            table = cls._of_corners(frame, _array(result.boxes.xyxy), _array(result.boxes.conf), label)
            tables.append(table[table.label >= 0])
        return cls.concatenate(tables)

    @classmethod
    def from_supervision(cls, detections: Any, frame: int = 1) -> Detections:
        """The vehicles in a `supervision.Detections`; boxes of other classes are left out.

        Args:
            detections: the boxes of one frame. Classes are read from `data["class_name"]`; without it, `class_id`
                counts as in COCO; without either, every box is a vehicle of unknown class.
            frame: the number of their frame.

        Examples:
            >>> import supervision as sv  # doctest: +SKIP
            >>> boxes = sv.Detections(xyxy=np.array([[10, 20, 90, 60]]), class_id=np.array([2]))  # doctest: +SKIP
            >>> Detections.from_supervision(boxes, frame=7)  # doctest: +SKIP
        """
        n = len(detections.xyxy)
        names = (detections.data or {}).get("class_name")
        if names is not None:
            label = np.array([coco_label(str(name)) for name in names], np.int16).reshape(n)
        elif detections.class_id is not None:
            label = np.where(np.isin(detections.class_id, VEHICLES), detections.class_id, -1).astype(np.int16)
        else:
            return cls._of_corners(frame, detections.xyxy, detections.confidence, None)
        table = cls._of_corners(frame, detections.xyxy, detections.confidence, label)
        return table[table.label >= 0]

    def to_polars(self) -> pl.DataFrame:
        """A data frame with the columns frame, left, top, width, height, score and class (null where unknown).

        >>> Detections.of([7], [[10, 20, 80, 40]], [0.5], [2]).to_polars().row(0)
        (7, 10.0, 20.0, 80.0, 40.0, 0.5, 'car')
        """
        import polars as pl

        left, top, width, height = np.ascontiguousarray(self.box.T)
        columns = {"frame": self.frame, "left": left, "top": top, "width": width, "height": height}
        return pl.DataFrame(
            {**columns, "score": self.score, "class": pl.Series(class_names(self.label), dtype=pl.String)}
        )

    @classmethod
    def _of_corners(
        cls, frame: int, corners: npt.ArrayLike, score: npt.ArrayLike | None, label: npt.ArrayLike | None
    ) -> Detections:
        """Boxes of one frame given by left, top, right, bottom."""
        box = np.array(corners, np.float32).reshape(-1, 4)
        box[:, 2:] -= box[:, :2]
        return cls.of(np.full(len(box), frame), box, score, label)


def _array(values: Any) -> npt.NDArray[np.float32]:
    """A NumPy array of an array or of a torch tensor on any device."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values, np.float32)
