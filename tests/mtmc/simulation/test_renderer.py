"""Boxes agree with pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.simulation.assembly import Body, assemble
from mtmc.simulation.lens import Lens
from mtmc.simulation.light import Light
from mtmc.simulation.network import Network, Road
from mtmc.simulation.renderer import CameraRenderer
from mtmc.simulation.sensor import Exposure, Sensor
from mtmc.simulation.vehicles import population

EAST = np.array([[30.0, -1.7, 0.0, 0.0]])


@pytest.fixture(scope="module")
def renderer() -> CameraRenderer:
    """A camera seven metres over the kerb that looks along a road to the east."""
    network = Network(np.array([[-50.0, 0], [250.0, 0]]), (Road(0, 1, 2),))
    lens = Lens(np.array([5.0, -9.0, 7.0]), 0.3, 0.22, 0.0, 450.0, 480, 270, -0.05)
    return CameraRenderer(lens, network, Light(np.array([0.0, 0.6, 0.8]), 0.5, 0.66), seed=1)


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    vehicles = population(30, np.random.default_rng(8))
    cars = [v for v in vehicles if v.model.kind == "sedan"][:1]
    large = [v for v in population(200, np.random.default_rng(9)) if v.model.kind == "truck"][:1]
    return [assemble(v) for v in cars + large]


def changed(renderer: CameraRenderer, body: Body, pose: npt.NDArray[np.float64]) -> tuple[float, float, float, float]:
    """The box of the pixels above the shadow's level that a vehicle changes."""
    image = renderer.render([body], pose).image.astype(int)
    difference = np.abs(image - renderer.background).max(2) > 0
    rows, columns = np.flatnonzero(difference.any(1)), np.flatnonzero(difference.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def test_a_box_holds_the_vehicle_and_little_else(renderer: CameraRenderer, bodies: list[Body]) -> None:
    rendered = renderer.render(bodies[:1], EAST)
    left, top, width, height = rendered.box[0]
    seen = changed(renderer, bodies[0], EAST)
    assert seen[1] == pytest.approx(top, abs=1)  # the shadow lies lower, so the upper edge is the vehicle's
    assert seen[0] <= left + 1
    assert seen[2] >= left + width - 1
    assert 20 < width < 200
    assert 15 < height < 120
    assert rendered.visible[0] == pytest.approx(1)
    assert rendered.inside[0] > 0.9


def test_what_a_truck_hides_is_counted(renderer: CameraRenderer, bodies: list[Body]) -> None:
    behind = np.array([[30.0, -1.7, 0, 0], [21.0, -2.7, 0, 0]])
    rendered = renderer.render(bodies, behind)
    alone = renderer.render(bodies[:1], behind[:1])
    assert rendered.visible[0] < 0.75
    assert rendered.visible[1] == pytest.approx(1)
    assert rendered.box[0, 2:].prod() <= alone.box[0, 2:].prod()


def test_a_vehicle_at_the_border_is_partly_inside(renderer: CameraRenderer, bodies: list[Body]) -> None:
    poses = np.column_stack([np.full(30, 30.0), np.linspace(-30, 30, 30), np.zeros(30), np.zeros(30)])
    inside = np.array([renderer.render(bodies[:1], pose[None]).inside[0] for pose in poses])
    assert inside.max() > 0.9
    assert ((inside > 0.05) & (inside < 0.8)).any()
    boxes = [renderer.render(bodies[:1], pose[None]).box[0] for pose in poses]
    assert all(b[0] >= 0 and b[1] >= 0 and b[0] + b[2] <= 480 and b[1] + b[3] <= 270 for b in boxes)


def test_no_vehicles_no_boxes(renderer: CameraRenderer) -> None:
    rendered = renderer.render([], np.zeros((0, 4)))
    assert rendered.box.shape == (0, 4)
    np.testing.assert_array_equal(rendered.image, renderer.background)


def test_vehicles_leave_no_trace_in_later_frames(renderer: CameraRenderer, bodies: list[Body]) -> None:
    renderer.render(bodies[:1], EAST)
    np.testing.assert_array_equal(renderer.render([], np.zeros((0, 4))).image, renderer.background)


def test_a_sensor_is_deterministic_and_its_gains_show() -> None:
    image = np.full((40, 60, 3), 100, np.uint8)
    sensor = Sensor((1.2, 1.0, 0.8), 1.0, 1.0, 1.0, 0.0, 2.0, 25)
    first, again = (Exposure(sensor, 40, 60, 1).apply(image, 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, Exposure(sensor, 40, 60, 1).apply(image, 4))
    np.testing.assert_allclose(first.mean((0, 1)), (120, 100, 80), atol=1)
