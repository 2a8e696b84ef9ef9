"""Worker processes of scripts without a main guard."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import math
from concurrent.futures import ProcessPoolExecutor
from common.processes import worker_context

print("started")
with ProcessPoolExecutor(2, mp_context=worker_context()) as pool:
    print(sorted(pool.map(math.factorial, [3, 4, 5])))
print(__file__ if "__file__" in globals() else "no file", __name__)
"""


@pytest.mark.parametrize("way", ["script", "standard input", "-c"])
def test_workers_run_nothing_of_an_unguarded_script(way: str, tmp_path: Path, repository: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    arguments = {"script": [str(path)], "standard input": ["-"], "-c": ["-c", SCRIPT]}[way]
    done = subprocess.run(
        [sys.executable, *arguments],
        input=SCRIPT if way == "standard input" else "",
        env={"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == ["started", "[6, 24, 120]"]
    assert len(lines) == 3 and lines[2].endswith("__main__")
