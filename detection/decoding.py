"""The outputs of detection networks as boxes: pure functions of arrays, one for each way to arrange the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detection.layouts import Layout

Array = npt.NDArray[np.float32]
# Added to variances so that flat boxes have an overlap too.
_EPSILON = 1e-7
# Larger class numbers are no such numbers; they must not be converted to integers.
_MAX_CLASS = 1e6


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes of one picture before duplicates are removed, in the network's own order.

    Attributes:
        box: (n, 4) float32, in pixels of the network's input: left, top, right, bottom; of oriented boxes centre x,
            centre y, width, height before they are turned.
        score: (n,) float32.
        kind: (n,) intp, the network's class numbers.
        angle: (n,) float32, radians by which the boxes are turned about their centres; None where they are upright.
    """

    box: Array
    score: Array
    kind: npt.NDArray[np.intp]
    angle: Array | None = None

    def __len__(self) -> int:
        return len(self.score)

    @property
    def has_area(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a box has an area: width and height above 0."""
        sides = self.box[:, 2:] if self.angle is not None else self.box[:, 2:] - self.box[:, :2]
        return np.asarray((sides > 0).all(1))

    def __getitem__(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Candidates:
        angle = None if self.angle is None else self.angle[rows]
        return Candidates(self.box[rows], self.score[rows], self.kind[rows], angle)


def decode(
    layout: Layout, outputs: Sequence[Array], slot: int, *, classes: int, score: float, input_size: tuple[int, int]
) -> Candidates:
    """The boxes of one picture whose score is above a threshold.

    Args:
        layout: how to read the outputs.
        outputs: of the network, with their batch dimension.
        slot: the picture's place in the batch.
        classes: number of classes.
        score: boxes need more than this.
        input_size: (height, width) of the network's input.
    """
    form = layout.form
    table = outputs[layout.output]
    table = table[table[:, 0] == slot, 1:] if form.flat else table[slot]
    # One column a box, so that each attribute of all boxes lies together in the most frequent layout.
    columns = table if form.boxes_last else table.T
    if form.scores == "class first":
        columns = columns[[0, 1, 2, 3, 5, 4]]
    if form.scores in ("best class", "class first"):
        box, best, kind, rest = selected_boxes(columns, score)
    elif form.scores == "objectness":
        box, best, kind, rest = boxes_with_objectness(columns, classes, score)
    else:
        box, best, kind, rest = boxes_with_class_scores(columns, classes, score)
    if form.normalised:
        box = box * np.array([[input_size[1]], [input_size[0]]] * 2, np.float32)
    if layout.oriented:
        found = Candidates(box.T, best, kind, rest[-1])
    else:
        found = Candidates(corners_of(box) if form.boxes == "centre" else box.T, best, kind)
    # A damaged network, or one that computes in too low a precision, gives others.
    finite = np.isfinite(found.box).all(1) & np.isfinite(found.score)
    return found[finite if found.angle is None else finite & np.isfinite(found.angle)]


def boxes_with_class_scores(
    columns: Array, classes: int, score: float
) -> tuple[Array, Array, npt.NDArray[np.intp], Array]:
    """Boxes that each have a score for every class; the best class counts.

    Args:
        columns: (4 + classes + extra, n), one column per box.
        classes: number of classes.
        score: boxes need more than this.

    Returns:
        (4, m) boxes, (m,) scores, (m,) classes, (extra, m) what follows the scores.
    """
    scores = columns[4 : 4 + classes]
    rows = np.flatnonzero(scores.max(0) > score)
    candidates = scores[:, rows]
    kind = candidates.argmax(0)
    return columns[:4, rows], candidates[kind, np.arange(len(rows))], kind, columns[4 + classes :, rows]


def boxes_with_objectness(
    columns: Array, classes: int, score: float
) -> tuple[Array, Array, npt.NDArray[np.intp], Array]:
    """Boxes that have a score for being an object, which each class's score is multiplied by.

    Args:
        columns: (5 + classes + extra, n), one column per box.
        classes: number of classes.
        score: boxes need more than this as product of both scores.

    Returns:
        As `boxes_with_class_scores`.
    """
    # No class score is above 1, so most columns are settled by their objectness alone.
    columns = columns[:, columns[4] > score]
    scored = np.concatenate((columns[:4], columns[5 : 5 + classes] * columns[4], columns[5 + classes :]))
    return boxes_with_class_scores(scored, classes, score)


def selected_boxes(columns: Array, score: float) -> tuple[Array, Array, npt.NDArray[np.intp], Array]:
    """Boxes that come with the score and the number of their best class.

    Args:
        columns: (6 + extra, n), one column per box.
        score: boxes need more than this.

    Returns:
        As `boxes_with_class_scores`.
    """
    kept = columns[:, (columns[4] > score) & (columns[5] > -0.5) & (columns[5] < _MAX_CLASS)]
    return kept[:4], kept[4], kept[5].round().astype(np.intp), kept[6:]


def corners_of(columns: Array) -> Array:
    """(n, 4) left, top, right, bottom from (4, n) centre x, centre y, width, height."""
    centre, half = columns[:2], columns[2:4] * np.float32(0.5)
    with np.errstate(invalid="ignore"):  # infinite boxes are dropped later
        return np.concatenate((centre - half, centre + half)).T.astype(np.float32, copy=False)


def upright_hull(box: Array, angle: Array) -> Array:
    """The smallest upright boxes that hold oriented ones.

    Args:
        box: (n, 4), centre x, centre y, width, height.
        angle: (n,), radians.

    Returns:
        (n, 4) float32, left, top, right, bottom.

    >>> upright_hull(np.array([[50, 50, 20, 10]], np.float32), np.array([np.pi / 2], np.float32)).round(3)
    array([[45., 40., 55., 60.]], dtype=float32)
    """
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    width, height = box[:, 2], box[:, 3]
    return corners_of(np.stack((box[:, 0], box[:, 1], width * cos + height * sin, width * sin + height * cos)))


def suppress_oriented(box: Array, angle: Array, score: Array, iou: float, max_count: int = 300) -> npt.NDArray[np.intp]:
    """Rows of the oriented boxes that no better-scored box overlaps, best first.

    Other than in greedy suppression, a box that is itself suppressed still suppresses others ("fast NMS", Bolya et
    al. 2019, https://arxiv.org/abs/1904.02689), as ultralytics does it for oriented boxes.

    Args:
        box: (n, 4), centre x, centre y, width, height.
        angle: (n,), radians.
        score: (n,).
        iou: boxes with more `probabilistic_iou` are one object.
        max_count: at most this many boxes are kept.
    """
    order = np.argsort(-score, kind="stable")[: 10 * max_count]
    overlap = np.triu(probabilistic_iou(box[order], angle[order]), k=1)
    kept: npt.NDArray[np.intp] = order[~(overlap > iou).any(0)][:max_count]
    return kept


def probabilistic_iou(box: Array, angle: Array) -> npt.NDArray[np.float64]:
    """Overlap of each pair of oriented boxes, taken as Gaussians (Llerena et al. 2021, https://arxiv.org/abs/2106.06072).

    Returns:
        (n, n) one minus the Hellinger distance, in [0, 1].
    """
    x, y, width, height = box.astype(np.float64).T
    cos, sin = np.cos(angle.astype(np.float64)), np.sin(angle.astype(np.float64))
    # Variances of a uniform box along its own axes, then the covariance matrix [[a, c], [c, b]] of the turned box.
    along, across = width**2 / 12, height**2 / 12
    a, b, c = along * cos**2 + across * sin**2, along * sin**2 + across * cos**2, (along - across) * cos * sin
    sum_a, sum_b, sum_c = (each[:, None] + each for each in (a, b, c))
    dx, dy = x[:, None] - x, y[:, None] - y
    determinant = sum_a * sum_b - sum_c**2
    mahalanobis = (sum_a * dy**2 + sum_b * dx**2 - 2 * sum_c * dx * dy) / (determinant + _EPSILON)
    own = np.sqrt(np.maximum(a * b - c**2, 0))
    # Bhattacharyya distance: of the centres, and of the shapes.
    distance = mahalanobis / 4 + np.log(determinant / (4 * own[:, None] * own + _EPSILON) + _EPSILON) / 2
    hellinger: npt.NDArray[np.float64] = np.sqrt(1 - np.exp(-np.clip(distance, _EPSILON, 100)) + _EPSILON)
    return np.asarray(1 - hellinger)
