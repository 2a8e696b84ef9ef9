"""Overlapping views of cameras without calibration, found by vehicles that look alike and move alike.

Two pictures of one road are mapped onto each other by a homography. Tracks of two cameras that are seen at once and are
each other's most alike are mostly one vehicle where views overlap, and never where they do not; a homography that
brings their paths together at every time shows which it is, and then tells where in one picture a vehicle of the other
is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.association.track_summaries import TrackSummaries, places_at

CAR = 2.5
"""Metres that the side of a vehicle's box is taken for, where nothing else tells the scale."""
TOGETHER = 1.0
"""Seconds that two tracks must be seen at once."""
SAMPLE = 100
"""Tracks of a camera that are compared with other cameras', the earliest of those that see each other."""
STRANGERS, QUANTILE = 2_000, 0.98
"""Pairs of different vehicles (seen at once by one camera) that the level is learned from, and the share below it."""
APART = 1.5
"""Box sides that two tracks of one camera lie apart where they are two vehicles for certain."""
LEAST_STRANGERS = 20
"""Below so many of them nothing is learned."""
LEAST_PAIRS, LEAST_SHARE, DEVIATIONS = 5, 0.5, 3.0
"""Vehicles that must agree on the homography; their share of the pairs above the level; and by how many standard
deviations these pairs must be more than strangers would give."""
POINTS = 8
"""Times at which two paths are compared."""
TRIALS, DRAWN = 40, 3
"""Homographies that are tried, and the pairs of tracks that each is drawn from."""
WORST_CONDITION = 1e6
"""Of a homography between places: beyond, it folds a picture into a line. That of two real views is below 1,000."""
NEAR = 0.75
"""Box sides that two paths may lie apart, on the median, in either picture."""


@dataclass(frozen=True, slots=True)
class CommonViews:
    """Cameras that see the same ground.

    Attributes:
        source, target: (k,) int64, ordered pairs of cameras, sorted; each also the other way round.
        mapping: (k, 3, 3) float64, places in the source's picture to places in the target's (both as in summaries).
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    mapping: npt.NDArray[np.float64]

    @classmethod
    def of(cls, mappings: Mapping[tuple[int, int], npt.NDArray[np.float64]]) -> CommonViews:
        """The homographies (3, 3) by ordered pair of cameras; each pair must be there both ways."""
        cameras = np.array(sorted(mappings), np.int64).reshape(-1, 2)
        found = [mappings[a, b] for a, b in cameras.tolist()]
        return cls(cameras[:, 0], cameras[:, 1], np.stack(found) if found else np.zeros((0, 3, 3)))

    def __len__(self) -> int:
        return len(self.source)

    def offsets(
        self, summaries: TrackSummaries, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Offset (m, 2) of the target from the source over the time that both are seen, in metres by the size of the
        target's box, and its spread (m,); NaN where the cameras have no common view or see them at different times."""
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
        here, there = _paths(summaries, a, b)
        apart = (_mapped(self.mapping[view[rows]], here) - there) * CAR / _box_side(summaries, b)[:, None, None]
        apart *= summaries.shape[summaries.camera[b]][:, None]
        offset[rows] = -np.median(apart, axis=1)
        # Of a normal spread, the root mean square distance is 1.2 times the median.
        spread[rows] = 1.2 * np.median(np.linalg.norm(apart + offset[rows, None], axis=2), axis=1)
        return offset, spread


def find_common_views(summaries: TrackSummaries, vector: npt.NDArray[np.float32]) -> CommonViews:
    """The pairs of cameras, not both calibrated, whose views overlap.

    Args:
        summaries: the tracks.
        vector: (n, d) their features; d = 0 without appearance, which finds none.
    """
    known = summaries.weight > 0
    calibrated = summaries.calibrated
    if vector.shape[1] == 0 or not known.any() or bool(calibrated.all()):
        return CommonViews.of({})
    level = _level(summaries, vector, known)
    order = np.lexsort((summaries.start, summaries.camera))
    order = order[known[order]]
    bounds = np.searchsorted(summaries.camera[order], np.arange(len(summaries.cameras) + 1))
    found: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
    for i in range(len(summaries.cameras)):
        for j in range(i + 1, len(summaries.cameras)):
            if calibrated[i] and calibrated[j]:
                continue
            a, b = order[bounds[i] : bounds[i + 1]], order[bounds[j] : bounds[j + 1]]
            mapping = _common_view(summaries, vector, *_same_time(summaries, a, b), level)
            if mapping is not None:
                found[i, j], found[j, i] = mapping, _inverse(mapping)
    return CommonViews.of(found)


def _same_time(
    summaries: TrackSummaries, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first `SAMPLE` tracks of each camera, both sorted by start, from when both cameras have seen one."""
    if not len(a) or not len(b):
        return a, b
    begin = max(float(summaries.start[a[0]]), float(summaries.start[b[0]]))
    return a[summaries.end[a] >= begin][:SAMPLE], b[summaries.end[b] >= begin][:SAMPLE]


def _level(summaries: TrackSummaries, vector: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> float:
    """Similarity that next to no two vehicles reach, from tracks of one camera that are seen at once.

    Where too few are, all reach it: there are few to choose from, too, and paths must tell.
    """
    order = np.lexsort((summaries.start, summaries.camera))
    order = order[known[order]]
    parts = [np.zeros(0)]
    for step in (1, 2, 3):
        a, b = order[:-step], order[step:]
        at_once = (summaries.camera[a] == summaries.camera[b]) & (
            np.minimum(summaries.end[a], summaries.end[b]) - summaries.start[b] > TOGETHER
        )
        rows = np.flatnonzero(at_once)[:: max(1, int(at_once.sum()) // STRANGERS)]
        a, b = a[rows], b[rows]
        here, there = _paths(summaries, a, b)
        apart = np.linalg.norm((here - there) * summaries.shape[summaries.camera[a]][:, None], axis=2)
        # Nearer, both may lie on one vehicle.
        two = np.median(apart, axis=1) > APART * np.minimum(_box_side(summaries, a), _box_side(summaries, b))
        parts.append(np.einsum("md,md->m", vector[a[two]], vector[b[two]]).astype(np.float64))
    likeness = np.concatenate(parts)
    return float(np.quantile(likeness, QUANTILE)) if len(likeness) >= LEAST_STRANGERS else -1.0


def _common_view(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    level: float,
) -> npt.NDArray[np.float64] | None:
    """The homography from the camera of tracks `a` to that of tracks `b`, None where their views do not overlap."""
    if min(len(a), len(b)) < LEAST_PAIRS:
        return None
    at_once = (
        np.minimum(summaries.end[a][:, None], summaries.end[b])
        - np.maximum(summaries.start[a][:, None], summaries.start[b])
        > TOGETHER
    )
    likeness = np.where(at_once, vector[a] @ vector[b].T, -np.inf)
    best = likeness.argmax(1)
    rows = np.flatnonzero((likeness.argmax(0)[best] == np.arange(len(a))) & (likeness.max(1) > level))
    by_chance = float((1.0 - QUANTILE ** at_once.sum(1)).sum())
    if len(rows) < max(LEAST_PAIRS, by_chance + DEVIATIONS * by_chance**0.5):
        return None
    a, b = a[rows], b[best[rows]]
    here, there = _paths(summaries, a, b)
    # Standing vehicles are a point each, and few points fit any homography.
    moving = _moving(summaries, a, here) & _moving(summaries, b, there)
    a, b, here, there = a[moving], b[moving], here[moving], there[moving]
    if len(a) < LEAST_PAIRS:
        return None
    shape, other = summaries.shape[summaries.camera[a[0]]], summaries.shape[summaries.camera[b[0]]]
    side, other_side = _box_side(summaries, a), _box_side(summaries, b)

    def apart(mapping: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(m,) how far the pairs' paths lie apart, in box sides, in the picture where it is more."""
        there_apart = np.linalg.norm((_mapped(mapping, here) - there) * other, axis=2)
        here_apart = np.linalg.norm((_mapped(_inverse(mapping), there) - here) * shape, axis=2)
        worse = np.maximum(np.median(there_apart, 1) / other_side, np.median(here_apart, 1) / side)
        return np.asarray(np.nan_to_num(worse, nan=np.inf), np.float64)

    random = np.random.default_rng(0)
    agree = np.zeros(len(a), np.bool_)
    for _ in range(TRIALS):
        mapping = _fit(here, there, random.choice(len(a), DRAWN, replace=False))
        near = apart(mapping) < NEAR if mapping is not None else agree
        if near.sum() > agree.sum():
            agree = near
    mapping = None
    for _ in range(2):
        if agree.sum() < max(LEAST_PAIRS, LEAST_SHARE * len(a)):
            return None
        mapping = _fit(here, there, np.flatnonzero(agree))
        if mapping is None:
            return None
        agree = apart(mapping) < NEAR
    return mapping


def _fit(
    here: npt.NDArray[np.float64], there: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64] | None:
    """The homography of least squares that brings the paths of some pairs together; None where there is none."""
    mapping, _ = cv2.findHomography(here[rows].reshape(-1, 2), there[rows].reshape(-1, 2), 0)
    if mapping is None or not np.isfinite(mapping).all() or np.linalg.cond(mapping) > WORST_CONDITION:
        return None
    return np.asarray(mapping, np.float64)


def _paths(
    summaries: TrackSummaries, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Places (m, POINTS, 2) of both tracks of each pair, at the same times."""
    share = (np.arange(POINTS) + 0.5) / POINTS
    first = np.maximum(summaries.start[a], summaries.start[b])
    last = np.minimum(summaries.end[a], summaries.end[b])
    seconds = first[:, None] + (last - first)[:, None] * share
    return places_at(summaries, a, seconds), places_at(summaries, b, seconds)


def _moving(
    summaries: TrackSummaries, tracks: npt.NDArray[np.int64], place: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """(m,) whether tracks get farther than a box side on their paths (m, k, 2)."""
    way = np.linalg.norm(np.ptp(place, axis=1) * summaries.shape[summaries.camera[tracks]], axis=1)
    return np.asarray(way > _box_side(summaries, tracks), np.bool_)


def _mapped(mapping: npt.NDArray[np.float64], place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Places (m, k, 2) after one homography (3, 3), or one each (m, 3, 3); far away behind the horizon."""
    homogeneous = np.concatenate([place, np.ones((*place.shape[:2], 1))], 2) @ np.swapaxes(mapping, -1, -2)
    # A homography is known but for its sign: most points lie before the horizon.
    homogeneous *= np.sign(np.median(homogeneous[..., 2:], axis=1, keepdims=True))
    return np.asarray(homogeneous[..., :2] / np.maximum(homogeneous[..., 2:], 1e-6), np.float64)


def _inverse(mapping: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.inv(mapping), np.float64)


def _box_side(summaries: TrackSummaries, tracks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(m,) side in pixels of a square as large as the track's usual box."""
    area = np.prod(summaries.extent[tracks] * summaries.shape[summaries.camera[tracks]], axis=1)
    return np.asarray(np.sqrt(np.maximum(area, 1.0)), np.float64)
