"""Reading calibration.txt, and metres on the ground."""

from pathlib import Path

import numpy as np
import pytest

from common.errors import InputError
from mtmc.scenarios.ground_map import METRES_PER_DEGREE, read_calibration

SIZE = (1280, 960)
ORIGIN = (42.49, -90.7)


def gps_to_pixel() -> np.ndarray:
    """A camera 8 m above the origin that looks north, 20 degrees down, as CityFlow writes it: GPS to pixel."""
    east, north = METRES_PER_DEGREE * np.cos(np.radians(ORIGIN[0])), METRES_PER_DEGREE
    to_metres = np.array([[0, east, -ORIGIN[1] * east], [north, 0, -ORIGIN[0] * north], [0, 0, 1.0]])
    sin, cos = np.sin(np.radians(20)), np.cos(np.radians(20))
    # (x right, y down, z forward) of the ground point (east, north, 0) seen from (0, 0, 8).
    to_camera = np.array([[1, 0, 0], [0, -sin, 8 * cos], [0, cos, 8 * sin]])
    intrinsic = np.array([[1000, 0, 640], [0, 1000, 480], [0, 0, 1.0]])
    return intrinsic @ to_camera @ to_metres


def text(matrix: np.ndarray, digits: int = 17) -> str:
    return ";".join(" ".join(f"{v:.{digits}g}" for v in row) for row in matrix)


def write(folder: Path, content: str) -> Path:
    path = folder / "calibration.txt"
    path.write_text(content)
    return path


@pytest.mark.parametrize("form", ["full", "bare", "inverse"])
def test_every_published_form_gives_the_same_metres(tmp_path: Path, form: str) -> None:
    matrix = gps_to_pixel()
    content = {
        "full": f"Homography matrix: {text(matrix)}\nReprojection error: 1.5\n",
        "bare": text(matrix),
        "inverse": f"Homography matrix: {text(np.linalg.inv(matrix))}\n",
    }[form]
    ground = read_calibration(write(tmp_path, content), SIZE).ground_map(ORIGIN, SIZE)
    metres = np.array([[0.0, 20.0], [-5.0, 30.0], [4.0, 60.0]])
    np.testing.assert_allclose(ground.to_ground(ground.to_pixel(metres)), metres, atol=1e-6)
    centre_line = ground.to_ground([[640, 480]])[0]
    np.testing.assert_allclose(centre_line, [0, 8 / np.tan(np.radians(20))], atol=0.02)


def test_points_above_the_horizon_are_not_on_the_ground(tmp_path: Path) -> None:
    ground = read_calibration(write(tmp_path, text(gps_to_pixel())), SIZE).ground_map(ORIGIN, SIZE)
    assert np.isnan(ground.to_ground([[640, 50]])).all()
    assert np.isfinite(ground.to_ground([[640, 900]])).all()


def test_distortion_is_undone_before_projecting(tmp_path: Path) -> None:
    lines = [
        f"Homography matrix: {text(gps_to_pixel())}",
        "Intrinsic parameter matrix: 1000 0 640;0 1000 480;0 0 1",
        "Distortion coefficients: -0.2 0.01 0 0",
        "Reprojection error: 2",
    ]
    ground = read_calibration(write(tmp_path, "\n".join(lines)), SIZE).ground_map(ORIGIN, SIZE)
    straight = read_calibration(write(tmp_path, lines[0]), SIZE).ground_map(ORIGIN, SIZE)
    metres = np.array([[6.0, 14.0], [-5.0, 30.0]])
    assert np.abs(ground.to_pixel(metres) - straight.to_pixel(metres)).max() > 3
    np.testing.assert_allclose(ground.to_ground(ground.to_pixel(metres)), metres, atol=0.05)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("Homography matrix: 1 2 3;4 5 6", "Homography matrix"),
        ("Homography matrix: 1 2 3;4 five 6;7 8 9", "Homography matrix"),
        ("", "Homography matrix"),
        ("Homography matrix: 1 2 3;2 4 6;7 8 9", "singular"),
        ("Homography matrix: 1 0 0;0 1 0;0 0 1", "latitude and longitude in either direction"),
    ],
)
def test_a_malformed_file_is_named_with_its_field(tmp_path: Path, content: str, field: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=field) as caught:
        read_calibration(path, SIZE)
    assert str(path) in str(caught.value)
