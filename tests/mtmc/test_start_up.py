"""What the command line imports: a run from the cache does not wait for the packages of the work."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.command_line import run_command
from common.resources import resource
from mtmc.run import main

PROGRAM = """
import importlib, sys
try:
    status = importlib.import_module(sys.argv[1]).main(sys.argv[2:])
except SystemExit as error:
    status = error.code
sys.stderr.write("\\nmodules: " + " ".join(sys.modules))
sys.exit(status)
"""


def modules_of(*arguments: str | Path, command: str = "mtmc.run") -> set[str]:
    """The modules that a command in a process of its own imports."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("\nmodules: ")[2].split())


@pytest.mark.parametrize("command", ["mtmc.run", "mtmc.live", "mtmc.serve", "mtmc.simulate"])
def test_help_imports_no_numerical_package(command: str) -> None:
    assert not modules_of("--help", command=command) & {
        "numpy",
        "torch",
        "openvino",
        "numba",
        "scipy",
        "polars",
        "cv2",
        "rich",
        "pydantic",
    }


def test_a_run_from_the_cache_imports_neither_networks_nor_their_libraries(
    make_cityflow: Callable[..., Path], tmp_path: Path
) -> None:
    arguments = [
        "--data-root",
        make_cityflow(),
        "--scenario",
        "X01",
        "--reid",
        "baseline",
        "--cache",
        tmp_path / "cache",
    ]
    arguments += ["--detector", resource("weights", "detector.onnx"), "--output", tmp_path / "out"]
    arguments += ["--executor", "in-turn"]
    assert run_command(main, list(map(str, arguments))) == 0
    wanted = {"torch", "ultralytics", "openvino", "numba", "scipy", "matplotlib", "pandas", "motmetrics", "timm", "ray"}
    found = wanted & modules_of(*arguments)
    assert not found
