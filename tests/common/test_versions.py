"""Versions are those of the installed distributions."""

import importlib.metadata
import json
from pathlib import Path

import cv2
import pytest

from common import versions as module
from common.versions import versions
from mtmc.report.run_folder import run_versions
from reid.checkpoint import PACKAGES

ROOT = Path(__file__).parents[2]


def test_a_module_gives_the_version_of_what_provides_it() -> None:
    found = versions(["cv2"])
    name = next(name for name in found if name.startswith("opencv"))
    assert found[name] == importlib.metadata.version(name)
    assert found[name].startswith(cv2.__version__)


def test_the_installed_one_of_several_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_providers", lambda _: ["numpy", "numpy"])
    assert "numpy" in versions(["vision"])


def test_a_missing_package_is_reported() -> None:
    assert versions(["no-such-package"])["no-such-package"] == "not installed"


@pytest.mark.parametrize("found", [run_versions(), versions(PACKAGES)])
def test_runs_and_checkpoints_record_the_version_of_opencv(found: dict[str, str]) -> None:
    assert not {"unknown"} & set(found.values())
    assert any(name.startswith("opencv") for name in found)


@pytest.mark.parametrize("card", sorted((ROOT / "weights").glob("*.json")), ids=lambda path: path.stem)
def test_no_model_card_has_an_unknown_version(card: Path) -> None:
    assert "unknown" not in json.loads(card.read_text())["versions"].values()
