"""The rasteriser on single quadrilaterals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.simulation import raster
from mtmc.simulation.lens import Lens
from mtmc.simulation.mesh import Mesh, box

SIZE = 100


class RgbImage:
    """Buffers before a camera that looks north from the origin."""

    def __init__(self) -> None:
        self.colour = np.zeros((2 * SIZE, 2 * SIZE, 3), np.uint8)
        self.depth = np.zeros((2 * SIZE, 2 * SIZE), np.float32)
        self.label = np.zeros((2 * SIZE, 2 * SIZE), np.int16)
        self.stamp = np.zeros((2 * SIZE, 2 * SIZE), np.int32)
        self.drawn = 0

    def draw(self, mesh: Mesh, number: int, rgb: tuple[int, int, int] = (200, 100, 50)) -> npt.NDArray[np.int64]:
        lens = Lens(np.zeros(3), np.pi / 2, 0.0, 0.0, float(SIZE), SIZE, SIZE)
        texture = np.full((4, 4, 4), (*rgb, 0), np.uint8)
        optics = np.array([2.0 * SIZE, SIZE, SIZE, 0, 0])
        light = np.array([0, 0, 1, 0, 1 / 0.68, 0, 0, -1e9])
        self.drawn += 1
        return raster.draw(
            mesh.position,
            mesh.normal,
            mesh.uv,
            mesh.triangle,
            texture,
            1.0,
            np.zeros(4),
            lens.rotation,
            lens.centre,
            optics,
            light,
            True,
            False,
            number,
            self.colour,
            self.depth,
            self.label,
            self.stamp,
            self.drawn,
        )


def wall(distance: float, size: float, faces: tuple[int, ...] = (3,)) -> Mesh:
    """A square of `size` metres that faces south, `distance` metres north of the camera."""
    return box((-size / 2, distance, -size / 2), (size / 2, distance + 0.01, size / 2), (0, 0, 3, 3), faces)


def test_a_square_covers_the_pixels_that_it_should() -> None:
    image = RgbImage()
    covered, left, top, right, bottom = image.draw(wall(10, 2), 1)
    assert covered == pytest.approx((2 * 2 * SIZE / 10) ** 2, abs=90)  # an edge may or may not count its own pixels
    np.testing.assert_allclose((left, top, right, bottom), (80, 80, 119, 119), atol=1)
    assert (image.label > 0).sum() == covered
    np.testing.assert_allclose(image.colour[100, 100], (200, 100, 50), atol=2)
    assert image.depth[100, 100] == pytest.approx(0.1)


def test_what_faces_away_is_not_drawn() -> None:
    assert RgbImage().draw(wall(10, 2, faces=(2,)), 1)[0] == 0


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_hides_the_farther(near_first: bool) -> None:
    image = RgbImage()
    walls = [(wall(10, 2), 1), (wall(20, 8), 2)]
    for mesh, number in walls if near_first else walls[::-1]:
        image.draw(mesh, number)
    assert (image.label == 1).sum() == pytest.approx(40**2, abs=90)
    assert (image.label > 0).sum() == pytest.approx(80**2, abs=170)
    counts = raster.visible_boxes(image.label, 0, 0, 2 * SIZE - 1, 2 * SIZE - 1, 2)
    np.testing.assert_allclose(counts[1, 1:], (80, 80, 119, 119), atol=1)
    np.testing.assert_allclose(counts[2, 1:], (60, 60, 139, 139), atol=1)
    assert counts[1, 0] == (image.label == 1).sum()


def test_behind_the_camera_nothing_is_seen() -> None:
    assert RgbImage().draw(wall(-10, 2), 1)[0] == 0


def test_resolve_mixes_edges_and_darkens_the_ground() -> None:
    colour, label = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int16)
    colour[:2, :1], label[:2, :1] = 200, 1
    background = np.full((2, 2, 3), 100, np.uint8)
    shadow = np.array([[0, 0], [0, 255]], np.uint8)
    output = np.empty_like(background)
    raster.resolve(colour, label, background, shadow, output)
    assert output[0, 0, 0] == 150
    assert output[0, 1, 0] == 100
    assert output[1, 1, 0] < 45
