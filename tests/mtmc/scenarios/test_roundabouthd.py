"""RoundaboutHD is read as it is distributed: generated data of its layout."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import mtmc
from common.errors import InputError
from detection.mot_text import read_mot
from evaluation import roundabouthd
from evaluation.roundabouthd import score
from evaluation.submission import read_submission
from mtmc.identities import ground_truth_of
from mtmc.run import main
from mtmc.scenarios.roundabouthd import read_fitted_camera

MakeRoundabout = Callable[..., Path]
FITTED = {
    "gps_lat": 51.3811,
    "gps_lon": -2.359,
    "focallength_x_px": 1321.3266436523265,
    "focallength_y_px": 1321.3266436523265,
    "center_x_px": 960.0,
    "center_y_px": 540.0,
    "image_height_px": 1080,
    "image_width_px": 1920,
    "sensor_height_mm": 13.0,
    "sensor_width_mm": 17.3,
    "elevation_m": 7.5,
    "tilt_deg": 68,
    "roll_deg": 2.5,
    "heading_deg": 137.5,
    "pos_x_m": 1.5,
    "pos_y_m": -2,
    "k1": -0.12,
    "k2": 0.03,
    "k3": -0.004,
    "projection": 0,
    "lens": 2,
}
PIXELS = [[300.0, 900.0], [960.0, 700.0], [1700.0, 800.0]]
METRES = [[12.0138695, -4.92723592], [10.61490063, -12.06779122], [3.49250052, -16.33664325]]
"""What cameratransform 1.2 says for FITTED: `Camera.spaceFromImage(PIXELS, Z=0)`."""


def load(root: Path) -> mtmc.Scenario:
    return mtmc.load_scenario("RoundaboutHD", root, cache=root / "cache")


def rows_of(path: Path) -> list[list[float]]:
    table = read_mot(path)
    return np.column_stack([table.frame, table.id, table.box]).tolist()


def test_cameras_clocks_and_notes(make_roundabout: MakeRoundabout) -> None:
    scenario = load(make_roundabout())
    assert [(c.name, c.number, c.fps, c.frame_count) for c in scenario.cameras] == [
        ("imagesc001", 1, 15, 22),
        ("imagesc002", 2, 15, 22),
    ]
    assert scenario.cameras[0].clock.at([1, 16]).tolist() == [0, 1]
    assert set(scenario.missing) == {"imagesc003", "imagesc004"}
    assert all(camera.ground is not None for camera in scenario.cameras)
    assert scenario.notes == ()


def test_boxes_become_mot_text_with_frames_from_one(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    first, _ = load(root).cameras
    assert first.directory is not None
    for file, identity in (("det/det_GT.txt", -1), ("mtsc/mtsc_SCT_GT.txt", 4), ("gt/gt.txt", 0)):
        rows = rows_of(first.directory / file)
        assert rows[0] == [1, identity, 10, 40, 40, 24] and rows[21] == [22, identity, 115, 40, 40, 24]
    assert not (root / "RoundaboutHD" / "imagesc001" / "det").exists()


def test_the_truth_is_that_of_all_cameras(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    truth = ground_truth_of(load(root))
    given = read_submission(root / "RoundaboutHD" / "Multi_CAM_Ground_Truth.txt", first_frame=0)
    assert truth is not None and score(given, truth).identity.idf1 == 1


def test_frames_may_count_from_one(make_roundabout: MakeRoundabout) -> None:
    """The makers' own scripts subtract one from the frames of their tracks."""
    zero, one = load(make_roundabout()), load(make_roundabout("one", first_frame=1))
    assert (zero.first_frame, one.first_frame) == (0, 1)
    for a, b in zip(zero.cameras, one.cameras, strict=True):
        assert a.directory is not None and b.directory is not None
        for file in ("mtsc/mtsc_SCT_GT.txt", "gt/gt.txt", "det/det_GT.txt"):
            assert rows_of(a.directory / file) == rows_of(b.directory / file)


def test_undecided_frames_count_from_zero_and_a_note_says_so(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    tracks = root / "RoundaboutHD" / "imagesc001" / "SCT" / "imagesc001_SCT_GT.txt"
    tracks.write_text("5 4 10 40 50 64\n")
    scenario = load(root)
    assert scenario.cameras[0].directory is not None
    assert rows_of(scenario.cameras[0].directory / "mtsc" / "mtsc_SCT_GT.txt")[0][0] == 6
    (note,) = scenario.notes
    assert "imagesc001_SCT_GT.txt: neither frame 0 nor frame 22 occurs" in note


def test_unpacked_labels_are_read_as_well(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    before = rows_of((load(root).cameras[0].directory or Path()) / "det" / "det_GT.txt")
    archive = root / "RoundaboutHD" / "imagesc001" / "detection" / "labels_GT.zip"
    with zipfile.ZipFile(archive) as labels:
        labels.extractall(archive.with_suffix(""))
    archive.unlink()
    assert rows_of((load(root).cameras[0].directory or Path()) / "det" / "det_GT.txt") == before


def test_boxes_without_area_are_left_out_with_a_note(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    with (root / "RoundaboutHD" / "Multi_CAM_Ground_Truth.txt").open("a") as file:
        file.write("1 9 3 10 10 0 20 -1 -1\n")
    (note,) = load(root).notes
    assert note.endswith("Multi_CAM_Ground_Truth.txt: boxes without area, left out of gt.txt: 1")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("Multi_CAM_Ground_Truth.txt", "1 0 0 10 40 40\n", r"Truth.txt:1: '1 0 0 10 40 40' must be numbers 'camera"),
        ("Multi_CAM_Ground_Truth.txt", "1 0 0 9 9 9 9\n1 0 1.5 9 9 9 9\n", r"Truth.txt:2: frame is 1.5, not a whole"),
        ("imagesc001/SCT/imagesc001_SCT_GT.txt", "0 4 10 x 50 64\n", r"SCT_GT.txt:1: '0 4 10 x 50 64' must be"),
        ("imagesc001/SCT/imagesc001_SCT_GT.txt", "0 4 10 nan 50 64\n", r"SCT_GT.txt:1: .* must be numbers 'frame"),
        ("imagesc002/detection/labels_GT.zip", "no archive", r"labels_GT.zip: not a readable zip archive"),
    ],
)
def test_a_malformed_file_is_named(make_roundabout: MakeRoundabout, file: str, text: str, message: str) -> None:
    root = make_roundabout()
    (root / "RoundaboutHD" / file).write_text(text)
    with pytest.raises(InputError, match=message):
        load(root)


def test_a_camera_without_video_is_missing(make_roundabout: MakeRoundabout) -> None:
    root = make_roundabout()
    (root / "RoundaboutHD" / "imagesc002" / "video.mp4").unlink()
    scenario = load(root)
    assert [camera.name for camera in scenario.cameras] == ["imagesc001"]
    assert "video.mp4: no such video" in scenario.missing["imagesc002"]


def test_where_to_get_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"yl4300/RoundaboutHD.*imagesc001/video.mp4 exists.*--data-root"):
        load(tmp_path)


def test_a_fitted_camera_maps_as_cameratransform_does(tmp_path: Path) -> None:
    """To 2 cm: the inverse of its lens is a table, and it takes another radius of the Earth."""
    path = tmp_path / "cam01_fitted_cam.json"
    path.write_text(json.dumps(FITTED))
    origin = (FITTED["gps_lat"], FITTED["gps_lon"])
    for scale in (1, 2):  # a picture of 4K from a fit in 2K
        size = (1920 * scale, 1080 * scale)
        ground = read_fitted_camera(path, size).ground_map(origin, size)
        assert ground.to_ground(np.array(PIXELS) * scale) == pytest.approx(np.array(METRES), abs=0.02)
        assert ground.to_pixel(METRES) == pytest.approx(np.array(PIXELS) * scale, abs=0.5 * scale)
        assert np.isnan(ground.to_ground([[960.0 * scale, 5.0]])).all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"projection": 1}, "projection 1 is not rectilinear"),
        ({"lens": 1}, "lens 1 is neither"),
        ({"tilt_deg": None}, "field 'tilt_deg' must be a number"),
        ({"image_width_px": 1080}, "is of a picture of 1080 x 96"),
        ({"elevation_m": 0}, "must be above 0"),
        ({"tilt_deg": 130}, "does not map the lower part"),
    ],
)
def test_a_calibration_that_is_not_understood_is_noted(
    make_roundabout: MakeRoundabout, change: dict[str, object], why: str
) -> None:
    root = make_roundabout()
    path = root / "RoundaboutHD" / "imagesc002" / "geo-mapping" / "cam02_fitted_cam.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    scenario = load(root)
    assert scenario.cameras[1].ground is None
    (note,) = scenario.notes
    assert note.startswith("imagesc002: ") and why in note and note.endswith("it is used without calibration")


@pytest.mark.parametrize("options", [["--tracks", "gt"], ["--tracks", "SCT_GT"], ["--detections", "GT"]])
def test_a_run_is_scored_by_both_rules(
    make_roundabout: MakeRoundabout,
    links_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
) -> None:
    root, facts = make_roundabout(whole=True), tmp_path / "facts.yaml"
    facts.write_text(
        "name: RoundaboutHD\nfps: 15\ncameras:\n  imagesc001: {calibrated: false}\n"
        "  imagesc002: {start: 3.5, calibrated: false}\n"
    )
    links_file.write_text(links_file.read_text().replace("c101", "imagesc001").replace("c102", "imagesc002"))
    where = ["--data-root", str(root), "--cache", str(root / "cache"), "--output", str(tmp_path / "out")]
    more = ["--reid", "none", "--workers", "1", "--links", str(links_file)]
    assert main(["--scenario", str(facts), *where, *more, *options]) == 0
    printed = capsys.readouterr().out
    assert "RoundaboutHD, per cent" in printed and "RoundaboutHD by its own rule, all identities" in printed
    assert "by its own rule, all identities" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())["extractors"]["none"]
    assert figures["idf1"] > 0.7
    assert figures["roundabouthd"]["idtp"] >= figures["roundabouthd_track1"]["idtp"] >= figures["idtp"]
    truth = root / "RoundaboutHD" / "Multi_CAM_Ground_Truth.txt"
    assert roundabouthd.main([str(truth), str(tmp_path / "out" / "track1.txt"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["idf1"] == pytest.approx(figures["roundabouthd_track1"]["idf1"])
