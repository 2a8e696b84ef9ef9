"""Routes of vehicles through a network, as paths made of lanes and bends."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mtmc.simulation.network import Network
from mtmc.simulation.places import bend

STEP = 0.5
"""Spacing of the points of a path in metres."""
_TURN = np.radians(35)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a vehicle: nodes, roads, and its lane on each road (0 at the kerb)."""

    nodes: tuple[int, ...]
    roads: tuple[int, ...]
    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Paths:
    """All routes as paths over numbered segments. Segments are lanes and, at junctions, bends; a path alternates
    between them.

    Attributes:
        points: (p, 2) metres, all paths concatenated, `STEP` apart; first: (r,) index of the first point of each path.
        length: (r,) metres, length of each path.
        segment: (r, k) segment numbers of each path, padded with -1.
        ends: (r, k) metres along the path at the end of each segment, padded with inf.
        origin: (s,) for a bend, the lane that it starts from, else -1.
        approach: (s, 2) for a bend at a junction, its node and signal phase (see `signal_phases`); -1 otherwise.
        turning: (s,) True for bends that require slowing down.
    """

    points: Floats
    first: Ints
    length: Floats
    segment: Ints
    ends: Floats
    origin: Ints
    approach: Ints
    turning: npt.NDArray[np.bool_]


def draw_route(network: Network, random: np.random.Generator) -> Route:
    """Draw a random route between entries, mostly straight, without U-turns; main roads attract most of the traffic."""
    entries = np.array(network.entries)
    roads = [network.roads_at[n][0] for n in entries]
    weight = np.array([5.0 if r in network.main else network.roads[r].lanes for r in roads])
    node = int(random.choice(entries, p=weight / weight.sum()))
    road = network.roads_at[node][0]
    nodes, taken = [node], [road]
    for _ in range(60):
        node = network.other_end(road, node)
        nodes.append(node)
        options = [r for r in network.roads_at[node] if r != road and _allowed(network, node, road, r)]
        if not options:
            break
        turns = np.array([abs(_angle(network, node, road, r)) for r in options])
        odds = np.where(turns < _TURN, 1.0, 0.22 if road in network.main else 0.5)
        road = options[int(random.choice(len(options), p=odds / odds.sum()))]
        taken.append(road)
    return Route(tuple(nodes), tuple(taken), _lanes(network, nodes, taken, random))


def signal_phases(network: Network, node: int) -> dict[int, int]:
    """Signal phase of each road that approaches a junction; phases are served in ascending order."""
    roads = network.roads_at[node]
    main = [r for r in roads if r in network.main]
    result = dict.fromkeys(main, 0)
    for r in roads:
        if r not in result:
            result[r] = len(set(result.values()))
    return result


def build_paths(network: Network, routes: list[Route]) -> tuple[Paths, Ints]:
    """Build the paths of `routes`; equal routes share a path.

    Returns:
        The paths, and (n,) int64, the path of each route.
    """
    builder = _Builder(network)
    distinct: dict[Route, int] = {}
    which = np.array([distinct.setdefault(route, len(distinct)) for route in routes], np.int64)
    return builder.build(list(distinct)), which


@dataclass
class _Builder:
    network: Network
    numbers: dict[tuple[int, ...], int] = field(default_factory=dict)
    origin: list[int] = field(default_factory=list)
    approach: list[tuple[int, int]] = field(default_factory=list)
    turning: list[bool] = field(default_factory=list)

    def build(self, routes: list[Route]) -> Paths:
        points, firsts, lengths, segments, ends = [], [], [], [], []
        total = 0
        for route in routes:
            pieces, numbers = self._pieces(route)
            stops = np.cumsum([np.linalg.norm(np.diff(p, axis=0), axis=1).sum() for p in pieces])
            whole = np.concatenate([pieces[0], *[p[1:] for p in pieces[1:]]])
            along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(whole, axis=0), axis=1))])
            at = np.arange(0.0, along[-1] + STEP, STEP)
            path = np.column_stack([np.interp(at, along, whole[:, k]) for k in (0, 1)])
            points.append(path)
            firsts.append(total)
            lengths.append(along[-1])
            segments.append(numbers)
            ends.append(stops)
            total += len(path)
        widest = max(len(s) for s in segments) + 4  # padding for lookahead by a few segments
        return Paths(
            points=np.concatenate(points),
            first=np.array(firsts, np.int64),
            length=np.array(lengths),
            segment=np.array([s + [-1] * (widest - len(s)) for s in segments], np.int64),
            ends=np.array([[*e, *([np.inf] * (widest - len(e)))] for e in ends]),
            origin=np.array(self.origin, np.int64),
            approach=np.array(self.approach, np.int64).reshape(-1, 2),
            turning=np.array(self.turning, np.bool_),
        )

    def _pieces(self, route: Route) -> tuple[list[Floats], list[int]]:
        network = self.network
        pieces: list[Floats] = []
        numbers: list[int] = []
        for i, (road, lane) in enumerate(zip(route.roads, route.lanes, strict=True)):
            start = network.lane(road, route.nodes[i], lane)
            if pieces:
                node, before = route.nodes[i], route.roads[i - 1]
                way_in, way_out = -network.direction(before, node), network.direction(road, node)
                pieces.append(bend(pieces[-1][-1], way_in, start[0], way_out))
                green = signal_phases(network, node)[before] if len(network.roads_at[node]) >= 3 else -1
                turning = abs(_angle(network, node, before, road)) > _TURN
                came = numbers[-1]
                key = (1, came, road, route.nodes[i], lane)
                numbers.append(self._number(key, came, (node if green >= 0 else -1, green), turning))
            pieces.append(start)
            numbers.append(self._number((0, road, route.nodes[i], lane), -1, (-1, -1), False))
        return pieces, numbers

    def _number(self, key: tuple[int, ...], origin: int, approach: tuple[int, int], turning: bool) -> int:
        if key not in self.numbers:
            self.numbers[key] = len(self.numbers)
            self.origin.append(origin)
            self.approach.append(approach)
            self.turning.append(turning)
        return self.numbers[key]


def _angle(network: Network, node: int, road_in: int, road_out: int) -> float:
    """Turning angle in radians from one road into another, positive to the left."""
    a, b = -network.direction(road_in, node), network.direction(road_out, node)
    return float(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b))


def _allowed(network: Network, node: int, road_in: int, road_out: int) -> bool:
    """Whether a turn is allowed; a left turn from a main road would cross oncoming traffic of the same phase."""
    return not (
        road_in in network.main
        and len(network.roads_at[node]) >= 3
        and _angle(network, node, road_in, road_out) > _TURN
    )


def _lanes(network: Network, nodes: list[int], roads: list[int], random: np.random.Generator) -> tuple[int, ...]:
    """Choose lanes from the end backwards: the kerb lane before a right turn, the inner lane before a left turn."""
    lanes = [0] * len(roads)
    for i in range(len(roads) - 1, -1, -1):
        count = network.roads[roads[i]].lanes
        angle = _angle(network, nodes[i + 1], roads[i], roads[i + 1]) if i + 1 < len(roads) else 0.0
        if i + 1 < len(roads) and abs(angle) > _TURN:
            lanes[i] = 0 if angle < 0 else count - 1
        elif i + 1 < len(roads) and network.roads[roads[i + 1]].lanes == count:
            lanes[i] = lanes[i + 1]
        else:
            lanes[i] = int(random.integers(count))
    return tuple(lanes)
