"""The files that run a live site in a container or under systemd: linted, and their commands are ones that we take."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtmc.__main__ import VERBS
from mtmc.live import _parser


def lint(command: list[str]) -> None:
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr


def taken(arguments: list[str]) -> list[str]:
    """The arguments of `mtmc.live` in them, after they were parsed."""
    parsed = _parser().parse_args(arguments)
    assert parsed.site is not None
    return arguments


@pytest.fixture
def folder(repository: Path) -> Path:
    return repository / "examples" / "live"


def test_the_dockerfile(folder: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("the Dockerfile is linted by hadolint (requirements-dev.lock)")
    lint([hadolint, str(folder / "Dockerfile")])


def test_the_compose_file(folder: Path) -> None:
    content = yaml.safe_load((folder / "compose.yaml").read_text())
    live = content["services"]["live"]

    taken(live["command"])
    assert all(port.startswith("127.0.0.1:") for port in live["ports"])
    assert (folder / live["build"]["context"] / live["build"]["dockerfile"]).is_file()
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("its schema comes with check-jsonschema (requirements-dev.lock)")
    schema = ["--builtin-schema", "vendor.compose-spec", str(folder / "compose.yaml")]
    lint([sys.executable, "-m", "check_jsonschema", *schema])


def test_the_unit(folder: Path, tmp_path: Path) -> None:
    text = (folder / "mtmc-live.service").read_text()
    [command] = [line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")]
    program, verb, *arguments = command.split()

    assert verb in VERBS
    assert "--metrics-host" not in taken(arguments)
    if shutil.which("systemd-analyze") is None:
        pytest.skip("a unit is checked by systemd-analyze, which this system does not have")
    unit = tmp_path / "mtmc-live.service"
    unit.write_text(text.replace(program, sys.executable))
    lint(["systemd-analyze", "verify", str(unit)])
