"""What a user knows about single tracks: they are one vehicle, they are different vehicles, or no vehicle at all.

`mtmc.association.constraints_file` reads and writes them. A track is named by its number, or by a point that lies in
one of its boxes; `locate` turns the second into the first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import combinations
from typing import Annotated

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.nearest import nearest
from common.table import Table, Width
from mtmc.appearance.splitting import Cuts
from mtmc.tracking.tracks import Tracks


class ConstraintKind(IntEnum):
    """What is known about a track, or about two."""

    MUST_LINK = 0
    """Both tracks are one vehicle."""
    CANNOT_LINK = 1
    """They are two vehicles."""
    NOT_A_VEHICLE = 2
    """The track is no vehicle; it is left out of the result."""

    @property
    def text(self) -> str:
        """Its name in files and messages: "must-link"."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class TrackName:
    """How a user names a track.

    Attributes:
        camera: the camera's name.
        track: the track's number; 0: it is the one whose box holds `point` in `frame`.
        frame: a frame of the track, counted from 1. Where the track was split at an identity switch, only the part with
            this frame is meant. 0: the whole track.
        point: (x, y) in pixels; None if the track is given by its number.

    >>> str(TrackName("c041", 12)), str(TrackName("c041", frame=300, point=(640, 200)))
    ('track 12 of c041', 'the track at (640, 200) in frame 300 of c041')
    """

    camera: str
    track: int = 0
    frame: int = 0
    point: tuple[float, float] | None = None

    def __str__(self) -> str:
        if self.point is not None and not self.track:
            x, y = self.point
            return f"the track at ({x:g}, {y:g}) in frame {self.frame} of {self.camera}"
        return f"track {self.track} of {self.camera}" + (f" in frame {self.frame}" if self.frame else "")


@dataclass(frozen=True, slots=True)
class Constraints(Table):
    """Constraints, one row each; the second track of `NOT_A_VEHICLE` is empty.

    Attributes:
        kind: (n,) int8, a `ConstraintKind`.
        camera: (n, 2) str, the cameras' names.
        track: (n, 2) int32, the tracks' numbers; 0 for a track that is named by a point.
        frame: (n, 2) int32, see `TrackName`.
        point: (n, 4) float64, x and y of both points; NaN where there is none.
        line: (n,) int32, the line of the file that it was read from; 0 for none.

    >>> a, b = TrackName("c041", 12), TrackName("c042", 7)
    >>> known = Constraints.concatenate([Constraints.must_link(a, b), Constraints.not_a_vehicle(TrackName("c042", 9))])
    >>> len(known), known.track.tolist()
    (2, [[12, 7], [9, 0]])
    """

    kind: npt.NDArray[np.int8]
    camera: Annotated[npt.NDArray[np.str_], Width(2)]
    track: Annotated[npt.NDArray[np.int32], Width(2)]
    frame: Annotated[npt.NDArray[np.int32], Width(2)]
    point: Annotated[npt.NDArray[np.float64], Width(4)]
    line: npt.NDArray[np.int32]

    @classmethod
    def must_link(cls, *tracks: TrackName, line: int = 0) -> Constraints:
        """Two or more tracks that are one vehicle."""
        return cls._of_pairs(ConstraintKind.MUST_LINK, [(tracks[0], other) for other in tracks[1:]], line)

    @classmethod
    def cannot_link(cls, *tracks: TrackName, line: int = 0) -> Constraints:
        """Two or more tracks, each of which is another vehicle."""
        return cls._of_pairs(ConstraintKind.CANNOT_LINK, list(combinations(tracks, 2)), line)

    @classmethod
    def not_a_vehicle(cls, *tracks: TrackName, line: int = 0) -> Constraints:
        """Tracks that are no vehicle."""
        return cls._of_pairs(ConstraintKind.NOT_A_VEHICLE, [(track, TrackName("")) for track in tracks], line)

    @classmethod
    def _of_pairs(cls, kind: ConstraintKind, pairs: Sequence[tuple[TrackName, TrackName]], line: int) -> Constraints:
        nowhere = (np.nan, np.nan)
        return cls(
            np.full(len(pairs), kind, np.int8),
            np.array([(a.camera, b.camera) for a, b in pairs], np.str_).reshape(-1, 2),
            np.array([(a.track, b.track) for a, b in pairs], np.int32).reshape(-1, 2),
            np.array([(a.frame, b.frame) for a, b in pairs], np.int32).reshape(-1, 2),
            np.array([(*(a.point or nowhere), *(b.point or nowhere)) for a, b in pairs], np.float64).reshape(-1, 4),
            np.full(len(pairs), line, np.int32),
        )

    def names(self, row: int) -> tuple[TrackName, ...]:
        """The one or two tracks of a row."""
        count = 1 if self.kind[row] == ConstraintKind.NOT_A_VEHICLE else 2
        found = []
        for side in range(count):
            x, y = self.point[row, 2 * side : 2 * side + 2].tolist()
            point = None if np.isnan(x) else (x, y)
            number, frame = int(self.track[row, side]), int(self.frame[row, side])
            found.append(TrackName(str(self.camera[row, side]), number, frame, point))
        return tuple(found)

    def among(self, cameras: Collection[str]) -> Constraints:
        """The rows whose cameras are all among these."""
        known = np.isin(self.camera, [*cameras, ""])
        return self[np.flatnonzero(known.all(axis=1))]

    def key(self) -> list[list[int | str]]:
        """Located constraints as plain values that decide the identities, for a cache key."""
        rows = zip(self.kind.tolist(), self.camera.tolist(), self.track.tolist(), strict=True)
        return sorted([kind, *camera, *track] for kind, camera, track in rows)


def check_cameras(constraints: Constraints, cameras: Collection[str], source: str = "constraints") -> None:
    """Raise for a camera that does not exist.

    Raises:
        InputError: it names the line, and the closest camera.
    """
    for row in range(len(constraints)):
        for name in constraints.names(row):
            if name.camera not in cameras:
                where = _where(constraints, row, source)
                raise InputError(f"{where}: there is no camera {name.camera}{nearest(name.camera, cameras)}")


def locate(constraints: Constraints, tracks: Mapping[str, Tracks], source: str = "constraints") -> Constraints:
    """The same constraints with the number of every track; frames are kept, points are not.

    Args:
        constraints: as the user gave them.
        tracks: the tracks of each camera, by the camera's name.
        source: where the constraints come from, named in errors.

    Raises:
        InputError: a camera, track or box does not exist; the message names the line.
    """
    check_cameras(constraints, tracks, source)
    number = constraints.track.copy()
    for row in range(len(constraints)):
        for side, name in enumerate(constraints.names(row)):
            number[row, side] = _locate(name, tracks, _where(constraints, row, source))
    return replace(constraints, track=number, point=np.full((len(constraints), 4), np.nan))


def _locate(name: TrackName, tracks: Mapping[str, Tracks], where: str) -> int:
    table = tracks[name.camera]
    if name.track:
        mine = table[table.track == name.track]
        if not len(mine):
            raise InputError(f"{where}: camera {name.camera} has no track {name.track}{_range(table)}")
        if name.frame and not mine.frame.min() <= name.frame <= mine.frame.max():
            raise InputError(
                f"{where}: track {name.track} of {name.camera} runs from frame {mine.frame.min()} to "
                f"{mine.frame.max()}, which leaves out frame {name.frame}"
            )
        return name.track
    x, y = name.point or (np.nan, np.nan)
    here = table[table.frame == name.frame]
    left, top, width, height = here.box.T
    holds = (left <= x) & (x <= left + width) & (top <= y) & (y <= top + height)
    if not holds.any():
        raise InputError(
            f"{where}: no box of camera {name.camera} holds the point ({x:g}, {y:g}) in frame {name.frame}, which has "
            f"{len(here)} boxes"
        )
    # Where boxes overlap, the point is meant for the one that it is most central in.
    off_centre = np.hypot((x - left) / np.maximum(width, 1e-6) - 0.5, (y - top) / np.maximum(height, 1e-6) - 0.5)
    return int(here.track[np.argmin(np.where(holds, off_centre, np.inf))])


def _range(tracks: Tracks) -> str:
    if not len(tracks):
        return "; it has none"
    return f"; it has {len(np.unique(tracks.track))}, from {tracks.track.min()} to {tracks.track.max()}"


def of_parts(constraints: Constraints, cuts: Mapping[str, Cuts], tracks: Mapping[str, Tracks]) -> Constraints:
    """Located constraints in terms of the parts that tracks were cut into.

    A frame names the part that it lies in. Without one the whole track is meant: a must-link then undoes its cuts, and
    the other kinds hold for each of its parts.

    Args:
        constraints: result of `locate`.
        cuts: where each camera's tracks were cut.
        tracks: each camera's tracks after they were cut.
    """
    found = []
    for row in range(len(constraints)):
        line, kind = int(constraints.line[row]), constraints.kind[row]
        sides = [_parts(name, cuts[name.camera], tracks[name.camera]) for name in constraints.names(row)]
        if kind == ConstraintKind.MUST_LINK:
            found.append(Constraints.must_link(*sides[0], *sides[1], line=line))
        elif kind == ConstraintKind.CANNOT_LINK:
            found += [Constraints.cannot_link(a, b, line=line) for a in sides[0] for b in sides[1]]
        else:
            found.append(Constraints.not_a_vehicle(*sides[0], line=line))
    return Constraints.concatenate(found)


def _parts(name: TrackName, cuts: Cuts, tracks: Tracks) -> list[TrackName]:
    if name.frame:
        number = cuts.part(np.array([name.track], np.int32), np.array([name.frame], np.int32))
        return [TrackName(name.camera, int(number[0]))]
    every = np.unique(tracks.track)
    whole, _ = cuts.whole(every)
    return [TrackName(name.camera, int(part)) for part in every[whole == name.track]]


@dataclass(frozen=True, slots=True)
class KnownVehicles:
    """What constraints say about the rows of an association (see `mtmc.association.interface.rows_of`).

    Attributes:
        vehicle: (n,) int64, equal for tracks that must be linked; the smallest row among them.
        apart: (k, 2) int64, values of `vehicle` that are different vehicles, the smaller one first.
        left_out: (n,) bool, tracks that are no vehicle.
        settled: (n,) bool, tracks whose vehicle is known: two of them are one vehicle only if `vehicle` says so.
    """

    vehicle: npt.NDArray[np.int64]
    apart: npt.NDArray[np.int64]
    left_out: npt.NDArray[np.bool_]
    settled: npt.NDArray[np.bool_]

    @classmethod
    def none(cls, n: int) -> KnownVehicles:
        """Nothing is known about n rows."""
        return cls(np.arange(n), np.zeros((0, 2), np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_))

    def among(self, kept: npt.NDArray[np.bool_]) -> KnownVehicles:
        """The same of the kept rows alone, none of which is in a vehicle with a row that is not."""
        rank = np.cumsum(kept) - 1
        sides = kept[self.apart].all(axis=1)
        none = np.zeros(int(kept.sum()), np.bool_)
        return KnownVehicles(rank[self.vehicle[kept]], rank[self.apart[sides]], none, self.settled[kept])

    def __bool__(self) -> bool:
        return bool(
            len(self.apart)
            or self.left_out.any()
            or self.settled.any()
            or (self.vehicle != np.arange(len(self.vehicle))).any()
        )


def known_vehicles(
    constraints: Constraints | None,
    cameras: Sequence[str],
    tracks: Sequence[Tracks],
    source: str = "constraints",
) -> KnownVehicles:
    """What located constraints say about tracks.

    Args:
        constraints: result of `locate` or `of_parts`; None: there are none.
        cameras: names, in the order of `tracks`.
        tracks: one table per camera, sorted by (track, frame); two tracks of one camera that share a frame in them are
            two vehicles for certain, so doubtful ends should be left out (`mtmc.tracking.reliable_span`).
        source: where the constraints come from, named in errors.

    Raises:
        InputError: a constraint contradicts another, perhaps through further tracks, or a physical fact.
    """
    problem = _Problem.of(constraints or Constraints.empty(), cameras, tracks, source)
    vehicle = problem.linked()
    return replace(
        KnownVehicles.none(len(vehicle)), vehicle=vehicle, apart=problem.apart(vehicle), left_out=problem.left_out
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """Constraints with the rows of their tracks.

    Attributes:
        constraints: the constraints.
        source: where they come from.
        names: the track of each row.
        rows: the one or two rows of each constraint.
        left_out: (n,) bool, tracks that are no vehicle.
        tables: the tracks of each camera.
    """

    constraints: Constraints
    source: str
    names: Sequence[TrackName]
    rows: Sequence[tuple[int, ...]]
    left_out: npt.NDArray[np.bool_]
    tables: Mapping[str, Tracks]

    @classmethod
    def of(cls, constraints: Constraints, cameras: Sequence[str], tracks: Sequence[Tracks], source: str) -> _Problem:
        names = [
            TrackName(camera, number)
            for camera, table in zip(cameras, tracks, strict=True)
            for number in np.unique(table.track).tolist()
        ]
        row = {(name.camera, name.track): k for k, name in enumerate(names)}
        rows = []
        for k in range(len(constraints)):
            given = constraints.names(k)
            unknown = next((name for name in given if (name.camera, name.track) not in row), None)
            if unknown is not None:
                raise InputError(f"{_where(constraints, k, source)}: there is no {unknown}")
            rows.append(tuple(row[name.camera, name.track] for name in given))
        left_out = np.zeros(len(names), np.bool_)
        left_out[[own[0] for own in rows if len(own) == 1]] = True
        return cls(constraints, source, names, rows, left_out, dict(zip(cameras, tracks, strict=True)))

    def of_kind(self, kind: ConstraintKind) -> list[tuple[int, int, str]]:
        """Both rows of each constraint of one kind, and where it was given."""
        found = np.flatnonzero(self.constraints.kind == kind).tolist()
        return [(*self.rows[k], f"{_where(self.constraints, k, self.source)}: {kind.text}") for k in found]  # type: ignore[misc]

    def linked(self) -> npt.NDArray[np.int64]:
        """(n,) `KnownVehicles.vehicle`."""
        vehicle: npt.NDArray[np.int64] = np.arange(len(self.names))
        for i, j, where in self.of_kind(ConstraintKind.MUST_LINK):
            for k in (i, j):
                if self.left_out[k]:
                    raise InputError(f"{where}: {self.names[k]} is named as not-a-vehicle, too")
            first, second = sorted((int(vehicle[i]), int(vehicle[j])))
            if first == second:
                continue
            joined, other = np.flatnonzero(vehicle == first), np.flatnonzero(vehicle == second)
            for a in joined.tolist():
                for b in other.tolist():
                    self._check_frames(a, b, where, direct={a, b} == {i, j})
            vehicle[other] = first
        return vehicle

    def apart(self, vehicle: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(k, 2) `KnownVehicles.apart`."""
        found = set()
        for i, j, where in self.of_kind(ConstraintKind.CANNOT_LINK):
            if i == j:
                raise InputError(f"{where}: both sides are {self.names[i]}; a constraint does not cut a track")
            if vehicle[i] == vehicle[j]:
                must = np.flatnonzero(self.constraints.kind == ConstraintKind.MUST_LINK).tolist()
                lines = sorted({int(self.constraints.line[k]) for k in must if vehicle[self.rows[k][0]] == vehicle[i]})
                by = f" by line {', '.join(map(str, lines))}" if any(lines) else ""
                raise InputError(
                    f"{where}: {self.names[i]} and {self.names[j]} are must-linked{by}; remove one of them"
                )
            found.add(tuple(sorted((int(vehicle[i]), int(vehicle[j])))))
        return np.array(sorted(found), np.int64).reshape(-1, 2)

    def _check_frames(self, a: int, b: int, where: str, *, direct: bool) -> None:
        """Raise if two tracks have boxes in one frame of a camera."""
        first, second = self.names[a], self.names[b]
        if first.camera != second.camera:
            return
        table = self.tables[first.camera]
        shared = np.intersect1d(table.frame[table.track == first.track], table.frame[table.track == second.track])
        if len(shared):
            chain = "" if direct else "together with the other must-links, "
            raise InputError(
                f"{where}: {chain}{first} and {second} are one vehicle with two boxes in frame {shared[0]}; "
                "if one is a duplicate, name it as not-a-vehicle"
            )


def _where(constraints: Constraints, row: int, source: str) -> str:
    line = int(constraints.line[row])
    return f"{source}:{line}" if line else f"{source}: row {row + 1}"
