"""Exit statuses and error lines of commands."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from common.command_line import run_command
from common.errors import InputError


def _raising(error: BaseException) -> int:
    def main(argv: Sequence[str] | None) -> int:
        raise error

    return run_command(main, [])


def test_a_user_mistake_gives_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raising(InputError("track1.txt:3:\n too short")) == 2
    assert capsys.readouterr().err == "error: track1.txt:3: too short\n"


def test_an_internal_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        _raising(ZeroDivisionError())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")

    def main(argv: Sequence[str] | None) -> int:
        (tmp_path / "taken" / "results").mkdir()
        return 0

    assert run_command(main, []) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'taken' / 'results'}: Not a directory")
    assert error.count("\n") == 1
    assert _raising(OSError(errno.ENOSPC, "No space left on device")) == 2
    with pytest.raises(BrokenPipeError):
        _raising(BrokenPipeError(errno.EPIPE, "Broken pipe"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_standard_output_gives_one_line() -> None:
    program = (
        "from common.command_line import run_command; import sys; sys.exit(run_command(lambda _: print('x') or 0))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: standard output: No space left on device")
    assert ended.stderr.count("\n") == 1


def test_an_interruption_is_not_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert _raising(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_status_of_the_command_is_passed_on() -> None:
    assert run_command(lambda argv: len(argv or ()), ["a", "b"]) == 2
