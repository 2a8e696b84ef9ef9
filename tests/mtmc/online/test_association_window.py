from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mtmc.appearance.features import TrackFeatures
from mtmc.config import make_settings
from mtmc.crops.table import Crops
from mtmc.online.archive import Archive
from mtmc.online.association_window import AssociationWindow
from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, PAGE, SAME, UNDO, Correction
from mtmc.online.engine import Engine, Said
from mtmc.online.events import Answers, Event, EventKind
from mtmc.online.lessons import lesson_of, model_of
from mtmc.online.messages import CameraReport, ClosedTrack, LiveRows
from mtmc.online.store import Record, Store
from mtmc.online.tables import table
from mtmc.online.window_model import WindowModel
from mtmc.online.window_settings import WindowSettings

CAMERAS = ("a", "b")
TRAVEL = 12.0
VEHICLES = 18
END = 95


def rows(track: int, first: float, last: float) -> LiveRows:
    """A vehicle that crosses the picture from left to right in two seconds."""
    seconds = first + np.arange(21) / 10
    box = np.column_stack([20 + 12.0 * np.arange(21), np.full(21, 90.0), np.full(21, 40.0), np.full(21, 30.0)])
    kept = (seconds > last - 1) & (seconds <= last)
    table = LiveRows._of(track, np.round(seconds * 10), seconds, box, 0.9, 2)
    return table[kept]


def vector(vehicle: int) -> np.ndarray:
    found = np.random.default_rng(vehicle).normal(size=32)
    return np.asarray(found / np.linalg.norm(found), np.float32)


def reports(seconds: float) -> list[CameraReport]:
    """What happened in the second before: vehicle k enters camera a at 1 + 4 k, camera b `TRAVEL` later."""
    told = []
    for index, camera in enumerate(CAMERAS):
        seen, features, closed = [], [], []
        for vehicle in range(VEHICLES):
            entered = 1.0 + 4.0 * vehicle + index * (TRAVEL + 0.3 * (vehicle % 3))
            seen.append(rows(vehicle + 1, entered, seconds))
            if seconds - 1 < entered + 1 <= seconds:
                features.append(TrackFeatures._of([vehicle + 1], vector(vehicle)[None], [1.0]))
            if seconds - 1 < entered + 3 <= seconds:
                every = LiveRows.concatenate([rows(vehicle + 1, entered, entered + d) for d in (0, 1, 2)])
                closed.append(ClosedTrack(vehicle + 1, every, Crops.empty(), vector(vehicle), 1.0))
        told.append(
            CameraReport(
                camera,
                1,
                "running",
                "",
                "file",
                seconds,
                round(seconds * 10),
                320,
                180,
                LiveRows.concatenate(seen),
                TrackFeatures.concatenate(features),
                tuple(closed),
            )
        )
    return told


@dataclass
class Watched:
    """What was said in each second, and what was learned."""

    said: dict[int, list[Said]]
    lessons: list[str]

    def until(self, second: float = math.inf) -> list[Said]:
        return [event for at, events in self.said.items() if at < second for event in events]


def watch(window: AssociationWindow, first: int, last: int) -> Watched:
    watched = Watched({}, [])
    for second in range(first, last):
        lesson = window.lesson()
        if lesson is not None:
            watched.lessons.append(lesson())
            window.use(watched.lessons[-1])
        watched.said[second] = window.tick(float(second), reports(float(second)))
    return watched


@pytest.fixture(scope="module")
def watched() -> Watched:
    window = AssociationWindow(CAMERAS, make_settings({}))
    found = watch(window, 1, END)
    found.said[END] = window.tick(math.inf, [])
    return found


def test_links_are_learned_on_the_way_and_join_the_cameras(watched: Watched) -> None:
    final = {(e.camera, e.track): e.identity for e in watched.until() if e.kind == "final"}
    assert len(final) == 2 * VEHICLES
    # Vehicles that came before the first lesson have two identities.
    late = range(13, VEHICLES + 1)
    assert sum(final["a", n] == final["b", n] for n in late) >= len(late) - 1
    assert len({final["a", n] for n in range(1, VEHICLES + 1)}) == VEHICLES


def test_every_track_is_opened_assigned_closed_and_final_in_this_order(watched: Watched) -> None:
    for camera in CAMERAS:
        for track in range(1, VEHICLES + 1):
            kinds = [e.kind for e in watched.until() if (e.camera, e.track) == (camera, track)]
            assert [kind for kind in kinds if kind != "revised"] == ["opened", "assigned", "closed", "final"]


def test_a_restart_goes_on_with_the_same_identities(watched: Watched) -> None:
    kill = 70
    before = watched.until(kill)
    identities = {(e.camera, e.track): e.identity for e in before if e.kind in ("assigned", "revised")}
    for merged in (e for e in before if e.kind == "merged"):
        identities = {k: merged.identity if v == merged.content["other"] else v for k, v in identities.items()}
    following = max(identities.values()) + 1

    again = AssociationWindow(CAMERAS, make_settings({}))
    final = {(e.camera, e.track) for e in before if e.kind == "final"}
    again.restore(identities, final, following, until=kill - 1.0)
    repeated = watch(again, 1, kill)
    assert repeated.until() == []
    after = watch(again, kill, kill + 12).until()

    assert after
    # Only vehicles that are new get numbers, and only new ones.
    assert all(e.identity >= following for e in after if e.kind == "assigned" and e.camera == "a")
    for event in after:
        if event.kind in ("closed", "final") and (event.camera, event.track) in identities:
            assert event.identity == identities[event.camera, event.track]


def test_links_of_an_earlier_day_are_not_replaced_by_what_a_few_tracks_teach(watched: Watched) -> None:
    model, _ = model_of(watched.lessons[-1])
    window = AssociationWindow(CAMERAS, make_settings({}))
    window.use(lesson_of(WindowModel(model.links, dict.fromkeys(CAMERAS, 500)), 0.0))
    assert watch(window, 1, 80).lessons == []


def test_when_nothing_will_come_any_more_links_are_learned_from_everything() -> None:
    window = AssociationWindow(CAMERAS, make_settings({}))
    assert window.lesson(last=True) is None  # from nothing
    watched = watch(window, 1, END)
    last = window.lesson(last=True)
    assert last is not None
    tracks = [sum((model_of(lesson)[0].tracks or {}).values()) for lesson in [*watched.lessons, last()]]
    assert tracks == sorted(tracks) and tracks[-1] == 2 * VEHICLES


def test_given_links_are_used_at_once_and_not_learned_again(watched: Watched) -> None:
    window = AssociationWindow(CAMERAS, make_settings({}), links=model_of(watched.lessons[-1])[0].links)
    found = watch(window, 1, 42)
    assert found.lessons == []
    identity = {(e.camera, e.track): e.identity for e in found.until() if e.kind in ("assigned", "revised")}
    assert sum(identity["a", n] == identity.get(("b", n)) for n in range(1, 7)) >= 5


def a_site(folder: Path) -> Engine:
    """The engine of a site with the association, brought to where its store is."""
    store = Store(folder)
    window = AssociationWindow(CAMERAS, make_settings({}))
    return Engine(store, Archive(store), window, CAMERAS, make_settings({}), silent_seconds=math.inf)


def run(engine: Engine, first: int, last: int) -> list[Record]:
    said = []
    for second in range(first, last):
        for report in reports(float(second)):
            engine.hear(report)
        said += engine.tick(float(second))
        lesson = engine.lesson()
        if lesson is not None:
            engine.use(lesson())
    return said


def told(seq: int, kind: str, *tracks: tuple[str, int]) -> Correction:
    return Correction(PAGE, seq, kind, tracks[:1], tracks[1:])


def test_answers_reach_tracks_in_the_window_and_those_that_have_gone_and_survive_a_kill(tmp_path: Path) -> None:
    engine = a_site(tmp_path)
    engine._window._window._settings = WindowSettings(unknown_links=1.0, settle_seconds=1.0)  # type: ignore[attr-defined]
    said = run(engine, 1, 75)
    store = engine._store
    gone, running = ("a", 11), ("b", 14)
    assert store.answer_of(*gone)[1] and gone not in engine._window._window._tracks  # type: ignore[index, attr-defined]
    assert store.identity_of(*running) == store.identity_of("a", 14)
    before = {key: number for key, (number, _) in store.identities().items()}

    direct = engine.correct([told(1, NOT_A_VEHICLE, gone), told(2, SAME, ("a", 10), ("a", 12))])
    direct += engine.correct([told(3, DIFFERENT, ("a", 14), running), told(4, SAME, gone, ("a", 13))])
    assert {record.content["reason"] for record in direct} == {"corrected"}
    assert ("revised", None, *gone) in [(r.kind, r.identity, r.camera, r.track) for r in direct]
    assert ("merged", before["a", 10]) in [(r.kind, r.identity) for r in direct]
    assert [(each.state, each.reason) for each in store.corrections()] == [
        ("applied", ""),
        ("applied", ""),
        ("applied", ""),
        ("refused", "answer 1 says that track 11 of a is no vehicle; undo it first"),
    ]
    store.close()  # kill -9: nothing else was written

    again = a_site(tmp_path)
    store = again._store
    assert store.last_correction(PAGE) == 4
    said += direct + run(again, 75, END)
    said += again.tick(math.inf)
    assert [record.seq for record in said] == list(range(1, len(said) + 1))
    found = {key: number for key, (number, _) in store.identities().items()}
    assert found[gone] == -1 and store.identity_of(*gone) is None
    assert found["a", 10] == found["a", 12] == found["b", 10] == found["b", 12] == before["a", 10]
    assert found["a", 14] != found["b", 14]
    assert "a" in set(table(store, "counts")["camera"])
    assert table(store, "counts").filter(pl.col("camera") == "a")["vehicles"].sum() == VEHICLES - 2
    events = [
        Event(EventKind(r.kind), r.seconds, r.camera or "", r.track or 0, r.identity or 0, r.content.get("other", 0))
        for r in said
    ]
    assert {key: max(number, 0) for key, number in found.items()} == {
        key: Answers.after(events).of(*key) for key in found
    }

    undone = again.correct([Correction(PAGE, 5, UNDO, (gone,), (), 1), Correction(PAGE, 6, UNDO, undoes=2)])
    assert {record.content["reason"] for record in undone} == {"correction undone"}
    assert store.identity_of(*gone) == before[gone]
    assert store.identity_of("a", 12) == store.identity_of("b", 12) != store.identity_of("a", 10)
    assert [each.state for each in store.corrections()] == [
        "undone",
        "undone",
        "applied",
        "refused",
        "applied",
        "applied",
    ]
