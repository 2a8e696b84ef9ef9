from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.command_line import run_command
from common.errors import InputError
from mtmc.live import main
from mtmc.online.store import Store

from .online.conftest import RtspServer, free_port, rtsp_server
from .online.scenes import write_scene

__all__ = ["rtsp_server"]
SCENES = Path(__file__).with_name("online") / "scenes.py"
VEHICLES = 4


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command takes SIGTERM and SIGINT."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """The arguments that name a replay, and its store."""
    folder = tmp_path_factory.mktemp("live")
    write_scene(folder / "road", vehicles=VEHICLES, gap=3.0, travel=8.0)
    networks = ["--detector", f"{SCENES}:BrightBoxes", "--reid", f"{SCENES}:MeanColour"]
    store = folder / "store"
    arguments = ["--replay", str(folder / "road"), "--store", str(store), *networks]
    assert main([*arguments, "--speed", "max", "--quiet", "--no-lines"]) == 0
    return arguments, store


def test_a_replay_fills_the_store(replayed: tuple[list[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    arguments, folder = replayed
    store = Store(folder, read_only=True)
    kinds = [event.kind for event in store.events()]
    assert kinds.count("opened") == kinds.count("closed") == kinds.count("final") == 2 * VEHICLES
    assert len({row[8] for row in store.tracks()}) <= 2 * VEHICLES
    assert (folder / "log" / "live.log").read_text()

    assert main([*arguments, "--table", "counts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "quarter,camera,vehicles"
    assert lines[1:] == [f"0.0,c1,{VEHICLES}", f"0.0,c2,{VEHICLES}"]


def test_its_report_can_be_written_for_an_hour(
    replayed: tuple[list[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, _ = replayed

    assert main([*arguments, "--report", "1970-01-01T00", "--output", str(tmp_path)]) == 0

    assert str(tmp_path / "report.html") in capsys.readouterr().out
    assert "road" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "metrics.json").read_text())["cameras"] == {"c1": 1, "c2": 2}
    boxes = (tmp_path / "tracks" / "c1.txt").read_text().splitlines()
    assert len(boxes) > 20 * VEHICLES


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--report", "yesterday"], "2026-11-28T22"),
        (["--report", "1970-01-01T07"], "no track in 1970-01-01T07; did you mean 1970-01-01T00"),
    ],
)
def test_an_hour_that_is_not_there(replayed: tuple[list[str], Path], more: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        main([*replayed[0], *more])


@pytest.mark.parametrize("arguments", [[], ["SITE.yaml", "--replay", "sim-S06"], ["SITE.yaml", "--speed", "0"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_missing_site_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, [str(tmp_path / "SITE.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_check_says_what_every_camera_shows(
    rtsp_server: RtspServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtmc.online.check.LOOK_SECONDS", 1.0)
    site = tmp_path / "SITE.yaml"
    site.write_text(
        f"name: yard\ndetector: {SCENES}:BrightBoxes\nextractor: none\n"
        f"cameras:\n  gate: {rtsp_server.address()}\n  yard: rtsp://admin:hunter2@127.0.0.1:{free_port()}/x\n"
        f"  lane: {{source: {rtsp_server.address()}, roi: roi.png}}\n"
    )
    cv2.imwrite(str(tmp_path / "roi.png"), np.full((60, 80), 255, np.uint8))

    status = main([str(site), "--check"])

    said = capsys.readouterr().out
    assert status == 1
    assert "gate: 160 x 120, " in said
    assert "times of its own clock" in said
    assert "yard: CANNOT BE USED: Connection refused" in said
    assert "roi.png is 80 x 60, the camera's picture 160 x 120; draw it on such a picture" in said
    assert "hunter2" not in said


def test_no_credentials_are_written_while_streams_run(
    rtsp_server: RtspServer, tmp_path: Path, repository: Path
) -> None:
    site, port = tmp_path / "SITE.yaml", free_port()
    site.write_text(
        f"name: yard\ndetector: {SCENES}:BrightBoxes\nextractor: none\n"
        f"cameras:\n  gate: {rtsp_server.address()}\n  yard: rtsp://admin:hunter2@127.0.0.1:{free_port()}/x?pwd=hunter2\n"
    )
    command = [sys.executable, "-m", "mtmc.live", str(site), "--metrics", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=repository, start_new_session=True
    )
    figures, end = "", time.monotonic() + 150
    while 'frames_seen_total{camera="gate"} ' not in figures or " waiting" not in figures:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            figures = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        log = tmp_path / "live" / "log" / "live.log"
        figures += log.read_text() if log.is_file() else ""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = children.read_text().split() if children.is_file() else []
    titles = "".join(Path(f"/proc/{number}/cmdline").read_text() for number in workers)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "yard: waiting (Connection refused)" in said
    kept = [path.read_bytes() for path in (tmp_path / "live").rglob("*") if path.is_file()]
    assert len(kept) >= 3
    for text in (figures.encode(), titles.encode(), said.encode(), *kept):
        assert b"hunter2" not in text
        assert b"admin:" not in text


def test_a_full_disk_is_one_line_with_the_path(
    replayed: tuple[list[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [*replayed[0]]
    arguments[arguments.index("--store") + 1] = str(tmp_path / "full")
    begin = Store.transaction

    def full(self: Store) -> object:
        pages = self._base.execute("PRAGMA page_count").fetchone()[0]
        self._base.execute(f"PRAGMA max_page_count = {pages}")
        return begin(self)

    monkeypatch.setattr(Store, "transaction", full)

    assert run_command(main, [*arguments, "--speed", "max", "--quiet", "--no-lines"]) == 2

    line = capsys.readouterr().err
    assert line.startswith(f"error: {tmp_path / 'full' / 'live.sqlite'}: No space left on device")
    assert line.count("\n") == 1
