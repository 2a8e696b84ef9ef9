from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.config import make_settings
from mtmc.interface.scenarios import load_scenario
from mtmc.online.archive import Archive
from mtmc.online.corrections import NOT_A_VEHICLE, PAGE, PAGE_LOG, Correction
from mtmc.online.engine import Engine
from mtmc.online.live_site import LivePlan, LiveSite, plan_replay, plan_site
from mtmc.online.messages import CameraReport, LiveRows
from mtmc.online.metrics import Metrics
from mtmc.online.site import read_site
from mtmc.online.store import Record, Store
from mtmc.online.supervisor import Died
from mtmc.online.tables import table
from mtmc.online.transport import QueueTransport
from mtmc.web.correction_log import CorrectionLog

from .scenes import ColourWindow, write_scene

SCENES = Path(__file__).with_name("scenes.py")
VEHICLES, CAMERAS, TRAVEL = 4, 2, 8.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(
        tmp_path_factory.mktemp("scene") / "road", cameras=CAMERAS, vehicles=VEHICLES, gap=3.0, travel=TRAVEL
    )


def plan(scene: Path, store: Path, speed: float = math.inf) -> LivePlan:
    return plan_replay(
        load_scenario(scene),
        speed=speed,
        detector=f"{SCENES}:BrightBoxes",
        extractor=f"{SCENES}:MeanColour",
        settings=make_settings({}),
        store=store,
    )


def final(store: Store) -> set[tuple[tuple[str, float], ...]]:
    """The tracks of each identity whose answer is final, by camera and second: numbers may differ between runs."""
    groups: dict[int, list[tuple[str, float]]] = {}
    for camera, _, first, *_, identity, is_final in store.tracks():
        if is_final:
            groups.setdefault(identity, []).append((camera, round(first, 3)))
    return {tuple(sorted(tracks)) for tracks in groups.values()}


def check_log(events: list[Record]) -> None:
    """No event is missing or doubled, and no identity number stands for two vehicles."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    once = Counter((e.kind, e.camera, e.track) for e in events if e.kind in ("opened", "closed", "final"))
    assert max(once.values()) == 1
    opened = {(e.camera, e.track) for e in events if e.kind == "opened"}
    assert {(e.camera, e.track) for e in events if e.kind == "closed"} <= opened
    seconds = [event.seconds for event in events]
    assert seconds == sorted(seconds)


@pytest.fixture(scope="module")
def undisturbed(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """The store and the events of a replay that runs through; what consumers got is checked at once."""
    folder, queue, metrics = tmp_path_factory.mktemp("undisturbed"), QueueTransport(), Metrics()
    with LiveSite(plan(scene, folder), ColourWindow, [queue], metrics) as site:
        events = list(site.events())
    assert list(queue.events.queue) == events
    text = metrics.text()
    assert f'mtmc_events_total{{kind="final"}} {VEHICLES * CAMERAS}' in text
    assert 'mtmc_frames_dropped_total{camera="c1"} 0' in text
    return folder, events


def test_a_replay_finds_every_vehicle_in_every_camera(undisturbed: tuple[Path, list[Record]]) -> None:
    folder, events = undisturbed
    store = Store(folder, read_only=True)

    check_log(events)
    assert store.events() == events
    assert len(final(store)) == VEHICLES
    assert all(len(tracks) == CAMERAS for tracks in final(store))
    assert Counter(e.kind for e in events) == {
        "opened": VEHICLES * CAMERAS,
        "assigned": VEHICLES * CAMERAS,
        "closed": VEHICLES * CAMERAS,
        "final": VEHICLES * CAMERAS,
    }
    # The answers come in their order: assigned while in sight, final once it is gone.
    first = {e.kind: e.seq for e in reversed(events) if (e.camera, e.track) == ("c1", 1)}
    assert first["opened"] < first["assigned"] < first["closed"] < first["final"]


def test_its_files_can_be_read(undisturbed: tuple[Path, list[Record]]) -> None:
    folder, _ = undisturbed
    store = Store(folder, read_only=True)
    archive = Archive(store)

    assert archive.hours() == [0]
    boxes = archive.tracks(0)
    assert boxes.select("camera", "track").n_unique() == VEHICLES * CAMERAS
    assert len(archive.features(0)) == VEHICLES * CAMERAS
    assert len(archive.crops(0, "c1", 1)) > 5
    links = table(store, "links")
    assert links["vehicles"].sum() == VEHICLES
    assert links["median_seconds"][0] == pytest.approx(TRAVEL - 4, abs=1)


def test_a_replay_without_dropping_is_the_same_every_time(
    undisturbed: tuple[Path, list[Record]], scene: Path, tmp_path: Path
) -> None:
    with LiveSite(plan(scene, tmp_path), ColourWindow) as site:
        assert list(site.events()) == undisturbed[1]


def test_a_finished_replay_says_nothing_more_when_started_again(
    undisturbed: tuple[Path, list[Record]], scene: Path
) -> None:
    with LiveSite(plan(scene, undisturbed[0]), ColourWindow) as site:
        assert list(site.events()) == []


def test_a_store_belongs_to_one_site(undisturbed: tuple[Path, list[Record]], tmp_path: Path) -> None:
    other = write_scene(tmp_path / "other", cameras=1, vehicles=1)
    with pytest.raises(InputError, match="replay of road, not of replay of other"):
        LiveSite(plan(other, undisturbed[0]), ColourWindow)


def test_a_store_belongs_to_one_extractor(undisturbed: tuple[Path, list[Record]], scene: Path) -> None:
    other = plan(scene, undisturbed[0])
    other = replace(other, jobs=tuple(replace(job, extractor="baseline") for job in other.jobs))
    with pytest.raises(InputError, match=r"holds features of .*MeanColour, which cannot be compared with .* baseline"):
        LiveSite(other, ColourWindow)


def test_what_was_learned_of_clocks_is_there_at_the_next_start(scene: Path, tmp_path: Path) -> None:
    metrics = Metrics()
    with LiveSite(plan(scene, tmp_path), ColourWindow, metrics=metrics) as site:
        site._hear(replace(report("c1", 0.0), clock="arrival", lag=20.25))
        site.stop()
        list(site.events())
    assert 'mtmc_clock_lag_seconds{camera="c1"} 20.25' in metrics.text()

    with LiveSite(plan(scene, tmp_path), ColourWindow) as site:
        assert {n: child.job.lag for n, child in site._supervisor._children.items()} == {"c1": 20.25, "c2": None}


def test_answers_of_the_page_are_carried_out_once(scene: Path, tmp_path: Path) -> None:
    log = CorrectionLog(tmp_path / PAGE_LOG)
    (tmp_path / "known.yaml").write_text("- not-a-vehicle: {camera: c2, track: 1}\n")
    watched = replace(plan(scene, tmp_path), constraints=tmp_path / "known.yaml")
    with LiveSite(watched, ColourWindow) as site:
        events = []
        for event in site.events():
            events.append(event)
            if (event.kind, event.camera, event.track) == ("final", "c1", 1):
                log.append("same", ["c1/1"], ["c1/77"])
                log.append("not-a-vehicle", ["c1/1"])
    with LiveSite(watched, ColourWindow) as site:
        assert list(site.events()) == []
    store = Store(tmp_path, read_only=True)
    assert store.events() == events
    corrected = [(e.camera, e.track, e.identity) for e in events if e.content.get("reason") == "corrected"]
    assert sorted(corrected) == [("c1", 1, None), ("c2", 1, None)]
    assert [(each.correction.source, each.state) for each in store.corrections()] == [
        ("file", "applied"),
        ("page", "refused"),
        ("page", "applied"),
    ]
    assert "there is no track 77 of c1" in store.corrections()[1].reason
    assert table(store, "counts")["vehicles"].sum() == VEHICLES * CAMERAS - 2


class FailingLessons(ColourWindow):
    """An association that finds nothing to learn from, and says so in the worst way."""

    def lesson(self, *, last: bool = False) -> Callable[[], str] | None:  # type: ignore[override]
        return lambda: str(1 / 0)


def test_a_site_goes_on_when_its_links_cannot_be_learned(
    undisturbed: tuple[Path, list[Record]], scene: Path, tmp_path: Path
) -> None:
    metrics = Metrics()
    with LiveSite(plan(scene, tmp_path), FailingLessons, metrics=metrics) as site:
        assert list(site.events()) == undisturbed[1]
    assert "mtmc_lesson_failed 1" in metrics.text()


REPLAY = """
import json, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.mtmc.online.test_live_site import ColourWindow, LiveSite, plan
if __name__ == "__main__":
    with LiveSite(plan(Path(sys.argv[2]), Path(sys.argv[3])), ColourWindow) as site:
        signal.signal(signal.SIGTERM, lambda *_: site.stop())
        for event in site.events():
            print(json.dumps(event.as_dict()), flush=True)
"""


def start(repository: Path, scene: Path, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", REPLAY, str(repository), str(scene), str(store)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=repository)


def check_after_kills(store: Store, whole: Store) -> None:
    """What is final equals an undisturbed run but for tracks that a kill cut in two."""
    check_log(store.events())
    identities = [e.identity for e in store.events() if e.kind == "assigned"]
    assert len(set(identities)) == VEHICLES
    cameras = {tuple(sorted({camera for camera, _ in tracks})) for tracks in final(store)}
    assert cameras == {tuple(sorted({camera for camera, _ in tracks})) for tracks in final(whole)}
    assert len(final(store)) == len(final(whole))


def test_kills_of_the_parent_and_of_everything_lose_and_double_nothing(
    undisturbed: tuple[Path, list[Record]], scene: Path, tmp_path: Path, repository: Path
) -> None:
    rng = np.random.default_rng()
    for kill in (os.kill, os.killpg):
        process = start(repository, scene, tmp_path)
        assert process.stdout is not None
        for _ in range(int(rng.integers(1, 10))):
            assert process.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.2)))
        kill(process.pid, signal.SIGKILL)
        process.communicate()
    process = start(repository, scene, tmp_path)
    process.communicate(timeout=300)
    assert process.returncode == 0

    check_after_kills(Store(tmp_path, read_only=True), Store(undisturbed[0], read_only=True))


def test_the_process_of_a_camera_is_killed(undisturbed: tuple[Path, list[Record]], scene: Path, tmp_path: Path) -> None:
    killed = 0
    with LiveSite(plan(scene, tmp_path), ColourWindow) as site:
        for event in site.events():
            process = site.process_of("c1")
            if event.kind == "assigned" and killed < 2 and process is not None:
                os.kill(process, signal.SIGKILL)
                killed += 1
    assert killed == 2
    check_after_kills(Store(tmp_path, read_only=True), Store(undisturbed[0], read_only=True))


def test_sigterm_stores_everything(scene: Path, tmp_path: Path, repository: Path) -> None:
    process = start(repository, scene, tmp_path)
    assert process.stdout is not None
    heard = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=120)

    assert process.returncode == 0
    heard += [json.loads(line) for line in rest.splitlines()]
    store = Store(tmp_path)
    assert [event.as_dict() for event in store.events()] == heard
    opened, closed = ({(e["camera"], e["track"]) for e in heard if e["kind"] == k} for k in ("opened", "closed"))
    assert opened == closed


def test_a_site_of_files_runs_in_real_time(tmp_path: Path) -> None:
    write_scene(tmp_path, cameras=1, vehicles=1, gap=2.0, tail=4.0)
    (tmp_path / "SITE.yaml").write_text(
        f"name: yard\ncameras: {{gate: c1.mp4}}\ndetector: {SCENES}:BrightBoxes\nextractor: {SCENES}:MeanColour\n"
    )
    now = time.time()
    with LiveSite(plan_site(read_site(tmp_path / "SITE.yaml"), make_settings({}), now), ColourWindow) as site:
        events = list(site.events())
    assert [e.kind for e in events] == ["opened", "assigned", "closed", "final"]
    assert now < events[0].seconds < now + 10
    assert time.time() - now > 5


def rows(track: int, seconds: list[float]) -> LiveRows:
    return LiveRows._of(track, np.round(np.array(seconds) * 10), seconds, [[1, 2, 30, 40]] * len(seconds), 0.9, 2)


def report(camera: str, seconds: float, told: LiveRows | None = None, state: str = "running") -> CameraReport:
    return CameraReport(camera, 1, state, "", "file", seconds, 1, 320, 180, told or LiveRows.empty())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def engine(folder: Path, clock: Clock, silent: float = 5.0) -> Engine:
    store = Store(folder)
    return Engine(store, Archive(store), ColourWindow(), "ab", make_settings({}), silent_seconds=silent, wall=clock)


def test_a_tick_waits_for_every_camera_that_is_not_silent(tmp_path: Path) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    site.hear(report("a", 50.2))
    assert site.due() is None  # b may come
    clock.now += 6
    site.hear(report("a", 56.2))
    assert site.due() == 56.0  # b is silent
    site.tick(56.0)
    site.hear(report("b", 56.4))
    site.hear(report("a", 57.3))
    assert site.due() is None
    site.hear(report("b", 57.1))
    assert site.due() == 57.0
    site.tick(57.0)
    site.hear(report("b", 57.1, state="ended"))
    site.hear(report("a", 58.0))
    assert site.due() == 58.0  # b has ended


def test_time_goes_on_while_all_cameras_are_silent(tmp_path: Path) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    for camera in "ab":
        site.hear(report(camera, 50.0))
    site.tick(50.0)
    clock.now += 30
    assert site.due() == 80.0


def test_a_backlog_is_skipped_not_worked_off(tmp_path: Path) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    for camera in "ab":
        site.hear(report(camera, 50.0))
    site.tick(50.0)
    for camera in "ab":
        site.hear(report(camera, 80.5))
    assert site.due() == 80.0


def test_what_a_dead_process_left_open_is_closed_with_what_was_heard(tmp_path: Path) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    site.hear(report("a", 50.0, rows(1, [49.5, 49.6, 49.7, 49.8, 49.9, 50.0])))
    site.hear(report("b", 50.0))
    assert [r.kind for r in site.tick(50.0)] == ["opened"]
    site.hear(Died("a", "its process died", True))
    [closed] = site.tick(51.0)
    assert (closed.kind, closed.content["reason"]) == ("closed", "lost sight")
    assert site.progress_of("a")[0] == 2


def test_a_restart_closes_what_was_open_and_uses_no_number_again(tmp_path: Path) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    for camera in "ab":
        site.hear(report(camera, 50.0, rows(3, [49.5, 49.6, 49.7, 49.8, 49.9, 50.0])))
    site.tick(50.0)
    site._store.close()

    again = engine(tmp_path, clock)

    assert again.seconds == 50.0
    assert again.progress_of("a") == (4, 2, 1, 50.0)
    closed = again.tick(51.0)
    assert [(r.kind, r.camera, r.track, r.content["reason"]) for r in closed] == [
        ("closed", "a", 3, "restart"),
        ("closed", "b", 3, "restart"),
    ]
    again._store.close()
    assert engine(tmp_path, clock).tick(52.0) == []


def test_a_full_disk_ends_with_the_path_and_the_tick_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    site = engine(tmp_path, clock)
    site.hear(report("a", 50.0, rows(1, [49.9, 50.0])))
    with monkeypatch.context() as patch:
        pages = site._store._base.execute("PRAGMA page_count").fetchone()[0]
        site._store._base.execute(f"PRAGMA max_page_count = {pages}")
        patch.setattr("mtmc.online.engine.pack_reports", lambda reports: b"x" * 1_000_000)
        patch.setattr("mtmc.online.engine.unpack_reports", lambda content: [])
        with pytest.raises(OSError, match="No space left") as caught:
            site.tick(50.0)
    assert str(caught.value.filename).endswith("live.sqlite")
    site._store._base.execute("PRAGMA max_page_count = 100000")
    assert site.seconds is None
    site._window = ColourWindow()
    assert [r.seq for r in site.tick(50.0)] == [1]


def test_a_correction_is_written_with_its_events_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = engine(tmp_path, Clock())
    feature = TrackFeatures._of([1], [[1.0, 0.0, 0.0]], [1.0])
    site.hear(replace(report("a", 50.0, rows(1, [49.5, 49.7, 49.9])), features=feature))
    assert [r.kind for r in site.tick(50.0)] == ["opened", "assigned"]
    told = [Correction(PAGE, 1, NOT_A_VEHICLE, (("a", 1),)), Correction(PAGE, 2, NOT_A_VEHICLE, (("a", 7),))]
    with monkeypatch.context() as patch:
        patch.setattr(site._store, "add_correction", lambda _: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="full"):
            site.correct(told)
    assert site._store.last_event() == 2 and site._store.last_correction(PAGE) == 0
    assert site._store.identity_of("a", 1) == 1

    assert [(r.kind, r.identity, r.content["other"]) for r in site.correct(told)] == [("revised", None, 1)]
    assert [each.state for each in site._store.corrections()] == ["applied", "refused"]
    assert site._window.standing == (told[0],)  # type: ignore[attr-defined]
    site._store.close()
    again = engine(tmp_path, Clock())
    assert again._window.standing == (told[0],)  # type: ignore[attr-defined]
    assert again._store.last_correction(PAGE) == 2 and again._store.last_event() == 3
