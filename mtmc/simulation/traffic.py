"""Vectorised traffic simulation of all vehicles in a network at ten steps per second.

Car following uses the intelligent driver model (Treiber, Hennecke, Helbing 2000, https://arxiv.org/abs/cond-mat/0002177).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.simulation.network import Network
from mtmc.simulation.routes import STEP, Paths, build_paths, draw_route, signal_phases

RATE = 10
"""Simulation steps per second."""
_ACCELERATION, _BRAKING, _HEADWAY, _STANDSTILL, _TURN_SPEED = 1.9, 2.6, 1.2, 2.0, 6.0
_MAIN_GREEN, _SIDE_GREEN, _SPLIT_GREEN, _CLEARING = 24.0, 6.0, 9.0, 2.5
_AXLE = 0.9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Poses of all vehicles from second 0 on.

    Attributes:
        vehicle: (n,) int64, rows ordered by step, then vehicle.
        pose: (n, 4) float64, x, y, z in metres of the centre on the ground, and heading in radians.
        first: (steps + 1,) int64, index of the first row of each step.
    """

    vehicle: Ints
    pose: Floats
    first: Ints

    def at(self, seconds: float) -> tuple[Ints, Floats]:
        """Vehicles (k,) and poses (k, 4) at a time, linearly interpolated between steps."""
        step = min(max(int(np.floor(seconds * RATE + 1e-6)), 0), len(self.first) - 3)
        share = seconds * RATE - step
        one, two = slice(self.first[step], self.first[step + 1]), slice(self.first[step + 1], self.first[step + 2])
        common, a, b = np.intersect1d(self.vehicle[one], self.vehicle[two], assume_unique=True, return_indices=True)
        start, change = self.pose[one][a], self.pose[two][b] - self.pose[one][a]
        change[:, 3] = (change[:, 3] + np.pi) % (2 * np.pi) - np.pi
        return common, start + share * change

    def velocity(self, seconds: float, vehicles: Ints, poses: Floats) -> Floats:
        """(k, 2) metres per second of `vehicles` (k,) at `poses` (k, 4), those at `seconds`; 0 for those that leave."""
        later, there = self.at(seconds + 1 / RATE)
        _, now, then = np.intersect1d(vehicles, later, assume_unique=True, return_indices=True)
        result = np.zeros((len(vehicles), 2))
        result[now] = (there[then, :2] - poses[now, :2]) * RATE
        return result

    def near(self, place: npt.ArrayLike, reach: float) -> Traffic:
        """Restrict to the rows within `reach` metres of `place` (2,)."""
        keep = ((self.pose[:, :2] - np.asarray(place)) ** 2).sum(1) < reach**2
        first = np.concatenate([[0], np.cumsum(keep)])[self.first]
        return Traffic(self.vehicle[keep], self.pose[keep], first)


def simulate(
    network: Network, lengths: npt.ArrayLike, seconds: float, warm_up: float, random: np.random.Generator
) -> Traffic:
    """Simulate vehicles of `lengths` (n,) metres driving through `network`.

    They enter at random times between `warm_up` seconds before second 0 and `seconds` after it.
    """
    length = np.asarray(lengths, np.float64)
    count = len(length)
    paths, path = build_paths(network, [draw_route(network, random) for _ in range(count)])
    road = _TrafficSignals(network, paths, random)
    desired_speed = random.normal(13.0, 1.3, count).clip(9.5, 16.5) * np.where(length > 6, 0.85, 1.0)
    due = np.sort(random.uniform(-warm_up, seconds, count))
    state = _State(np.zeros(count), np.zeros(count), np.zeros(count, np.int64))
    waiting, driving = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    vehicles, poses, firsts, total = [], [], [0], 0
    steps = round((warm_up + seconds) * RATE) + 2
    begin = round(warm_up * RATE)
    for step in range(steps):
        now = step / RATE - warm_up
        _enter(np.flatnonzero(waiting & (due <= now)), waiting, driving, state, path, paths, length, desired_speed)
        rows = np.flatnonzero(driving)
        if len(rows):
            _advance(rows, state, path, paths, road, length, desired_speed, now)
            driving[rows] = state.along[rows] - length[rows] < paths.length[path[rows]]
        if step >= begin:
            rows = np.flatnonzero(driving & (state.along > length) & (state.along < paths.length[path]))
            vehicles.append(rows)
            poses.append(_poses(state.along[rows], length[rows], path[rows], paths))
            total += len(rows)
            firsts.append(total)
    return Traffic(np.concatenate(vehicles), np.concatenate(poses), np.array(firsts, np.int64))


@dataclass(slots=True)
class _State:
    """State of each vehicle: position of its front along its path (metres), speed (metres per second), index of the
    current segment."""

    along: Floats
    speed: Floats
    piece: Ints


class _TrafficSignals:
    """Traffic signals."""

    def __init__(self, network: Network, paths: Paths, random: np.random.Generator) -> None:
        nodes = len(network.nodes)
        self.starts = np.full((nodes, 8), np.inf)
        self.stops = np.full((nodes, 8), -np.inf)
        self.cycle = np.ones(nodes)
        self.shift = np.zeros(nodes)
        for node in network.junctions:
            plan = signal_phases(network, node)
            moment = 0.0
            for green in range(max(plan.values()) + 1):
                main = green == 0 and any(r in network.main for r in plan)
                lasts = _MAIN_GREEN if main else (_SIDE_GREEN if network.main else _SPLIT_GREEN)
                self.starts[node, green], self.stops[node, green] = moment, moment + lasts
                moment += lasts + _CLEARING
            self.cycle[node] = moment
            self.shift[node] = random.uniform(0, moment)
        self.paths = paths

    def open(self, now: float) -> npt.NDArray[np.bool_]:
        """(nodes, 8) mask of the phases that are green."""
        phase = ((now + self.shift) % self.cycle)[:, None]
        return np.asarray((phase >= self.starts) & (phase < self.stops))


def _enter(
    due: Ints, waiting: npt.NDArray[np.bool_], driving: npt.NDArray[np.bool_], state: _State, path: Ints, paths:
        Paths, length: Floats,
    desired_speed: Floats,
) -> None:  # fmt: skip
    """Let the first vehicle waiting for each lane enter if there is room."""
    if not len(due):
        return
    lane = paths.segment[path[due], 0]
    _, first = np.unique(lane, return_index=True)
    due = due[first]
    inside = np.flatnonzero(driving & (state.piece == 0))
    tail = np.full(len(paths.origin), np.inf)
    np.minimum.at(tail, paths.segment[path[inside], 0], state.along[inside] - length[inside])
    rear = tail[paths.segment[path[due], 0]]
    ready = due[rear > 9.0]
    waiting[ready], driving[ready] = False, True
    state.along[ready] = 0.0
    state.speed[ready] = np.minimum(desired_speed[ready], np.where(np.isfinite(rear[rear > 9.0]), 7.0, 12.0))


def _advance(
    rows: Ints,
    state: _State,
    path: Ints,
    paths: Paths,
    road: _TrafficSignals,
    length: Floats,
    desired_speed: Floats,
    now: float,
) -> None:
    along, speed, piece, own = state.along[rows], state.speed[rows], state.piece[rows], path[rows]
    size = length[rows]
    segment = paths.segment[own, piece]
    end = paths.ends[own, piece]
    start = np.where(piece > 0, paths.ends[own, np.maximum(piece - 1, 0)], 0.0)
    local = along - start
    gap, ahead_speed = _leaders(segment, local, speed, size, own, piece, along, end, paths)
    gap, ahead_speed = _signals(gap, ahead_speed, segment, speed, own, piece, along, end, size, local, paths, road, now)
    following = paths.segment[own, piece + 1]
    slow = np.where(
        (following >= 0) & paths.turning[following], np.sqrt(_TURN_SPEED**2 + 3.0 * np.maximum(end - along, 0)), np.inf
    )
    target = np.minimum(desired_speed[rows], slow)
    target = np.where(paths.turning[segment], np.minimum(target, _TURN_SPEED), target)
    gap = np.maximum(gap, 0.05)
    desired = _STANDSTILL + np.maximum(
        0.0, speed * _HEADWAY + speed * (speed - ahead_speed) / (2 * np.sqrt(_ACCELERATION * _BRAKING))
    )
    acceleration = _ACCELERATION * (1 - (speed / np.maximum(target, 0.5)) ** 4 - (desired / gap) ** 2)
    acceleration = np.clip(acceleration, -8.0, _ACCELERATION)
    faster = np.maximum(0.0, speed + acceleration / RATE)
    moved = np.minimum((speed + faster) / 2 / RATE, np.maximum(gap - 0.3, 0.0))
    state.speed[rows] = faster
    state.along[rows] = along + moved
    state.piece[rows] = piece + ((along + moved) > end)


def _leaders(
    segment: Ints,
    local: Floats,
    speed: Floats,
    size: Floats,
    own: Ints,
    piece: Ints,
    along: Floats,
    end: Floats,
    paths: Paths,
) -> tuple[Floats, Floats]:
    """Gap in metres to the vehicle ahead, and its speed; inf and 0 if the road is free."""
    count = len(segment)
    gap, ahead_speed = np.full(count, np.inf), np.zeros(count)
    order = np.lexsort((local, segment))
    same = segment[order[:-1]] == segment[order[1:]]
    back, front = order[:-1][same], order[1:][same]
    gap[back] = local[front] - size[front] - local[back]
    ahead_speed[back] = speed[front]
    first = np.ones(count, np.bool_)
    first[order[1:]] = segment[order[1:]] != segment[order[:-1]]
    lowest = order[first[order]]
    rear = np.full(len(paths.origin), np.inf)
    rear_speed = np.zeros(len(paths.origin))
    rear[segment[lowest]] = local[lowest] - size[lowest]
    rear_speed[segment[lowest]] = speed[lowest]
    for look in (1, 2, 3):
        following = paths.segment[own, np.minimum(piece + look, paths.segment.shape[1] - 1)]
        begins = paths.ends[own, np.minimum(piece + look - 1, paths.segment.shape[1] - 1)] - along
        distance = np.where(following >= 0, begins + rear[following], np.inf)
        nearer = distance < gap
        gap[nearer] = distance[nearer]
        ahead_speed[nearer] = rear_speed[following[nearer]]
    bends = np.flatnonzero(paths.origin[segment] >= 0)
    leaving = bends[local[bends] - size[bends] < 4.0]  # has turned off, but its rear still blocks the lane
    tail, tail_speed = np.full(len(paths.origin), np.inf), np.zeros(len(paths.origin))
    for_order = leaving[np.argsort(-(local[leaving] - size[leaving]), kind="stable")]
    tail[paths.origin[segment[for_order]]] = local[for_order] - size[for_order]
    tail_speed[paths.origin[segment[for_order]]] = speed[for_order]
    distance = end - along + tail[segment]
    nearer = distance < gap
    gap[nearer], ahead_speed[nearer] = distance[nearer], tail_speed[segment[nearer]]
    return gap, ahead_speed


def _signals(
    gap: Floats, ahead_speed: Floats, segment: Ints, speed: Floats, own: Ints, piece: Ints, along: Floats, end:
        Floats, size: Floats,
    local: Floats, paths: Paths, road: _TrafficSignals, now: float,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Place a stationary obstacle at the stop line for vehicles that must wait: red light, junction not clear, or no
    room beyond it."""
    occupied = np.zeros((len(road.cycle), 8), np.int64)
    place = paths.approach[segment]
    inside = place[:, 0] >= 0
    np.add.at(occupied, (place[inside, 0], place[inside, 1]), 1)
    clear = occupied.sum(1, keepdims=True) == occupied
    usable = road.open(now) & clear
    following = paths.segment[own, piece + 1]
    node, green = paths.approach[following].T
    signalled = (following >= 0) & (node >= 0)
    beyond = paths.segment[own, np.minimum(piece + 2, paths.segment.shape[1] - 1)]
    rear = np.full(len(paths.origin), np.inf)
    np.minimum.at(rear, segment, np.where(speed < 3.0, local - size, np.inf))
    full = (beyond >= 0) & (rear[beyond] < size + 2.0)
    stop = signalled & (~usable[node, green] | full)
    distance = end - along
    stop &= distance > speed**2 / (2 * 5.5) - 0.5  # otherwise too late to brake
    stop &= distance - 1.0 < gap
    gap = np.where(stop, np.maximum(distance - 0.3, 0.05) + _STANDSTILL - 1.0, gap)
    return gap, np.where(stop, 0.0, ahead_speed)


def _poses(along: Floats, length: Floats, path: Ints, paths: Paths) -> Floats:
    overhang = np.minimum(_AXLE, 0.25 * length)  # less for two-wheelers only
    front = _place(along - overhang, path, paths)
    rear = _place(along - length + overhang, path, paths)
    way = front - rear
    middle = (front + rear) / 2
    return np.column_stack([middle, np.zeros(len(along)), np.arctan2(way[:, 1], way[:, 0])])


def _place(along: Floats, path: Ints, paths: Paths) -> Floats:
    sizes = np.diff(np.append(paths.first, len(paths.points)))[path]
    at = np.clip(along / STEP, 0, sizes - 1.001)
    whole = at.astype(np.int64)
    share = (at - whole)[:, None]
    low = paths.points[paths.first[path] + whole]
    high = paths.points[paths.first[path] + whole + 1]
    return np.asarray(low + share * (high - low))
