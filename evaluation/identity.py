"""IDF1, IDP and IDR: how many boxes carry the right identity under the best one-to-one mapping of identities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.assignment import heaviest_assignment
from evaluation.comparison import Comparison


@dataclass(frozen=True, slots=True)
class IdentityScore:
    """Ristani et al. 2016, "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking".

    Attributes:
        idtp: boxes that carry the right identity.
        idfp: predicted boxes that do not.
        idfn: ground-truth boxes that no such box covers.
    """

    idtp: int
    idfp: int
    idfn: int

    @property
    def idf1(self) -> float:
        """Harmonic mean of `idp` and `idr`, a fraction; 0 where there is no box at all."""
        return _ratio(2 * self.idtp, 2 * self.idtp + self.idfp + self.idfn)

    @property
    def idp(self) -> float:
        """Identity precision: the fraction of predicted boxes that carry the right identity."""
        return _ratio(self.idtp, self.idtp + self.idfp)

    @property
    def idr(self) -> float:
        """Identity recall: the fraction of ground-truth boxes that are covered with the right identity."""
        return _ratio(self.idtp, self.idtp + self.idfn)


@dataclass(frozen=True, slots=True)
class IdentityCounts:
    """In how many frames each ground-truth identity is covered by each predicted one: the table behind IDF1.

    Attributes:
        truth: (p,) int64, the ground truth's number of the identity.
        predicted: (p,) int64, the predictions' number of the identity.
        frames: (p,) int64, in how many frames of all cameras they coincide, above 0.
        assigned: (p,) bool, whether the best one-to-one mapping pairs the two.
    """

    truth: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    frames: npt.NDArray[np.int64]
    assigned: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class VehicleCounts:
    """What each vehicle of the ground truth adds to IDF1, under the best mapping of all identities.

    Attributes:
        truth: (v,) int64, the ground truth's numbers, ascending.
        idtp: (v,) int64, its boxes that are covered with the right identity.
        boxes: (v,) int64, its boxes.
        predicted: (v,) int64, predicted boxes that lie on it, each on the vehicle that it overlaps most.
        elsewhere: predicted boxes that lie on no vehicle.
    """

    truth: npt.NDArray[np.int64]
    idtp: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    elsewhere: int


def identity_score(comparison: Comparison, distance: float = 0.5) -> IdentityScore:
    """Identity figures over all cameras together.

    Args:
        comparison: what to score.
        distance: boxes coincide when 1 - IoU is at most this.
    """
    counts = identity_counts(comparison, distance)
    idtp = int(counts.frames[counts.assigned].sum())
    return IdentityScore(idtp, len(comparison.predicted) - idtp, len(comparison.truth) - idtp)


def identity_counts(comparison: Comparison, distance: float = 0.5) -> IdentityCounts:
    """The pairs of identities that coincide anywhere, and which of them the best mapping pairs."""
    truth, predicted = comparison.truth, comparison.predicted
    pairs = comparison.pairs.within(distance)
    row, column, frames = _count(
        truth.identity[pairs.truth], predicted.identity[pairs.predicted], len(predicted.identities)
    )
    assigned = np.zeros(len(row), np.bool_)
    assigned[heaviest_assignment(row, column, frames)] = True
    return IdentityCounts(truth.identities[row], predicted.identities[column], frames, assigned)


def vehicle_counts(comparison: Comparison, distance: float = 0.5) -> VehicleCounts:
    """The share of each ground-truth vehicle in `identity_score`.

    Args:
        comparison: what to score.
        distance: boxes coincide when 1 - IoU is at most this.
    """
    truth, predicted = comparison.truth, comparison.predicted
    counts = identity_counts(comparison, distance)
    n = len(truth.identities)
    row = np.searchsorted(truth.identities, counts.truth[counts.assigned])
    idtp = np.bincount(row, weights=counts.frames[counts.assigned], minlength=n).astype(np.int64)
    pairs = comparison.pairs.within(distance)
    best_first = np.lexsort((-pairs.iou, pairs.predicted))
    _, first = np.unique(pairs.predicted[best_first], return_index=True)
    covered = np.bincount(truth.identity[pairs.truth[best_first[first]]], minlength=n)
    boxes = np.bincount(truth.identity, minlength=n)
    return VehicleCounts(truth.identities, idtp, boxes, covered, len(predicted) - int(covered.sum()))


def identity_score_by_camera(comparison: Comparison, distance: float = 0.5) -> dict[int, IdentityScore]:
    """Identity figures of each of the ground truth's cameras, as if each were alone, in ascending order."""
    truth, predicted, cameras = comparison.truth, comparison.predicted, comparison.cameras
    pairs = comparison.pairs.within(distance)
    n_truth, n_predicted = max(len(truth.identities), 1), max(len(predicted.identities), 1)
    in_truth = truth.camera * n_truth + truth.identity
    in_predicted = predicted.camera * n_predicted + predicted.identity
    row, column, frames = _count(
        in_truth[pairs.truth], in_predicted[pairs.predicted], n_predicted * max(len(cameras), 1)
    )
    best = heaviest_assignment(row, column, frames)
    size = len(cameras)
    idtp = np.bincount(row[best] // n_truth, weights=frames[best], minlength=size).astype(np.int64)
    idfp = np.bincount(predicted.camera, minlength=size) - idtp
    idfn = np.bincount(truth.camera, minlength=size) - idtp
    return {int(cameras[i]): IdentityScore(int(idtp[i]), int(idfp[i]), int(idfn[i])) for i in range(size)}


def _count(
    row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], columns: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct (row, column) pairs and how often each occurs."""
    code, frames = np.unique(row * max(columns, 1) + column, return_counts=True)
    return code // max(columns, 1), code % max(columns, 1), frames


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
