"""All executors keep the same promises: the failure of one clip does not affect the others."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.execution.choice import make_executor
from mtmc.execution.interface import ClipFailure, Executor


def work(job: str) -> str:
    if job == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "broken":
        raise ValueError("cannot be opened")
    if job == "large":
        raise MemoryError
    if job.startswith("/") and not Path(job).exists():
        Path(job).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return job.upper()


def process(job: str) -> int:
    return os.getpid()


def test_a_crashing_clip_and_an_unreadable_one_fail_alone() -> None:
    jobs = {"c1": "one", "c2": "crash", "c3": "broken", "c4": "four", "c5": "large"}
    executor = make_executor("processes", workers=2)
    results = dict(executor.map(work, jobs, expected=(ValueError,)))
    executor.close()
    assert (results["c1"], results["c4"]) == ("ONE", "FOUR")
    assert str(results["c2"]) == "c2: its worker process died"
    assert str(results["c3"]) == "cannot be opened"
    assert str(results["c5"]) == "c5: out of memory"
    assert all(isinstance(results[name], ClipFailure) for name in ("c2", "c3", "c5"))


def test_a_clip_whose_process_died_once_is_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / "died"
    executor = make_executor("processes", workers=1)
    assert dict(executor.map(work, {"c1": str(mark)})) == {"c1": str(mark).upper()}
    executor.close()
    assert mark.read_text() != str(os.getpid())


@pytest.mark.parametrize("name", ["in-turn", "processes"])
def test_an_internal_error_is_not_reported_as_a_clips_failure(name: str) -> None:
    executor = make_executor(name, workers=1)
    with pytest.raises(ValueError, match="cannot be opened"):
        list(executor.map(work, {"c1": "broken"}))
    executor.close()


def test_in_turn_works_in_this_process_and_names_what_failed() -> None:
    executor: Executor = make_executor("in-turn")
    assert dict(executor.map(process, {"c1": ""})) == {"c1": os.getpid()}
    results = dict(executor.map(work, {"c1": "broken", "c2": "two", "c3": "large"}, expected=(ValueError,)))
    assert (str(results["c1"]), results["c2"], str(results["c3"])) == ("cannot be opened", "TWO", "c3: out of memory")


def test_processes_stay_for_the_next_call() -> None:
    executor = make_executor("processes", workers=1)
    first = dict(executor.map(process, {"c1": ""}))
    second = dict(executor.map(process, {"c2": ""}))
    executor.close()
    assert set(first.values()) == set(second.values()) != {os.getpid()}


def test_wrong_names_and_addresses_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean processes"):
        make_executor("process")
    with pytest.raises(InputError, match="only --executor ray"):
        make_executor("processes", address="head:6379")
