"""Camera model: projection of world coordinates to pixels, and CityFlow's GPS homography."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

ORIGIN_LATITUDE = 42.4985
ORIGIN_LONGITUDE = -90.6935
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True)
class Lens:
    """A pinhole camera with two radial distortion coefficients (OpenCV's convention).

    World axes: x east, y north, z up, in metres. Camera axes: x right, y down, z forward.

    Attributes:
        centre: (3,) float64, position of the camera in metres.
        yaw: viewing direction in radians, counter-clockwise from east.
        pitch: downward tilt in radians.
        roll: rotation in radians, clockwise in the image.
        focal: focal length in pixels.
        width, height: image size in pixels; the principal point is the centre.
        k1, k2: radial distortion coefficients.
        rotation: (3, 3) float64, world to camera axes; derived from the angles.
    """

    centre: npt.NDArray[np.float64]
    yaw: float
    pitch: float
    roll: float
    focal: float
    width: int
    height: int
    k1: float = 0.0
    k2: float = 0.0
    rotation: npt.NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        forward = np.array(
            [np.cos(self.yaw) * np.cos(self.pitch), np.sin(self.yaw) * np.cos(self.pitch), -np.sin(self.pitch)]
        )
        right = np.array([np.sin(self.yaw), -np.cos(self.yaw), 0.0])
        down = np.cross(forward, right)
        c, s = np.cos(self.roll), np.sin(self.roll)
        object.__setattr__(self, "rotation", np.stack([c * right + s * down, c * down - s * right, forward]))

    @property
    def intrinsics(self) -> npt.NDArray[np.float64]:
        """(3, 3) float64, OpenCV's camera matrix."""
        return np.array([[self.focal, 0, self.width / 2], [0, self.focal, self.height / 2], [0, 0, 1.0]])

    def project(self, points: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Project world points (n, 3) to distorted pixels (n, 2) and depths (n,) in metres; NaN at depths below 0.1."""
        camera = (np.asarray(points, np.float64) - self.centre) @ self.rotation.T
        depth = camera[:, 2]
        plane = np.full((len(camera), 2), np.nan)
        np.divide(camera[:, :2], depth[:, None], out=plane, where=depth[:, None] > 0.1)
        r2 = (plane**2).sum(1, keepdims=True)
        plane = plane * (1 + self.k1 * r2 + self.k2 * r2**2)
        return plane * self.focal + [self.width / 2, self.height / 2], depth

    def rays(self, pixels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Viewing directions (n, 3) in world axes, with camera z = 1, of distorted pixels (n, 2)."""
        distorted = (np.asarray(pixels, np.float64) - [self.width / 2, self.height / 2]) / self.focal
        plane = distorted.copy()
        for _ in range(8):  # fixed-point iteration, converges quickly for mild distortion
            r2 = (plane**2).sum(1, keepdims=True)
            plane = distorted / (1 + self.k1 * r2 + self.k2 * r2**2)
        return np.column_stack([plane, np.ones(len(plane))]) @ self.rotation

    def ground(self, pixels: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Intersect the rays of distorted pixels (n, 2) with the plane z = 0: (n, 2) metres, NaN above the horizon."""
        rays = self.rays(pixels)
        down = rays[:, 2] < -1e-6
        scale = np.full(len(rays), np.nan)
        np.divide(-self.centre[2], rays[:, 2], out=scale, where=down)
        return np.asarray(self.centre[:2] + rays[:, :2] * scale[:, None])

    def homography(self) -> npt.NDArray[np.float64]:
        """(3, 3) float64 homography from (latitude, longitude, 1) in degrees to undistorted pixels, with h33 = 1."""
        world = self.intrinsics @ np.column_stack([self.rotation[:, :2], -self.rotation @ self.centre])
        to_metres = np.array(
            [
                [0, metres_per_longitude(), -ORIGIN_LONGITUDE * metres_per_longitude()],
                [METRES_PER_DEGREE, 0, -ORIGIN_LATITUDE * METRES_PER_DEGREE],
                [0, 0, 1.0],
            ]
        )
        matrix = world @ to_metres
        return np.asarray(matrix / matrix[2, 2])


def metres_per_longitude() -> float:
    """Metres per degree of longitude at the latitude of the simulated city."""
    return float(METRES_PER_DEGREE * np.cos(np.radians(ORIGIN_LATITUDE)))


def to_gps(metres: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Convert (n, 2) metres (east, north) to (n, 2) degrees (latitude, longitude)."""
    xy = np.asarray(metres, np.float64).reshape(-1, 2)
    return np.column_stack(
        [ORIGIN_LATITUDE + xy[:, 1] / METRES_PER_DEGREE, ORIGIN_LONGITUDE + xy[:, 0] / metres_per_longitude()]
    )
