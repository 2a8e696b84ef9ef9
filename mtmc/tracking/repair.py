"""Repair of the tracks of one camera before cameras are compared: one track per vehicle, as complete as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.scenarios.clock import Clock
from mtmc.tracking.duplicates import duplicates, merge
from mtmc.tracking.gaps import interpolate, smooth, visible_share
from mtmc.tracking.parked import parked
from mtmc.tracking.parts import parts
from mtmc.tracking.relink import relink
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.roi import enlarge, fit_into_roi, inside_roi
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks

__all__ = ["RepairSettings", "Repaired", "parked", "repair"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """The repaired tracks.

    Attributes:
        tracks: numbered from 1 by their first frames, sorted by (track, frame).
        mapping: old track numbers to new ones; several old ones may have been merged, dropped ones are absent.
    """

    tracks: Tracks
    mapping: dict[int, int]


def repair(
    tracks: Tracks,
    clock: Clock,
    picture: tuple[int, int],
    settings: RepairSettings | None = None,
    roi: npt.NDArray[np.uint8] | None = None,
) -> Repaired:
    """Merge duplicates, drop parts and slivers, join fragments, apply the ROI, drop small boxes and short tracks, fill
    gaps.

    Args:
        tracks: of one camera, in any order, each (track, frame) once.
        clock: the frames' times.
        picture: width and height of the frames in pixels; (0, 0) if unknown, then no box counts as a sliver.
        settings: default to `RepairSettings()`.
        roi: (h, w) uint8, white is inside; None if the whole frame counts.
    """
    s = settings or RepairSettings()
    rows = tracks.sorted()
    mapping = {number: number for number in np.unique(rows.track).tolist()}
    if s.merge_duplicates and len(rows):
        rows = _renumber(rows, duplicates(rows, s.duplicate_iou, s.duplicate_share), mapping)
    if s.drop_parts and len(rows):
        rows = rows[~parts(rows, s.part_inside, s.part_share, s.part_score)]
    if s.drop_slivers and len(rows) and min(picture) > 0:
        rows = rows[visible_share(rows, picture) >= s.min_visible]
    if s.relink and len(rows):
        rows = _renumber(rows, relink(rows, clock, s), mapping)
    if roi is not None and s.roi != "keep":
        if s.roi == "shrink":
            rows = _with_box(rows, fit_into_roi(rows.box, roi, s.max_shrink))
        rows = rows[inside_roi(rows.box, roi)]
    rows = _without_short(rows[rows.box[:, 2:].min(axis=1) >= s.min_side], s.min_boxes)
    if s.interpolate > 0:
        rows = interpolate(rows, clock, s.interpolate)
    if s.smooth > 0:
        rows = smooth(rows, clock, s.smooth)
    if s.enlarge > 0:
        rows = _with_box(rows, enlarge(rows.box, s.enlarge, s.enlarge_limit, picture))
    if roi is not None and s.roi != "keep":  # interpolated, smoothed and enlarged boxes may reach outside again
        rows = rows[inside_roi(rows.box, roi)]

    segments = Segments.of(rows)
    final = np.empty(len(segments), np.int32)
    final[np.lexsort((segments.number, rows.frame[segments.first]))] = np.arange(1, len(segments) + 1)
    number_of = dict(zip(segments.number.tolist(), final.tolist(), strict=True))
    rows = Tracks(final[segments.owner], rows.frame, rows.box, rows.score, rows.label).sorted()
    return Repaired(rows, {old: number_of[new] for old, new in mapping.items() if new in number_of})


def _renumber(rows: Tracks, number: npt.NDArray[np.int32], mapping: dict[int, int]) -> Tracks:
    """Merge rows under new numbers, and update `mapping`, old numbers to present ones."""
    leads = dict(zip(rows.track.tolist(), number.tolist(), strict=True))
    for old, present in mapping.items():
        mapping[old] = leads.get(present, present)
    return merge(rows, number)


def _without_short(rows: Tracks, min_boxes: int) -> Tracks:
    segments = Segments.of(rows)
    return rows[(segments.length >= min_boxes)[segments.owner]]


def _with_box(rows: Tracks, box: npt.NDArray[np.float32]) -> Tracks:
    return Tracks(rows.track, rows.frame, box, rows.score, rows.label)
