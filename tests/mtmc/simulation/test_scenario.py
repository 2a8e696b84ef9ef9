"""A simulated scenario as a reader of CityFlow finds it."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from common.errors import InputError
from mtmc.simulation.difficulty import look_alikes, read_visible
from mtmc.simulation.lens import to_gps
from mtmc.simulation.scenario import plan_scenario, simulate_scenario
from mtmc.simulation.settings import SimulationSettings

CAMERAS = ("c041", "c042")


def folder(root: Path, camera: str) -> Path:
    return root / "validation" / "sim-tiny" / camera


def truth(root: Path, camera: str) -> np.ndarray:
    lines = (folder(root, camera) / "gt" / "gt.txt").read_text().splitlines()
    return np.array([line.split(",") for line in lines], int).reshape(-1, 10)


def test_every_file_of_cityflows_layout_is_there(small_scenario: Path) -> None:
    for camera in CAMERAS:
        for name in ("vdo.avi", "roi.jpg", "calibration.txt", "gt/gt.txt", "gt/visible.txt"):
            assert (folder(small_scenario, camera) / name).is_file()
    starts = dict(line.split() for line in (small_scenario / "cam_timestamp" / "sim-tiny.txt").read_text().splitlines())
    counts = dict(line.split() for line in (small_scenario / "cam_framenum" / "sim-tiny.txt").read_text().splitlines())
    assert set(starts) == set(counts) == set(CAMERAS)
    assert float(starts["c041"]) == 0
    assert set(counts.values()) == {"30"}


def test_videos_decode_to_the_announced_frames(small_scenario: Path) -> None:
    for camera in CAMERAS:
        with av.open(str(folder(small_scenario, camera) / "vdo.avi")) as container:
            frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
            assert float(container.streams.video[0].average_rate) == 10
        assert len(frames) == 30
        assert frames[0].shape == (270, 480, 3)
        assert frames[0].std() > 20


def test_ground_truth_moves_where_pixels_change(small_scenario: Path) -> None:
    """Between two frames, boxes of vehicles that moved change much more than the rest of the image."""
    inside, outside = [], []
    for camera in CAMERAS:
        with av.open(str(folder(small_scenario, camera) / "vdo.avi")) as container:
            frames = [f.to_ndarray(format="gray").astype(int) for f in container.decode(video=0)]
        table = read_visible(folder(small_scenario, camera))
        change = np.abs(frames[20] - frames[10])
        mask = np.zeros(change.shape, bool)
        for frame in (11, 21):
            for left, top, width, height in table[table[:, 0] == frame, 2:6].astype(int):
                mask[top : top + height + 1, left : left + width + 1] = True
        outside.append(change[~mask].mean())
        boxes = {int(r[1]): r[2:6] for r in table[table[:, 0] == 11]}
        later = {int(r[1]): r[2:6] for r in table[table[:, 0] == 21]}
        for vehicle in boxes.keys() & later.keys():
            if np.abs(boxes[vehicle] - later[vehicle]).max() > 12 and boxes[vehicle][3] > 25:
                left, top, width, height = boxes[vehicle].astype(int)
                inside.append(change[top : top + height, left : left + width].mean())
    assert inside, "nothing moved: choose another seed"
    assert np.median(inside) > 3 * np.mean(outside)


def test_ground_truth_holds_what_two_cameras_saw_inside_the_region(small_scenario: Path) -> None:
    tables = [truth(small_scenario, camera) for camera in CAMERAS]
    assert all(len(t) for t in tables)
    assert set(tables[0][:, 1]) == set(tables[1][:, 1])
    for camera, table in zip(CAMERAS, tables, strict=True):
        region = cv2.imread(str(folder(small_scenario, camera) / "roi.jpg"), cv2.IMREAD_GRAYSCALE)
        left, top, width, height = table[:, 2:6].T
        right, bottom = np.minimum(left + width, 479), np.minimum(top + height, 269)
        for x, y in ((left, top), (right, top), (left, bottom), (right, bottom)):
            assert (region[y, x] > 200).all()
        assert width.min() >= 20
        assert height.min() >= 20
        assert (table[:, 6:] == [1, -1, -1, -1]).all()
        assert table[:, 0].min() >= 1
        assert table[:, 0].max() <= 30
        key = table[:, 1] * 1000 + table[:, 0]
        assert (np.diff(key) > 0).all()


def test_calibration_maps_a_known_place_to_its_pixel(small_scenario: Path, small_settings: SimulationSettings) -> None:
    plan = plan_scenario(small_settings)
    for lens, camera in zip(plan.lenses, CAMERAS, strict=True):
        lines = dict(
            line.split(": ") for line in (folder(small_scenario, camera) / "calibration.txt").read_text().splitlines()
        )
        homography, camera_matrix = (
            np.array([row.split() for row in lines[name].split(";")], float)
            for name in ("Homography matrix", "Intrinsic parameter matrix")
        )
        distortion = np.array(lines["Distortion coefficients"].split(), float)
        place = lens.ground([[240, 200]])
        mapped = homography @ [*to_gps(place)[0], 1]
        flat = (np.append(mapped[:2] / mapped[2], 1) @ np.linalg.inv(camera_matrix).T)[None, None, :]
        pixel = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), camera_matrix, distortion)[0].ravel()
        np.testing.assert_allclose(pixel, (240, 200), atol=0.1)


def test_vehicles_stand_where_the_calibration_says(small_scenario: Path, small_settings: SimulationSettings) -> None:
    plan = plan_scenario(small_settings)
    for index, camera in enumerate(CAMERAS):
        vehicles, poses = plan.traffic.at(plan.starts[index] + 1.0)
        where = dict(zip((vehicles + 1).tolist(), poses, strict=True))
        rows = read_visible(folder(small_scenario, camera))
        rows = rows[(rows[:, 0] == 11) & (rows[:, 6] > 0.9) & (rows[:, 7] > 0.95) & (rows[:, 5] > 15)]
        for row in rows:
            if int(row[1]) in where:
                place = where[int(row[1])] + [0, 0, 0.7, 0]
                pixel = plan.lenses[index].project(place[None, :3])[0][0]
                left, top, width, height = row[2:6]
                assert left - 2 < pixel[0] < left + width + 2
                assert top - 2 < pixel[1] < top + height + 2


def test_without_video_the_rest_is_the_same(
    small_scenario: Path, small_settings: SimulationSettings, tmp_path: Path
) -> None:
    settings = small_settings.model_copy(update={"video": False})
    simulate_scenario(settings, tmp_path / "fast", 1, name="sim-tiny")
    ours = {p.relative_to(tmp_path / "fast"): p.read_bytes() for p in (tmp_path / "fast").rglob("*") if p.is_file()}
    theirs = {p.relative_to(small_scenario): p.read_bytes() for p in small_scenario.rglob("*") if p.is_file()}
    videos = {p for p in theirs if p.name == "vdo.avi"}
    assert len(videos) == 2
    assert ours == {p: content for p, content in theirs.items() if p not in videos}


def test_a_seed_decides_the_pixels(small_scenario: Path, small_settings: SimulationSettings, tmp_path: Path) -> None:
    simulate_scenario(small_settings, tmp_path / "again", 1, name="sim-tiny")
    for camera in CAMERAS:
        videos = [folder(root, camera) / "vdo.avi" for root in (small_scenario, tmp_path / "again")]
        frames = []
        for path in videos:
            with av.open(str(path)) as container:
                frames.append(np.stack([f.to_ndarray(format="gray") for f in container.decode(video=0)]))
        np.testing.assert_array_equal(*frames)


def test_other_seeds_give_other_traffic(small_settings: SimulationSettings) -> None:
    one, two = (plan_scenario(small_settings.model_copy(update={"seed": s})) for s in (3, 4))
    assert not np.array_equal(one.traffic.pose[:50], two.traffic.pose[:50])
    assert [v.details for v in one.vehicles[:5]] != [v.details for v in two.vehicles[:5]]


def test_a_third_of_the_vehicles_have_a_look_alike(small_scenario: Path) -> None:
    alike, total = look_alikes(small_scenario / "simulated_vehicles" / "sim-tiny.txt")
    assert alike >= total / 3


def test_corridor_cameras_do_not_see_each_others_road() -> None:
    plan = plan_scenario(SimulationSettings(layout="corridor", seed=7, seconds=5, cameras=4))
    places = np.array([lens.centre[:2] for lens in plan.lenses])
    assert np.linalg.norm(np.diff(places, axis=0), axis=1).min() > 150


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, small_settings: SimulationSettings) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        simulate_scenario(small_settings, tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
