"""Where identities and ground truth disagree: merges, splits, and what one extractor fixes or breaks of another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]
RowArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Merge:
    """One identity with tracks of more than one vehicle.

    Attributes:
        identity: its number.
        vehicles: ground-truth vehicles in it, the one with most boxes first; -1 for tracks that follow none.
        rows: for each of `vehicles`, the rows of its tracks in the table.
        wrong_boxes: boxes that do not belong to the first of `vehicles`.
    """

    identity: int
    vehicles: tuple[int, ...]
    rows: tuple[RowArray, ...]
    wrong_boxes: int


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One vehicle spread over more than one identity.

    Attributes:
        vehicle: its number in the ground truth.
        identities: its identities, the one with most of its boxes first; -1 for a track without identity, each of
            which is listed on its own.
        rows: for each of `identities`, the rows of its tracks in the table.
        wrong_boxes: boxes of the vehicle outside the first of `identities`.
    """

    vehicle: int
    identities: tuple[int, ...]
    rows: tuple[RowArray, ...]
    wrong_boxes: int


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Merges and splits, those with most wrong boxes first."""

    merges: tuple[Merge, ...]
    splits: tuple[Split, ...]


class Change(Enum):
    """What another extractor changes for a vehicle."""

    FIXED = "fixed"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Difference:
    """A vehicle that is right with exactly one of two extractors."""

    vehicle: int
    change: Change


def find_errors(identity: IntArray, truth: IntArray, boxes: IntArray | None = None) -> Errors:
    """Merges and splits.

    Args:
        identity: (n,) identity of each track, -1 for none.
        truth: (n,) vehicle that each track follows, -1 for none.
        boxes: (n,) boxes of each track, the cost of an error; None: 1 each.

    Returns:
        Merges: identities with tracks of several vehicles, or of one vehicle and of none. Splits: vehicles in several
        identities. Both in descending order of `wrong_boxes`, then by number.
    """
    weight = np.ones(len(identity), np.int32) if boxes is None else boxes
    # Tracks without identity are parts of their own: numbers below -1 keep them apart.
    piece = np.where(identity >= 0, identity.astype(np.int64), -2 - np.arange(len(identity)))

    merges = []
    for number, parts in _mixed_groups(piece, truth.astype(np.int64), weight):
        vehicles = tuple(vehicle for vehicle, _ in parts)
        wrong = sum(int(weight[rows].sum()) for _, rows in parts[1:])
        merges.append(Merge(number, vehicles, tuple(rows for _, rows in parts), wrong))

    splits = []
    for number, parts in _mixed_groups(truth.astype(np.int64), piece, weight):
        if number < 0:
            continue
        identities = tuple(max(part, -1) for part, _ in parts)
        wrong = sum(int(weight[rows].sum()) for _, rows in parts[1:])
        splits.append(Split(number, identities, tuple(rows for _, rows in parts), wrong))

    return Errors(
        tuple(sorted(merges, key=lambda m: (-m.wrong_boxes, m.identity))),
        tuple(sorted(splits, key=lambda s: (-s.wrong_boxes, s.vehicle))),
    )


def right_vehicles(identity: IntArray, truth: IntArray) -> IntArray:
    """Ground-truth vehicles whose tracks are one whole identity; ascending."""
    errors = find_errors(identity, truth)
    wrong = {v for m in errors.merges for v in m.vehicles} | {s.vehicle for s in errors.splits}
    # A single track without identity is neither merged nor split, and still wrong.
    wrong |= set(truth[identity < 0].tolist())
    known = np.unique(truth[truth >= 0])
    return known[~np.isin(known, sorted(wrong))].astype(np.int32)


def compare(first: IntArray, other: IntArray, truth: IntArray) -> tuple[Difference, ...]:
    """Vehicles that are right in exactly one of two results for the same tracks; the fixed ones first."""
    before, after = right_vehicles(first, truth), right_vehicles(other, truth)
    fixed = [Difference(int(v), Change.FIXED) for v in np.setdiff1d(after, before)]
    broken = [Difference(int(v), Change.BROKEN) for v in np.setdiff1d(before, after)]
    return tuple(fixed + broken)


def _mixed_groups(group: RowArray, member: RowArray, weight: IntArray) -> list[tuple[int, list[tuple[int, RowArray]]]]:
    """Groups with several distinct members: (group, [(member, rows), by descending weight])."""
    order = np.lexsort((member, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=np.nan) != 0)
    mixed = []
    for rows in np.split(order, starts[1:]):
        if len(rows) == 0 or member[rows[0]] == member[rows[-1]]:
            continue
        cuts = np.flatnonzero(np.diff(member[rows])) + 1
        parts = [(int(member[part[0]]), part) for part in np.split(rows, cuts)]
        # -1 (no vehicle) is never first: an identity stands for the vehicle that it should be.
        parts.sort(key=lambda part: (part[0] == -1, -int(weight[part[1]].sum()), part[0] < 0, part[0]))
        mixed.append((int(group[rows[0]]), parts))
    return mixed
