"""The page over a live site: a replay of a small scene, watched while it runs and asked about when it has ended."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from common.errors import InputError
from mtmc.config import make_settings
from mtmc.interface.scenarios import load_scenario
from mtmc.online.frames import LiveFrame
from mtmc.online.live_site import LivePlan, LiveSite, plan_replay
from mtmc.online.messages import LiveRows
from mtmc.online.tiles import TILES, TileWriter
from mtmc.serve import main
from mtmc.web.live.app import make_live_app
from mtmc.web.live.feed import LiveFeed
from mtmc.web.live.open_site import open_site
from tests.mtmc.online.scenes import SIZE, ColourWindow, draw, write_scene

SCENES = Path(__file__).parents[2] / "online" / "scenes.py"
VEHICLES, CAMERAS = 4, 2


def plan(scene: Path, store: Path) -> LivePlan:
    return plan_replay(
        load_scenario(scene),
        speed=math.inf,
        detector=f"{SCENES}:BrightBoxes",
        extractor=f"{SCENES}:MeanColour",
        settings=make_settings({}),
        store=store,
    ).with_tiles()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("scene") / "road", cameras=CAMERAS, vehicles=VEHICLES, tail=4.0)


@pytest.fixture(scope="module")
def store(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a replay that has ended."""
    folder = tmp_path_factory.mktemp("store")
    with LiveSite(plan(scene, folder), ColourWindow) as site:
        for _ in site.events():
            pass
    return folder


def client_of(store: Path) -> TestClient:
    reader, load = open_site(store)
    app = make_live_app(reader, LiveFeed(store), load)
    return TestClient(app, base_url="http://127.0.0.1:8000", headers={"x-requested-by": "test"})


@pytest.fixture
def client(store: Path) -> Iterator[TestClient]:
    with client_of(store) as client:
        yield client


def until(client: TestClient, path: str, key: str) -> Any:
    """A part of an answer once it is there: the feed looks at the store in its own time."""
    end = time.monotonic() + 30
    while not (found := client.get(path).json()[key]):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.mark.parametrize(
    "path", ["/", "/overview", "/find", "/timeline", "/identity/1", "/overview?hour=0", "/history"]
)
def test_every_page_opens_and_loads_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200, page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "") and "https://" not in page.text
    assert "/doubts" not in page.text


def test_every_vehicle_of_the_store_is_found_with_its_way(client: TestClient) -> None:
    found = client.get("/api/identities").json()
    assert found["total"] == VEHICLES
    assert [hit["path"] for hit in found["identities"]] == [["c1", "c2"]] * VEHICLES
    assert client.get("/api/identities", params={"link": "c1>c2"}).json()["total"] == VEHICLES
    assert client.get("/api/identities", params={"link": "c2>c1"}).json()["total"] == 0
    assert client.get("/api/identities", params={"until": "0:01.5"}).json()["total"] == 1
    table = client.get("/api/tables/origin_destination.csv").text.splitlines()
    assert table == ["origin,destination,vehicles", f"c1,c2,{VEHICLES}"]


def test_a_crop_and_a_picture_find_the_vehicle(client: TestClient) -> None:
    first = client.get("/api/identities").json()["identities"][0]
    address = first["best"]["crops"][0]
    crop = client.get(address)
    assert crop.status_code == 200 and crop.headers["content-type"] == "image/jpeg"
    assert client.get(address.split("?")[0] + "?v=old").status_code == 404
    query = client.post("/api/pictures", content=crop.content).json()["query"]
    best = client.get("/api/identities", params={"query": query}).json()["identities"][0]
    assert best["identity"] == first["identity"] and best["likeness"] > 0.98


def test_colours_are_found_from_the_crops(client: TestClient) -> None:
    """The fourth vehicle is cyan, which counts as blue."""
    expected = {"blue": 2, "green": 1, "red": 1}
    end = time.monotonic() + 30
    while {c: client.get("/api/identities", params={"colour": c}).json()["total"] for c in expected} != expected:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_feed_tells_events_pictures_and_health(client: TestClient) -> None:
    events = until(client, "/api/live/events", "events")
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert client.get("/api/live/events", params={"after": events[-2]["seq"]}).json()["events"] == events[-1:]
    tiles = until(client, "/api/live", "tiles")
    assert set(tiles) == {"c1", "c2"}
    picture = client.get(tiles["c1"]["picture"])
    assert picture.status_code == 200 and picture.headers["content-type"] == "image/jpeg"
    assert client.get("/api/live/tiles/c1/999999.jpg").status_code == 404
    assert client.get("/api/live/tiles/..%2f..%2flive/1.jpg").status_code == 404
    health = client.get("/api/live").json()["health"]
    assert [camera["camera"] for camera in health["cameras"]] == ["c1", "c2"]
    assert {camera["state"] for camera in health["cameras"]} == {"ended"}


def test_there_are_no_doubts_but_a_reason(client: TestClient) -> None:
    page = client.get("/doubts")
    assert page.status_code == 404 and "keeps no probabilities" in page.text
    assert client.get("/api/doubts").status_code == 409


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"kind": "same", "first": ["c1/1"], "second": ["c2/999"]}, "c2/999: there is no such track"),
        ({"kind": "same", "first": ["c1/1"]}, "at least two"),
        ({"kind": "different", "first": ["c1/1"], "second": ["c1/1"]}, "different from itself"),
    ],
)
def test_an_answer_that_says_nothing_is_refused_at_once(
    client: TestClient, store: Path, answer: dict[str, Any], reason: str
) -> None:
    refused = client.post("/api/answers", json=answer)
    assert refused.status_code == 422 and reason in refused.json()["error"]
    assert client.get("/api/answers").json() == {"entries": []}
    assert not (store / "page").exists()


def test_answers_reach_the_site_and_come_back_with_what_became_of_them(scene: Path, tmp_path: Path) -> None:
    with LiveSite(plan(scene, tmp_path), ColourWindow) as site:
        for event in site.events():
            if (event.kind, event.camera, event.track) == ("final", "c2", 1):
                with client_of(tmp_path) as client:
                    seen = client.get("/api/state").json()["seq"]
                    no_vehicle = {"kind": "not-a-vehicle", "first": ["c1/1"], "author": "Ada", "after": seen}
                    assert client.post("/api/answers", json=no_vehicle).json()["state"]["waiting"] == 1
                    same = {"kind": "same", "first": ["c1/1"], "second": ["c2/1"], "author": "Bo"}
                    overtaken = client.post("/api/answers", json={**same, "after": seen})
                    assert overtaken.status_code == 409 and "Ada has answered" in overtaken.json()["error"]
                    assert client.post("/api/answers", json=same).status_code == 201
    with client_of(tmp_path) as client:
        state = client.get("/api/state").json()
        assert (state["seq"], state["solved"], state["waiting"]) == (2, 2, 0)
        assert list(state["refused"]) == ["2"]
        history = client.get("/history").text
        assert "Ada" in history and "in force" in history and "refused: " in history
        assert [p["key"] for p in client.get("/api/identities/1").json()["passages"]] == ["c2/1"]
        undone = client.post("/api/answers/1/undo", json={"author": "Bo"}).json()
        assert undone["state"]["waiting"] == 1  # nobody is there to take it
        assert "not taken yet" in client.get("/history").text


def test_the_page_writes_nothing_and_locks_nobody_out(store: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and "-shm" not in path.name}
    reader, _ = open_site(store)
    feed = LiveFeed(store)
    try:
        with sqlite3.connect(store / "live.sqlite", isolation_level=None, timeout=0.0) as writer:
            for _ in range(20):
                writer.execute("BEGIN EXCLUSIVE")
                writer.execute("ROLLBACK")
                reader.now()
                time.sleep(0.05)
    finally:
        feed.close()
        reader.close()
    after = {path: path.stat().st_mtime_ns for path in before if "-wal" not in path.name}
    assert after == {path: before[path] for path in after}


def test_what_ended_long_ago_is_left_out(store: Path) -> None:
    reader, _ = open_site(store, hours=10.0 / 3600.0)
    try:
        ends = reader.now().passages.end
        assert 0 < len(ends) < VEHICLES * CAMERAS
        assert ends.max() - ends.min() <= 10.0
    finally:
        reader.close()


def test_a_folder_that_is_no_store_is_refused_in_one_line(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    (tmp_path / "gate.mp4").write_bytes(b"")
    site.write_text("name: x\ncameras: {gate: gate.mp4}\n", encoding="utf-8")
    with pytest.raises(InputError, match="no such store; start python"):
        main([str(site), "--port", "0"])
    with pytest.raises(InputError, match="--extractor: is for a finished run"):
        main([str(site), "--port", "0", "--extractor", "baseline"])


class Replay(threading.Thread):
    """A replay that runs beside the test, held back so that it can be watched."""

    def __init__(self, plan: LivePlan) -> None:
        super().__init__(daemon=True)
        self._plan = plan
        self.watched = threading.Event()
        self.stopped = False

    def run(self) -> None:
        with LiveSite(self._plan, ColourWindow) as site:
            for _ in site.events():
                if self.stopped:
                    break
                if not self.watched.is_set():
                    time.sleep(0.3)


@pytest.fixture
def running(scene: Path, tmp_path: Path) -> Iterator[tuple[Replay, Path]]:
    replay = Replay(plan(scene, tmp_path))
    replay.start()
    try:
        end = time.monotonic() + 60
        while not all((tmp_path / "tiles" / f"{camera}.json").is_file() for camera in ("c1", "c2")):
            assert replay.is_alive() and time.monotonic() < end
            time.sleep(0.05)
        yield replay, tmp_path
    finally:
        replay.stopped = True
        replay.watched.set()
        replay.join(60)


def test_a_site_is_watched_in_the_browser(running: tuple[Replay, Path], browser_module: Any) -> None:
    if browser_module.find_chromium() is None:
        pytest.skip("no Chromium on the PATH (Debian: apt install chromium)")
    replay, folder = running
    reader, load = open_site(folder)
    app = make_live_app(reader, LiveFeed(folder), load)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with browser_module.Browser() as browser:
            browser.open(f"{address}/")
            browser.wait("document.querySelectorAll('.tile img').length === 2", 60)
            assert browser.run("document.querySelector('.tile img').naturalWidth") == 320
            browser.wait("document.querySelector('#said li[data-kind=assigned] a[href=\"/identity/1\"]')", 60)
            replay.watched.set()
            replay.join(90)
            assert not replay.is_alive()
            # The site has ended; a camera's next picture comes with the boxes of a track whose identity is known.
            frame = LiveFrame(9_999, 50.0, 1, *SIZE, lambda: draw([(20.0, 80.0, (0, 0, 250))]))
            row = LiveRows._of([1], [9_999], [50.0], [[20, 80, 40, 30]], [0.9], [2])
            TileWriter(folder / TILES, "c1").offer(frame, lambda: row)
            browser.wait('document.querySelector(\'.tile[data-frame="9999"] a[href="/identity/1"]\')', 60)
            browser.press("1")
            browser.wait("document.querySelector('.tile.large[data-camera=c1]')")
            browser.press("p")
            browser.wait("document.getElementById('hold').getAttribute('aria-pressed') === 'true'")
            browser.resize(390, 844)
            assert browser.run("document.documentElement.scrollWidth") <= 390
            # A list stays as it was when it was opened; the last vehicle may have come into the store since.
            end = time.monotonic() + 60
            browser.open(f"{address}/find")
            while browser.run("document.querySelectorAll('.hit').length") < VEHICLES and time.monotonic() < end:
                time.sleep(0.5)
                browser.open(f"{address}/find")
            assert browser.run("document.querySelectorAll('.hit').length") == VEHICLES
            browser.open(f"{address}/identity/1")
            browser.press("x")
            browser.press("x")
            browser.press("v")
            browser.wait("document.getElementById('toast').textContent.includes('with its next tick')")
            browser.wait("document.getElementById('state').textContent.includes('1 not taken yet')", 20)
            browser.open(f"{address}/history")
            assert "not a vehicle" in browser.run("document.querySelector('.history').textContent")
            assert not [p for p in browser.problems if "/api/live/tiles/" not in p], browser.problems
            browser.call("Page.navigate", url="about:blank")
    finally:
        server.should_exit = True
        thread.join(20)
