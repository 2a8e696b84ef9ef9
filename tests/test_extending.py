"""Every example of docs/extending.md runs as it stands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from reid.backbones import BACKBONES
from reid.datasets import DATASETS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "extending.md"
SECTIONS = {
    title: re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
}


@pytest.mark.parametrize("title", SECTIONS)
def test_the_example_runs(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    saved = [
        (table, dict(table)) for table in (BACKBONES, DATASETS)
    ]  # an example's line in a table must not outlive it
    written, ran = [], 0
    try:
        for block in SECTIONS[title]:
            named = re.match(r"# (\w+)\.py\n", block)
            if named:
                (tmp_path / f"{named[1]}.py").write_text(block)
                written.append(named[1])
            else:
                assert "assert " in block
                exec(compile(block, f"docs/extending.md, {title}", "exec"), {"__name__": "example"})
                ran += 1
    finally:
        for name in written:
            sys.modules.pop(name, None)
        for table, content in saved:
            table.clear()  # type: ignore[attr-defined]
            table.update(content)  # type: ignore[attr-defined]
    assert written
    assert ran


def test_files_and_names_of_the_document_exist() -> None:
    text = DOCUMENT.read_text()
    root = DOCUMENT.parent.parent
    named = {path for path in re.findall(r"`((?:mtmc|reid|detection|benchmarks)/[\w/.]+)`", text) if "<" not in path}
    assert len(named) > 15
    assert [path for path in named if not (root / path).exists()] == []
    assert len(SECTIONS) == 9
