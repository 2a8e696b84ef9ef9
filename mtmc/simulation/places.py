"""Camera placement, paths through junctions, and parking positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtmc.simulation.lens import Lens
from mtmc.simulation.network import Network


def viewpoint(
    network: Network, node: int, road: int, random: np.random.Generator, width: int, height: int, near: bool = False
) -> Lens:
    """A camera on a mast at a junction that looks along one of its roads, away from the node.

    Args:
        near: True places the camera before the junction, looking across it; False at the junction, looking down the
            road.
    """
    way = network.direction(road, node)
    side = np.array([-way[1], way[0]]) * random.choice([-1.0, 1.0])
    half = network.roads[road].half_width
    reach = max(network.stop_line_distance(node), 9.0)
    if near:
        place = (
            network.nodes[node]
            - way * random.uniform(reach + 2, reach + 8)
            + side * random.uniform(half + 1.5, half + 6)
        )
        target = network.nodes[node] + way * random.uniform(4, 14) + side * random.uniform(-3, 2)
    else:
        place = network.nodes[node] - way * random.uniform(-2, 5) + side * random.uniform(half + 1.0, half + 4.0)
        target = network.nodes[node] + way * random.uniform(24, 32) + side * random.uniform(-3, 2)
    high = random.uniform(5.0, 9.5)
    flat = target - place
    field = random.uniform(np.radians(50), np.radians(76))
    return Lens(
        centre=np.array([*place, high]),
        yaw=float(np.arctan2(flat[1], flat[0])),
        pitch=float(np.arctan2(high - 0.8, np.linalg.norm(flat)) + random.uniform(-0.01, 0.05)),
        roll=float(random.normal(0, 0.012)),
        focal=float(width / 2 / np.tan(field / 2)),
        width=width,
        height=height,
        k1=float(random.uniform(-0.14, -0.01)),
        k2=float(random.uniform(0.0, 0.02)),
    )


def bend(
    start: npt.ArrayLike, way: npt.ArrayLike, end: npt.ArrayLike, end_way: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Smooth path (n, 2) from `start`, heading `way`, to `end`, heading `end_way`, about two points per metre."""
    p0, p3 = np.asarray(start, np.float64), np.asarray(end, np.float64)
    reach = float(np.linalg.norm(p3 - p0)) * 0.4
    p1, p2 = p0 + np.asarray(way) * reach, p3 - np.asarray(end_way) * reach
    t = np.linspace(0, 1, max(3, int(np.linalg.norm(p3 - p0) * 2.2) + 1))[:, None]
    return np.asarray((1 - t) ** 3 * p0 + 3 * (1 - t) ** 2 * t * p1 + 3 * (1 - t) * t**2 * p2 + t**3 * p3)


def passages(network: Network, node: int) -> list[npt.NDArray[np.float64]]:
    """All paths through a junction from a lane of one road to a lane of another, (n, 2), about two points per metre."""
    paths = []
    for road_in in network.roads_at[node]:
        origin = network.other_end(road_in, node)
        for road_out in network.roads_at[node]:
            if road_out == road_in:
                continue
            for lane in range(max(network.roads[road_in].lanes, network.roads[road_out].lanes)):
                first = network.lane(road_in, origin, min(lane, network.roads[road_in].lanes - 1))
                last = network.lane(road_out, node, min(lane, network.roads[road_out].lanes - 1))
                way_in, way_out = -network.direction(road_in, node), network.direction(road_out, node)
                middle = bend(first[1], way_in, last[0], way_out)
                paths.append(np.concatenate([_straight(first), middle[1:-1], _straight(last)]))
    return paths


def _straight(ends: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    pieces = max(2, int(np.linalg.norm(ends[1] - ends[0]) * 2) + 1)
    return np.linspace(ends[0], ends[1], pieces)


def parking(network: Network, lenses: Sequence[Lens], random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Poses (n, 4) of vehicles parked at the kerb, half on the pavement; up to two in view of each camera."""
    poses: list[list[float]] = []
    for lens in lenses:
        for _ in range(int(random.integers(0, 3))):
            number = int(np.argmin([_middle_distance(network, r, lens) for r in range(len(network.roads))]))
            road = network.roads[number]
            way = network.direction(number, road.start)
            a, b = network.nodes[road.start], network.nodes[road.end]
            low, high = (
                network.stop_line_distance(road.start) + 12,
                float(np.linalg.norm(b - a)) - network.stop_line_distance(road.end) - 12,
            )
            sign = float(random.choice([-1.0, 1.0]))
            if high <= low:
                continue
            place = a + way * random.uniform(low, high) + np.array([-way[1], way[0]]) * sign * (road.half_width + 0.9)
            heading = float(np.arctan2(-way[1] * sign, -way[0] * sign))
            if all(np.hypot(place[0] - p[0], place[1] - p[1]) > 12 for p in poses):
                poses.append([float(place[0]), float(place[1]), 0.0, heading])
    return np.array(poses).reshape(-1, 4)


def _middle_distance(network: Network, road: int, lens: Lens) -> float:
    """Distance in metres from the midpoint of a road to a point 40 metres in front of the camera."""
    ends = network.nodes[[network.roads[road].start, network.roads[road].end]]
    target = lens.centre[:2] + 40 * np.array([np.cos(lens.yaw), np.sin(lens.yaw)])
    return float(np.linalg.norm(ends.mean(0) - target))
