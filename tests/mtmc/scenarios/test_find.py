"""Scenarios as users have them: CityFlow's layout, folders like it, plain videos, wrong names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import InputError
from mtmc.scenarios.find import CITYFLOW, find_scenario, known_facts
from mtmc.scenarios.scenario import Scenario

MakeCityflow = Callable[..., Path]


@pytest.fixture
def known(repository: Path) -> Path:
    return repository / "configs" / "scenarios"


def find(name: str, root: Path, known: Path) -> Scenario:
    facts, source = known_facts(name, known)
    return find_scenario(name, facts, source, [root], known)


def test_a_folder_in_the_layout_needs_no_yaml_file(make_cityflow: MakeCityflow, known: Path) -> None:
    scenario = find("X01", make_cityflow(), known)
    first, second = scenario.cameras
    assert (first.name, first.number, first.fps, first.width, first.height) == ("c101", 101, 10.0, 160, 96)
    assert first.frame_count == 40
    assert second.span == pytest.approx((3.5, 7.4))
    assert scenario.split == "validation"
    assert scenario.has_ground_truth
    assert not scenario.simulated


def test_a_copy_without_videos_still_has_sizes_lengths_and_clocks(make_cityflow: MakeCityflow, known: Path) -> None:
    scenario = find("X01", make_cityflow(video=False), known)
    camera = scenario.cameras[1]
    assert camera.video is None
    assert (camera.width, camera.height, camera.frame_count, camera.fps) == (160, 96, 40, 10.0)


def test_the_same_camera_in_two_scenarios_is_two_clips(make_cityflow: MakeCityflow, known: Path) -> None:
    root = make_cityflow("X01")
    assert make_cityflow("X02", split="train") == root
    assert find("X01", root, known).cameras[0].directory != find("X02", root, known).cameras[0].directory


@pytest.mark.parametrize("name", CITYFLOW)
def test_cityflows_scenarios_are_known_and_the_error_for_missing_ones_says_how_to_get_them(
    name: str, tmp_path: Path, known: Path
) -> None:
    facts, _ = known_facts(name, known)
    assert facts.name == name
    assert facts.cameras
    with pytest.raises(InputError) as caught:
        find(name, tmp_path, known)
    for part in (str(tmp_path), "aicitychallenge", "--data-root", "sim-S06"):
        assert part in str(caught.value)


def test_c015_runs_at_8_frames_in_s03_only(known: Path) -> None:
    assert known_facts("S03", known)[0].facts_of("c015").fps == 8
    assert known_facts("S05", known)[0].facts_of("c016").fps is None


def test_drifting_clocks_come_from_the_yaml_file(make_cityflow: MakeCityflow, tmp_path: Path, known: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: X01\ncameras:\n  c101: {clock: [[1, 0.0], [21, 2.0], [41, 6.0]]}\n  c102: {clock_scale: 0.5, start: 1}\n"
    )
    facts, source = known_facts(str(file), known)
    scenario = find_scenario("X01", facts, source, [make_cityflow()], known)
    assert scenario.cameras[0].clock.at([31])[0] == pytest.approx(4.0)
    assert scenario.cameras[1].clock.at([11])[0] == pytest.approx(3.0)


def test_the_error_for_a_wrong_name_suggests_the_nearest(make_cityflow: MakeCityflow, known: Path) -> None:
    with pytest.raises(InputError, match="did you mean X01"):
        find("X1", make_cityflow(), known)


def test_the_error_for_a_wrong_key_suggests_the_nearest(tmp_path: Path, known: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: X01\ncameras:\n  c101: {fsp: 10}\n")
    with pytest.raises(InputError, match=r"mine.yaml: unknown key 'cameras.c101.fsp'; did you mean fps"):
        known_facts(str(file), known)
    file.write_text("name: X01\nfps: -3\n")
    with pytest.raises(InputError, match=r"'fps': .*greater than 0"):
        known_facts(str(file), known)


def test_one_unreadable_camera_is_named_and_the_others_stay(make_cityflow: MakeCityflow, known: Path) -> None:
    root = make_cityflow()
    (root / "validation" / "X01" / "c102" / "vdo.avi").write_bytes(b"no video at all")
    scenario = find("X01", root, known)
    assert [camera.name for camera in scenario.cameras] == ["c101"]
    assert "vdo.avi" in scenario.missing["c102"]


def test_a_folder_of_plain_videos_is_a_scenario(make_cityflow: MakeCityflow, tmp_path: Path, known: Path) -> None:
    root = make_cityflow()
    folder = tmp_path / "mine" / "crossing"
    folder.mkdir(parents=True)
    for name, camera in (("north", "c101"), ("south", "c102")):
        (root / "validation" / "X01" / camera / "vdo.avi").rename(folder / f"{name}.avi")
    scenario = find("crossing", tmp_path / "mine", known)
    assert [(c.name, c.number) for c in scenario.cameras] == [("north", 1), ("south", 2)]
    assert [c.fps for c in scenario.cameras] == [10.0, 10.0]


def test_malformed_shared_files_are_named_with_their_line(make_cityflow: MakeCityflow, known: Path) -> None:
    root = make_cityflow()
    (root / "cam_timestamp" / "X01.txt").write_text("c101 0\nc102 soon\n")
    with pytest.raises(InputError, match=r"X01.txt:2"):
        find("X01", root, known)
