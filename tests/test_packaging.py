"""What an installation from a wheel holds, and that it works away from the checkout."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from mtmc.__main__ import VERBS, main

PACKAGES = ("common", "detection", "evaluation", "mtmc", "reid")
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*")


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built offline from a copy of the files that packaging reads."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in (*PACKAGES, "weights", "configs"):
        shutil.copytree(repository / name, source / name, ignore=LEFT_BEHIND)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(repository / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder that holds what the wheel installs."""
    folder = wheel.parent / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` in `folder`, with the packages of the wheel."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_has_every_module_and_every_shipped_file(installed: Path, repository: Path) -> None:
    for name in PACKAGES:
        sources = {
            p.relative_to(repository) for p in (repository / name).rglob("*") if p.is_file() and p.suffix != ".md"
        }
        missing = [p for p in sources if "__pycache__" not in p.parts and not (installed / p).is_file()]
        assert not missing
        assert (installed / name / "py.typed").is_file()
    for name in ("weights", "configs"):
        shipped = [p.relative_to(repository) for p in (repository / name).rglob("*") if p.is_file()]
        assert shipped
        missing = [p for p in shipped if not (installed / "common" / "shipped" / p).is_file()]
        assert not missing


def test_the_wheel_states_its_licence(installed: Path) -> None:
    (information,) = installed.glob("*.dist-info")
    metadata = (information / "METADATA").read_text()
    assert "License-Expression: Apache-2.0" in metadata
    assert {p.name for p in (information / "licenses").iterdir()} == {"LICENSE", "NOTICE"}
    required = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    (agpl,) = [line for line in required if line.startswith("ultralytics")]
    assert 'extra == "yolo"' in agpl


def test_an_installation_finds_scenarios_and_networks_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = (
        "import numpy, reid\n"
        "from common.resources import resource\n"
        "print(resource('configs', 'scenarios', 'sim-S06.yaml'))\n"
        "print(resource('weights', 'detector.onnx'))\n"
        "print(reid.Extractor.load('ssbver').embed([numpy.zeros((64, 96, 3), numpy.uint8)]).shape)\n"
    )
    done = run_installed(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    scenario, detector, shape = done.stdout.splitlines()
    assert Path(scenario).is_relative_to(installed) and Path(detector).is_relative_to(installed)
    assert shape == "(1, 256)"


def test_every_verb_is_a_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for verb in VERBS:
        assert f"  {verb} " in listed
        with pytest.raises(SystemExit) as end:
            main([verb, "--help"])
        assert end.value.code == 0
    assert main(["rum"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: rum: no such verb; did you mean run?"
    assert main([]) == 2


def test_the_locks_are_plain_and_fulfil_the_requirements(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        "requirements.lock": [*project["dependencies"], *extras["yolo"], *extras["train"]],
        "requirements-dev.lock": extras["dev"],
        "requirements-benchmarks.lock": extras["benchmarks"],
        "requirements-docs.lock": extras["docs"],
    }
    for name, requirements in wanted.items():
        lines = [line for line in (repository / name).read_text().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*", line) for line in lines), name
        locked = {line.partition("==")[0] for line in lines}
        if name == "requirements-benchmarks.lock":
            dev = (repository / "requirements-dev.lock").read_text()
            locked |= {line.partition("==")[0] for line in dev.splitlines()}
        assert {re.split(r"[\[<>=]", r.lower())[0] for r in requirements} <= locked, name
