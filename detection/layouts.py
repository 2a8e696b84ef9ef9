"""The meaning of a detection network's outputs, read from its output shapes and metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from common.errors import InputError
from common.nearest import nearest

Boxes = Literal["centre", "corners"]
Scores = Literal["per class", "objectness", "best class", "class first"]

# Heads that select their own boxes return a few hundred of them (300 unless the exporter was set otherwise);
# heads that leave the selection to the reader return one box per cell of their grids: 525 at 160 x 160, 8400 at 640.
_MAX_SELECTED = 1000
_MASK_COEFFICIENTS = 32
_NO_BOXES = frozenset({"classify", "depth", "semantic"})
_DETR_HEAD = "RTDETRDecoder"


@dataclass(frozen=True, slots=True)
class OutputShape:
    """One output of a network.

    Attributes:
        name: as the file has it; may be empty.
        shape: length of each dimension, the batch first; None where it is only known once the network runs.
    """

    name: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name or 'output'} ({', '.join('?' if side is None else str(side) for side in self.shape)})"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an exporter wrote about a network; every field may be unknown.

    Attributes:
        names: class names by number.
        task: "detect", "segment", "pose", "obb", "classify" ... as ultralytics names them.
        head: class of the last layer, such as "Detect" or "RTDETRDecoder".
        selects: whether the network selects its own boxes, by an end-to-end head or built-in suppression of duplicates.
        keypoints: numbers a box that describe keypoints.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    task: str | None = None
    head: str | None = None
    selects: bool | None = None
    keypoints: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a network's outputs.

    Attributes:
        name: key in `LAYOUTS`.
        output: which output holds the boxes, counted from 0.
        classes: number of classes; None where neither the shape nor the metadata says.
        oriented: each box ends with an angle in radians, by which it is turned about its centre.
    """

    name: str
    output: int
    classes: int | None
    oriented: bool = False

    @property
    def form(self) -> Form:
        """The meaning of rows and columns."""
        return LAYOUTS[self.name]


@dataclass(frozen=True, slots=True)
class Form:
    """One known arrangement of boxes in a table.

    Attributes:
        shape: for people.
        used_by: networks that have it.
        boxes: "centre": centre x, centre y, width, height; "corners": left, top, right, bottom.
        scores: what follows the box: a score per class; an objectness and then a score per class; or the score and the
            number of the best class, or the other way round.
        boxes_last: the table has one box a column; otherwise one a row.
        normalised: boxes are fractions of the input's sides; otherwise pixels of the input.
        stretched: the network expects frames stretched to its input; otherwise scaled and padded.
        flat: one table holds the boxes of all pictures of a batch; each row begins with the number of its picture.
    """

    shape: str
    used_by: str
    boxes: Boxes
    scores: Scores
    boxes_last: bool = False
    normalised: bool = False
    stretched: bool = False
    flat: bool = False

    @property
    def before_extra(self) -> int:
        """Numbers of a box before its class scores, or before what follows its class number."""
        return {"per class": 4, "objectness": 5, "best class": 6, "class first": 6}[self.scores] + self.flat


LAYOUTS: dict[str, Form] = {
    "yolov8": Form(
        "(batch, 4 + classes [+ masks, keypoints or angle], boxes)",
        "YOLOv8 to v12 and YOLO26 without its end-to-end head, also for segmentation, pose and oriented boxes",
        "centre",
        "per class",
        boxes_last=True,
    ),
    "yolov8-rows": Form(
        "(batch, boxes, 4 + classes [+ masks, keypoints or angle])",
        "the same networks, exported with the last two dimensions swapped",
        "centre",
        "per class",
    ),
    "yolov5": Form(
        "(batch, boxes, 5 + classes [+ masks])",
        "YOLOv5, v6 and v7, which have an objectness score",
        "centre",
        "objectness",
    ),
    "end-to-end": Form(
        "(batch, up to 1000 boxes, 6 [+ masks, keypoints or angle])",
        "YOLOv10 and YOLO26, and any YOLO exported by ultralytics with nms=True",
        "corners",
        "best class",
    ),
    "yolov7-nms": Form(
        "(boxes of all pictures, 7)",
        "YOLOv7 exported with its own suppression of duplicates: picture, box, class, score",
        "corners",
        "class first",
        flat=True,
    ),
    "rtdetr": Form(
        "(batch, queries, 6), boxes in 0..1",
        "RT-DETR of ultralytics",
        "centre",
        "best class",
        normalised=True,
        stretched=True,
    ),
    "rtdetr-scores": Form(
        "(batch, queries, 4 + classes), boxes in 0..1",
        "RT-DETR of earlier ultralytics",
        "centre",
        "per class",
        normalised=True,
        stretched=True,
    ),
}
"""Layouts that are read, by the name that `layout=` takes."""


def require_layout_name(name: str) -> None:
    """Refuse a layout that does not exist.

    Raises:
        InputError: with the nearest name and all of them.
    """
    if name not in LAYOUTS:
        raise InputError(f"detector layout {name}: unknown{nearest(name, LAYOUTS)}; known: {', '.join(LAYOUTS)}")


def read_layout(
    outputs: tuple[OutputShape, ...],
    metadata: Metadata,
    *,
    source: str,
    input_size: tuple[int, int],
    layout: str | None = None,
) -> Layout:
    """Decide how a network's outputs are to be read.

    The widths that the class names and the task allow are compared with the shape; what the exporter says about the
    head decides where two layouts have the same shape.

    Args:
        outputs: all outputs, in the network's order.
        metadata: what the file says about the network.
        source: what the user named, for errors.
        input_size: (height, width) for which `outputs` holds.
        layout: a key of `LAYOUTS` that the user has chosen; None: decide.

    Raises:
        InputError: no known layout has this shape, or several have; names what was seen and what is known.

    >>> shapes = (OutputShape("output0", (1, 84, 8400)),)
    >>> read_layout(shapes, Metadata(), source="x.onnx", input_size=(640, 640)).name
    'yolov8'
    """
    tables = [number for number, output in enumerate(outputs) if len(output.shape) == 3]
    seen = _describe(outputs, metadata)
    if not tables and metadata.task not in _NO_BOXES and _is_flat(outputs, layout):
        return Layout("yolov7-nms", 0, _count(metadata.names) if metadata.names else None)
    if metadata.task in _NO_BOXES or len(tables) != 1:
        raise InputError(
            f"{source}: {_why_no_table(outputs, metadata, len(tables))} ({seen}); known: {known_layouts()}"
        )
    (number,) = tables
    masks = next((output.shape[1] for output in outputs if len(output.shape) == 4), None)
    _, first, second = outputs[number].shape
    table = _Table(first, second, metadata, masks, _cells(input_size))
    fitting = [name for name, fits in _FITS.items() if fits(table)] if layout is None else []
    if layout is not None and _has_shape_of(table, layout):
        fitting = [layout]
    if fitting == ["yolov5"] and layout is None and _is_yolox(outputs[number], metadata, input_size):
        raise InputError(
            f"{source}: looks like an export of YOLOX, whose boxes are offsets within grid cells ({seen}); "
            f"known: {known_layouts()}"
        )
    if len(fitting) == 1:
        return Layout(fitting[0], number, table.classes_of(LAYOUTS[fitting[0]]), metadata.task == "obb")
    if fitting:
        raise InputError(
            f"{source}: its output can be read as {' or '.join(fitting)} ({seen}); choose with "
            f"--set detection.layout={fitting[0]}"
        )
    asked = f"layout {layout} was asked for, but it has another shape" if layout else "its output layout is not known"
    raise InputError(f"{source}: {asked} ({seen}); known: {known_layouts()}")


def known_layouts() -> str:
    """The layouts that are read, in one line."""
    return "; ".join(f"{name} {form.shape}" for name, form in LAYOUTS.items())


@dataclass(frozen=True, slots=True)
class _Table:
    """The one three-dimensional output, and what its widths may be.

    Attributes:
        first, second: lengths of its dimensions after the batch.
        metadata: of the network.
        masks: mask coefficients a box, from the shape of the prototypes; None without prototypes.
        cells: numbers of boxes that heads with one or three boxes a grid cell have at this input size.
    """

    first: int | None
    second: int | None
    metadata: Metadata
    masks: int | None
    cells: frozenset[int]

    def extra_fits(self, extra: int) -> bool:
        """Whether a box may have this many numbers beyond its scores."""
        task = self.metadata.task
        if task == "obb":
            return extra == 1
        if task == "pose":
            return extra == self.metadata.keypoints if self.metadata.keypoints else extra >= 2
        if self.masks is not None or task == "segment":
            return extra == (self.masks or _MASK_COEFFICIENTS)
        return extra == 0

    def width_fits(self, width: int | None, before: int) -> bool:
        """Whether a box may have this many numbers, of which `before` are neither class scores nor extra."""
        if width is None:
            return False
        if self.metadata.names:
            return self.extra_fits(width - before - _count(self.metadata.names))
        return self._classes_left(width, before) >= 1

    def classes_of(self, form: Form) -> int | None:
        """How many classes the network has when its output is read as `form`."""
        if self.metadata.names:
            return _count(self.metadata.names)
        width = self.first if form.boxes_last else self.second
        if form.scores == "best class" or width is None:
            return None
        return self._classes_left(width, form.before_extra)

    def is_selection(self, boxes: int | None) -> bool:
        """Whether so few boxes come out that the network must have selected them."""
        return boxes is not None and boxes <= _MAX_SELECTED and boxes not in self.cells

    def _classes_left(self, width: int, before: int) -> int:
        extra = {"obb": 1, "pose": self.metadata.keypoints or 0, "segment": self.masks or _MASK_COEFFICIENTS}
        return width - before - extra.get(self.metadata.task or "", self.masks or 0)


def _is_flat(outputs: tuple[OutputShape, ...], layout: str | None) -> bool:
    """Whether the only output is a table of 7 numbers a box; a single row of 7 is rather a classifier's."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 2 or shape[1] != LAYOUTS["yolov7-nms"].before_extra:
        return False
    return layout == "yolov7-nms" or (layout is None and shape[0] != 1)


def _is_yolov8(table: _Table) -> bool:
    if _is_detr(table) or table.metadata.selects:
        return False
    if not table.metadata.names and (table.first or 0) >= (table.second or 0):
        return False
    return table.width_fits(table.first, 4)


def _is_yolov8_rows(table: _Table) -> bool:
    if _is_detr(table) or table.metadata.selects or _is_yolov8(table) or table.is_selection(table.first):
        return False
    # Without names, 84 numbers are those of COCO's 80 classes; any other width may as well hold an objectness score.
    return table.width_fits(table.second, 4) and (bool(table.metadata.names) or table.second == 84)


def _is_yolov5(table: _Table) -> bool:
    if _is_detr(table) or table.metadata.selects or _is_yolov8(table) or table.metadata.task in ("obb", "pose"):
        return False
    if table.is_selection(table.first) and (not table.metadata.names or table.extra_fits((table.second or 0) - 6)):
        return False
    return table.width_fits(table.second, 5) and (bool(table.metadata.names) or table.second != 84)


def _is_end_to_end(table: _Table) -> bool:
    if _is_detr(table) or table.second is None or table.metadata.selects is False or _is_yolov8(table):
        return False
    chosen = table.metadata.selects or table.is_selection(table.first)
    return table.extra_fits(table.second - 6) and (chosen or not (_is_yolov5(table) or _is_yolov8_rows(table)))


def _is_rtdetr(table: _Table) -> bool:
    return _is_detr(table) and table.second == 6


def _is_rtdetr_scores(table: _Table) -> bool:
    if table.metadata.task not in (None, "detect") or table.metadata.selects or table.second == 6:
        return False
    if not table.is_selection(table.first) and not _is_detr(table):
        return False
    return table.width_fits(table.second, 4) and (bool(table.metadata.names) or table.second == 84)


_FITS: dict[str, Callable[[_Table], bool]] = {
    "yolov8": _is_yolov8,
    "yolov8-rows": _is_yolov8_rows,
    "yolov5": _is_yolov5,
    "end-to-end": _is_end_to_end,
    "rtdetr": _is_rtdetr,
    "rtdetr-scores": _is_rtdetr_scores,
}


def _has_shape_of(table: _Table, name: str) -> bool:
    """Whether a layout that the user has chosen is possible at all."""
    form = LAYOUTS[name]
    if form.flat:
        return False
    width = table.first if form.boxes_last else table.second
    if form.scores == "best class":
        return width is not None and table.extra_fits(width - 6)
    return table.width_fits(width, form.before_extra)


def _is_detr(table: _Table) -> bool:
    if table.metadata.head is not None:
        return table.metadata.head == _DETR_HEAD
    # Exporters of ultralytics that did not name the head yet: no other network has few boxes without selecting them.
    return table.metadata.selects is False and table.metadata.task == "detect" and table.is_selection(table.first)


def _count(names: Mapping[int, str]) -> int:
    return max(names) + 1


def _is_yolox(output: OutputShape, metadata: Metadata, size: tuple[int, int]) -> bool:
    """Whether a table of YOLOv5's shape comes from YOLOX's exporter: its name, one box per cell, and no metadata."""
    cells = sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in (8, 16, 32))
    return output.name == "output" and not metadata.names and output.shape[1] == cells


def _cells(size: tuple[int, int]) -> frozenset[int]:
    """How many boxes heads of one or three boxes a cell have on the usual sets of strides."""
    sums = [
        sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)
        for strides in ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
    ]
    return frozenset(sums) | frozenset(3 * each for each in sums)


def _describe(outputs: tuple[OutputShape, ...], metadata: Metadata) -> str:
    parts = [", ".join(map(str, outputs))]
    parts.append(f"{_count(metadata.names)} class names" if metadata.names else "no class names")
    parts += [f"{key} {value}" for key, value in (("task", metadata.task), ("head", metadata.head)) if value]
    return "; ".join(parts)


def _why_no_table(outputs: tuple[OutputShape, ...], metadata: Metadata, tables: int) -> str:
    shapes = [output.shape for output in outputs]
    if metadata.task in _NO_BOXES or (len(shapes) == 1 and len(shapes[0]) == 2 and (shapes[0][1] or 0) > 7):
        return "not a detector, its output holds no boxes"
    if not tables and all(len(shape) >= 4 and shape[-1] != 7 for shape in shapes):
        return "its output holds raw feature maps, not boxes; export it with its boxes decoded"
    if not tables:
        return "its output layout is not known"
    return "its boxes are spread over several outputs, a layout that is not known"
