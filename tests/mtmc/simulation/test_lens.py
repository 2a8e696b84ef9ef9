"""Places in the world and pixels."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.simulation.lens import Lens, to_gps


def lens(k1: float = 0.0, k2: float = 0.0, roll: float = 0.02) -> Lens:
    return Lens(np.array([10.0, -5.0, 7.0]), 1.1, 0.3, roll, 800.0, 960, 540, k1, k2)


def test_rotation_is_a_rotation_and_the_middle_ray_looks_ahead_and_down() -> None:
    rotation = lens().rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    forward = lens().rays([[480, 270]])[0]
    assert forward[2] < 0
    assert np.arctan2(forward[1], forward[0]) == pytest.approx(1.1)


def test_higher_things_are_higher_in_the_image_and_left_is_left() -> None:
    here = lens(roll=0.0)
    ahead = here.centre[:2] + 20 * np.array([np.cos(1.1), np.sin(1.1)])
    left = ahead + 3 * np.array([-np.sin(1.1), np.cos(1.1)])
    pixels, depth = here.project([[*ahead, 0], [*ahead, 2], [*left, 0]])
    assert pixels[1, 1] < pixels[0, 1]
    assert pixels[2, 0] < pixels[0, 0]
    assert (depth > 0).all()


@pytest.mark.parametrize("k1", [0.0, -0.14, 0.05])
def test_ground_undoes_project(k1: float) -> None:
    here = lens(k1, 0.01)
    random = np.random.default_rng(0)
    away, side = random.uniform(10, 60, 50), random.uniform(-6, 6, 50)
    way = np.array([np.cos(1.1), np.sin(1.1)])
    points = here.centre[:2] + away[:, None] * way + side[:, None] * [-way[1], way[0]]
    pixels, _ = here.project(np.column_stack([points, np.zeros(50)]))
    np.testing.assert_allclose(here.ground(pixels), points, atol=0.02)


def test_sky_has_no_ground() -> None:
    assert np.isnan(lens().ground([[480, -600]])).all()


def test_homography_takes_degrees_to_undistorted_pixels() -> None:
    here = lens()
    points = here.centre[:2] + np.array([[9.0, 18.0], [12.0, 30.0], [4.0, 25.0]])
    gps = to_gps(points)
    assert np.abs(gps - [42.4985, -90.6935]).max() < 0.01
    mapped = np.column_stack([gps, np.ones(3)]) @ here.homography().T
    pixels, _ = here.project(np.column_stack([points, np.zeros(3)]))
    np.testing.assert_allclose(mapped[:, :2] / mapped[:, 2:], pixels, atol=1e-3)
