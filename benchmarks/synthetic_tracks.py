"""Simulated association problems as arrays: vehicles on roads, cameras on posts, tracks; no pixels, no features.

Not used by the product. All is drawn from one seed; whatever a table says of it must be called simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.track_summaries import CameraTracks
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

LANE = 3.2
CLIP_SPEED = 9.0
"""Metres per second at which the clips of `route` move along the road: that of traffic with its stops."""
KINDS = (
    (4.4, 1.8, 1.5, 2, 0.62),
    (4.8, 1.9, 1.8, 2, 0.2),
    (5.8, 2.0, 1.9, 7, 0.1),
    (9.0, 2.5, 3.2, 7, 0.05),
    (12.0, 2.5, 3.1, 5, 0.03),
)
"""Length, width, height in metres, COCO class, share."""


@dataclass(frozen=True)
class Problem:
    """Cameras with tracks, and which vehicle each track is; no features.

    Attributes:
        cameras: input of `summarise`.
        vehicle: (n,) int64, vehicle of each track in the order of `summarise`; -1 for a false track.
        facing: (n,) int64, the side of the vehicle that the camera sees: 0 rear, 1 side, 2 front.
        camera: (n,) int64, camera of each track.
        boxes: (n,) int64, boxes of each track.
        visible: (vehicles, cameras) int64, boxes that a perfect tracker would find.
    """

    cameras: list[CameraTracks]
    vehicle: npt.NDArray[np.int64]
    facing: npt.NDArray[np.int64]
    camera: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]
    visible: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Post:
    """A camera: where it stands, where it looks (metres), focal length in picture widths."""

    place: tuple[float, float]
    target: tuple[float, float]
    height: float = 7.0
    focal: float = 0.7
    reach: float = 75.0


class Pinhole:
    """Ground to pixels and back for a post; the way back carries a calibration error."""

    def __init__(self, post: Post, width: int, height: int, error: npt.NDArray[np.float64]) -> None:
        eye = np.array([*post.place, post.height])
        forward = np.array([*post.target, 0.0]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        k = np.array([[post.focal * width, 0, width / 2], [0, post.focal * width, height / 2], [0, 0, 1]])
        rotation = np.stack([right, down, forward])
        self._h = k @ np.column_stack([rotation[:, 0], rotation[:, 1], -rotation @ eye])
        self._inverse = np.linalg.inv(self._h)
        self._error = error

    def to_pixels(self, ground: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Pixels (n, 2) and depth (n,) of points on the ground."""
        p = np.column_stack([ground, np.ones(len(ground))]) @ self._h.T
        depth = p[:, 2]
        return p[:, :2] / np.where(np.abs(depth) > 1e-6, depth, 1e-6)[:, None], depth

    def to_ground(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Metres (n, 2) of pixels, off by the calibration error."""
        p = np.column_stack([points, np.ones(len(points))]) @ self._inverse.T
        far = np.abs(p[:, 2:]) < 1e-9
        ground = p[:, :2] / np.where(far, 1e-9, p[:, 2:])
        result: npt.NDArray[np.float64] = np.clip(ground, -1e5, 1e5) + self._error
        return result


def corridor(
    seed: int, *, vehicles: int = 70, seconds: float = 150.0, calibrated: bool = False, degraded: bool = False
) -> Problem:
    """Like S06: six crossings along one road, both directions, side roads, traffic lights, no overlapping views."""
    rng = np.random.default_rng(seed)
    nodes, roads, posts = _road(rng, 6)
    return _simulate(
        rng, nodes, roads, posts, vehicles, seconds, through=0.75, stay=6.0, calibrated=calibrated, degraded=degraded
    )


def route(
    seed: int, *, vehicles: int = 120, cameras: int = 18, calibrated: bool = False, degraded: bool = False
) -> Problem:
    """Like S04: short clips along a road, each filmed about when the traffic of the clip before comes past."""
    rng = np.random.default_rng(seed)
    nodes, roads, posts = _road(rng, cameras)
    start = np.maximum(nodes[:, 0] / CLIP_SPEED + rng.uniform(-15, 15, cameras), 0.0).round(1)
    clips = np.column_stack([start, start + rng.uniform(30, 60, cameras).round(1)])
    last = float(clips.max())
    return _simulate(
        rng,
        nodes,
        roads,
        posts,
        vehicles,
        last,
        through=0.85,
        stay=6.0,
        clips=clips,
        calibrated=calibrated,
        degraded=degraded,
    )


def site(
    seed: int, *, vehicles: int = 20, seconds: float = 150.0, calibrated: bool = False, degraded: bool = False
) -> Problem:
    """Like S03: few vehicles on a few streets with loops, six cameras."""
    return network(seed, vehicles=vehicles, seconds=seconds, side=(3, 2), calibrated=calibrated, degraded=degraded)


def _road(rng: np.random.Generator, cameras: int) -> tuple[npt.NDArray[np.float64], list[tuple[int, int]], list[Post]]:
    """Nodes along a road, the roads between them, and a camera at each."""
    gaps = rng.uniform(110, 300, cameras - 1)
    nodes = np.column_stack([np.concatenate([[0], np.cumsum(gaps)]), rng.uniform(-15, 15, cameras)])
    roads = [(k, k + 1) for k in range(cameras - 1)]
    posts = []
    for node in nodes:
        side, along = rng.choice([-1, 1]), rng.choice([-1, 1])
        place = node + np.array([along * rng.uniform(12, 24), side * rng.uniform(9, 16)])
        target = node + np.array([-along * rng.uniform(0, 14), -side * rng.uniform(0, 5)])
        posts.append(Post(tuple(place), tuple(target), rng.uniform(6, 9), rng.uniform(0.5, 0.8)))
    return nodes, roads, posts


def crossing(
    seed: int, *, vehicles: int = 60, seconds: float = 130.0, calibrated: bool = False, degraded: bool = False
) -> Problem:
    """Like S01: four cameras around one crossing with overlapping views, a fifth down the road."""
    rng = np.random.default_rng(seed)
    nodes = np.array([[0.0, 0.0], [130.0, 0.0]])
    posts = []
    for angle in np.deg2rad([45, 135, 225, 315]) + rng.uniform(-0.2, 0.2, 4):
        out = np.array([np.cos(angle), np.sin(angle)])
        posts.append(
            Post(
                tuple(out * rng.uniform(18, 26)),
                tuple(-out * rng.uniform(2, 10)),
                rng.uniform(6, 9),
                rng.uniform(0.5, 0.8),
            )
        )
    posts.append(Post((150.0, 12.0), (128.0, 0.0)))
    return _simulate(
        rng, nodes, [(0, 1)], posts, vehicles, seconds, through=0.5, calibrated=calibrated, degraded=degraded
    )


def network(
    seed: int,
    *,
    vehicles: int = 90,
    seconds: float = 180.0,
    side: tuple[int, int] = (4, 3),
    calibrated: bool = False,
    degraded: bool = False,
) -> Problem:
    """Like S04 and S05: a grid of streets with loops, a camera at every crossing, random ways through it."""
    rng = np.random.default_rng(seed)
    columns, rows = side
    nodes = np.array([[150.0 * x, 130.0 * y] for y in range(rows) for x in range(columns)])
    nodes += rng.uniform(-25, 25, nodes.shape)
    roads = [(y * columns + x, y * columns + x + 1) for y in range(rows) for x in range(columns - 1)]
    roads += [(y * columns + x, (y + 1) * columns + x) for y in range(rows - 1) for x in range(columns)]
    posts = []
    for node in nodes:
        angle = rng.uniform(0, 2 * np.pi)
        out = np.array([np.cos(angle), np.sin(angle)])
        posts.append(
            Post(
                tuple(node + out * rng.uniform(15, 24)),
                tuple(node - out * rng.uniform(0, 10)),
                rng.uniform(6, 9),
                rng.uniform(0.5, 0.8),
            )
        )
    return _simulate(
        rng, nodes, roads, posts, vehicles, seconds, through=0.6, stay=3.0, calibrated=calibrated, degraded=degraded
    )


LAYOUTS: dict[str, Callable[..., Problem]] = {
    "corridor": corridor,
    "crossing": crossing,
    "network": network,
    "route": route,
    "site": site,
}


def _routes(
    rng: np.random.Generator,
    nodes: npt.NDArray[np.float64],
    roads: list[tuple[int, int]],
    vehicles: int,
    through: float,
    stay: float,
) -> list[npt.NDArray[np.float64]]:
    """Way points of each vehicle: from a point off the network over crossings to a point off the network.

    `through` is the probability of driving straight on, `stay` the odds of a road within the network against one out.
    """
    around: list[list[int]] = [[] for _ in nodes]
    for a, b in roads:
        around[a].append(b)
        around[b].append(a)
    stubs: list[list[npt.NDArray[np.float64]]] = []
    for k, node in enumerate(nodes):
        used = [np.arctan2(*(nodes[m] - node)[::-1]) for m in around[k]]
        free = [
            a for a in np.deg2rad([0, 90, 180, 270]) if all(abs(np.angle(np.exp(1j * (a - u)))) > 0.7 for u in used)
        ]
        stubs.append([node + 120.0 * np.array([np.cos(a), np.sin(a)]) for a in free])
    open_nodes = [k for k, s in enumerate(stubs) if s]
    ends = np.array([len(around[k]) <= 1 for k in open_nodes])
    weight = np.where(ends, 4.0, 1.0)
    routes = []
    for _ in range(vehicles):
        at = int(rng.choice(open_nodes, p=weight / weight.sum()))
        stub = int(rng.integers(len(stubs[at])))
        points, came = [stubs[at][stub], nodes[at]], stubs[at][stub]
        for _step in range(14):
            heading = nodes[at] - came
            ways: list[tuple[float, int]] = []
            for m in around[at]:
                if np.allclose(nodes[m], came):
                    continue
                turn = abs(np.angle(complex(*(nodes[m] - nodes[at])) / complex(*heading)))
                ways.append((through if turn < 0.6 else (1 - through) / 2, m))
            for number, point in enumerate(stubs[at]):
                if np.allclose(point, came):
                    continue
                turn = abs(np.angle(complex(*(point - nodes[at])) / complex(*heading)))
                ways.append(((through if turn < 0.6 else (1 - through) / 2) / stay, -1 - number))
            if not ways:
                break
            odds = np.array([w for w, _ in ways])
            pick = ways[int(rng.choice(len(ways), p=odds / odds.sum()))][1]
            came = nodes[at]
            if pick < 0:
                points.append(stubs[at][-1 - pick])
                break
            at = pick
            points.append(nodes[at])
        routes.append(np.array(points))
    return routes


def _motion(
    rng: np.random.Generator,
    nodes: npt.NDArray[np.float64],
    routes: list[npt.NDArray[np.float64]],
    starts: npt.NDArray[np.float64],
) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """(seconds, metres along the route) knots of each vehicle: own speed, red lights, queues, headways."""
    cycle = 50.0
    offset = rng.uniform(0, cycle, len(nodes))
    green = rng.uniform(0.4, 0.6, len(nodes))
    number = {tuple(np.round(n, 3)): k for k, n in enumerate(nodes)}
    factor = rng.normal(1.0, 0.1, len(routes)).clip(0.75, 1.3)
    knots: list[tuple[list[float], list[float]]] = [([], []) for _ in routes]
    free: dict[tuple[int, int, int], float] = {}
    clock = starts.copy()
    lane = rng.integers(0, 2, len(routes))
    # Vehicles pass their crossings in the order of arrival, over all vehicles.
    import heapq

    queue = [(starts[v], v, 0) for v in range(len(routes))]
    heapq.heapify(queue)
    waiting: dict[tuple[int, int, int], list[float]] = {}
    along = [0.0] * len(routes)
    while queue:
        time, v, leg = heapq.heappop(queue)
        route = routes[v]
        if not knots[v][0]:
            knots[v][0].append(time)
            knots[v][1].append(0.0)
        length = float(np.linalg.norm(route[leg + 1] - route[leg]))
        speed = 12.5 * factor[v] * rng.normal(1.0, 0.05)
        arrive = time + (length - 10.0) / speed
        begin, along[v] = along[v], along[v] + length
        if leg + 2 >= len(route):
            knots[v][0].append(arrive + 10.0 / speed)
            knots[v][1].append(begin + length)
            continue
        node = number[tuple(np.round(route[leg + 1], 3))]
        heading = route[leg + 1] - route[leg]
        arm = int(np.round(np.arctan2(heading[1], heading[0]) / (np.pi / 2))) % 4
        if rng.random() < 0.15:
            lane[v] = 1 - lane[v]
        key = (node, arm, int(lane[v]))
        leave = max(arrive, free.get(key, 0.0) + 1.8)
        phase = (leave - offset[node]) / cycle % 1.0
        is_green = phase < green[node] if arm % 2 == 0 else phase >= green[node]
        if not is_green:
            wait = (1.0 - phase) * cycle if arm % 2 == 0 else (green[node] - phase) % 1.0 * cycle
            leave = max(leave + wait + 1.0, leave)
        line = [t for t in waiting.get(key, []) if t > arrive]
        waiting[key] = [*line, leave]
        free[key] = leave
        stop = begin + length - 10.0 - 7.0 * len(line)
        if leave - arrive > 0.5:
            knots[v][0].extend([max(arrive - 7.0 * len(line) / speed, time + 0.1), leave - 0.8 * len(line)])
            knots[v][1].extend([stop, stop + 0.3])
        knots[v][0].append(leave)
        knots[v][1].append(begin + length - 10.0)
        clock[v] = leave + 10.0 / 8.0
        knots[v][0].append(clock[v])
        knots[v][1].append(begin + length)
        heapq.heappush(queue, (clock[v], v, leg + 1))
    result = []
    for t, s in knots:
        times = np.maximum.accumulate(np.array(t) + np.arange(len(t)) * 1e-3)
        result.append((times, np.maximum.accumulate(np.array(s))))
    return result


def _simulate(
    rng: np.random.Generator,
    nodes: npt.NDArray[np.float64],
    roads: list[tuple[int, int]],
    posts: list[Post],
    vehicles: int,
    seconds: float,
    through: float,
    stay: float = 1.0,
    fps: float = 5.0,
    calibrated: bool = False,
    degraded: bool = False,
    clips: npt.NDArray[np.float64] | None = None,
) -> Problem:
    routes = _routes(rng, nodes, roads, vehicles, through, stay)
    starts = np.sort(rng.uniform(-60.0, seconds - 10.0, vehicles))
    if clips is not None:
        # Traffic moves with the clips.
        starts = rng.uniform(-30.0, 30.0, vehicles) + np.array([route[1, 0] for route in routes]) / CLIP_SPEED
    motion = _motion(rng, nodes, routes, starts)
    kind = rng.choice(len(KINDS), vehicles, p=[k[4] for k in KINDS])
    lateral = LANE * (0.6 + rng.integers(0, 2, vehicles)) + rng.normal(0, 0.25, vehicles)
    width, height = 960, 540
    maps = [Pinhole(p, width, height, rng.normal(0, 1.0, 2)) for p in posts]
    rate = np.where(rng.random(len(posts)) < 0.15, 4.0, fps) if fps == 5.0 else np.full(len(posts), fps)
    if clips is None:
        offset = rng.uniform(0, 8.0, len(posts))
        clips = np.column_stack([offset, offset + seconds])
    parts: list[list[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.float64], int]]] = [[] for _ in posts]
    places = np.array([p.target for p in posts])
    for v in range(vehicles):
        time, path = motion[v]
        corner = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(routes[v], axis=0), axis=1))])
        near = np.linalg.norm(routes[v][None] - places[:, None], axis=2).min(1) < 160.0
        for c in np.flatnonzero(near):
            begin, length_of_clip = clips[c, 0], clips[c, 1] - clips[c, 0]
            first = max(1, int(np.ceil((time[0] - begin) * rate[c])) + 1)
            last = min(int(length_of_clip * rate[c]), int(np.floor((time[-1] - begin) * rate[c])) + 1)
            if last <= first:
                continue
            frame = np.arange(first, last + 1)
            s = np.interp(begin + (frame - 1) / rate[c], time, path)
            ground = np.stack([np.interp(s, corner, routes[v][:, k]) for k in range(2)], 1)
            ahead = np.stack([np.interp(s + 3.0, corner, routes[v][:, k]) for k in range(2)], 1)
            behind = np.stack([np.interp(s - 3.0, corner, routes[v][:, k]) for k in range(2)], 1)
            heading = ahead - behind
            heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-9)
            ground = ground + lateral[v] * np.column_stack([heading[:, 1], -heading[:, 0]])
            pixel, depth = maps[c].to_pixels(ground)
            length, wide, tall, _label, _share = KINDS[kind[v]]
            scale = posts[c].focal * width / np.maximum(depth, 1.0)
            view = posts[c].place - ground
            view /= np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-9)
            aspect = np.abs((view * heading).sum(1))
            w = scale * (wide * aspect + length * np.sqrt(1 - np.minimum(aspect, 1) ** 2))
            h = scale * (tall + 0.35 * length * aspect * 7.0 / np.maximum(depth, 7.0))
            box = np.column_stack([pixel[:, 0] - w / 2, pixel[:, 1] - 0.85 * h, w, h])
            inside = (depth > 3) & (depth < posts[c].reach) & (pixel[:, 0] > 0) & (pixel[:, 0] < width)
            inside &= (pixel[:, 1] > 0) & (pixel[:, 1] < height) & (h > 16)
            rows = np.flatnonzero(inside)
            for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
                if len(run) >= max(2, rate[c] * 0.6):
                    facing = int(np.sign((view[run] * heading[run]).sum(1).mean()))
                    parts[c].append((v, frame[run], box[run], facing))
    return _tables(rng, maps, parts, kind, rate, clips, (width, height), calibrated=calibrated, degraded=degraded)


def _tables(
    rng: np.random.Generator,
    maps: list[Pinhole],
    parts: list[list[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.float64], int]]],
    kind: npt.NDArray[np.int64],
    rate: npt.NDArray[np.float64],
    clips: npt.NDArray[np.float64],
    shape: tuple[int, int],
    *,
    calibrated: bool,
    degraded: bool,
) -> Problem:
    cameras, vehicle, facings, owner, boxes = [], [], [], [], []
    visible = np.zeros((len(kind), len(parts)), np.int64)
    for c, rows in enumerate(parts):
        tracks: list[Tracks] = []
        last = int((clips[c, 1] - clips[c, 0]) * rate[c])
        for v, frame, box, facing in rows:
            visible[v, c] += len(frame)
            for piece in _degrade(rng, len(frame), rate[c]) if degraded else [np.arange(len(frame))]:
                jitter = rng.normal(0, 0.03 if degraded else 0.005, (len(piece), 4)) * box[piece][:, [2, 3, 2, 3]]
                label = KINDS[kind[v]][3] if rng.random() > 0.1 else 2
                number, labels = np.full(len(piece), len(tracks) + 1), np.full(len(piece), label)
                tracks.append(Tracks.of(number, frame[piece], box[piece] + jitter, label=labels))
                vehicle.append(v)
                facings.append(facing + 1)
                boxes.append(len(piece))
        for _ in range(int(0.05 * len(rows)) + 1 if degraded else 0):
            length = int(rng.integers(3, 30))
            begin = int(rng.integers(1, max(last - length, 2)))
            corner = np.tile(rng.uniform(0.1, 0.8, 2) * shape, (length, 1)) + rng.normal(0, 2, (length, 2))
            box = np.column_stack([corner, np.full((length, 2), 60.0)])
            tracks.append(Tracks.of(np.full(length, len(tracks) + 1), begin + np.arange(length), box))
            vehicle.append(-1)
            facings.append(1)
            boxes.append(length)
        owner += [c] * len(tracks)
        cameras.append(
            CameraTracks(
                f"c{c + 1:03d}",
                Tracks.concatenate(tracks),
                Clock.uniform(float(rate[c]), float(clips[c, 0])),
                *shape,
                last_frame=last,
                ground=maps[c] if calibrated else None,
            )
        )
    return Problem(
        cameras,
        vehicle=np.array(vehicle, np.int64),
        facing=np.array(facings, np.int64),
        camera=np.array(owner, np.int64),
        boxes=np.array(boxes, np.int64),
        visible=visible,
    )


def _degrade(rng: np.random.Generator, n: int, fps: float) -> list[npt.NDArray[np.int64]]:
    """What a detector and tracker leave of n boxes: missed altogether, cut short at the ends, broken in two."""
    if rng.random() < 0.04:
        return []
    cut = np.minimum(rng.exponential(0.4, 2) * fps, 0.3 * n).astype(np.int64)
    rows = np.arange(cut[0], n - cut[1])
    if len(rows) > 3 * fps and rng.random() < 0.15:
        at = int(len(rows) * rng.uniform(0.25, 0.75))
        gap = int(fps * rng.uniform(0.3, 2.0))
        return [p for p in (rows[:at], rows[at + gap :]) if len(p) >= 2]
    return [rows] if len(rows) >= 2 else []
