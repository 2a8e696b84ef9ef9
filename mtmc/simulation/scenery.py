"""Scenery along the roads: buildings, trees, lamp posts, signal masts and signs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.canvas import GLASS, MATTE, Canvas, smooth_noise
from mtmc.simulation.mesh import Mesh, box, cylinder
from mtmc.simulation.network import PAVEMENT, Network

_TILE = 192
_LAMP_REACH = 160.0
"""Metres from the camera within which street lamps light what it sees."""
_SWATCHES: tuple[tuple[str, tuple[int, int, int], int], ...] = (
    ("bark", (74, 60, 46), MATTE),
    ("metal", (120, 124, 126), 60),
    ("dark", (44, 46, 48), 30),
    ("red", (220, 40, 30), MATTE),
    ("green", (30, 120, 60), MATTE),
    ("blue", (30, 70, 160), 40),
    ("white", (220, 220, 216), 40),
)


@dataclass(frozen=True, slots=True)
class Scenery:
    """Static objects around one camera.

    Attributes:
        mesh: closed shapes; leaves: two-sided surfaces.
        texture: (h, w, 4) uint8.
        shadows: shadow polygons (k, 2) on the ground in metres.
        lamps: (k, 3) float64, street lamps in metres, those behind the camera included.
    """

    mesh: Mesh
    leaves: Mesh
    texture: npt.NDArray[np.uint8]
    shadows: list[npt.NDArray[np.float64]]
    lamps: npt.NDArray[np.float64]


def build(
    network: Network,
    camera: npt.NDArray[np.float64],
    towards: npt.NDArray[np.float64],
    sun: npt.NDArray[np.float64],
    seed: int,
) -> Scenery:
    """Place objects along the roads within view of a camera.

    Args:
        camera, towards: (2,) position and unit viewing direction; nothing is placed directly in front of the camera.
        sun: (3,) unit vector towards the sun.
        seed: seed of the city; objects have the same positions for every camera.
    """
    texture, regions = _texture(np.random.default_rng([seed, 1]))
    meshes: list[Mesh] = []
    leaves: list[Mesh] = []
    shadows: list[npt.NDArray[np.float64]] = []
    lamps: list[npt.NDArray[np.float64]] = []
    drift = -sun[:2] / max(0.25, float(sun[2]))
    for number, road in enumerate(network.roads):
        random = np.random.default_rng([seed, 2, number])
        a, b = network.nodes[road.start], network.nodes[road.end]
        way = network.direction(number, road.start)
        yaw = float(np.arctan2(way[1], way[0]))
        length = float(np.linalg.norm(b - a))
        start, stop = network.stop_line_distance(road.start) + 4, length - network.stop_line_distance(road.end) - 4
        for sign in (-1, 1):
            side = np.array([-way[1], way[0]]) * sign
            along = start + random.uniform(2, 8)
            while along < stop - 10:
                width, deep, high = (
                    random.uniform(10, 24),
                    random.uniform(9, 16),
                    float(random.choice([4.5, 7, 9, 12, 16, 22])),
                )
                gap, setback, facade, exists = (
                    random.uniform(1, 12),
                    random.uniform(0.5, 6),
                    int(random.integers(6)),
                    random.random() < 0.85,
                )
                place = a + way * (along + width / 2) + side * (road.half_width + PAVEMENT + setback + deep / 2)
                along += width + gap
                if (
                    not exists
                    or along > stop
                    or not _seen(place, camera, towards, 150, 26)
                    or not _free(network, number, place, max(width, deep) / 2)
                ):
                    continue
                meshes.append(
                    _building(width, deep, high, regions[f"facade{facade}"], regions["metal"]).moved((*place, 0), yaw)
                )
                shadows.append(_cast(place, way, width, deep, high, drift))
            spots = np.arange(start + random.uniform(0, 6), stop, random.uniform(9, 20))
            kinds, jitter = random.random(len(spots)), random.uniform(-2, 2, len(spots))
            tree_seeds = random.integers(1 << 30, size=len(spots))
            for spot, kind, shift, tree_seed in zip(spots, kinds, jitter, tree_seeds, strict=True):
                place = a + way * (spot + shift) + side * (road.half_width + (2.3 if kind < 0.4 else 2.6))
                near = float(np.linalg.norm(place - camera)) < _LAMP_REACH
                if kind < 0.4 and near and _free(network, number, place, 1.0):
                    lamps.append(np.array([*(place - side * 2.3), 8.6]))
                if not _seen(place, camera, towards, 110, 15) or not _free(network, number, place, 1.0):
                    continue
                if kind < 0.4:
                    meshes.append(_lamp_post(regions, sign).moved((*place, 0), yaw))
                elif kind < 0.85:
                    trunk, crown, wide = _tree(regions, np.random.default_rng(tree_seed))
                    meshes.append(trunk.moved((*place, 0)))
                    leaves.append(crown.moved((*place, 0)))
                    middle = place + drift * 3.6
                    angle = np.linspace(0, 2 * np.pi, 18)
                    radius = wide * (0.85 + 0.25 * np.sin(angle * 5 + tree_seed % 7))
                    shadows.append(middle + np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None])
                else:
                    meshes.append(_sign(regions, tree_seed).moved((*place, 0), yaw))
    for node in network.junctions:
        for number in network.roads_at[node]:
            way = network.direction(number, node)
            side = np.array([way[1], -way[0]])
            place = (
                network.nodes[node]
                - way * (network.stop_line_distance(node) - 3)
                + side * (network.roads[number].half_width + 1.2)
            )
            if float(np.linalg.norm(place - camera)) < _LAMP_REACH:
                lamps.append(np.array([*place, 6.6]))
            if _seen(place, camera, towards, 130, 11) and _free(network, -1, place, 0.5):
                meshes.append(
                    _signal(regions, network.roads[number].half_width).moved(
                        (*place, 0), float(np.arctan2(way[1], way[0]))
                    )
                )
    empty = box((0, 0, -9), (0.1, 0.1, -8), regions["dark"], [0])
    posts = np.array(lamps).reshape(-1, 3)
    return Scenery(Mesh.concatenate([*meshes, empty]), Mesh.concatenate([*leaves, empty]), texture, shadows, posts)


def emission(texture: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The texture (h, w, 4) of what shines by itself at night: some of the windows, most shop fronts, signals."""
    result = np.zeros_like(texture)
    count, piece, box_of, _ = cv2.connectedComponentsWithStats((texture[..., 3] == GLASS // 2).astype(np.uint8))
    for number in range(1, count):
        left, top, width, height, _ = box_of[number]
        shop = height > _TILE / 9
        if random.random() < (0.6 if shop else 0.28):
            tone = np.array([[255, 196, 120], [255, 226, 180], [225, 235, 255]])[int(random.integers(3))]
            where = piece[top : top + height, left : left + width] == number
            result[top : top + height, left : left + width, :3][where] = tone * random.uniform(0.35, 0.95)
    first = len(texture) - 8 * len(_SWATCHES)
    for row, (name, rgb, _) in enumerate(_SWATCHES):
        if name == "red":
            result[first + 8 * row : first + 8 * (row + 1), :, :3] = rgb
    return result


def _seen(
    place: npt.NDArray[np.float64],
    camera: npt.NDArray[np.float64],
    towards: npt.NDArray[np.float64],
    far: float,
    near: float,
) -> bool:
    """Whether a place is within view and not directly in front of the camera."""
    offset = place - camera
    distance = float(np.linalg.norm(offset))
    return near < distance < far and float(offset @ towards) > 0.3 * distance


def _free(network: Network, own: int, place: npt.NDArray[np.float64], radius: float) -> bool:
    """Whether a place is off all roads except `own`, whose distance the caller has chosen."""
    starts = network.nodes[[r.start for r in network.roads]]
    ends = network.nodes[[r.end for r in network.roads]]
    way = ends - starts
    t = np.clip(((place - starts) * way).sum(1) / (way**2).sum(1), 0, 1)
    distance = np.linalg.norm(place - starts - t[:, None] * way, axis=1)
    limit = np.array([r.half_width for r in network.roads]) + radius + 0.8
    if own >= 0:
        limit[own] = 0
    return bool((distance > limit).all())


def _cast(
    place: npt.NDArray[np.float64],
    way: npt.NDArray[np.float64],
    width: float,
    deep: float,
    high: float,
    drift: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    side = np.array([-way[1], way[0]])
    foot = place + np.array([[s * way * width / 2 + t * side * deep / 2 for t in (-1, 1)] for s in (-1, 1)]).reshape(
        -1, 2
    )
    hull = cv2.convexHull(np.concatenate([foot, foot + drift * high]).astype(np.float32))
    return np.asarray(hull.reshape(-1, 2), np.float64)


def _building(width: float, deep: float, high: float, facade: tuple[float, ...], roof: tuple[float, ...]) -> Mesh:
    left, top, right, bottom = facade
    shown = (left, bottom - (bottom - top) * min(1.0, high / 18), left + (right - left) * min(1.0, width / 18), bottom)
    walls = box((-width / 2, -deep / 2, 0), (width / 2, deep / 2, high), shown, [0, 1, 2, 3], 2.5)
    cap = box((-width / 2, -deep / 2, high - 0.01), (width / 2, deep / 2, high), roof, [4], 4.0)
    return Mesh.concatenate([walls, cap])


def _tree(regions: dict[str, tuple[float, ...]], random: np.random.Generator) -> tuple[Mesh, Mesh, float]:
    high, wide = random.uniform(4.5, 7.5), random.uniform(1.5, 2.6)
    trunk = cylinder((0, 0, 0), (0, 0, high - wide), 0.13 + 0.03 * wide, regions["bark"], 6)
    count = 380
    direction = random.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    middle = direction * (wide * random.uniform(0.35, 1.0, (count, 1)) ** 0.5) * [1, 1, 0.85] + [
        0,
        0,
        high - wide * 0.6,
    ]
    first = random.normal(size=(count, 3))
    first -= (first * direction).sum(1, keepdims=True) * direction * 0.7
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(direction, first)
    size = random.uniform(0.18, 0.42, (count, 1)) * (wide / 2)
    corners = np.stack(
        [middle - first * size, middle + second * size, middle + first * size, middle - second * size], axis=1
    )
    left, top, right, bottom = regions["leaf"]
    tone = random.uniform(0.02, 0.98, count)
    tone = np.clip(tone * 0.6 + 0.35 * (middle[:, 2] - high + wide) / (2 * wide), 0.02, 0.98)
    uv = np.stack([left + tone * (right - left), np.full(count, (top + bottom) / 2)], axis=1)
    index = np.arange(count)[:, None] * 4
    triangle = np.concatenate([index + np.array(half) for half in ((0, 1, 2), (0, 2, 3))])
    crown = Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(direction, 4, axis=0).astype(np.float32),
        np.repeat(uv, 4, axis=0).astype(np.float32),
        triangle.astype(np.int32),
    )
    return trunk, crown, float(wide)


def _lamp_post(regions: dict[str, tuple[float, ...]], sign: int) -> Mesh:
    metal = regions["metal"]
    return Mesh.concatenate(
        [
            cylinder((0, 0, 0), (0, 0, 8.5), 0.11, metal, 7),
            cylinder((0, 0, 8.4), (0, -sign * 2.2, 8.7), 0.06, metal, 6),
            box((-0.15, -sign * 2.3 - 0.35, 8.6), (0.15, -sign * 2.3 + 0.35, 8.75), regions["dark"]),
        ]
    )


def _sign(regions: dict[str, tuple[float, ...]], seed: int) -> Mesh:
    colour = regions[("blue", "white", "red", "green")[int(seed) % 4]]
    return Mesh.concatenate(
        [
            cylinder((0, 0, 0), (0, 0, 2.8), 0.05, regions["metal"], 6),
            box((-0.04, -0.35, 2.1), (0.04, 0.35, 2.8), colour),
        ]
    )


def _signal(regions: dict[str, tuple[float, ...]], half_width: float) -> Mesh:
    """A mast at the far kerb with an arm over the lanes that it controls; local +x is the direction of their road."""
    reach = half_width * 0.75
    parts = [
        cylinder((0, 0, 0), (0, 0, 6.2), 0.12, regions["metal"], 7),
        cylinder((0, 0, 6.0), (0, reach, 6.2), 0.07, regions["metal"], 6),
    ]
    for y in (reach * 0.5, reach * 0.95):
        parts.append(box((-0.15, y - 0.18, 5.5), (0.15, y + 0.18, 6.5), regions["dark"]))
        parts.append(box((-0.18, y - 0.1, 6.18), (-0.15, y + 0.1, 6.4), regions["red"]))
    return Mesh.concatenate(parts)


def _texture(random: np.random.Generator) -> tuple[npt.NDArray[np.uint8], dict[str, tuple[float, ...]]]:
    rows: list[npt.NDArray[np.uint8]] = []
    regions: dict[str, tuple[float, ...]] = {}
    for k in range(6):
        regions[f"facade{k}"] = (0.0, float(k * _TILE), _TILE - 1.0, (k + 1) * _TILE - 1.0)
        rows.append(_facade(random))
    top = 6 * _TILE
    leaf = np.zeros((16, _TILE, 4), np.uint8)
    ramp = np.linspace(0.35, 1.15, _TILE)[None, :, None]
    leaf[..., :3] = np.clip(np.array([74, 98, 44]) * ramp, 0, 255)
    rows.append(leaf)
    regions["leaf"] = (0.0, top + 4.0, _TILE - 1.0, top + 12.0)
    top += 16
    for name, rgb, gloss in _SWATCHES:
        rows.append(np.full((8, _TILE, 4), (*rgb, gloss), np.uint8))
        regions[name] = (4.0, top + 4.0, 4.0, top + 4.0)
        top += 8
    return np.concatenate(rows), regions


def _facade(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Texture of an 18 by 18 metre wall with rows of windows and a shop front."""
    wall = np.array(
        [(168, 140, 112), (150, 92, 72), (186, 180, 168), (128, 128, 130), (196, 186, 150), (110, 98, 90)][
            int(random.integers(6))
        ]
    )
    canvas = Canvas(0, 18, 18, 0, _TILE / 18, wall, MATTE)
    wide, high = random.uniform(0.9, 2.0), random.uniform(1.1, 1.7)
    step = wide + random.uniform(0.7, 1.6)
    for z in np.arange(5.2, 17, 3.2):
        for x in np.arange(step / 2 + 0.2, 18 - wide / 2, step):
            tone = random.uniform(0.6, 1.5)
            canvas.rectangle(float(x), float(z), wide + 0.2, high + 0.2, wall * 1.15, MATTE)
            canvas.rectangle(float(x), float(z), wide, high, np.array([52, 62, 72]) * tone, GLASS // 2)
    for x in np.arange(2.2, 18, 4.4):
        canvas.rectangle(float(x), 1.5, 3.2, 2.4, (48, 56, 62), GLASS // 2)
        canvas.rectangle(float(x), 3.05, 3.8, 0.6, random.uniform(30, 220, 3), MATTE)
    noise = smooth_noise(_TILE, _TILE, 3, random) - 0.5
    canvas.pixels[..., :3] = np.clip(canvas.pixels[..., :3] + noise[..., None] * 22, 0, 255).astype(np.uint8)
    return canvas.pixels[:_TILE, :_TILE]
