"""A run from Python: tables in memory, files on disk, nothing printed unless asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import mtmc
from common import resources
from common.errors import InputError
from mtmc.interface.running import choose_extractors

MakeCityflow = Callable[..., Path]


@pytest.fixture
def result(make_cityflow: MakeCityflow, links_file: Path, tmp_path: Path) -> mtmc.ScenarioResult:
    scenario = mtmc.load_scenario("X01", make_cityflow())
    return mtmc.run_scenario(
        scenario, reid="none", tracks="tc_ssd512", links=links_file, cache=tmp_path / "cache", workers=1
    )


def test_tracks_are_a_table_of_boxes(result: mtmc.ScenarioResult) -> None:
    tracks = result.tracks
    assert tracks.columns == [
        "camera", "frame", "seconds", "track", "identity", "left", "top", "width", "height", "score", "class",
    ]  # fmt: skip
    assert tracks["camera"].unique().sort().to_list() == ["c101", "c102"]
    first = tracks.row(0, named=True)
    assert (first["frame"], first["seconds"], first["track"], first["left"]) == (1, 0.0, 7, 10.0)
    assert tracks["identity"].n_unique() == 1


def test_identities_say_where_a_vehicle_was_and_when(result: mtmc.ScenarioResult) -> None:
    (vehicle,) = result.identities.to_dicts()
    assert vehicle["cameras"] == ["c101", "c102"]
    assert vehicle["first_seconds"] == 0.0
    assert vehicle["last_seconds"] == pytest.approx(result.tracks["seconds"].max())
    assert vehicle["boxes"] == len(result.tracks)
    assert [(track["camera"], track["track"]) for track in vehicle["tracks"]] == [("c101", 7), ("c102", 7)]


def test_boxes_without_identity_are_null(make_cityflow: MakeCityflow, tmp_path: Path) -> None:
    scenario = mtmc.load_scenario("X01", make_cityflow())
    result = mtmc.run_scenario(
        scenario, reid="none", detections="ssd512", settings={"repair.min_boxes": 999}, cache=tmp_path, workers=1
    )
    assert len(result.tracks) == 0 and len(result.identities) == 0
    assert result.tracks.schema["identity"] == result.identities.schema["identity"]


def test_the_table_prints_and_the_folder_is_written(
    result: mtmc.ScenarioResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = result.write(tmp_path / "out")
    told = capsys.readouterr()
    assert told.out == told.err == ""
    assert report == tmp_path / "out" / "report.html" and report.is_file()
    assert (tmp_path / "out" / "track1.txt").is_file()
    assert "100.00" in str(result.table()) and "100.00" in result.table().to_markdown()
    assert repr(result) == "<ScenarioResult X01: 2 cameras, extractors none>"


def test_an_extractor_that_took_no_part_is_named(result: mtmc.ScenarioResult) -> None:
    with pytest.raises(InputError, match=r"extractor ssbver.*none"):
        result.tracks_of("ssbver")


def test_settings_are_checked_before_the_work(make_cityflow: MakeCityflow, tmp_path: Path) -> None:
    scenario = mtmc.load_scenario("X01", make_cityflow())
    with pytest.raises(InputError, match=r"asociation.*association"):
        mtmc.run_scenario(scenario, settings={"asociation.threshold": 0.5}, cache=tmp_path)


def test_a_shipped_extractor_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [extraction.name for extraction in choose_extractors(None)] == ["baseline", "ssbver"]
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    with pytest.raises(InputError, match=r"baseline\.safetensors.*incomplete"):
        choose_extractors(None)


def test_extractors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "net.safetensors" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        shutil.copy(resources.resource("weights", "baseline.safetensors"), path)
    assert [extraction.name for extraction in choose_extractors(paths)] == ["net-1", "net-2"]
