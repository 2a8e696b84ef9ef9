"""All figures of one set of predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from evaluation.boxes import Boxes
from evaluation.clear import ClearScore, clear_score
from evaluation.comparison import compare
from evaluation.hota import HotaScore, hota_score
from evaluation.identity import (
    IdentityScore,
    VehicleCounts,
    identity_score,
    identity_score_by_camera,
    vehicle_counts,
)


@dataclass(frozen=True, slots=True)
class Score:
    """What a set of predictions is worth.

    Attributes:
        identity: IDF1, IDP, IDR over all cameras.
        clear: MOTA, MOTP and what they are made of.
        hota: HOTA, DetA, AssA.
        cameras: identity figures of each camera as if it were alone, by camera number.
        dropped: predicted boxes that were left out before scoring, by reason.
        vehicles: the share of each ground-truth vehicle in `identity`.
    """

    identity: IdentityScore
    clear: ClearScore
    hota: HotaScore
    cameras: dict[int, IdentityScore]
    dropped: dict[str, int] = field(default_factory=dict)
    vehicles: VehicleCounts | None = field(default=None, compare=False, repr=False)

    def figures(self) -> dict[str, float | int | None]:
        """The figures over all cameras by name; ratios are fractions, None where a figure is not defined."""
        identity, clear, hota = self.identity, self.clear, self.hota
        return {
            "idf1": identity.idf1,
            "idp": identity.idp,
            "idr": identity.idr,
            "idtp": identity.idtp,
            "idfp": identity.idfp,
            "idfn": identity.idfn,
            "mota": clear.mota,
            "motp": None if math.isnan(clear.motp) else clear.motp,
            "recall": clear.recall,
            "precision": clear.precision,
            "false_positives": clear.false_positives,
            "misses": clear.misses,
            "switches": clear.switches,
            "fragmentations": clear.fragmentations,
            "mostly_tracked": clear.mostly_tracked,
            "partially_tracked": clear.partially_tracked,
            "mostly_lost": clear.mostly_lost,
            "hota": hota.hota,
            "deta": hota.deta,
            "assa": hota.assa,
            "loca": hota.loca,
        }

    def to_json(self) -> dict[str, object]:
        """`figures()`, the figures of each camera under "cameras", and the left-out boxes under "dropped"."""
        cameras = {
            str(camera): {"idf1": score.idf1, "idp": score.idp, "idr": score.idr}
            for camera, score in self.cameras.items()
        }
        return {**self.figures(), "cameras": cameras, "dropped": dict(self.dropped)}


def score_boxes(
    truth: Boxes, predictions: Boxes, dropped: dict[str, int] | None = None, *, distance: float = 0.5
) -> Score:
    """Score predictions as they are, without the challenge's filters (`evaluation.cityflow.score` has those).

    Args:
        truth: ground truth.
        predictions: what to score; of several boxes with the same (camera, identity, frame) the first counts, and
            boxes in cameras that the ground truth lacks are ignored.
        dropped: goes into the result.
        distance: boxes coincide when 1 - IoU is at most this; HOTA has thresholds of its own.
    """
    comparison = compare(truth, predictions)
    return Score(
        identity_score(comparison, distance),
        clear_score(comparison, distance),
        hota_score(comparison),
        identity_score_by_camera(comparison, distance),
        dropped or {},
        vehicle_counts(comparison, distance),
    )
