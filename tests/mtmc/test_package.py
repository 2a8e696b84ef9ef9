"""What `import mtmc` provides, and what it loads."""

import subprocess
import sys
from pathlib import Path

import pytest

import mtmc


def test_every_public_name_exists() -> None:
    for name in mtmc.__all__:
        assert getattr(mtmc, name) is not None
        assert name in dir(mtmc)
    with pytest.raises(AttributeError, match="asociate"):
        mtmc.asociate  # noqa: B018


@pytest.mark.parametrize(
    ("code", "packages"),
    [
        ("import mtmc", ["numpy", "torch", "polars", "pydantic", "cv2"]),
        ("import mtmc.run; mtmc.run._parser().format_help()", ["numpy", "torch", "polars", "pydantic", "cv2"]),
        ("import mtmc.config", ["numba", "torch", "polars", "scipy", "cv2"]),
    ],
)
def test_import_help_and_settings_load_no_slow_packages(code: str, packages: list[str], repository: Path) -> None:
    check = f"import sys; {code}; print([m for m in {packages} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check],
        env={"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
