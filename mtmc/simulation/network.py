"""The road network of a simulated city, used for traffic, rendering and camera placement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

LANE_WIDTH = 3.4
PAVEMENT = 3.0


@dataclass(frozen=True, slots=True)
class Road:
    """A straight road between two nodes, with `lanes` lanes in each direction; traffic drives on the right."""

    start: int
    end: int
    lanes: int

    @property
    def half_width(self) -> float:
        """Metres from the centre line to the kerb."""
        return self.lanes * LANE_WIDTH + 0.4


@dataclass(frozen=True)
class Network:
    """Roads between nodes. Vehicles enter and leave at nodes with one road; those with three or more have signals.

    Attributes:
        nodes: (n, 2) float64, metres.
        roads: the roads.
        main: indices of the priority roads: their two directions share a signal phase, and left turns from them are
            prohibited. If empty, each approach of a junction has its own phase.
    """

    nodes: npt.NDArray[np.float64]
    roads: tuple[Road, ...]
    main: frozenset[int] = frozenset()

    @cached_property
    def roads_at(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the roads that meet at each node."""
        result: list[list[int]] = [[] for _ in self.nodes]
        for number, road in enumerate(self.roads):
            result[road.start].append(number)
            result[road.end].append(number)
        return tuple(tuple(r) for r in result)

    @cached_property
    def junctions(self) -> tuple[int, ...]:
        """Indices of the nodes with signals."""
        return tuple(n for n, roads in enumerate(self.roads_at) if len(roads) >= 3)

    @cached_property
    def entries(self) -> tuple[int, ...]:
        """Indices of the nodes where vehicles enter and leave."""
        return tuple(n for n, roads in enumerate(self.roads_at) if len(roads) == 1)

    def stop_line_distance(self, node: int) -> float:
        """Distance in metres from a node to its stop lines; 0 at dead ends."""
        roads = self.roads_at[node]
        return 0.0 if len(roads) < 2 else max(self.roads[r].half_width for r in roads) + 5.5

    def other_end(self, road: int, node: int) -> int:
        """The node at the other end of a road."""
        return self.roads[road].end if self.roads[road].start == node else self.roads[road].start

    def direction(self, road: int, node: int) -> npt.NDArray[np.float64]:
        """(2,) unit vector along the road, away from `node`."""
        way = self.nodes[self.other_end(road, node)] - self.nodes[node]
        return np.asarray(way / np.linalg.norm(way))

    def lane(self, road: int, node: int, lane: int) -> npt.NDArray[np.float64]:
        """(2, 2) metres, start and end of a lane that leaves `node`; lane 0 is at the kerb."""
        way = self.direction(road, node)
        right = np.array([way[1], -way[0]])
        offset = right * (self.roads[road].lanes - lane - 0.5) * LANE_WIDTH
        other = self.other_end(road, node)
        return np.stack(
            [
                self.nodes[node] + way * self.stop_line_distance(node) + offset,
                self.nodes[other] - way * self.stop_line_distance(other) + offset,
            ]
        )


def corridor(junctions: int, random: np.random.Generator) -> Network:
    """One main road through `junctions` signalled junctions with side roads, like CityFlow's S06."""
    spacing = random.uniform(185, 245, junctions + 1)
    spacing[[0, -1]] = 130.0
    x = np.cumsum(np.concatenate([[0.0], spacing]))
    y = np.cumsum(np.concatenate([[0.0], random.uniform(-0.06, 0.06, junctions + 1) * spacing]))
    nodes = [*np.column_stack([x, y])]
    roads = [Road(i, i + 1, 2) for i in range(junctions + 1)]
    main = frozenset(range(junctions + 1))
    for junction in range(1, junctions + 1):
        sides = [(1,), (-1,), (1, -1)][int(random.choice(3, p=[0.25, 0.25, 0.5]))]
        for side in sides:
            nodes.append(nodes[junction] + [random.uniform(-12, 12), side * 95.0])
            roads.append(Road(junction, len(nodes) - 1, 1))
    return Network(np.array(nodes), tuple(roads), main)


def crossing(random: np.random.Generator) -> Network:
    """One signalled crossing of two large roads, like CityFlow's S01."""
    angle = np.array([0, 1, 2, 3]) * np.pi / 2 + random.uniform(-0.12, 0.12, 4)
    nodes = np.concatenate([np.zeros((1, 2)), np.column_stack([np.cos(angle), np.sin(angle)]) * 170.0])
    return Network(nodes, tuple(Road(0, i, 2) for i in range(1, 5)))


def grid(junctions: int, random: np.random.Generator) -> Network:
    """A street grid with loops and at least `junctions` signalled junctions, like CityFlow's S04 and S05."""
    columns = int(np.ceil(np.sqrt(junctions * 1.25)))
    rows = int(np.ceil(junctions / columns))
    columns, rows = max(columns, 2), max(rows, 2)
    x = np.cumsum(random.uniform(130, 200, columns))
    y = np.cumsum(random.uniform(130, 200, rows))
    place = np.stack(np.meshgrid(x, y), axis=-1)  # (rows, columns, 2)
    nodes = [*(place + random.uniform(-10, 10, place.shape)).reshape(-1, 2)]
    roads: list[Road] = []
    for row in range(rows):
        for column in range(columns):
            here = row * columns + column
            lanes = 2 if row == rows // 2 else 1
            if column + 1 < columns:
                roads.append(Road(here, here + 1, lanes))
            if row + 1 < rows:
                roads.append(Road(here, here + columns, 1))
    for row in range(rows):
        for column, way in ((0, -1), (columns - 1, 1)):
            nodes.append(nodes[row * columns + column] + [way * 110.0, 0])
            roads.append(Road(row * columns + column, len(nodes) - 1, 2 if row == rows // 2 else 1))
    for column in range(columns):
        for row, way in ((0, -1), (rows - 1, 1)):
            nodes.append(nodes[row * columns + column] + [0, way * 110.0])
            roads.append(Road(row * columns + column, len(nodes) - 1, 1))
    return Network(np.array(nodes), tuple(roads))
