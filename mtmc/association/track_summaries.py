"""One row per track of any camera: the few numbers of a track that association needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mtmc.appearance.features import TrackFeatures
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

GROUND_STEP = 0.5
"""Seconds between the samples of a track's path on the ground, on a grid that all cameras share. Raising it saves
memory and time and resolves meetings less finely. Theory: a vehicle moves by about its length."""
BORDER = 2.0
"""Pixels from the border of the picture within which a box may be cut off by it. Raising it ignores more boxes. Theory:
detectors clip boxes at the border, give or take a pixel."""
PATH_STEP = 0.2
"""Shortest time in seconds between the samples of a track's path in the picture. Raising it saves memory and resolves
paths less finely. Theory: a vehicle moves by a part of its length."""
MIN_MOTION = 0.25
"""Box sizes that a track, or a step of it, must move to have a direction. Raising it leaves more tracks without one.
Safety bound against directions made of noise."""
SPEED_STEPS = 4
"""Boxes from the end of a track over which its speed is measured. Raising it averages over a longer time. Theory:
enough to average out the errors of boxes, too few to brake."""
CUT_WEIGHT = 0.05
"""Weight of a box that the border cuts off when the usual height at a place is fitted. Raising it trusts them more.
Safety bound: a camera may have no others."""
MIN_WHOLE = 3
"""Boxes that the border does not cut off from which a track's size ignores the others. Raising it uses cut boxes in
more tracks. Theory: enough for a median."""


class GroundMap(Protocol):
    """A calibrated camera: maps pixels to the ground."""

    def to_ground(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Metres (n, 2), from an origin that all cameras of a scenario share, of pixels (n, 2) that show the ground."""


@dataclass(frozen=True, slots=True)
class CameraTracks:
    """All that association knows about one camera.

    Attributes:
        camera: the camera's name.
        tracks: its tracks.
        clock: frame numbers to seconds on the scenario's time axis.
        width, height: the picture's size in pixels.
        last_frame: number of the clip's last frame; 0 if unknown, which stands for the last frame with a box.
        ground: map from pixels to the ground, None without calibration.
        features: appearance features, None without.
        parked: (k,) int32, numbers of tracks that are parked throughout.
    """

    camera: str
    tracks: Tracks
    clock: Clock
    width: int
    height: int
    last_frame: int = 0
    ground: GroundMap | None = None
    features: TrackFeatures | None = None
    parked: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class TrackSummaries:
    """One row per track of any camera, ordered by (camera, track).

    Places are foot points (the middle of the lower edge of a box) divided by the picture's width and height.

    Attributes:
        cameras: (c,) names.
        shape: (c, 2) float64, width and height of each camera in pixels.
        recorded: (c, 2) float64, first and last second of each camera's clip.
        camera: (n,) int32, index into `cameras`.
        track: (n,) int32, the track's number in its camera.
        start, end: (n,) float64, seconds of the first and the last box.
        boxes: (n,) int32, number of boxes.
        entry, exit: (n, 2) float64, first and last place.
        entry_direction, exit_direction: (n, 2) float64, unit vectors of motion; (0, 0) for a track that hardly moves.
        entry_speed, exit_speed: (n, 2) float64, motion in picture widths and heights per second.
        extent: (n, 2) float64, mean box width and height divided by the picture's width and height.
        size: (n,) float64, log of the box height relative to the usual one at the same places in this camera.
        label: (n,) int16, the most frequent class, -1 if unknown.
        parked: (n,) bool.
        vector: (n, d) float32, features, zeros where missing; d = 0 without appearance.
        weight: (n,) float32, 0 where the feature is missing.
        path_first: (n + 1,) int64, first row of each track in `path_time` and `path_place`; each has at least one.
        path_time: (s,) float64, seconds, ascending within each track, from its first to its last box.
        path_place: (s, 2) float32, places at these times.
        ground_first: (n + 1,) int64, first row of each track in `ground_place`; it has none without calibration.
        ground_tick: (n,) int64, time of the first sample; sample k is at second `(tick + k) * GROUND_STEP`.
        ground_place: (k, 2) float64, metres; NaN where the camera cannot tell, as above its horizon.
    """

    cameras: tuple[str, ...]
    shape: npt.NDArray[np.float64]
    recorded: npt.NDArray[np.float64]
    camera: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.int32]
    entry: npt.NDArray[np.float64]
    exit: npt.NDArray[np.float64]
    entry_direction: npt.NDArray[np.float64]
    exit_direction: npt.NDArray[np.float64]
    entry_speed: npt.NDArray[np.float64]
    exit_speed: npt.NDArray[np.float64]
    extent: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    label: npt.NDArray[np.int16]
    parked: npt.NDArray[np.bool_]
    vector: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    path_first: npt.NDArray[np.int64]
    path_time: npt.NDArray[np.float64]
    path_place: npt.NDArray[np.float32]
    ground_first: npt.NDArray[np.int64]
    ground_tick: npt.NDArray[np.int64]
    ground_place: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.track)

    @property
    def calibrated(self) -> npt.NDArray[np.bool_]:
        """(c,) bool, cameras of which some track is known on the ground."""
        known = np.zeros(len(self.cameras), np.bool_)
        known[self.camera[np.diff(self.ground_first) > 0]] = True
        return known


def places_at(
    summaries: TrackSummaries, track: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Places (m, k, 2) of tracks (m,) at seconds (m, k), linear between boxes; before the first box and after the last
    one, the place of that box."""
    first, last = summaries.path_first[track], summaries.path_first[track + 1] - 1
    begin = float(summaries.path_time.min(initial=0.0))
    span = float(summaries.path_time.max(initial=0.0)) - begin + 1.0
    owner = np.repeat(np.arange(len(summaries)), np.diff(summaries.path_first))
    key = owner * span + summaries.path_time - begin
    after = np.searchsorted(key, track[:, None] * span + np.clip(seconds - begin, 0.0, span - 1.0), "right")
    after = np.clip(after, np.minimum(first + 1, last)[:, None], last[:, None])
    before = np.maximum(after - 1, first[:, None])
    passed = summaries.path_time[after] - summaries.path_time[before]
    share = np.clip((seconds - summaries.path_time[before]) / np.maximum(passed, 1e-9), 0.0, 1.0)[..., None]
    place = summaries.path_place.astype(np.float64)
    result: npt.NDArray[np.float64] = place[before] + share * (place[after] - place[before])
    return result


def summarise(cameras: Sequence[CameraTracks]) -> TrackSummaries:
    """Reduce every track to one row.

    Args:
        cameras: one per camera, in the order of camera indices. Cameras may have no tracks.

    Returns:
        The rows, ordered by (camera, track).

    Raises:
        ValueError: the features of two cameras differ in length.
    """
    parts = [_summarise_camera(camera) for camera in cameras]
    counts = [len(part["track"]) for part in parts]
    samples, path_samples = (
        np.concatenate([np.zeros(0, np.int64), *(part[name].astype(np.int64) for part in parts)])
        for name in ("ground_count", "path_count")
    )
    vector, weight = _features(cameras, [part["track"] for part in parts])

    def column(name: str, dtype: npt.DTypeLike, width: int = 0) -> npt.NDArray[Any]:
        empty = np.zeros((0, width) if width else 0, dtype)
        return np.concatenate([empty, *(np.asarray(part[name], dtype) for part in parts)])

    return TrackSummaries(
        cameras=tuple(c.camera for c in cameras),
        shape=np.array([[c.width, c.height] for c in cameras], np.float64).reshape(-1, 2),
        recorded=np.array([_recorded(c) for c in cameras], np.float64).reshape(-1, 2),
        camera=np.repeat(np.arange(len(cameras), dtype=np.int32), counts),
        track=column("track", np.int32),
        start=column("start", np.float64),
        end=column("end", np.float64),
        boxes=column("boxes", np.int32),
        entry=column("entry", np.float64, 2),
        exit=column("exit", np.float64, 2),
        entry_direction=column("entry_direction", np.float64, 2),
        exit_direction=column("exit_direction", np.float64, 2),
        entry_speed=column("entry_speed", np.float64, 2),
        exit_speed=column("exit_speed", np.float64, 2),
        extent=column("extent", np.float64, 2),
        size=column("size", np.float64),
        label=column("label", np.int16),
        parked=column("parked", np.bool_),
        vector=vector,
        weight=weight,
        path_first=np.concatenate([[0], np.cumsum(path_samples)]).astype(np.int64),
        path_time=column("path_time", np.float64),
        path_place=column("path_place", np.float32, 2),
        ground_first=np.concatenate([[0], np.cumsum(samples)]).astype(np.int64),
        ground_tick=column("ground_tick", np.int64),
        ground_place=column("ground_place", np.float64, 2),
    )


def _recorded(camera: CameraTracks) -> tuple[float, float]:
    """First and last second of a camera's clip."""
    seen = int(camera.tracks.frame.max()) if len(camera.tracks) else 1
    return float(camera.clock.at(1)), float(camera.clock.at(max(camera.last_frame, seen)))


def _summarise_camera(camera: CameraTracks) -> dict[str, npt.NDArray[np.generic]]:
    """Columns of `TrackSummaries` for the tracks of one camera."""
    rows = camera.tracks.sorted()
    track, first, count = np.unique(rows.track, return_index=True, return_counts=True)
    last = first + count - 1
    owner = np.repeat(np.arange(len(track)), count)
    picture = np.array([camera.width, camera.height], np.float64)
    box = rows.box.astype(np.float64)
    place = np.stack([box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3]], 1)
    time = camera.clock.at(rows.frame)
    extent = _mean_by(owner, box[:, 2:], len(track)) / picture
    # A quarter of a track shows a direction even if the vehicle waits right at the border.
    stride = np.maximum(count // 4, 1)
    early, late = np.minimum(first + stride, last), np.maximum(last - stride, first)
    whole = place[last] - place[first]
    size = np.sqrt(box[:, 2] * box[:, 3])
    reach = np.maximum(size[first], size[last]) if len(track) else np.zeros(0)
    return {
        "track": track,
        "start": time[first],
        "end": time[last],
        "boxes": count,
        "entry": place[first] / picture,
        "exit": place[last] / picture,
        "entry_direction": _direction(place[early] - place[first], whole, reach),
        "exit_direction": _direction(place[last] - place[late], whole, reach),
        "entry_speed": _speed(place, time, first, np.minimum(first + SPEED_STEPS, last)) / picture,
        "exit_speed": _speed(place, time, np.maximum(last - SPEED_STEPS, first), last) / picture,
        "extent": extent,
        "size": _relative_height(owner, len(track), box, picture),
        "label": _majority(owner, rows.label, len(track)),
        "parked": np.isin(track, camera.parked),
        **_path(owner, time, place / picture, first, last),
        **_ground(camera, owner, place, time, start=time[first], end=time[last]),
    }


def _mean_by(owner: npt.NDArray[np.int64], values: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """Mean of the rows of `values` (m, k) that belong to each of n owners."""
    count = np.maximum(np.bincount(owner, minlength=n), 1)
    return np.stack([np.bincount(owner, column, n) / count for column in values.T], 1)


def _direction(
    step: npt.NDArray[np.float64], whole: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Unit vectors of steps (n, 2), or of the whole way where a step is short; zeros where that is short, too."""
    short = np.linalg.norm(step, axis=1) < MIN_MOTION * reach
    step = np.where(short[:, None], whole, step)
    length = np.linalg.norm(step, axis=1)
    moving = length >= MIN_MOTION * reach
    unit: npt.NDArray[np.float64] = np.where(moving[:, None], step / np.maximum(length, 1e-9)[:, None], 0.0)
    return unit


def _speed(
    place: npt.NDArray[np.float64],
    time: npt.NDArray[np.float64],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Mean velocities (n, 2) between two rows of each track; zeros if both rows are the same."""
    passed = time[b] - time[a]
    speed: npt.NDArray[np.float64] = (place[b] - place[a]) / np.maximum(passed, 1e-3)[:, None]
    return speed * (passed > 0)[:, None]


def _path(
    owner: npt.NDArray[np.int64],
    time: npt.NDArray[np.float64],
    place: npt.NDArray[np.float64],
    first: npt.NDArray[np.int64],
    last: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[np.generic]]:
    """Paths in the picture: the first and the last box of a track and, between them, one box per `PATH_STEP`."""
    step = np.floor((time - time[first][owner]) / PATH_STEP)
    kept = np.ones(len(time), np.bool_)
    kept[1:] = np.diff(step) > 0
    kept[first] = kept[last] = True
    return {
        "path_count": np.bincount(owner[kept], minlength=len(first)),
        "path_time": time[kept],
        "path_place": place[kept],
    }


def _relative_height(
    owner: npt.NDArray[np.int64], n: int, box: npt.NDArray[np.float64], picture: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(n,) median over a track of the log box height relative to the one that is usual at the same place.

    The usual one is a function of the place, linear in x and quadratic in y, fitted to all boxes of the camera. Height,
    not area, since the width depends more on the viewing angle than on the vehicle. Boxes that the border of the
    picture cuts off count only in tracks that have hardly any others.
    """
    if n == 0:
        return np.zeros(0)
    place = np.column_stack([box[:, 0] + box[:, 2] / 2, box[:, 1] + box[:, 3]]) / picture
    whole = (box[:, :2] > BORDER).all(1) & (box[:, :2] + box[:, 2:] < picture - BORDER).all(1)
    height = np.log(np.maximum(box[:, 3], 1.0))
    design = np.column_stack([np.ones(len(place)), place, place[:, 1] ** 2])
    # Each vehicle counts the same, however long it waits. A light ridge keeps the problem solvable if there are few
    # boxes, or if all are in one place.
    weight = np.where(whole, 1.0, CUT_WEIGHT) / np.bincount(owner, minlength=n)[owner]
    ridge = np.diag([1e-6, 0.1, 0.1, 0.1]) * weight.mean()
    weighted = design * weight[:, None]
    residual = height - design @ np.linalg.solve(weighted.T @ design + ridge, weighted.T @ height)
    counts = whole | (np.bincount(owner, whole, n) < MIN_WHOLE)[owner]
    return _median_by(owner[counts], residual[counts], n)


def _median_by(owner: npt.NDArray[np.int64], value: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    """(n,) median of the values of each owner; each must have at least one."""
    order = np.lexsort((value, owner))
    count = np.bincount(owner, minlength=n)
    first = np.cumsum(count) - count
    lower, upper = value[order][first + (count - 1) // 2], value[order][first + count // 2]
    return np.asarray(0.5 * (lower + upper), np.float64)


def _majority(owner: npt.NDArray[np.int64], label: npt.NDArray[np.int16], n: int) -> npt.NDArray[np.int16]:
    """(n,) most frequent known label of each owner, the smallest one of equally frequent ones; -1 if none is known."""
    result = np.full(n, -1, np.int16)
    known = label >= 0
    if not known.any():
        return result
    pairs, votes = np.unique(np.stack([owner[known], label[known]], 1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -votes, pairs[:, 0]))
    who, first = np.unique(pairs[order, 0], return_index=True)
    result[who] = pairs[order, 1][first]
    return result


def _ground(
    camera: CameraTracks,
    owner: npt.NDArray[np.int64],
    place: npt.NDArray[np.float64],
    time: npt.NDArray[np.float64],
    *,
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
) -> dict[str, npt.NDArray[np.generic]]:
    """Paths on the ground, sampled on the shared grid of times; a track too short for the grid has one sample."""
    n = len(start)
    if camera.ground is None or n == 0:
        return {
            "ground_count": np.zeros(n, np.int64),
            "ground_tick": np.zeros(n, np.int64),
            "ground_place": np.zeros((0, 2)),
        }
    metres = camera.ground.to_ground(place)
    tick = np.ceil(start / GROUND_STEP).astype(np.int64)
    count = np.maximum(np.floor(end / GROUND_STEP).astype(np.int64) - tick + 1, 1)
    which = np.repeat(np.arange(n), count)
    step = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    wanted = np.clip((tick[which] + step) * GROUND_STEP, start[which], end[which])
    # One interpolation for all tracks: the times of each are moved to a separate part of the axis.
    span = float(end.max() - start.min()) + 1.0
    axis = time - start.min() + owner * span
    at = wanted - start.min() + which * span
    sampled = np.stack([np.interp(at, axis, metres[:, k]) for k in range(2)], 1)
    return {"ground_count": count, "ground_tick": tick, "ground_place": sampled}


def _features(
    cameras: Sequence[CameraTracks], tracks: Sequence[npt.NDArray[np.generic]]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Features (n, d) and weights (n,) of all tracks, zeros where missing."""
    widths = {c.features.vector.shape[1] for c in cameras if c.features is not None and len(c.features.track)}
    if len(widths) > 1:
        raise ValueError(f"the features of one scenario must have one length, but there are {sorted(widths)}")
    width = widths.pop() if widths else 0
    first = np.concatenate([[0], np.cumsum([len(t) for t in tracks])]).astype(np.int64)
    vector = np.zeros((int(first[-1]), width), np.float32)
    weight = np.zeros(int(first[-1]), np.float32)
    for index, camera in enumerate(cameras):
        features = camera.features
        if features is None or not len(features.track) or not len(tracks[index]):
            continue
        row = np.searchsorted(tracks[index], features.track)
        row = np.minimum(row, len(tracks[index]) - 1)
        good = (tracks[index][row] == features.track) & np.isfinite(features.vector).all(1)
        good &= np.isfinite(features.weight) & (features.weight > 0)
        vector[first[index] + row[good]] = features.vector[good]
        weight[first[index] + row[good]] = features.weight[good]
    return vector, weight
