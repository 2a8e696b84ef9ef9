"""Progress bars of cameras that are processed in other processes."""

from __future__ import annotations

import io
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from rich.console import Console

from mtmc.observation.progress import Advance, CameraProgress


def work(advance: Advance, camera: str, frames: int) -> None:
    for _ in range(frames):
        advance(camera)


def test_workers_in_other_processes_are_counted() -> None:
    totals = {"c041": 40, "c042": 25}
    out = io.StringIO()
    with CameraProgress(totals, title="observe", console=Console(file=out)) as progress:
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
            for job in [pool.submit(work, progress.advance, camera, total) for camera, total in totals.items()]:
                job.result()
        assert progress.done == totals
    assert sorted(out.getvalue().splitlines()) == ["observe: c041: 40 frames", "observe: c042: 25 frames"]


def test_bars_on_a_terminal_show_every_camera() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with CameraProgress({"c041": 10, "c042": 0}, console=console) as progress:
        progress.advance("c041", 10)
        progress.advance("c042", 3)
    text = out.getvalue()
    assert "c041" in text and "10/10" in text and "c042" in text


def test_a_long_run_without_a_terminal_writes_occasional_lines() -> None:
    out = io.StringIO()
    with CameraProgress({"a": 100, "b": 100}, console=Console(file=out), seconds_between_lines=0.2) as progress:
        progress.advance("a", 30)
        time.sleep(0.7)
    assert "30 of 200 frames, 2 cameras to go" in out.getvalue()


def test_a_camera_that_ends_early_is_reported_at_the_end() -> None:
    out = io.StringIO()
    with CameraProgress({"a": 100, "b": 50}, console=Console(file=out)) as progress:
        progress.advance("a", 30)
    assert out.getvalue().splitlines() == ["a: 30 frames"]


def test_an_unknown_camera_is_an_error_and_a_late_worker_is_not() -> None:
    with CameraProgress({"a": 2}, console=Console(file=io.StringIO())) as progress:
        with pytest.raises(KeyError):
            progress.advance("b")
        late = progress.advance
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(late, "a").result()
    assert not late.path.exists()


def test_no_cameras_and_errors_in_the_block_are_handled() -> None:
    with CameraProgress({}, console=Console(file=io.StringIO())) as progress:
        assert progress.done == {}
    with (
        pytest.raises(RuntimeError, match="inside"),
        CameraProgress({"a": 1}, console=Console(file=io.StringIO())) as progress,
    ):
        raise RuntimeError("inside")
    assert not progress.advance.path.exists()
