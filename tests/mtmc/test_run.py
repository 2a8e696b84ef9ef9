"""The main command, from files to identities, and its errors for wrong input."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common import devices
from common.command_line import run_command
from common.errors import InputError
from common.resources import resource
from detection.video import open_video
from evaluation import cityflow
from evaluation.boxes import Boxes
from evaluation.submission import read_submission
from mtmc import identities, pipeline
from mtmc.run import main

MakeCityflow = Callable[..., Path]
Command = Callable[..., int]
FromBoxes = Callable[..., list[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`python -m mtmc.run` with a cache and an output folder of its own; returns the exit status."""

    def run(*arguments: str | Path) -> int:
        folders = ["--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "out"), "--workers", "1"]
        return run_command(main, [*map(str, arguments), *folders])

    return run


@pytest.fixture
def from_boxes(links_file: Path) -> Callable[..., list[str]]:
    """Arguments for a run without detector and appearance, with the link between the cameras given."""

    def arguments(root: Path, *more: str) -> list[str]:
        return ["--data-root", str(root), "--scenario", "X01", "--reid", "none", "--links", str(links_file), *more]

    return arguments


def test_given_detections_become_identities_and_scores(
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*from_boxes(make_cityflow(video=False), "--detections", "ssd512")) == 0
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["extractors"]["none"]["idf1"] == pytest.approx(1.0)
    boxes = read_submission(tmp_path / "out" / "track1.txt")
    assert set(boxes.camera.tolist()) == {101, 102}
    assert len(set(boxes.identity.tolist())) == 1
    assert "100.00" in capsys.readouterr().out


def test_the_user_is_told_when_most_boxes_are_too_small(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = from_boxes(make_cityflow(video=False), "--detections", "ssd512")
    assert command(*arguments) == 0
    assert "dropped" not in capsys.readouterr().err
    assert command(*arguments, "--set", "repair.min_side=999") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "100% of its boxes are dropped" in told and "--set repair.min_side=0 keeps them" in told


def test_every_file_of_a_run_exists_and_records_how_it_was_made(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, tmp_path: Path
) -> None:
    assert command(*from_boxes(make_cityflow(), "--tracks", "tc_ssd512")) == 0
    out = tmp_path / "out"
    for name in ("report.html", "track1.txt", "tracks/c101.txt", "tracks/c102.txt", "links.yaml", "metrics.json"):
        assert (out / name).stat().st_size > 0, name
    run = json.loads((out / "run.json").read_text())
    assert run["versions"]["numpy"]
    assert run["configuration"]["association"]
    assert {stage["name"] for stage in run["stages"]} >= {"observe", "associate", "evaluate"}
    assert "c101" in (out / "report.html").read_text()


def test_annotated_videos_are_written_on_request(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, tmp_path: Path
) -> None:
    assert command(*from_boxes(make_cityflow(), "--tracks", "tc_ssd512", "--videos", "--mosaic")) == 0
    for name in ("videos/c101.mp4", "videos/c102.mp4", "mosaic.mp4"):
        assert open_video(tmp_path / "out" / name).info.frames >= 40


def test_a_second_run_reuses_cached_results(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, tmp_path: Path
) -> None:
    arguments = from_boxes(make_cityflow(), "--tracks", "tc_ssd512")
    assert command(*arguments) == 0
    first = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert command(*arguments) == 0
    stages = json.loads((tmp_path / "out" / "run.json").read_text())["stages"]
    reused = {stage["name"]: stage["reused"] for stage in stages}
    assert reused["observe"]
    assert reused["associate"]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == first


def test_written_links_can_be_passed_back(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, tmp_path: Path
) -> None:
    arguments = from_boxes(make_cityflow(), "--tracks", "tc_ssd512")
    assert command(*arguments) == 0
    written = (tmp_path / "out" / "links.yaml").rename(tmp_path / "written.yaml")
    assert command(*arguments, "--links", written) == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["extractors"]["none"]["idf1"] == pytest.approx(1)


def test_constraints_are_kept_and_wrong_ones_end_the_run_in_one_line(
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = from_boxes(make_cityflow(), "--tracks", "tc_ssd512")
    known = tmp_path / "known.yaml"

    def run(text: str, *more: str) -> int:
        known.write_text(text)
        return command(*arguments, "--constraints", known, *more)

    a, b = "{camera: c101, track: 7}", "{camera: c102, track: 7}"
    assert run(f"- must-link: [{a}, {b}]") == 0
    assert len(read_submission(tmp_path / "out" / "track1.txt")) > 0
    assert run(f"- cannot-link: [{a}, {b}]") == 0
    assert len(read_submission(tmp_path / "out" / "track1.txt")) == 0
    assert run(f"- not-a-vehicle: {b}") == 0
    assert (tmp_path / "out" / "tracks" / "c102.txt").read_text() == ""
    for text, error in (
        (f"- must-link: [{a}, {b}]\n- cannot-link: [{b}, {a}]", ":2: cannot-link: track 7 of c102 and track 7 of c101"),
        ("- not-a-vehicle: {camera: c101, track: 8}", ":1: camera c101 has no track 8; it has 1"),
        ("- not-a-vehicle: {camera: c111, track: 7}", ":1: there is no camera c111"),
        ("- unlink: []", ":1: unknown constraint 'unlink'"),
    ):
        capsys.readouterr()
        assert run(text) == 2
        assert f"{known}{error}" in capsys.readouterr().err
    assert run(f"- not-a-vehicle: {b}", "--dry-run") == 0
    assert f"with the constraints of {known}" in capsys.readouterr().out
    assert run("- not-a-vehicle: {camera: c111, track: 7}", "--dry-run") == 2


def test_without_ground_truth_the_submission_is_still_written(
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(*from_boxes(make_cityflow(truth=False), "--tracks", "tc_ssd512")) == 0
    assert "no ground truth" in capsys.readouterr().out
    assert len(read_submission(tmp_path / "out" / "track1.txt")) > 0


def test_one_camera_that_fails_is_named_and_the_others_finish(
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = make_cityflow()
    (root / "validation" / "X01" / "c102" / "vdo.avi").write_bytes(b"no video")
    arguments = from_boxes(root, "--tracks", "tc_ssd512")
    assert command(*arguments) == 1
    assert "c102: left out: " in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "out" / "track1.txt").is_file()
    assert "c102" in json.loads((tmp_path / "out" / "metrics.json").read_text())["missing_cameras"]
    assert command(*arguments, "--allow-missing-cameras") == 0


def test_malformed_rows_are_named_with_file_and_line(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_cityflow()
    for camera in ("c101", "c102"):
        (root / "validation" / "X01" / camera / "mtsc" / "mtsc_tc_ssd512.txt").write_text("1,1,0,0,9,9\n2,1,x,0,9,9\n")
    assert command(*from_boxes(root, "--tracks", "tc_ssd512")) == 2
    error = capsys.readouterr().err
    assert "mtsc_tc_ssd512.txt:2" in error
    assert error.strip().splitlines()[-1].startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "S06"], ["S06", "aicitychallenge", "sim-S06"]),
        (["--scenario", "X1"], ["X1", "X01"]),
        (["--scenario", "X01", "--reid", "basline"], ["basline"]),
        (["--scenario", "X01", "--reid", "none", "--tracks", "tc_ssd"], ["tc_ssd", "tc_ssd512"]),
        (["--scenario", "X01", "--reid", "none", "--detections", "ssd"], ["ssd512"]),
        (["--scenario", "X01", "--set", "asociation.threshold=1"], ["asociation", "association"]),
        (["--scenario", "X01", "--set", "association.threshold=high"], ["association.threshold", "high"]),
        (["--scenario", "X01", "--config", "none.yaml"], ["none.yaml"]),
        (["--scenario", "X01", "--reid", "none", "--detector", "yolo99n.pt"], ["yolo99n.pt"]),
    ],
)
def test_wrong_input_ends_with_status_2_and_one_line_that_names_the_fix(
    make_cityflow: MakeCityflow,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: list[str],
) -> None:
    assert command("--data-root", make_cityflow(), *arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    for word in words:
        assert word in error


def test_a_typo_in_an_extractor_is_reported_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(*arguments: object) -> Path:
        raise AssertionError("rendered before the command line was checked")

    monkeypatch.setattr("mtmc.interface.scenarios.render_scenario", render)
    with pytest.raises(InputError, match=r"basline.*baseline"):
        main(["--scenario", "sim-S06", "--reid", "basline", "--cache", str(tmp_path)])


def test_all_settings_are_listed_and_a_word_filters_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings"]) == 0
    everything = capsys.readouterr().out
    for stage in ("detection:", "tracking:", "repair:", "crops:", "embedding:", "association:"):
        assert f"\n{stage}" in f"\n{everything}"
    assert main(["--settings", "association"]) == 0
    some = capsys.readouterr().out
    assert "association.threshold = 0.3    (0 < x < 1)" in some
    assert "tracking." not in some
    assert run_command(main, ["--settings", "asociation"]) == 2
    assert "did you mean association" in capsys.readouterr().err


def test_the_environment_variable_locates_real_scenarios(
    make_cityflow: MakeCityflow, command: Command, links_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITYFLOW_ROOT", str(make_cityflow(video=False)))
    arguments = ["--scenario", "X01", "--reid", "none", "--links", links_file]
    assert command(*arguments, "--detections", "ssd512") == 0


@pytest.mark.parametrize("precision", ["fp32", "bf16", "float16"])
def test_a_precision_is_used_or_rejected_with_the_supported_ones(
    precision: str,
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Depends on the processor: a precision that is accepted must be computed in."""
    offered = devices.normalise_precision(precision) in devices.precisions_of("cpu")
    detector = ["--detector", str(resource("weights", "detector.onnx")), "--set", f"detection.precision={precision}"]
    assert command(*from_boxes(make_cityflow(), *detector)) == (0 if offered else 2)
    assert offered or "this CPU does not compute in it; use float32 or" in capsys.readouterr().err


def test_a_precision_that_no_device_supports_is_an_error(
    make_cityflow: MakeCityflow,
    from_boxes: FromBoxes,
    command: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "_cpu_capabilities", frozenset)
    detector = ["--detector", str(resource("weights", "detector.onnx")), "--set", "detection.precision=bf16"]
    assert command(*from_boxes(make_cityflow(), *detector)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_score_of_1_is_an_error_before_a_detector_is_loaded(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*from_boxes(make_cityflow(video=False), "--detector", "no.onnx", "--set", "detection.score=1")) == 2
    assert "'detection.score': input should be less than 1" in capsys.readouterr().err


def test_regions_of_interest_are_read_once_per_run(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    filtered: list[int] = []
    read_roi, filter_predictions = identities.read_roi, cityflow.filter_predictions
    monkeypatch.setattr(identities, "read_roi", lambda path: read.append(path.parent.name) or read_roi(path))

    def filtering(predictions: Boxes, rois: object = None) -> object:
        filtered.append(len(predictions))
        return filter_predictions(predictions, rois)

    for module in (cityflow, pipeline):
        monkeypatch.setattr(module, "filter_predictions", filtering)
    assert command(*from_boxes(make_cityflow(video=False), "--detections", "ssd512"), "--reid", "none", "none") == 0
    assert sorted(read) == ["c101", "c102"]
    assert len(filtered) == 2


def test_crops_are_written_on_request_for_an_adaptation(
    make_cityflow: MakeCityflow, from_boxes: FromBoxes, command: Command, tmp_path: Path
) -> None:
    from reid.adaptation.tracks import read_run

    assert command(*from_boxes(make_cityflow(), "--tracks", "tc_ssd512", "--crops")) == 0
    crops = read_run(tmp_path / "out")
    assert len(np.unique(crops.camera)) == 2
    assert (crops.end > crops.start).all()
    assert all(Path(path).stat().st_size > 100 for path in crops.path)
    assert (crops.identity >= 0).any()
