"""Roads, routes and the vehicles on them."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.simulation.network import LANE_WIDTH, Network, corridor, crossing, grid
from mtmc.simulation.routes import build_paths, draw_route
from mtmc.simulation.traffic import RATE, Traffic, simulate


def layout(name: str) -> Network:
    random = np.random.default_rng(4)
    if name == "crossing":
        return crossing(random)
    return corridor(3, random) if name == "corridor" else grid(4, random)


@pytest.fixture(scope="module", params=["corridor", "crossing", "grid"])
def traffic(request: pytest.FixtureRequest) -> Traffic:
    return simulate(layout(request.param), np.full(40, 4.6), 30.0, 90.0, np.random.default_rng(1))


def test_a_layout_has_the_junctions_asked_for() -> None:
    random = np.random.default_rng(0)
    assert len(corridor(6, random).junctions) == 6
    assert len(crossing(random).junctions) == 1
    assert len(grid(20, random).junctions) >= 20


def test_lanes_keep_to_the_right() -> None:
    network = layout("corridor")
    road = network.roads_at[1][0]
    for node in (network.roads[road].start, network.roads[road].end):
        way = network.direction(road, node)
        for lane in (0, 1):
            start = network.lane(road, node, lane)[0] - network.nodes[node]
            right = start @ [way[1], -way[0]]
            assert right == pytest.approx((2 - lane - 0.5) * LANE_WIDTH)


@pytest.mark.parametrize("name", ["corridor", "crossing", "grid"])
def test_paths_are_unbroken_and_end_where_roads_end(name: str) -> None:
    network = layout(name)
    routes = [draw_route(network, np.random.default_rng(s)) for s in range(30)]
    paths, which = build_paths(network, routes)
    ends = np.append(paths.first, len(paths.points))
    for number, route in zip(which, routes, strict=True):
        points = paths.points[ends[number] : ends[number + 1]]
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        assert steps.max() < 0.6
        assert route.nodes[0] in network.entries
        assert np.linalg.norm(points[0] - network.nodes[route.nodes[0]]) < 10


def test_vehicles_neither_jump_nor_stand_in_each_other(traffic: Traffic) -> None:
    for step in range(0, len(traffic.first) - 1, 7):
        place = traffic.pose[traffic.first[step] : traffic.first[step + 1], :2]
        distance = np.linalg.norm(place[:, None] - place[None], axis=2) + 99 * np.eye(len(place))
        assert distance.min(initial=99) > 2.0
    for vehicle in np.unique(traffic.vehicle):
        place = traffic.pose[traffic.vehicle == vehicle, :2]
        assert np.linalg.norm(np.diff(place, axis=0), axis=1).max(initial=0) * RATE < 18


def test_some_wait_at_lights_and_some_drive(traffic: Traffic) -> None:
    speeds = []
    for vehicle in np.unique(traffic.vehicle):
        place = traffic.pose[traffic.vehicle == vehicle, :2]
        speeds.append(np.linalg.norm(np.diff(place, axis=0), axis=1) * RATE)
    every = np.concatenate(speeds)
    assert (every < 0.1).mean() > 0.02
    assert (every > 7).mean() > 0.1


def test_at_interpolates_between_steps(traffic: Traffic) -> None:
    vehicle, pose = traffic.at(5.0)
    later, moved = traffic.at(5.1)
    between, half = traffic.at(5.05)
    common = np.intersect1d(vehicle, later)
    a, b, c = (p[np.isin(v, common)][:, :2] for v, p in ((vehicle, pose), (later, moved), (between, half)))
    np.testing.assert_allclose((a + b) / 2, c, atol=1e-6)


def test_near_keeps_only_what_is_near(traffic: Traffic) -> None:
    close = traffic.near((0.0, 0.0), 60.0)
    assert len(close.first) == len(traffic.first)
    assert (np.linalg.norm(close.pose[:, :2], axis=1) < 60).all()
    assert len(close.pose) == (np.linalg.norm(traffic.pose[:, :2], axis=1) < 60).sum()
