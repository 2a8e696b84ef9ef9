"""Overlapping fields of view of uncalibrated cameras, found from vehicles that look alike and move alike.

A homography maps two pictures of one road onto each other. Simultaneous tracks of two cameras that are each other's
most similar ones mostly show one vehicle if the fields of view overlap, and never if they do not. A homography that
brings their paths together at all times distinguishes the two cases, and maps places in one picture to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.strangers import MIN_SIMULTANEOUS, box_side, common_paths, find_strangers
from mtmc.association.track_summaries import TrackSummaries

BOX_METRES = 2.5
"""Metres that the side of a vehicle's box is taken for, where nothing else gives the scale. Raising it makes offsets
larger. Theory: the geometric mean of the height and the visible length of a car."""
SAMPLE = 100
"""Tracks per camera that are compared with those of other cameras: the earliest ones at a time when both cameras
record. Raising it costs time and finds smaller overlaps. Safety bound on time."""
MAX_STRANGERS = 2_000
"""Pairs of different vehicles, in view of one camera at once, from which the similarity threshold is learned. Raising
it costs time and steadies the threshold. Safety bound on time."""
QUANTILE = 0.98
"""Share of these pairs that lie below the threshold. Raising it finds fewer, surer pairs. Development scenarios."""
MIN_STRANGERS = 20
"""Number of such pairs below which every similarity passes the threshold. Raising it relies on paths alone more often.
Safety bound against a quantile of a handful of values."""
MIN_PAIRS = 5
"""Pairs of tracks that must agree on the homography. Raising it finds fewer overlaps, with fewer false ones. Theory:
more than the 3 pairs that determine a trial."""
MIN_AGREEING = 0.5
"""Share of the pairs above the threshold that must agree on the homography. Raising it finds fewer overlaps.
Development scenarios."""
MIN_DEVIATIONS = 3.0
"""Standard deviations by which the number of pairs above the threshold must exceed what strangers would give. Raising
it finds fewer overlaps. Theory: chance reaches it once in about 700 pairs of cameras."""
TRIALS = 40
"""Homographies that are tried. Raising it costs time and tolerates more false pairs. Theory: with half of the pairs
true, one of 40 draws of 3 is free of false ones with 99.5 % probability."""
DRAWN = 3
"""Pairs of tracks from which each trial is fitted. Raising it needs more trials. Theory: a straight path alone does not
determine a homography, three different ones do."""
MAX_CONDITION = 1e6
"""Condition number beyond which a homography folds a picture into a line and is discarded. Raising it admits degenerate
ones. Theory: that of two real views is below 1,000."""
MAX_PATH_DISTANCE = 0.75
"""Box sides by which the median distance of two paths may differ, in either picture. Raising it finds more overlaps,
with more false ones. Theory: less than one vehicle."""


@dataclass(frozen=True, slots=True)
class OverlappingViews:
    """Pairs of cameras that see the same ground.

    Attributes:
        source, target: (k,) int64, ordered pairs of cameras, sorted; each pair is there in both directions.
        mapping: (k, 3, 3) float64, homographies from places in the source's picture to places in the target's; places
            are divided by the picture's width and height, as in `TrackSummaries`.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    mapping: npt.NDArray[np.float64]

    @classmethod
    def of(cls, mappings: Mapping[tuple[int, int], npt.NDArray[np.float64]]) -> OverlappingViews:
        """Views from homographies (3, 3) by ordered pair of cameras; each pair must be there in both directions."""
        cameras = np.array(sorted(mappings), np.int64).reshape(-1, 2)
        found = [mappings[a, b] for a, b in cameras.tolist()]
        return cls(cameras[:, 0], cameras[:, 1], np.stack(found) if found else np.zeros((0, 3, 3)))

    def __len__(self) -> int:
        return len(self.source)

    def offsets(
        self, summaries: TrackSummaries, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Offset (m, 2) in metres of the target from the source while both are in view, and its spread (m,) in metres.

        The scale comes from the size of the target's box. NaN where the fields of view do not overlap or the tracks are
        not in view at once.

        Args:
            summaries: the tracks.
            source, target: (m,) tracks of each pair.
        """
        offset, spread = np.full((len(source), 2), np.nan), np.full(len(source), np.nan)
        if not len(self):
            return offset, spread
        count = len(summaries.cameras)
        own = self.source * count + self.target
        asked = summaries.camera[source].astype(np.int64) * count + summaries.camera[target]
        view = np.minimum(np.searchsorted(own, asked), len(own) - 1)
        first = np.maximum(summaries.start[source], summaries.start[target])
        last = np.minimum(summaries.end[source], summaries.end[target])
        rows = np.flatnonzero((own[view] == asked) & (last >= first))
        a, b = source[rows], target[rows]
        here, there = common_paths(summaries, a, b)
        apart = (_mapped(self.mapping[view[rows]], here) - there) * BOX_METRES / box_side(summaries, b)[:, None, None]
        apart *= summaries.shape[summaries.camera[b]][:, None]
        offset[rows] = -np.median(apart, axis=1)
        # In a normal distribution on the plane, the root mean square distance is 1.2 times the median.
        spread[rows] = 1.2 * np.median(np.linalg.norm(apart + offset[rows, None], axis=2), axis=1)
        return offset, spread


def find_overlapping_views(summaries: TrackSummaries, vector: npt.NDArray[np.float32]) -> OverlappingViews:
    """Overlapping fields of view of cameras of which at least one is not calibrated.

    Args:
        summaries: the tracks.
        vector: (n, d) their features; with d = 0, without appearance, no overlap is found.
    """
    known = summaries.weight > 0
    calibrated = summaries.calibrated
    if vector.shape[1] == 0 or not known.any() or bool(calibrated.all()):
        return OverlappingViews.of({})
    threshold = _similarity_threshold(summaries, vector)
    order = np.lexsort((summaries.start, summaries.camera))
    order = order[known[order]]
    bounds = np.searchsorted(summaries.camera[order], np.arange(len(summaries.cameras) + 1))
    found: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
    for i in range(len(summaries.cameras)):
        for j in range(i + 1, len(summaries.cameras)):
            if calibrated[i] and calibrated[j]:
                continue
            a, b = order[bounds[i] : bounds[i + 1]], order[bounds[j] : bounds[j + 1]]
            mapping = _fit_mapping(summaries, vector, *_earliest_tracks(summaries, a, b), threshold)
            if mapping is not None:
                found[i, j], found[j, i] = mapping, _inverse(mapping)
    return OverlappingViews.of(found)


def _earliest_tracks(
    summaries: TrackSummaries, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first `SAMPLE` tracks of each camera, sorted by start, from the time when both cameras have seen one."""
    if not len(a) or not len(b):
        return a, b
    begin = max(float(summaries.start[a[0]]), float(summaries.start[b[0]]))
    return a[summaries.end[a] >= begin][:SAMPLE], b[summaries.end[b] >= begin][:SAMPLE]


def _similarity_threshold(summaries: TrackSummaries, vector: npt.NDArray[np.float32]) -> float:
    """Similarity that hardly any two vehicles reach, from tracks that are in view of one camera at once.

    If there are too few of these, every similarity passes: then there are few vehicles to confuse, and paths decide.
    """
    a, b = find_strangers(summaries, steps=3, limit=MAX_STRANGERS)
    likeness = np.einsum("md,md->m", vector[a], vector[b]).astype(np.float64)
    return float(np.quantile(likeness, QUANTILE)) if len(likeness) >= MIN_STRANGERS else -1.0


def _fit_mapping(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    threshold: float,
) -> npt.NDArray[np.float64] | None:
    """Homography from the camera of tracks `a` to that of tracks `b`; None if their fields of view do not overlap."""
    if min(len(a), len(b)) < MIN_PAIRS:
        return None
    at_once = (
        np.minimum(summaries.end[a][:, None], summaries.end[b])
        - np.maximum(summaries.start[a][:, None], summaries.start[b])
        > MIN_SIMULTANEOUS
    )
    likeness = np.where(at_once, vector[a] @ vector[b].T, -np.inf)
    best = likeness.argmax(1)
    rows = np.flatnonzero((likeness.argmax(0)[best] == np.arange(len(a))) & (likeness.max(1) > threshold))
    by_chance = float((1.0 - QUANTILE ** at_once.sum(1)).sum())
    if len(rows) < max(MIN_PAIRS, by_chance + MIN_DEVIATIONS * by_chance**0.5):
        return None
    a, b = a[rows], b[best[rows]]
    here, there = common_paths(summaries, a, b)
    # A standing vehicle is a single point, and a few points fit any homography.
    moving = _moving(summaries, a, here) & _moving(summaries, b, there)
    a, b, here, there = a[moving], b[moving], here[moving], there[moving]
    if len(a) < MIN_PAIRS:
        return None
    shape, other = summaries.shape[summaries.camera[a[0]]], summaries.shape[summaries.camera[b[0]]]
    side, other_side = box_side(summaries, a), box_side(summaries, b)

    def apart(mapping: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) median distance of the paths of each pair in box sides, in the picture where it is larger."""
        there_apart = np.linalg.norm((_mapped(mapping, here) - there) * other, axis=2)
        here_apart = np.linalg.norm((_mapped(_inverse(mapping), there) - here) * shape, axis=2)
        worse = np.maximum(np.median(there_apart, 1) / other_side, np.median(here_apart, 1) / side)
        return np.asarray(np.nan_to_num(worse, nan=np.inf), np.float64)

    random = np.random.default_rng(0)
    agree = np.zeros(len(a), np.bool_)
    for _ in range(TRIALS):
        mapping = _fit(here, there, random.choice(len(a), DRAWN, replace=False))
        near = apart(mapping) < MAX_PATH_DISTANCE if mapping is not None else agree
        if near.sum() > agree.sum():
            agree = near
    mapping = None
    for _ in range(2):
        if agree.sum() < max(MIN_PAIRS, MIN_AGREEING * len(a)):
            return None
        mapping = _fit(here, there, np.flatnonzero(agree))
        if mapping is None:
            return None
        agree = apart(mapping) < MAX_PATH_DISTANCE
    return mapping


def _fit(
    here: npt.NDArray[np.float64], there: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64] | None:
    """Least-squares homography that brings the paths of some pairs together; None if it is degenerate."""
    mapping, _ = cv2.findHomography(here[rows].reshape(-1, 2), there[rows].reshape(-1, 2), 0)
    if mapping is None or not np.isfinite(mapping).all() or np.linalg.cond(mapping) > MAX_CONDITION:
        return None
    return np.asarray(mapping, np.float64)


def _moving(
    summaries: TrackSummaries, tracks: npt.NDArray[np.int64], place: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """(m,) whether the paths (m, k, 2) of tracks extend over more than a box side."""
    way = np.linalg.norm(np.ptp(place, axis=1) * summaries.shape[summaries.camera[tracks]], axis=1)
    return np.asarray(way > box_side(summaries, tracks), np.bool_)


def _mapped(mapping: npt.NDArray[np.float64], place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places (m, k, 2) mapped by one homography (3, 3) or one each (m, 3, 3); far away if behind the horizon."""
    homogeneous = np.concatenate([place, np.ones((*place.shape[:2], 1))], 2) @ np.swapaxes(mapping, -1, -2)
    # A homography is defined up to its sign: most points lie in front of the horizon.
    homogeneous *= np.sign(np.median(homogeneous[..., 2:], axis=1, keepdims=True))
    return np.asarray(homogeneous[..., :2] / np.maximum(homogeneous[..., 2:], 1e-6), np.float64)


def _inverse(mapping: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.inv(mapping), np.float64)
