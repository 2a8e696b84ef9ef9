"""What live association says: an append-only sequence of events, from which every moment can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What happened."""

    OPENED = "opened"
    """A track has begun: the local answer. It has no identity yet."""
    ASSIGNED = "assigned"
    """The track has its first identity: the provisional answer."""
    REVISED = "revised"
    """The track moves from identity `other` to `identity`."""
    MERGED = "merged"
    """Identity `other` is the same vehicle as the older `identity`, and an alias of it from now on. All tracks of
    `other` belong to `identity`; no further events say so."""
    SPLIT = "split"
    """Identity `identity` is new, for tracks that were wrongly part of `other`; a `revised` for each follows."""
    CLOSED = "closed"
    """The track has ended."""
    FINAL = "final"
    """Nothing that can still come would change the track's identity."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that was said.

    Attributes:
        kind: what happened.
        seconds: when it was said, on the time axis that all cameras share.
        camera, track: of which track; "" and 0 for `merged` and `split`, which concern identities.
        identity: the identity; 0 where there is none yet.
        other: the previous identity of `revised`, the alias of `merged`, the origin of `split`; else 0.
        probability: that the identity is one vehicle, as far as it is known; 1 where nothing is joined.
        reason: why, in a few words.

    >>> event = Event(EventKind.MERGED, 12.0, identity=3, other=8, reason="travel time and appearance")
    >>> Event.from_json(event.to_json()) == event
    True
    """

    kind: EventKind
    seconds: float
    camera: str = ""
    track: int = 0
    identity: int = 0
    other: int = 0
    probability: float = 1.0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The event as plain values."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"kind": str(self.kind)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Event:
        """The reverse of `to_json`."""
        return cls(**{**values, "kind": EventKind(values["kind"])})


@dataclass(slots=True)
class Answers:
    """The state that events lead to.

    Attributes:
        identity: of each track, by camera and number; 0 before the first.
        alias: an identity that was merged to the one that it is now.
        closed, final: tracks that have ended, and those whose identity no longer changes.

    >>> answers = Answers.after([
    ...     Event(EventKind.OPENED, 1.0, "c041", 7),
    ...     Event(EventKind.ASSIGNED, 2.0, "c041", 7, identity=5),
    ...     Event(EventKind.MERGED, 3.0, identity=2, other=5),
    ... ])
    >>> answers.of("c041", 7), answers.current(5)
    (2, 2)
    """

    identity: dict[tuple[str, int], int] = field(default_factory=dict)
    alias: dict[int, int] = field(default_factory=dict)
    closed: set[tuple[str, int]] = field(default_factory=set)
    final: set[tuple[str, int]] = field(default_factory=set)

    @classmethod
    def after(cls, events: Iterable[Event]) -> Answers:
        """The state after these events, from the first one on."""
        answers = cls()
        for event in events:
            answers.apply(event)
        return answers

    def apply(self, event: Event) -> None:
        """Take one more event."""
        key = (event.camera, event.track)
        if event.kind == EventKind.OPENED:
            self.identity[key] = 0
        elif event.kind == EventKind.MERGED:
            self.alias[event.other] = event.identity
        elif event.kind == EventKind.CLOSED:
            self.closed.add(key)
        elif event.kind != EventKind.SPLIT:
            self.identity[key] = event.identity
        if event.kind == EventKind.FINAL:
            self.final.add(key)

    def current(self, identity: int) -> int:
        """What an identity is called now."""
        while identity in self.alias:
            identity = self.alias[identity]
        return identity

    def of(self, camera: str, track: int) -> int:
        """The identity of a track as of now; 0 for none."""
        return self.current(self.identity.get((camera, track), 0))
