"""The page in a real browser: find, correct, undo, timeline; skipped where there is no Chromium."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import uvicorn

from mtmc.web.app import make_app
from mtmc.web.session import Session


@pytest.fixture(scope="module")
def browser(browser_module: Any) -> Iterator[Any]:
    if browser_module.find_chromium() is None:
        pytest.skip("no Chromium on the PATH (Debian: apt install chromium)")
    with browser_module.Browser() as browser:
        yield browser


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    return open_session(solve=True)


@pytest.fixture
def address(browser: Any, session: Session) -> Iterator[str]:
    """A server on a free port of this machine."""
    config = uvicorn.Config(make_app(session), port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    browser.call("Page.navigate", url="about:blank")  # a page that is open waits for events
    browser.wait("location.href === 'about:blank'")
    server.should_exit = True
    thread.join(20)


@pytest.fixture(autouse=True)
def no_problems(request: pytest.FixtureRequest) -> Iterator[None]:
    """No page may throw, load what is refused, or miss a file."""
    browser = request.getfixturevalue("browser")
    yield
    problems, browser.problems = browser.problems, []
    expected = ("422", "409")  # refused answers are shown to the user, and logged by the browser
    assert not [p for p in problems if not any(f"status of {code}" in p for code in expected)]


def test_find_by_clicking_and_by_a_picture(browser: Any, address: str, session: Session, tmp_path: Path) -> None:
    browser.open(f"{address}/find")
    assert browser.run("document.querySelectorAll('.hit').length") == len(session.snapshot.index)
    browser.run("document.querySelector('.hit .picture').click()")
    browser.wait("document.querySelector('.passage .strip a')")
    browser.run("document.querySelector('.passage .strip a').click()")
    browser.wait("document.querySelector('.likeness')")
    # This run has no network, so a picture is answered with the reason.
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.zeros((40, 60, 3), np.uint8))
    browser.choose_file("#file", picture)
    browser.wait("document.getElementById('toast').textContent.includes('cannot be compared')")


def test_doubts_are_answered_by_keys_and_undone(
    browser: Any, address: str, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtmc.web.doubts import Doubt

    row = session.row_of
    pairs = [("c2/2", "c3/1", True), ("c2/4", "c3/4", True)]

    def asked(limit: int = 20) -> list[Doubt]:
        done = {(e.first[0], e.second[0]) for e in session.log.standing()}
        return [Doubt(row[a], row[b], 0.4, joined, 9.0) for a, b, joined in pairs if (a, b) not in done]

    monkeypatch.setattr(session, "doubts", asked)
    browser.open(f"{address}/doubts")
    browser.wait("document.querySelector('.doubt[data-second=\"c3/1\"]')")
    browser.wait("!document.querySelector('#state.busy')")
    browser.press("d")
    browser.wait("document.querySelector('.doubt[data-second=\"c3/4\"]')")
    browser.wait("!document.getElementById('changed').hidden")
    (entry,) = session.log.standing()
    assert (entry.kind, entry.first, entry.second) == ("different", ("c2/2",), ("c3/1",))
    browser.press("z")
    browser.wait("document.querySelector('.doubt[data-second=\"c3/1\"]')")
    assert session.log.standing() == []


def test_an_identity_is_split_by_keys_and_put_back(browser: Any, address: str, session: Session) -> None:
    number = int(session.snapshot.index.identity[session.row_of["c1/4"]])
    browser.open(f"{address}/identity/{number}")
    browser.wait("document.querySelectorAll('.passage').length === 3")
    browser.wait("document.getElementById('state').textContent && !document.querySelector('#state.busy')")
    browser.press("j")
    browser.press("x")
    browser.wait("document.querySelectorAll('.passage.chosen').length === 1")
    browser.press("s")
    browser.wait("document.querySelectorAll('.passage').length === 2")
    browser.wait("document.getElementById('state').textContent")  # told by the server: the keys work
    browser.press("u")
    browser.wait("document.querySelectorAll('.passage').length === 3")
    assert [entry.kind for entry in session.log.entries()] == ["different", "undo"]


def test_a_track_is_dropped_on_another_identity(browser: Any, address: str, session: Session) -> None:
    # The run takes vehicle 1 in camera 3 for vehicle 2.
    index = session.snapshot.index
    wrong, right = (int(index.identity[session.row_of[key]]) for key in ("c3/1", "c1/1"))
    browser.open(f"{address}/identity/{wrong}")
    browser.wait("document.querySelector('.candidate')")
    browser.run(
        """(() => {
      const drag = { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() };
      document.querySelector('.passage[data-key="c3/1"]').dispatchEvent(new DragEvent("dragstart", drag));
      document.querySelector('.candidate[data-identity="RIGHT"]').dispatchEvent(new DragEvent("drop", drag));
    })()""".replace("RIGHT", str(right))
    )
    end = time.monotonic() + 60
    while len(session.log.standing()) < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [(e.kind, e.second) for e in session.log.standing()] == [("different", ("c3/1",)), ("same", ("c3/1",))]
    rest = session.snapshot.index.identity[[session.row_of["c1/2"], session.row_of["c2/2"]]]
    assert int(session.snapshot.index.identity[session.row_of["c3/1"]]) not in rest.tolist()
    # Loaded again when it is solved, after which nothing more moves.
    browser.wait("!window.before && document.querySelectorAll('.passage').length === 2", 60)


def test_a_clip_plays(browser: Any, address: str, session: Session) -> None:
    number = int(session.snapshot.index.identity[session.row_of["c1/4"]])
    browser.open(f"{address}/identity/{number}")
    browser.wait("document.querySelector('[data-clip]')")
    browser.run("document.querySelector('[data-clip]').click()")
    assert browser.wait("document.querySelector('video')?.videoWidth") == 160
    assert browser.run("document.querySelector('video').duration") == pytest.approx(3.0, abs=0.15)


def test_the_timeline_draws_what_is_seen_and_opens_an_identity(browser: Any, address: str, session: Session) -> None:
    browser.open(f"{address}/timeline")
    browser.wait(f"document.getElementById('timeline').dataset.bars === '{len(session.passages)}'")
    for _ in range(6):
        browser.press("+")
    browser.wait(f"Number(document.getElementById('timeline').dataset.bars) < {len(session.passages)}")
    browser.press("0")
    place = "document.getElementById('timeline').getBoundingClientRect()"
    x, y = browser.run(f"[{place}.left + 20, {place}.top + 34]")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    browser.wait("location.pathname.startsWith('/identity/')")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["/", "/find", "/identity/1", "/timeline", "/doubts", "/history"])
def test_no_page_is_wider_than_the_window(browser: Any, address: str, page: str, width: int) -> None:
    browser.resize(width, 844)
    browser.open(f"{address}{page}")
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.resize(1280, 900)
