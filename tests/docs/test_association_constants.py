"""The table of constants in docs/association.md is made from the source."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    """docs/association_constants.py, which belongs to no package."""
    path = repository / "docs" / "association_constants.py"
    spec = importlib.util.spec_from_file_location("association_constants", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_table_is_up_to_date(script: ModuleType) -> None:
    document = script.DOCUMENT.read_text(encoding="utf-8")
    assert document == script.updated(document, script.constants()), "run: python docs/association_constants.py"


def test_a_constant_becomes_a_row(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "gate.py").write_text(
        'GATE = 25.0\n"""Metres between two tracks. Raising it joins more. It is far. Theory: a lorry."""\n'
    )
    (found,) = script.constants(tmp_path)
    assert (found.module, found.name, found.value, found.unit) == ("gate.py", "GATE", "25.0", "m")
    assert (found.meaning, found.effect) == ("Metres between two tracks. It is far.", "Raising it joins more.")
    assert found.chosen == "Theory: a lorry."
    assert "| `GATE` | `25.0` | m |" in script.table([found])


@pytest.mark.parametrize("text", ["", '"""Metres."""', '"""Metres. Theory: long enough."""', '"""Raising it helps."""'])
def test_a_constant_that_does_not_say_enough_is_refused(script: ModuleType, tmp_path: Path, text: str) -> None:
    (tmp_path / "gate.py").write_text(f"GATE = 25.0\n{text}\n")
    with pytest.raises(ValueError, match="GATE"):
        script.constants(tmp_path)
