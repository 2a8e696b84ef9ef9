"""A detector made of a network: frames fitted, run and decoded here, whichever library runs the network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from detection.boxes import suppress
from detection.decoding import Candidates, decode, suppress_oriented, upright_hull
from detection.detections import Detections
from detection.layouts import read_layout
from detection.letterbox import Letterbox
from detection.network import Network, Weights
from detection.vehicle_classes import VEHICLES, ClassChoice, coco_labels, describe_labels

# No box in pixels lies within so few of them from the corner, and no box in 0..1 reaches so far.
_BETWEEN_FRACTIONS_AND_PIXELS = 2.0
# Share of a picture's boxes that has to have an area: corners that are read from centres and sides often have none.
_WITH_AREA = 0.5
# A probability, with room for the rounding of low precisions.
_HIGHEST_SCORE = 1.1


class NetworkDetector:
    """Finds vehicles with a network of a known layout (`detection.layouts`).

    Args:
        weights: the network's weights.
        source: what the user named, for errors.
        score: boxes need more confidence than this. Raising it loses faint vehicles and false boxes alike.
        nms_iou: boxes that overlap by more are one vehicle. Raising it keeps more boxes in dense traffic.
        image_size: longer side of the network's input in pixels, None: the network's own. Raising it finds smaller
            vehicles, at a cost that grows with its square.
        vehicles: COCO labels to report.
        classes: which of the network's classes are vehicles, where their names do not say; see `coco_labels`.
        layout: a key of `detection.layouts.LAYOUTS`; None: read from the network.

    Raises:
        InputError: the network knows no vehicles, does not take `image_size`, or has a layout that is not known.
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
        classes: ClassChoice | None = None,
        layout: str | None = None,
    ) -> None:
        facts = weights.facts
        if image_size is not None and image_size < facts.stride:
            raise InputError(f"image size {image_size}: at least {facts.stride} pixels are needed")
        if facts.fixed and image_size not in (None, max(facts.size)):
            raise InputError(
                f"{source}: takes {facts.size[0]}x{facts.size[1]} pixels only, image size {image_size} was asked for; "
                "leave the image size out, or export the network for that size"
            )
        self._weights = weights
        self._source = source
        self._score = score
        self._nms_iou = nms_iou
        self._image_size = image_size or max(facts.size)
        self._vehicles = tuple(sorted(vehicles))
        self._layout = read_layout(facts.outputs, facts.metadata, source=source, input_size=facts.size, layout=layout)
        self._labels = coco_labels(facts.metadata.names, self._layout.classes, self._vehicles, source, classes)
        self._prepared: dict[tuple[int, int], tuple[Letterbox, Network]] = {}
        self._units_checked = False

    @property
    def key(self) -> str:
        """See `detection.detector.Detector`."""
        return (
            f"network {self._weights.key} layout={self._layout.name} size={self._image_size} score={self._score:g} "
            f"nms={self._nms_iou:g} labels={','.join(map(str, self._labels))}"
        )

    def describe(self) -> str:
        """For people: the layout, the size of the input, and which classes are vehicles."""
        facts = self._weights.facts
        size = f"{facts.size[0]}x{facts.size[1]}" if facts.fixed else f"{self._image_size}"
        return f"{self._layout.name} layout, input {size} pixels, {describe_labels(self._labels, facts.metadata.names)}"

    def prepare(self, height: int, width: int) -> None:
        """Make the network for frames of this size now; export and quantisation, where needed, happen here.

        Called once before parallel processes start, it spares each of them the same work.
        """
        self._network(height, width)

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """See `detection.detector.Detector`. Give many frames at once: they keep all threads busy."""
        if not frames:
            return []
        letterbox, network = self._network(*frames[0].shape[:2])
        found: list[Detections] = [Detections.empty()] * len(frames)

        def receive(position: int, outputs: Sequence[npt.NDArray[np.float32]], slot: int) -> None:
            found[position] = self._boxes(outputs, slot, letterbox, position + 1)

        network.run([partial(letterbox.apply, frame) for frame in frames], receive)
        return found

    def _boxes(
        self, outputs: Sequence[npt.NDArray[np.float32]], slot: int, letterbox: Letterbox, number: int
    ) -> Detections:
        """The vehicles in one frame.

        The class of a box is its best one among all; duplicates are suppressed between the wanted classes, because one
        vehicle is often found as car and truck at once.
        """
        candidates = decode(
            self._layout, outputs, slot, classes=len(self._labels), score=self._score, input_size=letterbox.network
        )
        self._check_scores(candidates)
        self._check_units(candidates, letterbox.network)
        candidates = candidates[candidates.has_area]
        known = candidates.kind < len(self._labels)
        labels = np.where(known, self._labels[np.where(known, candidates.kind, 0)], -1)
        vehicles, labels = candidates[labels >= 0], labels[labels >= 0]
        if vehicles.angle is None:
            rows = suppress(vehicles.box, vehicles.score, self._nms_iou)
            corners = vehicles.box[rows]
        else:
            rows = suppress_oriented(vehicles.box, vehicles.angle, vehicles.score, self._nms_iou)
            corners = upright_hull(vehicles.box[rows], vehicles.angle[rows])
        box = letterbox.undo(corners)
        box[:, 2:] -= box[:, :2]
        return Detections(np.full(len(rows), number, np.int32), box, vehicles.score[rows], labels[rows])

    def _check_scores(self, candidates: Candidates) -> None:
        """Refuse scores that are none: class numbers, percentages, logits."""
        highest = float(candidates.score.max(initial=0))
        if highest > _HIGHEST_SCORE:
            raise InputError(
                f"{self._source}: was read as layout {self._layout.name}, which has scores in 0..1, but one is "
                f"{highest:.4g}; say which layout it has with --set detection.layout=NAME, or export it with scores"
            )

    def _check_units(self, candidates: Candidates, size: tuple[int, int]) -> None:
        """Compare the first boxes that are found with what the layout says about their units."""
        if self._units_checked or not len(candidates):
            return
        self._units_checked = True
        normalised = self._layout.form.normalised
        reach = float(np.abs(candidates.box).max()) / (max(size) if normalised else 1)
        if normalised and reach > _BETWEEN_FRACTIONS_AND_PIXELS:
            problem = f"boxes in 0..1, but they reach {reach:.0f}"
        elif not normalised and reach < _BETWEEN_FRACTIONS_AND_PIXELS:
            problem = f"boxes in pixels, but all of them lie in 0..{reach:.2f}"
        elif candidates.has_area.mean() < _WITH_AREA:
            problem = f"boxes as {self._layout.form.boxes}, but most of them have no area"
        else:
            return
        raise InputError(
            f"{self._source}: was read as layout {self._layout.name}, which has {problem}; say which layout it has "
            "with --set detection.layout=NAME, or export it with its metadata"
        )

    def _network(self, height: int, width: int) -> tuple[Letterbox, Network]:
        prepared = self._prepared.get((height, width))
        if prepared is None:
            letterbox = self._fit(height, width)
            prepared = self._prepared[height, width] = (letterbox, self._weights.network(letterbox.network))
        return prepared

    def _fit(self, height: int, width: int) -> Letterbox:
        facts = self._weights.facts
        if self._layout.form.stretched:
            side = -(-self._image_size // facts.stride) * facts.stride
            return Letterbox.stretched((height, width), facts.size if facts.fixed else (side, side))
        if facts.fixed:
            return Letterbox.within((height, width), facts.size)
        return Letterbox.smallest((height, width), self._image_size, facts.stride)
