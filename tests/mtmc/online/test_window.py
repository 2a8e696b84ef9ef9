"""The sliding window, on vehicles that drive past three cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.links_file import Link, Links, TravelTime, Zone
from mtmc.association.settings import AssociationSettings
from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, PAGE, SAME, Correction
from mtmc.online.events import Answers, Event, EventKind
from mtmc.online.window import SlidingWindow
from mtmc.online.window_model import WindowModel, learn
from mtmc.online.window_settings import WindowSettings
from mtmc.online.window_tracks import CameraNews, ClosedTrack, TimedBoxes
from mtmc.tracking.tracks import Tracks

WIDTH, HEIGHT, RATE = 960, 540, 5.0
CROSSING = 6.0
"""Seconds for which a camera sees a vehicle."""
CAMERAS = ("c001", "c002", "c003")
EAGER = WindowSettings(unknown_links=1.0, settle_seconds=2.0)
"""Final answers as early as they can be."""


@dataclass(frozen=True)
class Passage:
    """A track to come: seconds and boxes, its feature, and its vehicle."""

    camera: str
    number: int
    vehicle: int
    seconds: np.ndarray
    box: np.ndarray
    vector: np.ndarray


def traffic(vehicles: int = 14, seed: int = 0, noise: float = 0.5, headway: float = 8.0) -> list[Passage]:
    """Vehicles that pass the cameras one after the other, 20 seconds apart."""
    random = np.random.default_rng(seed)
    counts = dict.fromkeys(CAMERAS, 0)
    found = []
    for vehicle, enter in enumerate(np.cumsum(random.exponential(headway, vehicles))):
        look, time = random.normal(size=32), enter
        for camera in CAMERAS:
            counts[camera] += 1
            seconds = np.ceil(time * RATE) / RATE + np.arange(int(CROSSING * RATE)) / RATE
            x = WIDTH * (seconds - time) / CROSSING
            box = np.column_stack([x - 30, np.full(len(x), 300.0), np.full(len(x), 60.0), np.full(len(x), 40.0)])
            vector = look + noise * random.normal(size=32)
            found.append(Passage(camera, counts[camera], vehicle, seconds, box, vector / np.linalg.norm(vector)))
            time += CROSSING + 14.0 + random.normal()
    return found


def news_of(passages: Sequence[Passage], since: float, now: float) -> list[CameraNews]:
    """What the cameras tell at `now`: features come a second after a track begins, ends are told at once."""
    told = []
    for camera in CAMERAS:
        boxes, features, closed = [], [], []
        for p in passages:
            if p.camera != camera or p.seconds[0] > now or p.seconds[-1] < since - 2.0:
                continue
            rows = (p.seconds > since) & (p.seconds <= now)
            count = int(rows.sum())
            if count:
                table = Tracks.of([p.number] * count, np.arange(1, count + 1), p.box[rows])
                boxes.append(TimedBoxes(table, p.seconds[rows]))
            if since < p.seconds[0] + 1.0 <= now:
                features.append(
                    TrackFeatures(
                        np.array([p.number], np.int32), p.vector[None].astype(np.float32), np.ones(1, np.float32)
                    )
                )
            if since < p.seconds[-1] + 1e-6 <= now:
                closed.append(ClosedTrack(p.number))
        told.append(
            CameraNews(
                camera, WIDTH, HEIGHT, TimedBoxes.concatenate(boxes), TrackFeatures.concatenate(features), closed
            )
        )
    return told


def replay(
    window: SlidingWindow, passages: Sequence[Passage], *, tick: float = 4.0, first: float = 0.0, finish: bool = True
) -> list[Event]:
    events, now = [], first
    last = max(p.seconds[-1] for p in passages)
    while now < last + tick:
        events += window.update(now + tick, news_of(passages, now, now + tick))
        now += tick
    return events + (window.finish(now) if finish else [])


def right_share(events: Sequence[Event], passages: Sequence[Passage]) -> float:
    """Share of the tracks whose identity holds exactly the tracks of their vehicle."""
    answers = Answers.after(events)
    identity = np.array([answers.of(p.camera, p.number) for p in passages])
    vehicle = np.array([p.vehicle for p in passages])
    return float(((identity[:, None] == identity) == (vehicle[:, None] == vehicle)).all(axis=1).mean())


@pytest.fixture(scope="module")
def model() -> WindowModel:
    """Links learned from another hour's traffic."""
    window = SlidingWindow(CAMERAS)
    replay(window, traffic(vehicles=25, seed=9), tick=30.0)
    return learn(window.history())


def test_vehicles_are_found_while_they_drive(model: WindowModel) -> None:
    passages = traffic(seed=1)
    events = replay(SlidingWindow(CAMERAS, model=model), passages)
    assert right_share(events, passages) > 0.95
    answers = Answers.after(events)
    assert answers.final == answers.closed == {(p.camera, p.number) for p in passages}


def test_what_the_window_says_follows_the_rules_of_the_log(model: WindowModel) -> None:
    events = replay(SlidingWindow(CAMERAS, EAGER, model=model), traffic(seed=2, noise=2.0, headway=3.0))
    answers, numbers = Answers(), set()
    for event in events:
        key = (event.camera, event.track)
        if event.kind in (EventKind.ASSIGNED, EventKind.SPLIT) and event.identity not in numbers:
            assert event.identity > max(numbers, default=0)  # never used twice
            numbers.add(event.identity)
        if event.kind == EventKind.OPENED:
            assert key not in answers.identity
        if event.kind == EventKind.REVISED:
            assert answers.of(*key) == event.other != event.identity
        if event.kind == EventKind.MERGED:
            assert answers.current(event.identity) == event.identity and event.other not in answers.alias
        before = {key: answers.of(*key) for key in answers.final}
        answers.apply(event)
        assert all(answers.of(*key) == number for key, number in before.items())
        if event.kind == EventKind.FINAL:
            assert key in answers.closed and answers.of(*key) == event.identity > 0
    assert {event.kind for event in events} >= {EventKind.REVISED, EventKind.MERGED}


def test_the_provisional_answer_comes_with_the_feature_and_the_final_one_after_the_travel_time(
    model: WindowModel,
) -> None:
    passages = traffic(vehicles=5, seed=3)
    events = replay(SlidingWindow(CAMERAS, EAGER, model=model), passages, tick=1.0)
    said = {(e.kind, e.camera, e.track): e.seconds for e in events}
    for p in passages:
        assert said[EventKind.ASSIGNED, p.camera, p.number] <= p.seconds[0] + 2.0
    wait = [said[EventKind.FINAL, p.camera, p.number] - p.seconds[-1] for p in passages if p.camera == "c001"]
    assert 14.0 < np.median(wait) < 25.0


def test_without_links_every_track_is_a_vehicle_until_some_are_learned(model: WindowModel) -> None:
    passages = traffic(vehicles=10, seed=4)
    window = SlidingWindow(CAMERAS)
    events = replay(window, passages, finish=False)
    assert len({e.identity for e in events if e.kind == EventKind.ASSIGNED}) == len(passages)
    window.use(model)
    events += window.finish(999.0)
    assert right_share(events, passages) > 0.95


def test_the_window_is_bounded_by_the_travel_time_and_by_the_cap(model: WindowModel) -> None:
    passages = traffic(vehicles=30, seed=5, headway=8.0)
    window, sizes, now = SlidingWindow(CAMERAS, EAGER, model=model), [], 0.0
    while now < max(p.seconds[-1] for p in passages):
        window.update(now + 10.0, news_of(passages, now, now + 10.0))
        now += 10.0
        sizes.append(len(window))
    assert max(sizes) < 45  # of 90: each vehicle takes 46 s, and its last track waits as long as the first
    assert window.horizon > now - 120.0
    small = SlidingWindow(CAMERAS, WindowSettings(max_tracks=15), model=model)
    events = replay(small, passages, tick=10.0, finish=False)
    assert any(e.reason == "too many tracks" for e in events if e.kind == EventKind.FINAL)
    assert len(small) < 30


def test_a_track_that_turns_out_to_be_no_vehicle_is_forgotten() -> None:
    window = SlidingWindow(["c001"])
    table = Tracks.of([1] * 10, np.arange(1, 11), [[10, 10, 40, 30]] * 10)
    window.update(2.0, [CameraNews("c001", WIDTH, HEIGHT, TimedBoxes(table, np.arange(10) / 5))])
    news = CameraNews("c001", WIDTH, HEIGHT, closed=[ClosedTrack(1, TimedBoxes.empty())])
    events = window.update(3.0, [news])
    assert [(e.kind, e.reason) for e in events] == [(EventKind.CLOSED, "no vehicle")]
    assert len(window) == 0 and not window.finish(4.0)


def test_a_restart_that_repeats_the_calls_since_the_horizon_goes_on_with_the_same_numbers(model: WindowModel) -> None:
    passages = traffic(seed=6)
    first, events, now = SlidingWindow(CAMERAS, EAGER, model=model), [], 0.0
    while now < 80.0:
        events += first.update(now + 4.0, news_of(passages, now, now + 4.0))
        now += 4.0
    before = Answers.after(events)
    known = {key: before.of(*key) for key in before.identity}
    again = SlidingWindow(CAMERAS, EAGER, model=model)
    top = max(e.identity for e in events) + 1
    again.restore(known, before.final, top, now)
    since = 4.0 * (first.horizon // 4.0)
    repeated = []
    while since < now:
        repeated += again.update(since + 4.0, news_of(passages, since, since + 4.0))
        since += 4.0
    assert repeated == []
    rest, others = (replay(window, passages, first=now) for window in (again, first))
    assert {e.kind for e in rest} == {e.kind for e in others}
    assert min(e.identity for e in rest if e.kind == EventKind.ASSIGNED and e.identity not in known.values()) >= top
    without = right_share([*events, *others], passages)
    assert right_share([*events, *rest], passages) >= without - 0.1


def test_no_settings_of_the_association_are_needed_but_they_count(model: WindowModel) -> None:
    passages = traffic(vehicles=10, seed=7)
    strict = SlidingWindow(CAMERAS, association=AssociationSettings(threshold=0.999999), model=model)
    joined = replay(SlidingWindow(CAMERAS, model=model), passages)
    assert len(set(Answers.after(replay(strict, passages)).identity.values())) >= len(
        set(Answers.after(joined).identity.values())
    )


def links(*vehicles: float) -> Links:
    """A link from camera a to camera b for each number of vehicles, taking 10, 20, ... seconds."""
    exits = [
        Zone(name=f"a{k}", camera="a", kind="exit", polygon=((0, 0), (9, 0), (9, 9))) for k in range(len(vehicles))
    ]
    entry = Zone(name="b", camera="b", kind="entry", polygon=((0, 0), (9, 0), (9, 9)))
    times = [TravelTime(min=10 * k, max=10 * (k + 1)) for k in range(len(vehicles))]
    found = [
        Link(source=zone.name, target="b", vehicles=count, travel_time=time)
        for zone, count, time in zip(exits, vehicles, times, strict=True)
    ]
    return Links(zones=(*exits, entry), links=tuple(found))


def test_a_camera_has_unknown_links_as_long_as_single_vehicles_take_new_ones() -> None:
    model = WindowModel(links(20.0, 1.0, 0.8), {"a": 29, "b": 30})
    assert model.unknown("a") == pytest.approx(2.8 / 30)
    assert model.unknown("b") == pytest.approx(1 / 31)
    assert model.unknown("c") == 1.0
    assert WindowModel(links(1.0)).unknown("a") == 0.0  # given ones are complete


def test_a_camera_waits_for_its_slowest_link_and_one_without_links_for_that_of_the_site() -> None:
    model = WindowModel(links(5.0, 5.0))
    assert model.horizon("a") == model.horizon("b") == pytest.approx(19.9)
    assert WindowModel(Links()).horizon("a") is None


def test_answers_wait_for_the_longest_travel_time_until_the_links_are_known(model: WindowModel) -> None:
    passages = traffic(vehicles=5, seed=3)
    waits = []
    for tracks in (200, 3):
        window = SlidingWindow(CAMERAS, model=WindowModel(model.links, dict.fromkeys(CAMERAS, tracks)))
        events = replay(window, passages, finish=False)
        last = max(p.seconds[-1] for p in passages)
        events += [event for second in range(1, 60) for event in window.update(last + 4.0 + 5.0 * second, [])]
        said = {(e.camera, e.track): e.seconds for e in events if e.kind == EventKind.FINAL}
        waits.append(np.median([said[p.camera, p.number] - p.seconds[-1] for p in passages]))
    assert waits[0] < 40.0 and waits[1] > AssociationSettings().longest_travel


def test_vehicles_are_told_apart_by_their_looks_when_nearly_all_answers_are_final(model: WindowModel) -> None:
    # Pairs of final tracks show what different vehicles look like; here hardly any others are left.
    passages = traffic(vehicles=14, seed=1)
    settings = WindowSettings(unknown_links=1.0, settle_seconds=2.0, context_tracks=500)
    assert right_share(replay(SlidingWindow(CAMERAS, settings, model=model), passages), passages) == 1.0


def key_of(passage: Passage) -> tuple[str, int]:
    return passage.camera, passage.number


def by_vehicle(passages: Sequence[Passage], vehicle: int) -> list[tuple[str, int]]:
    return [key_of(p) for p in passages if p.vehicle == vehicle]


def started(model: WindowModel | None, passages: Sequence[Passage], until: float) -> tuple[SlidingWindow, list[Event]]:
    """A window that has seen the passages up to a second."""
    window, events, now = SlidingWindow(CAMERAS, model=model), [], 0.0
    while now < until:
        events += window.update(now + 4.0, news_of(passages, now, now + 4.0))
        now += 4.0
    return window, events


@pytest.mark.parametrize("known", [True, False], ids=["known links", "without links"])
def test_what_users_know_binds_the_solves_from_then_on(model: WindowModel, known: bool) -> None:
    passages = traffic(vehicles=6, seed=1)
    mine = model if known else None
    (a, _, c), (d, e, _) = by_vehicle(passages, 2), by_vehicle(passages, 4)
    false = by_vehicle(passages, 5)[0]
    corrections = [
        Correction(PAGE, 1, SAME, (a,), (e,)),
        Correction(PAGE, 2, DIFFERENT, (a,), (c, d)),
        Correction(PAGE, 3, NOT_A_VEHICLE, (false,)),
    ]
    until = 4.0 * math.ceil(max(p.seconds[0] for p in passages if key_of(p) in (a, c, d, e, false)) / 4.0 + 1.0)
    window, events = started(mine, passages, until)
    window.hold(corrections)
    window.amend({}, {false: -1}, 0)
    events.append(Event(EventKind.REVISED, until, *false))
    events += replay(window, passages, first=until)
    answers = Answers.after(events)
    assert answers.of(*a) == answers.of(*e) > 0
    assert answers.of(*a) not in (answers.of(*c), answers.of(*d))
    assert answers.of(*false) == 0
    assert answers.final | {false} == answers.closed == {key_of(p) for p in passages}


def test_an_answer_about_running_tracks_changes_identities_with_a_reason(model: WindowModel) -> None:
    passages = traffic(vehicles=6, seed=1)
    first, second, _ = by_vehicle(passages, 2)
    until = 4.0 * math.ceil(max(p.seconds[-1] for p in passages if key_of(p) == second) / 4.0)
    window, events = started(model, passages, until)
    assert Answers.after(events).of(*first) == Answers.after(events).of(*second)
    window.hold([Correction(PAGE, 1, DIFFERENT, (first,), (second,))])
    window.amend({}, {}, 0)
    said = window.update(until + 4.0, [])
    assert {e.reason for e in said if e.kind in (EventKind.SPLIT, EventKind.REVISED, EventKind.MERGED)} == {"corrected"}
    answers = Answers.after(events + said)
    assert answers.of(*first) != answers.of(*second)
    window.hold([])
    window.amend({}, {}, 0)
    answers = Answers.after(events + said + window.update(until + 8.0, []))
    assert answers.of(*first) == answers.of(*second)


def test_a_track_keeps_the_identity_of_one_that_has_gone_and_is_the_same_vehicle(model: WindowModel) -> None:
    passages = traffic(vehicles=6, seed=1)
    window, events = started(model, passages, 40.0)
    answers = Answers.after(events)
    running = max((key for key, number in answers.identity.items() if number), key=lambda key: answers.of(*key))
    window.hold([Correction(PAGE, 1, SAME, (running,), (("c001", 999),))])
    window.amend({}, {running: 99}, 100)
    answers = Answers.after([*events, Event(EventKind.REVISED, 40.0, *running, 99, answers.of(*running))])
    for event in [*replay(window, passages, first=40.0)]:
        answers.apply(event)
    assert answers.of(*running) == 99
    assert max(answers.identity.values()) >= 100


def test_nothing_is_solved_while_nothing_comes_that_could_change_an_answer(
    model: WindowModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = traffic(vehicles=5, seed=1)
    window, _ = started(model, passages, 60.0)
    solved = []
    monkeypatch.setattr("mtmc.online.window.associate", lambda *given: solved.append(given) or associate(*given))
    for second in range(61, 120):
        window.update(float(second), [])
    assert len(solved) <= 1
    for change in (lambda: window.use(model), lambda: window.hold([]), lambda: window.amend({}, {}, 0)):
        change()
        before = len(solved)
        window.update(120.0 + before, [])
        assert len(solved) == before + 1
