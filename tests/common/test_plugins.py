"""Classes by name, reference or file."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from common.plugins import is_reference, load_class, make, source_key

KNOWN = {"decoder": "json:JSONDecoder", "encoder": "json:JSONEncoder", "absent": "no_such_package_here.part:Thing"}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's file."""
    path = tmp_path / "own.py"
    path.write_text("class Mine:\n    def __init__(self, size: int = 1) -> None:\n        self.size = size\n")
    return path


def test_a_known_name_a_module_and_a_file(own: Path) -> None:
    assert load_class("decoder", KNOWN, "--it").__name__ == "JSONDecoder"
    assert load_class("json:JSONEncoder", KNOWN, "--it").__name__ == "JSONEncoder"
    assert load_class(f"{own}:Mine", KNOWN, "--it")().size == 1
    assert make(f"{own}:Mine", KNOWN, "--it", {"size": 3}).size == 3


def test_a_module_in_the_current_folder_is_found(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    own.rename(own.with_name("own_module_of_the_test.py"))
    assert load_class("own_module_of_the_test:Mine", KNOWN, "--it").__name__ == "Mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("decodr", "--it decodr: unknown; did you mean decoder"),
        ("json:JSONDecodr", "json has no JSONDecodr; did you mean JSONDecoder"),
        ("json:__doc__", "neither a class nor a function"),
        ("jsn:JSONDecoder", "jsn cannot be imported (ModuleNotFoundError: No module named 'jsn')"),
        ("absent", "no_such_package_here.part cannot be imported"),
        ("nowhere/file.py:Mine", "no such Python file"),
    ],
)
def test_a_wrong_name_is_one_line_that_says_why(name: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load_class(name, KNOWN, "--it")
    assert told in str(caught.value)


def test_a_module_that_fails_says_how(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise RuntimeError('the sensor is off')\n")
    for _ in range(2):
        with pytest.raises(InputError, match=r"RuntimeError: the sensor is off"):
            load_class(f"{path}:Mine", {}, "--it")


def test_options_that_the_class_does_not_take(own: Path) -> None:
    with pytest.raises(InputError, match=r"unexpected keyword argument 'colour'"):
        make(f"{own}:Mine", {}, "--it", {"colour": 1})


def test_the_source_key_changes_with_the_source(own: Path) -> None:
    before = source_key(f"{own}:Mine", {}, "--it")
    assert source_key("decoder", KNOWN, "--it") == "decoder"
    own.write_text(own.read_text() + "\n# changed\n")
    assert source_key(f"{own}:Mine", {}, "--it") != before


def test_what_counts_as_a_reference() -> None:
    assert is_reference("a.b:C")
    assert is_reference("some folder/mine.py:C")
    assert not any(map(is_reference, ["yolo11n.pt", "a/b.onnx", "torchvision:a:b.pth", "learned", "a:b.c"]))
