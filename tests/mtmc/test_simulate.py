"""The command line of the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.command_line import run_command
from mtmc.simulate import main


def test_a_scenario_by_name_with_other_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    arguments = ["--scenario", "sim-S01", "--cameras", "2", "--seconds", "1", "--width", "320", "--height", "180"]
    assert run_command(main, [*arguments, "--no-video", "--seed", "9", "--workers", "1", "--output", str(output)]) == 0
    assert capsys.readouterr().out.strip() == str(output)
    cameras = sorted(p.name for p in (output / "validation" / "sim-S01").iterdir())
    assert cameras == ["c001", "c002"]
    assert (output / "cam_framenum" / "sim-S01.txt").read_text() == "c001 10\nc002 10\n"
    assert not list(output.rglob("vdo.avi"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "S06"], "S06: not a simulated scenario; available: sim-S01"),
        (["--scenario", "sim-S6"], "sim-S06"),
        (["--scenario", "sim-S06", "--seconds", "-3"], "seconds"),
        (["--reid", "--identities", "2"], "--identities"),
        (["--detection", "--frames", "3"], "--frames"),
        (["--detection", "--two-wheelers", "-0.1"], "--two-wheelers"),
        (["--scenario", "sim-S06", "--two-wheelers", "3"], "two_wheelers"),
        (["--reid", "--conditions", "nigth"], "--conditions nigth: unknown condition; did you mean night"),
        (["--detection", "--conditions", "night=2"], "--conditions night=2"),
        (["--scenario", "sim-S06", "--conditions", "fog"], "--conditions fog: unknown condition"),
        (["--scenario", "sim-S06", "--conditions", "night=0.5"], "a scenario has no shares"),
    ],
)
def test_a_user_mistake_gives_one_line_and_status_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(main, [*arguments, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len([line for line in error.splitlines() if line.startswith("error:")]) == 1
    assert not (tmp_path / "out").exists()
