"""Association for callers who bring their own tracks, with or without appearance vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.nearest import nearest
from common.settings import validate
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate as associate_summaries
from mtmc.association.constraints import Constraints, locate
from mtmc.association.constraints_file import read_constraints
from mtmc.association.interface import Vehicles, rows_of
from mtmc.association.links_file import read_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.parked import parked
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.tracks import Tracks

_Floats = npt.NDArray[np.float64]


def associate(
    camera: npt.ArrayLike,
    track: npt.ArrayLike,
    seconds: npt.ArrayLike,
    box: npt.ArrayLike,
    *,
    frame_size: tuple[int, int] | Mapping[str, tuple[int, int]],
    vectors: Mapping[tuple[str, int], npt.ArrayLike] | None = None,
    score: npt.ArrayLike | None = None,
    label: npt.ArrayLike | None = None,
    recorded: tuple[float, float] | None = None,
    links: str | Path | None = None,
    constraints: str | Path | Constraints | None = None,
    settings: AssociationSettings | Mapping[str, Any] | None = None,
) -> npt.NDArray[np.int64]:
    """Give the tracks of several cameras identities: columns of boxes in, a column of identities out.

    Which cameras follow each other, and how long vehicles take, is learned from the tracks, so give whole recordings:
    with only a handful of tracks there is little to learn from.

    Args:
        camera: (n,) the camera of each box, by name.
        track: (n,) int, the box's track, unique within its camera.
        seconds: (n,) float, when the box was seen, on a time axis that all cameras share.
        box: (n, 4) float, left, top, width, height in pixels.
        frame_size: width and height of the picture in pixels, of all cameras or by camera.
        vectors: one appearance vector for each (camera, track), of any length d, the same for all; the greater the dot
            product of two normalised vectors, the more alike the vehicles. Tracks may be missing. None: association by
            place and time alone.
        score: (n,) float, confidence of each box in [0, 1]; with it, unreliable boxes at the ends of a track are
            ignored. None: all boxes count alike.
        label: (n,) int, COCO class of each box (2 car, 3 motorcycle, 5 bus, 7 truck), -1 where unknown.
        recorded: first and last second of the recording; None: of all boxes.
        links: a YAML file of zones and links between cameras, as a run writes it; None: learned.
        constraints: tracks that must, or cannot, be one vehicle, and tracks that are none: a file of constraints
            (docs/association.md) or a table; tracks are named by camera and track number.
        settings: settings of the association, or the ones to change, such as `{"threshold": 0.4}`.

    Returns:
        (n,) int64, the identity of each box, from 1; the same number in two cameras is the same vehicle. A track that
        matches no other has an identity of its own; one that the constraints call no vehicle has -1. Deterministic.

    Raises:
        InputError: columns of different length, values that are not finite, two boxes of one track at one time, vectors
            of different lengths or for unknown tracks, constraints that contradict each other, or wrong settings; the
            message names the argument.

    Examples:
        Two vehicles pass camera "a" and, ten seconds later, camera "b":

        >>> import numpy as np
        >>> import mtmc
        >>> camera = np.repeat(["a", "a", "b", "b"], 20)
        >>> track = np.repeat([1, 2, 1, 2], 20)
        >>> seconds = np.concatenate([start + np.arange(20) / 10 for start in (0, 5, 10, 15)])
        >>> box = [[20 * (i % 20), 150, 40, 30] for i in range(80)]
        >>> vectors = {("a", 1): [1, 0], ("a", 2): [0, 1], ("b", 1): [1, 0], ("b", 2): [0, 1]}
        >>> identity = mtmc.associate(camera, track, seconds, box, frame_size=(440, 300), vectors=vectors)
        >>> identity.shape
        (80,)
    """
    columns = _columns(camera, track, seconds, box, score, label)
    chosen = (
        settings
        if isinstance(settings, AssociationSettings)
        else validate(AssociationSettings, settings or {}, "settings")
    )
    names = sorted(set(columns.camera.tolist()))
    features = _features(vectors or {}, columns)
    tables, clocks = zip(*(columns.tracks_of(name, recorded) for name in names), strict=True) if names else ((), ())
    vehicles = Vehicles.of(
        tables,
        [features.get(name) for name in names],
        names=names,
        clocks=clocks,
        constraints=_located(constraints, dict(zip(names, tables, strict=True))),
    )
    cameras = []
    for name, tracks, clock, vectors_of in zip(names, vehicles.tracks, clocks, vehicles.features, strict=True):
        spans = reliable_span(tracks, clock) if chosen.reliable_spans and score is not None else tracks
        width, height = _size(frame_size, name)
        cameras.append(
            CameraTracks(
                name,
                spans,
                clock,
                width,
                height,
                last_frame=len(clock.frames),
                features=vectors_of,
                parked=parked(tracks, clock),
            )
        )
    known_links = read_links(Path(links), names) if links is not None else None
    found = vehicles.restored(associate_summaries(summarise(cameras), known_links, chosen, vehicles.known))
    identity = np.where(vehicles.kept, found.identity, -1)
    camera_of, number = rows_of(tables)
    result = np.zeros(len(columns), np.int64)
    for index, name in enumerate(names):
        here = camera_of == index
        rows = np.flatnonzero(columns.camera == name)
        result[rows] = identity[here][np.searchsorted(number[here], columns.track[rows])]
    return result


def _located(given: str | Path | Constraints | None, tracks: Mapping[str, Tracks]) -> Constraints | None:
    """The constraints of a caller whose boxes have no frame numbers."""
    if given is None:
        return None
    table = given if isinstance(given, Constraints) else read_constraints(Path(given))
    source = "constraints" if isinstance(given, Constraints) else str(given)
    if (table.frame > 0).any():
        raise InputError(f"{source}: boxes of mtmc.associate have no frame numbers; name tracks by camera and track")
    return locate(table, tracks, source)


@dataclass(frozen=True, slots=True)
class _Columns:
    """The boxes of all cameras, checked."""

    camera: npt.NDArray[np.str_]
    track: npt.NDArray[np.int32]
    seconds: _Floats
    box: _Floats
    score: _Floats
    label: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.camera)

    def tracks_of(self, camera: str, recorded: tuple[float, float] | None) -> tuple[Tracks, Clock]:
        """The tracks of one camera; its frames are the distinct times of its boxes, between the recording's ends."""
        rows = self.camera == camera
        seconds = self.seconds[rows]
        first, last = recorded or (float(self.seconds.min()), float(self.seconds.max()))
        times = np.unique(np.concatenate([[first], seconds, [max(last, first + 1e-3)]]))
        frame = np.searchsorted(times, seconds) + 1
        clock = Clock.of_knots(np.arange(1, len(times) + 1), times)
        return Tracks.of(self.track[rows], frame, self.box[rows], self.score[rows], self.label[rows]).sorted(), clock


def _columns(
    camera: npt.ArrayLike,
    track: npt.ArrayLike,
    seconds: npt.ArrayLike,
    box: npt.ArrayLike,
    score: npt.ArrayLike | None,
    label: npt.ArrayLike | None,
) -> _Columns:
    cameras = np.asarray(camera).astype(np.str_).reshape(-1)
    n = len(cameras)

    def column(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> _Floats:
        try:
            array = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: must hold numbers ({error})") from error
        if array.shape != shape and not (n == 0 and array.size == 0):
            raise InputError(f"{name}: must have the shape {shape}, one row per entry of camera, not {array.shape}")
        if not np.isfinite(array).all():
            raise InputError(f"{name}: row {int(np.argwhere(~np.isfinite(array))[0][0])} is not finite; remove the box")
        return array.reshape(shape)

    result = _Columns(
        cameras,
        column("track", track, (n,)).astype(np.int32),
        column("seconds", seconds, (n,)),
        column("box", box, (n, 4)),
        np.ones(n) if score is None else column("score", score, (n,)),
        np.full(n, -1, np.int16) if label is None else column("label", label, (n,)).astype(np.int16),
    )
    order = np.lexsort((result.seconds, result.track, cameras))
    double = (
        (cameras[order[1:]] == cameras[order[:-1]])
        & (np.diff(result.track[order]) == 0)
        & (np.diff(result.seconds[order]) == 0)
    )
    if double.any():
        row = int(order[1:][double][0])
        raise InputError(
            f"track: camera {cameras[row]} has two boxes of track {result.track[row]} at {result.seconds[row]:g} s; "
            "track numbers must be unique within a camera"
        )
    return result


def _features(vectors: Mapping[tuple[str, int], npt.ArrayLike], columns: _Columns) -> dict[str, TrackFeatures]:
    """The vectors by camera, L2-normalised; a vector that is zero or not finite counts as missing."""
    known = set(zip(columns.camera.tolist(), columns.track.tolist(), strict=True))
    found: dict[str, dict[int, _Floats]] = {}
    length: int | None = None
    for (camera, track), values in vectors.items():
        if (camera, track) not in known:
            raise InputError(f"vectors: there is no track {track} in camera {camera}")
        vector = np.asarray(values, np.float64).reshape(-1)
        length = len(vector) if length is None else length
        if len(vector) != length:
            raise InputError(f"vectors: camera {camera}, track {track}: has {len(vector)} values, others have {length}")
        norm = float(np.linalg.norm(vector))
        if 0 < norm < np.inf:
            found.setdefault(camera, {})[int(track)] = vector / norm
    return {
        camera: TrackFeatures(
            np.array(list(rows), np.int32), np.array(list(rows.values()), np.float32), np.ones(len(rows), np.float32)
        )
        for camera, rows in found.items()
    }


def _size(frame_size: tuple[int, int] | Mapping[str, tuple[int, int]], camera: str) -> tuple[int, int]:
    if not isinstance(frame_size, Mapping):
        return frame_size
    if camera not in frame_size:
        raise InputError(f"frame_size: camera {camera} is missing{nearest(camera, frame_size)}")
    return frame_size[camera]
