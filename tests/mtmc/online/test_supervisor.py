from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mtmc.config import make_settings
from mtmc.observation.job import DetectorChoice
from mtmc.online.messages import CameraReport, LiveRows
from mtmc.online.streams import Playback
from mtmc.online.supervisor import Died, Supervisor
from mtmc.online.worker import CameraJob
from mtmc.scenarios.clock import Clock

from .conftest import RtspServer, free_port, write_video
from .scenes import write_scene

SCENES = Path(__file__).with_name("scenes.py")
SETTINGS = make_settings({})
PATIENCE = 600.0


def job(camera: str, address: object, folder: Path, playback: Playback | None = None, **more: object) -> CameraJob:
    detector = DetectorChoice(f"{SCENES}:BrightBoxes")
    return CameraJob(
        camera, str(address), playback, SETTINGS, detector, f"{SCENES}:MeanColour", folder / "cache", **more
    )  # type: ignore[arg-type]


def listen(supervisor: Supervisor, until: Callable[[list[CameraReport | Died]], bool]) -> list[CameraReport | Died]:
    told: list[CameraReport | Died] = []
    end = time.monotonic() + PATIENCE
    while not until(told):
        assert time.monotonic() < end, [m if isinstance(m, Died) else (m.camera, m.state, m.detail) for m in told[-9:]]
        told += supervisor.poll(0.2)
    return told


def test_a_file_is_watched_to_its_end_and_a_killed_process_goes_on_without_using_a_number_again(tmp_path: Path) -> None:
    write_scene(tmp_path, cameras=1, vehicles=4)
    play = Playback(Clock.uniform(10.0), begin=0.0, wall=0.0, speed=float("inf"))
    supervisor = Supervisor([job("c1", tmp_path / "c1.mp4", tmp_path, play, lossless=True)])

    told = listen(supervisor, lambda m: any(isinstance(r, CameraReport) and r.seconds > 8 for r in m))
    process = supervisor.process_of("c1")
    assert process is not None
    os.kill(process, signal.SIGKILL)
    told += listen(supervisor, lambda m: not supervisor.running)

    [died] = [m for m in told if isinstance(m, Died)]
    assert died.again
    assert supervisor.restarts == {"c1": 1}
    reports = [m for m in told if isinstance(m, CameraReport)]
    seconds = [r.seconds for r in reports if r.seconds > float("-inf")]
    assert seconds == sorted(seconds)
    rows = LiveRows.concatenate([r.rows for r in reports])
    keys = list(zip(rows.track.tolist(), rows.frame.tolist(), strict=True))
    assert len(keys) == len(set(keys))
    # No number is used before and after, and every vehicle was seen.
    before = {c.number for r in reports[: told.index(died)] for c in r.closed}
    after = [c.number for r in reports[told.index(died) :] for c in r.closed]
    assert not before & set(after)
    assert len(before) + len(after) >= 3
    assert reports[-1].state == "ended"


def test_one_of_four_cameras_is_dead_and_the_others_go_on(rtsp_server: RtspServer, tmp_path: Path) -> None:
    write_video(rtsp_server.folder / "b.mp4")
    address = f"rtsp://admin:hunter2@127.0.0.1:{free_port()}/x"
    supervisor = Supervisor(
        [
            job("a", rtsp_server.address(), tmp_path),
            job("b", rtsp_server.address("b.mp4"), tmp_path),
            job("c", rtsp_server.address(), tmp_path),
            job("dead", address, tmp_path),
        ]
    )
    try:
        told = listen(
            supervisor,
            lambda m: (
                {r.camera for r in m if isinstance(r, CameraReport) and r.seen > 2} == set("abc")
                and any(isinstance(r, CameraReport) and r.camera == "dead" and r.state == "waiting" for r in m)
            ),
        )
    finally:
        last = supervisor.stop(5)
    assert not any(isinstance(m, Died) for m in told)
    detail = next(r.detail for r in told if isinstance(r, CameraReport) and r.camera == "dead" and r.detail)
    assert "refused" in detail
    assert "hunter2" not in repr(told)
    assert {m.camera for m in last if isinstance(m, CameraReport) and m.state == "ended"} >= set("abc")


def test_a_process_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scene(tmp_path, cameras=1, vehicles=1)
    play = Playback(Clock.uniform(10.0), begin=0.0, wall=0.0, speed=0.5)
    supervisor = Supervisor([job("c1", tmp_path / "c1.mp4", tmp_path, play)])
    try:
        listen(supervisor, lambda m: any(isinstance(r, CameraReport) and r.seen for r in m))
        process = supervisor.process_of("c1")
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        monkeypatch.setattr("mtmc.online.supervisor.HANG_SECONDS", 2.0)
        told = listen(supervisor, lambda m: any(isinstance(r, Died) for r in m))
        assert "hangs" in next(m.text for m in told if isinstance(m, Died))
        monkeypatch.setattr("mtmc.online.supervisor.HANG_SECONDS", 60.0)
        listen(supervisor, lambda m: any(isinstance(r, CameraReport) and r.seen for r in m))
    finally:
        supervisor.stop(5)


def test_a_wrong_detector_is_told_and_not_tried_again(tmp_path: Path) -> None:
    write_scene(tmp_path, cameras=1, vehicles=1)
    wrong = CameraJob(
        "c1", str(tmp_path / "c1.mp4"), None, SETTINGS, DetectorChoice(str(tmp_path / "no.onnx")), "none", tmp_path
    )
    supervisor = Supervisor([wrong])

    told = listen(supervisor, bool)

    assert isinstance(told[0], Died)
    assert "no.onnx" in told[0].text
    assert not told[0].again
    assert supervisor.running == set()


def test_a_job_does_not_print_its_address(tmp_path: Path) -> None:
    assert "hunter2" not in repr(job("a", "rtsp://admin:hunter2@h/1", tmp_path))
