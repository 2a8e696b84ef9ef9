"""The calibration of a camera: from pixels to metres on the ground, read from CityFlow's calibration.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError

Matrix = npt.NDArray[np.float64]

METRES_PER_DEGREE = 111_320.0
"""Length of a degree of latitude; a degree of longitude is shorter by the cosine of the latitude."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The content of calibration.txt, with the direction of its homography resolved.

    Attributes:
        gps_to_pixel: (3, 3) float64, maps (latitude, longitude, 1) in degrees to an undistorted pixel.
        intrinsic: (3, 3) float64 camera matrix; None if the file has none.
        distortion: (k,) float64 coefficients k1 k2 p1 p2 [k3]; None if the file has none.
    """

    gps_to_pixel: Matrix
    intrinsic: Matrix | None = None
    distortion: Matrix | None = None

    def gps_of(self, points: npt.ArrayLike) -> Matrix:
        """Latitude and longitude (n, 2) of pixels (n, 2). Coarse: for choosing an origin, not for distances."""
        undistorted = _undistort(np.asarray(points, np.float64).reshape(-1, 2), self.intrinsic, self.distortion)
        return _project(_inverse(self.gps_to_pixel), undistorted)[0]

    def ground_map(self, origin: tuple[float, float], size: tuple[int, int]) -> GroundMap:
        """The map from this camera's pixels to metres east and north of `origin` (latitude, longitude).

        The origin is subtracted before the inversion: in raw degrees, no digits are left for metres.

        Args:
            origin: latitude and longitude, the same for all cameras of a scenario.
            size: width and height of the image; its lower middle is on the ground, which tells the sides of the horizon
                apart.
        """
        latitude, longitude = origin
        to_gps = np.array(
            [
                [0.0, 1.0 / METRES_PER_DEGREE, latitude],
                [1.0 / (METRES_PER_DEGREE * np.cos(np.radians(latitude))), 0.0, longitude],
                [0.0, 0.0, 1.0],
            ]
        )
        metres_to_pixel = self.gps_to_pixel @ to_gps
        metres_to_pixel /= np.abs(metres_to_pixel).max()
        pixel_to_metres = _inverse(metres_to_pixel)
        ground = GroundMap(pixel_to_metres, self.intrinsic, self.distortion)
        _, depth = ground._project_pixels(np.array([[size[0] / 2, size[1] - 1.0]]))
        return replace(ground, pixel_to_metres=pixel_to_metres * np.sign(depth[0]))


@dataclass(frozen=True, slots=True)
class GroundMap:
    """The map from foot points in pixels to metres east and north of the scenario's origin.

    Attributes:
        pixel_to_metres: (3, 3) float64, of undistorted pixels; the third coordinate is positive below the horizon.
        intrinsic: (3, 3) float64, or None.
        distortion: (k,) float64, or None.
    """

    pixel_to_metres: Matrix
    intrinsic: Matrix | None = None
    distortion: Matrix | None = None

    def to_ground(self, points: npt.ArrayLike) -> Matrix:
        """(n, 2) pixels to (n, 2) metres, float64; NaN for points above the horizon."""
        ground, depth = self._project_pixels(np.asarray(points, np.float64).reshape(-1, 2))
        ground[depth <= 0] = np.nan
        return ground

    def to_pixel(self, ground: npt.ArrayLike) -> Matrix:
        """(n, 2) metres to (n, 2) pixels of the original, distorted image."""
        pixels, _ = _project(_inverse(self.pixel_to_metres), np.asarray(ground, np.float64).reshape(-1, 2))
        return _distort(pixels, self.intrinsic, self.distortion)

    def _project_pixels(self, points: Matrix) -> tuple[Matrix, Matrix]:
        return _project(self.pixel_to_metres, _undistort(points, self.intrinsic, self.distortion))


def read_calibration(path: Path, size: tuple[int, int]) -> Calibration:
    """Read calibration.txt: `Homography matrix: a b c;d e f;g h i` with its optional lines, or a bare matrix.

    Args:
        path: the file.
        size: width and height of the image, needed to find the direction of the homography.

    Raises:
        InputError: the file is malformed, or its homography maps the image to no place on Earth in either direction.
    """
    fields: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    for line in filter(None, map(str.strip, lines)):
        name, colon, value = line.rpartition(":")
        fields[name.strip().lower() if colon else "homography matrix"] = value
    homography = _matrix(path, "Homography matrix", fields.get("homography matrix", ""), 9).reshape(3, 3)
    intrinsic_text = fields.get("intrinsic parameter matrix")
    intrinsic = None
    if intrinsic_text is not None:
        intrinsic = _matrix(path, "Intrinsic parameter matrix", intrinsic_text, 9).reshape(3, 3)
    distortion_text = fields.get("distortion coefficients")
    distortion = None
    if distortion_text is not None and intrinsic is not None:
        distortion = _matrix(path, "Distortion coefficients", distortion_text, None)
    if abs(np.linalg.det(homography)) == 0:
        raise InputError(
            f"{path}: field 'Homography matrix' is singular; correct it, or remove the file to run uncalibrated"
        )
    for gps_to_pixel in (homography, _inverse(homography)):
        calibration = Calibration(gps_to_pixel, intrinsic, distortion)
        if lands_on_earth(calibration, size):
            return calibration
    raise InputError(
        f"{path}: field 'Homography matrix' does not map the image to latitude and longitude in either direction; "
        "correct it, or remove the file to run uncalibrated"
    )


def _matrix(path: Path, field: str, text: str, count: int | None) -> Matrix:
    try:
        values = np.array([float(word) for word in re.split(r"[;,\s]+", text.strip()) if word])
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all() or (count is not None and len(values) != count) or len(values) == 0:
        wanted = f"{count} numbers, rows separated by ';'" if count else "numbers"
        raise InputError(f"{path}: field '{field}' must hold {wanted}, not '{text.strip()[:60]}'")
    return values


def lands_on_earth(calibration: Calibration, size: tuple[int, int]) -> bool:
    """Whether foot points near the lower edge have plausible coordinates, a street's width to a few blocks apart."""
    width, height = size
    feet = np.array([[0.3, 0.9], [0.5, 0.9], [0.7, 0.9]]) * [width, height]
    gps = calibration.gps_of(feet)
    if not np.isfinite(gps).all() or (np.abs(gps) > [90.0, 180.0]).any():
        return False
    spread = np.ptp(gps, axis=0) * METRES_PER_DEGREE
    return bool(0.1 < np.hypot(*spread) < 2000.0)


def _inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _project(matrix: Matrix, points: Matrix) -> tuple[Matrix, Matrix]:
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    depth = homogeneous[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / depth[:, None], depth


def _undistort(points: Matrix, intrinsic: Matrix | None, distortion: Matrix | None) -> Matrix:
    if intrinsic is None or distortion is None or not len(points) or not distortion.any():
        return points
    return np.asarray(cv2.undistortPoints(points[:, None], intrinsic, distortion, P=intrinsic)[:, 0], np.float64)


def _distort(points: Matrix, intrinsic: Matrix | None, distortion: Matrix | None) -> Matrix:
    if intrinsic is None or distortion is None or not len(points) or not distortion.any():
        return points
    rays = np.column_stack([points, np.ones(len(points))]) @ _inverse(intrinsic).T
    pixels, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), intrinsic, distortion)
    return np.asarray(pixels[:, 0], np.float64)
