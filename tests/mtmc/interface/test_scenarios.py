"""Scenarios by name, by folder, by file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import mtmc
from common.errors import InputError

MakeCityflow = Callable[..., Path]


def cameras(scenario: mtmc.Scenario) -> list[str]:
    return [camera.name for camera in scenario.cameras]


def test_a_scenario_is_found_below_the_data_root_and_as_a_folder(make_cityflow: MakeCityflow) -> None:
    root = make_cityflow()
    by_name = mtmc.load_scenario("X01", root)
    by_folder = mtmc.load_scenario(root / "validation" / "X01")
    assert cameras(by_name) == cameras(by_folder) == ["c101", "c102"]
    assert by_folder.name == "X01"
    # The clocks of the data set, which lie at its root, are found from the folder, too.
    assert by_folder.cameras[1].span == by_name.cameras[1].span


def test_a_folder_of_videos_needs_no_data_root(
    make_cityflow: MakeCityflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "videos" / "crossing"
    folder.mkdir(parents=True)
    for camera in ("c101", "c102"):
        (make_cityflow(name=camera) / "validation" / camera / camera / "vdo.avi").rename(folder / f"{camera}.avi")
    assert cameras(mtmc.load_scenario(folder)) == ["c101", "c102"]
    monkeypatch.chdir(folder.parent)
    assert cameras(mtmc.load_scenario("crossing")) == ["c101", "c102"]


def test_a_yaml_file_adds_its_facts(make_cityflow: MakeCityflow, tmp_path: Path) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text("name: X01\ncameras: {c101: {start: 100}}\n")
    assert mtmc.load_scenario(facts, make_cityflow()).cameras[0].span[0] == 100


@pytest.mark.parametrize(
    ("name", "words"),
    [("S06", "aicitychallenge"), ("nowhere/crossing", "no such scenario folder"), ("sim-S6", "sim-S06")],
)
def test_what_is_not_there_is_named(name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CITYFLOW_ROOT", str(tmp_path / "not read here"))
    with pytest.raises(InputError, match=words) as caught:
        mtmc.load_scenario(name)
    assert "not read here" not in str(caught.value)
