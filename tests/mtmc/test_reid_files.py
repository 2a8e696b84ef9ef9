"""Files that `--reid` names are read before any camera is."""

from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.run import main


@pytest.mark.parametrize("name", ["net.onnx", "net.pth", "net.safetensors"])
def test_a_damaged_network_is_found_before_a_scenario_is_looked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no network")
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        main(["--scenario", "no-such-scenario", "--reid", str(tmp_path / name), "--cache", str(tmp_path / "cache")])


def test_unknown_options_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="'fast' is neither key=value"):
        main(["--scenario", "no-such-scenario", "--reid", f"{tmp_path / 'net.onnx'}:fast"])
