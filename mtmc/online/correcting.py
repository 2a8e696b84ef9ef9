"""What a correction changes at once in identities that nothing else can change any more, or why it is refused.

Tracks whose answers are not final are left to the next solve, which is bound by all corrections that stand
(`mtmc.online.window.SlidingWindow.hold`). Final ones are changed here: two identities become one, a track leaves its
identity for a new one, or has none any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, SAME, Correction, linked
from mtmc.online.identity_numbers import TrackKey

NO_VEHICLE = -1
"""The identity of a track that is no vehicle."""
OVERLAP_SECONDS = 1.0
"""Seconds for which two tracks of a camera may be in view together and still be called one vehicle. Raising it accepts
more answers that contradict the pictures. Theory: ends of tracks are unreliable for about as long."""


class Refused(Exception):
    """A correction cannot be carried out; the text says why, for the person who made it."""


class Identified(Protocol):
    """The tracks of a site with their identities as of now."""

    def identity(self, key: TrackKey) -> int | None:
        """The identity of a track: 0 before it has one, `NO_VEHICLE` for none; None for an unknown track."""

    def final(self, key: TrackKey) -> bool:
        """Whether its answer is final."""

    def span(self, key: TrackKey) -> tuple[float, float] | None:
        """Seconds of its first and last box, None where they are not known."""

    def members(self, identity: int) -> Sequence[TrackKey]:
        """The tracks of an identity."""

    def merged(self, identity: int) -> bool:
        """Whether an identity is an alias of another one."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What changes in identities.

    Attributes:
        merged: identities that become another, older one, with their tracks.
        split: new identities, and the one that each is taken from.
        moved: tracks with their old and their new identity, beside those of merged ones.
    """

    merged: tuple[tuple[int, int, tuple[TrackKey, ...]], ...] = ()
    split: tuple[tuple[int, int], ...] = ()
    moved: tuple[tuple[TrackKey, int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `undo` needs, as plain values."""
        return {"merged": self.merged, "moved": self.moved}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Changes:
        """The reverse of `to_json`."""
        merged = tuple((int(a), int(b), tuple(_key(k) for k in keys)) for a, b, keys in content["merged"])
        return cls(merged, (), tuple((_key(key), int(a), int(b)) for key, a, b in content["moved"]))


def decide(
    correction: Correction, standing: Sequence[Correction], site: Identified, fresh: Callable[[], int]
) -> Changes:
    """What a correction changes at once.

    Args:
        correction: of any kind but undo.
        standing: corrections that were made before, and hold.
        site: tracks and identities.
        fresh: returns a number that was never used.

    Raises:
        Refused: it contradicts another correction or what was seen, or a track is not known.
    """
    for camera, number in correction.tracks:
        if site.identity((camera, number)) is None:
            raise Refused(f"there is no track {number} of {camera}, or it is older than what is kept")
    groups = linked([*standing, correction])
    _check(correction, standing, groups)
    if correction.kind == SAME and correction.tracks:
        return _joined(groups[correction.tracks[0]], site)
    if correction.kind == DIFFERENT:
        return _parted(correction, groups, site, fresh)
    if correction.kind == NOT_A_VEHICLE:
        left = [(key, site.identity(key) or 0) for key in dict.fromkeys(correction.first)]
        return Changes(moved=tuple((key, old, NO_VEHICLE) for key, old in left if old != NO_VEHICLE))
    return Changes()


def undo(done: Changes, standing: Sequence[Correction], site: Identified, fresh: Callable[[], int]) -> Changes:
    """What takes back the changes that a correction made at once; tracks that have moved on since then stay.

    Args:
        done: what it changed.
        standing: corrections that hold without it.
        site: tracks and identities.
        fresh: returns a number that was never used.
    """
    groups, split, moved = linked(standing), [], []
    for _, into, keys in done.merged:
        back = [key for key in keys if site.identity(key) == into and site.final(key)]
        staying = {key for key in site.members(into) if site.final(key)} - set(back)
        back = [key for key in back if not groups.get(key, set()) & staying]
        if back and staying:
            number = fresh()
            split.append((number, into))
            moved += [(key, into, number) for key in back]
    no_vehicles = {key for each in standing if each.kind == NOT_A_VEHICLE for key in each.first}
    number_of: dict[int, int] = {}
    for key, old, new in done.moved:
        if site.identity(key) != new or key in no_vehicles or (new != NO_VEHICLE and not site.final(key)):
            continue
        if old <= 0:
            moved.append((key, new, fresh()))
            continue
        if old not in number_of:
            number_of[old] = fresh() if site.merged(old) else old
        moved.append((key, new, number_of[old]))
    return Changes(split=tuple(split), moved=tuple(moved))


def _check(correction: Correction, standing: Sequence[Correction], groups: dict[TrackKey, set[TrackKey]]) -> None:
    """Raise if corrections contradict each other, perhaps through further tracks."""
    for each in [*standing, correction]:
        if each.kind == DIFFERENT:
            for a in each.first:
                for b in each.second:
                    if a == b:
                        raise Refused(f"{_name(a)} stands on both sides; a track is not cut in two")
                    if b in groups.get(a, ()):
                        one = _saying_same(a, standing, groups) if each is correction else f"{each.name} says"
                        said = "one vehicle" if each is correction else "different vehicles"
                        raise Refused(f"{one} that {_name(a)} and {_name(b)} are {said}; undo it first")
        if each.kind == NOT_A_VEHICLE:
            for key in each.first:
                if key in groups and each is correction:
                    one = _saying_same(key, standing, groups)
                    raise Refused(f"{one} that {_name(key)} is the vehicle of another track; undo it first")
                if key in groups:
                    raise Refused(f"{each.name} says that {_name(key)} is no vehicle; undo it first")


def _saying_same(key: TrackKey, standing: Sequence[Correction], groups: dict[TrackKey, set[TrackKey]]) -> str:
    """Who says that a track is the vehicle of others."""
    names = dict.fromkeys(each.name for each in standing if each.kind == SAME and groups[key] & set(each.tracks))
    return f"{' and '.join(names)} {'say' if len(names) > 1 else 'says'}"


def _joined(group: set[TrackKey], site: Identified) -> Changes:
    """All tracks of a group are one vehicle, with the tracks of the identities that are final."""
    numbers = sorted({site.identity(key) or 0 for key in group if site.final(key)} - {0, NO_VEHICLE})
    owner = {key: number for number in numbers for key in site.members(number) if site.final(key)}
    _check_overlap({key: owner.get(key, 0) for key in [*owner, *group]}, group, site)
    if not numbers:
        return Changes()
    keep, *others = numbers
    free = [key for key in sorted(group) if not site.final(key) and site.identity(key) not in numbers]
    return Changes(
        merged=tuple((other, keep, tuple(site.members(other))) for other in others),
        moved=tuple((key, site.identity(key) or 0, keep) for key in free),
    )


def _check_overlap(owner: dict[TrackKey, int], named: set[TrackKey], site: Identified) -> None:
    """Raise if two tracks that are to become one vehicle were in view of one camera together."""
    for a, b in combinations(sorted(owner), 2):
        if a[0] != b[0] or (owner[a] == owner[b] != 0):
            continue
        first, second = site.span(a), site.span(b)
        if first is None or second is None or min(first[1], second[1]) - max(first[0], second[0]) <= OVERLAP_SECONDS:
            continue
        together = f"{_name(a)} and {_name(b)} were in view together"
        if {a, b} <= named:
            raise Refused(f"{together}; if one of them is a second box of the same vehicle, say that it is no vehicle")
        raise Refused(f"these identities cannot be one vehicle: {together}; take one of the two out first")


def _parted(
    correction: Correction, groups: dict[TrackKey, set[TrackKey]], site: Identified, fresh: Callable[[], int]
) -> Changes:
    """Tracks that share an identity with one from which they differ get a new one, where an answer is final."""
    split, moved = [], []
    shared = {site.identity(key) or 0 for key in correction.first} & {
        site.identity(key) or 0 for key in correction.second
    }
    for number in sorted(shared - {0, NO_VEHICLE}):
        first, second = (
            [k for k in side if site.identity(k) == number] for side in (correction.first, correction.second)
        )
        if not any(site.final(key) for key in [*first, *second]):
            continue
        # What is final stays, if one side is; else the first one.
        leaving = first if all(map(site.final, second)) and not all(map(site.final, first)) else second
        out = _with_linked(leaving, groups)
        fresh_number = fresh()
        split.append((fresh_number, number))
        moved += [(key, number, fresh_number) for key in out if site.identity(key) == number]
    return Changes(split=tuple(split), moved=tuple(moved))


def _with_linked(keys: Iterable[TrackKey], groups: dict[TrackKey, set[TrackKey]]) -> list[TrackKey]:
    return sorted({key for each in keys for key in groups.get(each, {each})})


def _key(value: Sequence[Any]) -> TrackKey:
    return str(value[0]), int(value[1])


def _name(key: TrackKey) -> str:
    return f"track {key[1]} of {key[0]}"
