"""Files that ship with the project."""

from pathlib import Path

import pytest

from common import resources
from common.errors import InputError
from common.resources import resource
from reid.shipped import EXTRACTORS, shipped_extractor


@pytest.mark.parametrize("name", EXTRACTORS)
def test_every_shipped_extractor_is_there(name: str) -> None:
    path = shipped_extractor(name)
    assert path is not None and path.stat().st_size > 1_000_000


def test_a_missing_shipped_file_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match=r"weights/gone\.onnx.*incomplete"):
        resource("weights", "gone.onnx")


def test_an_installed_wheel_uses_the_files_that_it_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carried = tmp_path / "shipped" / "weights" / "baseline.safetensors"
    carried.parent.mkdir(parents=True)
    carried.write_bytes(b"x")
    monkeypatch.setattr(resources, "_PACKAGED", tmp_path / "shipped")
    assert shipped_extractor("baseline") == carried
    with pytest.raises(InputError, match="incomplete"):
        shipped_extractor("ssbver")
