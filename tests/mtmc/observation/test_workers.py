"""The failure of one camera does not affect the others."""

import os
import signal

import pytest

from mtmc.observation.workers import CameraFailure, map_cameras


def work(job: str) -> str:
    if job == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "broken":
        raise ValueError("cannot be opened")
    return job.upper()


def test_a_crashing_camera_and_an_unreadable_one_fail_alone() -> None:
    jobs = {"c1": "one", "c2": "crash", "c3": "broken", "c4": "four"}
    results = dict(map_cameras(work, jobs, workers=2, expected=(ValueError,)))
    assert results["c1"] == "ONE"
    assert results["c4"] == "FOUR"
    assert isinstance(results["c2"], CameraFailure)
    assert "c2" in str(results["c2"])
    assert isinstance(results["c3"], CameraFailure)
    assert str(results["c3"]) == "cannot be opened"


def test_an_internal_error_is_not_reported_as_a_cameras_failure() -> None:
    with pytest.raises(ValueError, match="cannot be opened"):
        list(map_cameras(work, {"c1": "broken"}, workers=1))
