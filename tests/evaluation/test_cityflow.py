"""The official scoring, step by step, as functions and as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.command_line import run_command
from common.errors import InputError
from evaluation import cityflow
from evaluation.boxes import Boxes
from evaluation.submission import write_submission

Scene = Callable[..., tuple[Boxes, Boxes]]
Reference = Callable[[Boxes, Boxes], dict[str, float]]


def _rois(cameras: list[int]) -> dict[int, np.ndarray]:
    generator = np.random.default_rng(0)
    rois = {camera: np.full((220, 240), 255, np.uint8) for camera in cameras}
    for roi in rois.values():
        roi[:, : int(generator.integers(10, 60))] = 0
        roi[150:, 200:] = 254  # JPEG noise: outside as well
    return rois


def _official(predictions: Boxes, rois: dict[int, np.ndarray]) -> Boxes:
    """Steps 1 to 3 row by row."""
    kept = []
    for i in range(len(predictions)):
        left, top, width, height = (int(v) for v in predictions.box[i])
        roi = rois[int(predictions.camera[i])]
        corners = [(left, top), (left + width, top), (left, top + height), (left + width, top + height)]
        in_picture = [(x, y) for x, y in corners if 0 <= x < roi.shape[1] and 0 <= y < roi.shape[0]]
        if all(roi[y, x] == 255 for x, y in in_picture):
            kept.append(i)
    cameras: dict[int, set[int]] = {}
    for i in kept:
        cameras.setdefault(int(predictions.identity[i]), set()).add(int(predictions.camera[i]))
    seen: set[tuple[int, int, int]] = set()
    result = []
    for i in kept:
        key = (int(predictions.camera[i]), int(predictions.identity[i]), int(predictions.frame[i]))
        if len(cameras[key[1]]) > 1 and key not in seen:
            seen.add(key)
            result.append(i)
    return predictions[np.array(result, np.int64)]


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_rules_applied_row_by_row(
    make_scene: Scene, motmetrics_figures: Reference, trackeval_figures: Reference, seed: int
) -> None:
    truth, predictions = make_scene(seed, room=120.0)
    generator = np.random.default_rng(seed)
    again = predictions[generator.integers(0, len(predictions), 30)]
    again = Boxes(again.camera, again.identity, again.frame, again.box + 3)
    elsewhere = Boxes.of(49, [101, 102, 102], [1, 2, 9], [[80, 5, 20, 20]] * 3)  # keeps 101 and 102 from being dropped
    predictions = Boxes.concatenate([predictions, again, elsewhere])
    rois = _rois([41, 42, 43, 49])
    score = cityflow.score(truth, predictions, rois)
    expected_boxes = _official(predictions, rois)
    expected_boxes = expected_boxes[expected_boxes.camera != 49]
    assert 0 < len(expected_boxes) < len(predictions) - 10
    expected = motmetrics_figures(truth, expected_boxes)
    figures = score.figures()
    for name in ("idf1", "idp", "idr", "idtp", "idfp", "idfn", "mota", "motp", "recall", "precision"):
        assert figures[name] == pytest.approx(expected[name], abs=1e-12), name
    assert figures["switches"] == expected["num_switches"]
    assert figures["hota"] == pytest.approx(trackeval_figures(truth, expected_boxes)["HOTA"], abs=1e-9)
    assert sum(score.dropped.values()) == len(predictions) - len(expected_boxes)


def test_identities_seen_by_one_camera_are_dropped_from_predictions_only() -> None:
    box = [[0.0, 0, 10, 10]] * 3
    truth = Boxes.of([1, 2, 1], [1, 1, 2], [1, 1, 2], box)
    score = cityflow.score(truth, Boxes.of([1, 2, 1], [7, 7, 8], [1, 1, 2], box))
    assert (score.identity.idtp, score.identity.idfp, score.identity.idfn) == (2, 0, 1)
    assert score.dropped["identity in one camera only"] == 1


def test_a_camera_that_the_ground_truth_lacks_still_counts_as_a_camera_of_the_identity() -> None:
    truth = Boxes.of(1, [1], [1], [[0, 0, 10, 10]])
    predictions = Boxes.of([1, 9], [7, 7], [1, 1], [[0, 0, 10, 10]] * 2)
    score = cityflow.score(truth, predictions)
    assert score.identity.idf1 == 1.0
    assert score.dropped["camera without ground truth"] == 1


def test_the_last_frame_of_a_camera_does_not_meet_the_first_of_the_next() -> None:
    # Predictions may run on longer than the ground truth: the axis is shifted by the later of the two.
    truth = Boxes.of([1, 2], [1, 1], [5, 3], [[0, 0, 10, 10]] * 2)
    predictions = Boxes.of([1, 1, 2], [7, 7, 7], [5, 8, 3], [[0, 0, 10, 10]] * 3)
    score = cityflow.score(truth, predictions)
    assert (score.identity.idtp, score.identity.idfp, score.identity.idfn) == (2, 1, 0)


@pytest.mark.parametrize(
    ("box", "dropped"),
    [
        ([2, 2, 4, 4], False),
        ([2, 2, 5, 4], True),  # the right corner is left + width, without - 1
        ([-3, 2, 6, 4], False),  # corners outside the picture are ignored
        ([7, 2, 40, 4], True),
        ([-3, -3, 40, 40], False),
        ([1.9, 2, 5, 4], False),  # 6.9 is pixel 6
    ],
)
def test_corners_in_the_region_of_interest(box: list[float], dropped: bool) -> None:
    roi = np.full((10, 20), 255, np.uint8)
    roi[:, 7:] = 254
    predictions = Boxes.of([1, 2], [7, 7], [1, 1], [box, [1, 1, 1, 1]])
    kept, _ = cityflow.filter_predictions(predictions, {1: roi, 2: roi})
    assert len(kept) == (0 if dropped else 2)


def test_a_camera_without_region_of_interest_is_named() -> None:
    with pytest.raises(InputError, match=r"c005.*c001"):
        cityflow.filter_predictions(Boxes.of(5, [1], [1], [[0, 0, 1, 1]]), {1: np.zeros((2, 2), np.uint8)})


@pytest.fixture
def files(tmp_path: Path, make_scene: Scene) -> Path:
    """A ground truth, predictions, and regions of interest in the test split's folder."""
    truth, predictions = make_scene(1)
    write_submission(tmp_path / "gt.txt", truth)
    write_submission(tmp_path / "track1.txt", predictions)
    for camera, roi in _rois([41, 42, 43]).items():
        folder = tmp_path / "ROIs" / "test" / f"c{camera:03d}"
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "roi.jpg"), roi, [cv2.IMWRITE_JPEG_QUALITY, 100])
    return tmp_path


def test_the_command_prints_fractions_as_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(cityflow.main, [str(files / "gt.txt"), str(files / "track1.txt"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert 0 < printed["idf1"] < 1
    assert {"idp", "idr", "mota", "motp", "hota", "deta", "assa", "switches"} <= set(printed)
    assert set(printed["cameras"]) == {"41", "42", "43"}


def test_the_command_prints_a_table_and_applies_regions_of_interest(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(files / "gt.txt"), str(files / "track1.txt"), "--roi-dir", str(files / "ROIs"), "--split", "test"]
    assert run_command(cityflow.main, arguments) == 0
    printed = capsys.readouterr().out
    assert "idf1" in printed
    assert "c042" in printed
    assert "outside the region of interest" in printed


def test_the_module_runs_as_a_command_and_ends_with_2_on_wrong_input(files: Path, repository: Path) -> None:
    command = [sys.executable, "-m", "evaluation.cityflow", str(files / "gt.txt"), str(files / "track2.txt")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "track2.txt" in ended.stderr
    assert "track1.txt" in ended.stderr  # the nearest name


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--split", "test"], "--roi-dir"),
        (["--roi-dir", "ROIs", "--split", "tset"], "tset.*test"),
        (["--roi-dir", "nowhere"], "nowhere"),
    ],
)
def test_wrong_regions_of_interest_are_named(
    files: Path, arguments: list[str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(InputError, match=named):
        cityflow.main(["gt.txt", "track1.txt", *arguments])


def test_regions_of_interest_are_found_where_the_data_set_has_them(files: Path) -> None:
    arguments = [str(files / "gt.txt"), str(files / "track1.txt"), "--roi-dir"]
    (files / "data").mkdir()
    (files / "ROIs").rename(files / "data" / "all")
    (files / "data" / "all" / "test").rename(files / "data" / "all" / "S06")
    assert cityflow.main([*arguments, str(files / "data"), "--split", "all"]) == 0  # data/all/S06/c041/roi.jpg
    twin = files / "data" / "all" / "S07" / "c041"
    twin.mkdir(parents=True)
    (twin / "roi.jpg").touch()
    with pytest.raises(InputError, match=r"c041 is in several scenarios.*S06"):
        cityflow.main([*arguments, str(files / "data" / "all")])


def test_a_picture_that_cannot_be_read_is_named(files: Path) -> None:
    path = files / "ROIs" / "test" / "c042" / "roi.jpg"
    path.write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"c042.roi\.jpg"):
        cityflow.main([str(files / "gt.txt"), str(files / "track1.txt"), "--roi-dir", str(files / "ROIs" / "test")])


def test_an_empty_ground_truth_cannot_be_scored_against_but_empty_predictions_can(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "empty.txt").write_text("")
    with pytest.raises(InputError, match="no boxes"):
        cityflow.main([str(files / "empty.txt"), str(files / "track1.txt")])
    assert cityflow.main([str(files / "gt.txt"), str(files / "empty.txt"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["idf1"], printed["motp"]) == (0.0, None)
