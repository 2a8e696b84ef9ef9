"""Events, and the state that they lead to."""

from __future__ import annotations

import json

from mtmc.online.events import Answers, Event, EventKind


def test_every_moment_can_be_rebuilt_from_the_events_so_far() -> None:
    events = [
        Event(EventKind.OPENED, 0.0, "a", 1),
        Event(EventKind.ASSIGNED, 1.0, "a", 1, identity=1),
        Event(EventKind.OPENED, 2.0, "b", 1),
        Event(EventKind.ASSIGNED, 3.0, "b", 1, identity=2),
        Event(EventKind.MERGED, 4.0, identity=1, other=2),
        Event(EventKind.SPLIT, 5.0, identity=3, other=1),
        Event(EventKind.REVISED, 5.0, "b", 1, identity=3, other=1),
        Event(EventKind.CLOSED, 6.0, "b", 1, identity=3),
        Event(EventKind.FINAL, 7.0, "b", 1, identity=3),
    ]
    seen = [Answers.after(events[: k + 1]).of("b", 1) for k in range(len(events))]
    assert seen == [0, 0, 0, 2, 1, 1, 3, 3, 3]
    answers = Answers.after(events)
    assert answers.of("a", 1) == 1 and answers.of("a", 9) == 0
    assert answers.closed == answers.final == {("b", 1)}


def test_events_survive_json() -> None:
    event = Event(EventKind.REVISED, 1.5, "c041", 3, identity=4, other=2, probability=0.9, reason="better evidence")
    assert Event.from_json(json.loads(json.dumps(event.to_json()))) == event
