"""HOTA: detection and association weighted equally, averaged over localisation thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.assignment import heaviest_assignment
from evaluation.comparison import Comparison

_THRESHOLDS = np.arange(0.05, 0.99, 0.05)
_EPSILON = np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True)
class HotaScore:
    """Luiten et al. 2021, "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking"; means over 19 thresholds.

    Attributes:
        hota: geometric mean of DetA and AssA at each threshold, averaged.
        deta: detection accuracy, matched boxes / (matched + missed + false).
        assa: association accuracy, over the matched boxes.
        loca: mean IoU of the matched boxes; 1 without any.
    """

    hota: float
    deta: float
    assa: float
    loca: float


def hota_score(comparison: Comparison) -> HotaScore:
    """HOTA over all cameras together, on their common time axis, with the definition of the trackeval package.

    The pairs of all frames are assigned in one call, and each threshold only filters the matches: no loop over frames.
    """
    truth, predicted, pairs = comparison.truth, comparison.predicted, comparison.pairs
    if not len(truth) or not len(predicted):
        return HotaScore(0.0, 0.0, 0.0, 1.0)
    columns = len(predicted.identities)
    codes, code = np.unique(
        truth.identity[pairs.truth] * columns + predicted.identity[pairs.predicted], return_inverse=True
    )
    boxes_of_pair = (
        np.bincount(truth.identity)[codes // columns] + np.bincount(predicted.identity)[codes % columns]
    )  # of both identities of each code

    # How well two identities agree before boxes are matched: the Jaccard index, each frame weighted by overlap.
    in_row = np.bincount(pairs.truth, weights=pairs.iou, minlength=len(truth))
    in_column = np.bincount(pairs.predicted, weights=pairs.iou, minlength=len(predicted))
    share = pairs.iou / (in_row[pairs.truth] + in_column[pairs.predicted] - pairs.iou)
    shared = np.bincount(code, weights=share, minlength=len(codes))
    alignment = shared / (boxes_of_pair - shared)
    matched = heaviest_assignment(pairs.truth, pairs.predicted, alignment[code] * pairs.iou)
    return _average(pairs.iou[matched], code[matched], boxes_of_pair, len(truth) + len(predicted))


def _average(
    iou: npt.NDArray[np.float64],
    code: npt.NDArray[np.int64],
    boxes_of_pair: npt.NDArray[np.int64],
    boxes: int,
) -> HotaScore:
    """Means over the thresholds, from the IoU and the pair of identities of each match."""
    hota, deta, assa, loca = (np.zeros(len(_THRESHOLDS)) for _ in range(4))
    for i, threshold in enumerate(_THRESHOLDS):
        close = iou >= threshold - _EPSILON
        matches = int(close.sum())
        together = np.bincount(code[close], minlength=len(boxes_of_pair))
        deta[i] = matches / (boxes - matches)
        assa[i] = (together * (together / (boxes_of_pair - together))).sum() / max(matches, 1)
        loca[i] = iou[close].sum() / matches if matches else 1.0
        hota[i] = np.sqrt(deta[i] * assa[i])
    return HotaScore(float(hota.mean()), float(deta.mean()), float(assa.mean()), float(loca.mean()))
