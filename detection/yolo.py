"""YOLO detectors: frames fitted, run and decoded here, whichever library runs the network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.detections import Detections
from detection.letterbox import Letterbox
from detection.network import Network, Weights
from detection.vehicle_classes import VEHICLES, coco_labels
from detection.yolo_head import decode


class YoloDetector:
    """Finds vehicles with a network of the YOLO family.

    Args:
        weights: the network's weights.
        source: what the person named, for errors.
        score: boxes need more confidence than this. Raising it loses faint vehicles and ghosts alike.
        nms_iou: boxes that overlap by more are one vehicle. Raising it keeps more boxes in dense traffic.
        image_size: longer side of the network's input in pixels, None: what the weights were made for. Raising it
            finds smaller vehicles, at a cost that grows with its square.
        vehicles: COCO labels to report.

    Raises:
        InputError: the network knows no vehicles, or was exported for another size.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        source: str,
        score: float = 0.25,
        nms_iou: float = 0.7,
        image_size: int | None = None,
        vehicles: Collection[int] = VEHICLES,
    ) -> None:
        fixed = weights.facts.fixed_size
        if image_size is not None and image_size < weights.facts.stride:
            raise InputError(f"image size {image_size}: at least {weights.facts.stride} pixels are needed")
        if fixed is not None and image_size not in (None, max(fixed)):
            raise InputError(
                f"{source}: was exported for {fixed[0]}x{fixed[1]} pixels, image size {image_size} was asked for; "
                "leave the size out or export it again"
            )
        self._weights = weights
        self._source = source
        self._score = score
        self._nms_iou = nms_iou
        self._image_size = image_size or weights.facts.longest
        self._vehicles = tuple(sorted(vehicles))
        self._prepared: dict[tuple[int, int], tuple[Letterbox, Network, npt.NDArray[np.int16]]] = {}
        if weights.facts.names:
            self._labels(0)

    @property
    def key(self) -> str:
        return (
            f"yolo {self._weights.key} size={self._image_size} score={self._score:g} nms={self._nms_iou:g} "
            f"vehicles={','.join(map(str, self._vehicles))}"
        )

    def prepare(self, height: int, width: int) -> None:
        """Make the network for frames of this size now; export and quantisation, where needed, happen here.

        Called once before parallel processes start, it spares each of them the same work.
        """
        self._network(height, width)

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """See `detection.detector.Detector`. Give many frames at once: they keep all threads busy."""
        if not frames:
            return []
        letterbox, network, labels = self._network(*frames[0].shape[:2])
        found: list[Detections] = [Detections.empty()] * len(frames)

        def receive(position: int, output: npt.NDArray[np.float32]) -> None:
            found[position] = decode(
                output, labels, letterbox, score=self._score, nms_iou=self._nms_iou, position=position + 1
            )

        network.run([partial(letterbox.apply, frame) for frame in frames], receive)
        return found

    def _network(self, height: int, width: int) -> tuple[Letterbox, Network, npt.NDArray[np.int16]]:
        prepared = self._prepared.get((height, width))
        if prepared is None:
            facts = self._weights.facts
            if facts.fixed_size is not None:
                letterbox = Letterbox.within((height, width), facts.fixed_size)
            else:
                letterbox = Letterbox.smallest((height, width), self._image_size, facts.stride)
            network = self._weights.network(letterbox.network)
            prepared = self._prepared[height, width] = (letterbox, network, self._labels(network.rows))
        return prepared

    def _labels(self, rows: int) -> npt.NDArray[np.int16]:
        names = self._weights.facts.names
        return coco_labels(names, max(names) + 1 if names else rows - 4, self._vehicles, self._source)
