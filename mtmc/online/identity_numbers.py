"""From groups of tracks to identities with numbers that stay: what is new, moved, merged or split since the last time.

Pure functions of the groups and of the numbers that the tracks have so far.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

TrackKey = tuple[str, int]
"""Camera and number of a track."""


@dataclass(frozen=True, slots=True)
class Renumbering:
    """How identities change.

    Attributes:
        number: of each group, in the order of the groups.
        merged: pairs of an identity and the older one that it becomes an alias of.
        split: pairs of a new identity and the one that it was a part of.
        assigned: tracks that get their first identity, with it.
        revised: tracks that move, with the old and the new identity; those of merged identities are not among them.
    """

    number: tuple[int, ...]
    merged: tuple[tuple[int, int], ...]
    split: tuple[tuple[int, int], ...]
    assigned: tuple[tuple[TrackKey, int], ...]
    revised: tuple[tuple[TrackKey, int, int], ...]


def renumber(
    groups: Sequence[Sequence[TrackKey]],
    known: Mapping[TrackKey, int],
    fresh: Callable[[], int],
    pinned: Mapping[int, int] | None = None,
    past: Collection[int] = (),
) -> Renumbering:
    """Give groups of tracks numbers with as little change as possible.

    An identity goes on in the group with the most of its tracks, of several the one with its earliest track in the
    order of the groups. A group in which several identities go on becomes the oldest of them, and the others are
    merged; one in which none goes on gets a new number.

    Args:
        groups: the tracks of each vehicle, in order of their start.
        known: identities so far; tracks that are missing have none yet.
        fresh: returns a number that was never used.
        pinned: identities that must go on in a certain group (its index), and give it their number: those with answers
            that are final; at most one for each group.
        past: identities with final answers of tracks that are in no group any more. They are not merged into others: a
            track that leaves one does not take it along.
    """
    pinned = pinned or {}
    share: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for index, group in enumerate(groups):
        for key in group:
            if key in known:
                share[known[key]][index] += 1
    home = {number: max(places, key=lambda g: (places[g], -g)) for number, places in share.items()} | dict(pinned)
    won: dict[int, list[int]] = defaultdict(list)
    for number, index in sorted(home.items()):
        won[index].append(number)
    named = {index: number for number, index in pinned.items()}
    numbers, merged, split = [], [], []
    for index, group in enumerate(groups):
        candidates = won.get(index, [])
        if candidates:
            number = named.get(index, min(candidates, key=lambda each: (each not in past, each)))
            merged += [(other, number) for other in candidates if other != number and other not in past]
        else:
            number = fresh()
            origin = next((known[key] for key in group if key in known), None)
            if origin is not None:
                split.append((number, origin))
        numbers.append(number)
    became = dict(merged)
    assigned, revised = [], []
    for number, group in zip(numbers, groups, strict=True):
        for key in group:
            old = known.get(key)
            if old is None:
                assigned.append((key, number))
            elif became.get(old, old) != number:
                revised.append((key, became.get(old, old), number))
    return Renumbering(tuple(numbers), tuple(merged), tuple(split), tuple(assigned), tuple(revised))
