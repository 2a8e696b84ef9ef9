"""Top view of the ground: asphalt, lane markings, pavements, grass, and shadows of buildings and trees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mtmc.simulation.canvas import Canvas, as_pixels, smooth_noise
from mtmc.simulation.network import LANE_WIDTH, PAVEMENT, Network

Floats = npt.NDArray[np.float64]


def aerial_view(
    network: Network,
    middle: npt.ArrayLike,
    size: float,
    scale: float,
    shadows: Sequence[Floats],
    random: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Paint the ground around the point `middle` (2,) in metres.

    Args:
        size: side of the square in metres.
        scale: pixels per metre.
        shadows: shadow polygons (n, 2) in metres.
        random: source of wear, patches and stains.

    Returns:
        (size * scale, size * scale, 3) uint8 RGB; row 0 is the north edge, column 0 the west edge.
    """
    x, y = np.asarray(middle, np.float64)
    grass = np.array([84, 96, 58]) + random.uniform(-10, 10, 3)
    canvas = Canvas(x - size / 2, y + size / 2, x + size / 2, y - size / 2, scale, grass)
    n = canvas.pixels.shape[0]
    near = [r for r in range(len(network.roads)) if _distance(network, r, (x, y)) < size]
    concrete = tuple(np.array([150, 147, 141]) + random.uniform(-12, 8))
    plaza = tuple(np.array([132, 128, 120]) + random.uniform(-12, 12))
    asphalt = tuple(np.array([92, 92, 94]) + random.uniform(-16, 22))
    if random.random() < 0.6:
        for r in near:
            canvas.polygon(_strip(network, r, network.roads[r].half_width + 14), plaza)
    for r in near:
        canvas.polygon(_strip(network, r, network.roads[r].half_width + PAVEMENT), concrete)
    for r in near:
        canvas.polygon(_strip(network, r, network.roads[r].half_width + 0.25), (118, 116, 112))
    asphalt_mask = Canvas(x - size / 2, y + size / 2, x + size / 2, y - size / 2, scale, (0, 0, 0), 0)
    for r in near:
        canvas.polygon(_strip(network, r, network.roads[r].half_width), asphalt)
        asphalt_mask.polygon(_strip(network, r, network.roads[r].half_width), (255, 255, 255), 255)
    for r in near:
        _wear(canvas, network, r, asphalt, random)
    for r in near:
        _marks(canvas, network, r)
    image: npt.NDArray[np.float32] = canvas.pixels[..., :3].astype(np.float32)
    rough = smooth_noise(n, n, 1.3, random) - 0.5
    blotches = smooth_noise(n, n, 2.5 * scale, random) - 0.5
    tufts = smooth_noise(n, n, 0.4 * scale, random) - 0.5
    road = asphalt_mask.pixels[..., 0].astype(np.float32) / 255
    image += (rough * (20 + 14 * (1 - road)) + blotches * (16 + 20 * (1 - road)) + tufts * 26 * (1 - road))[..., None]
    shade = np.full((n, n), 255, np.uint8)
    for polygon in shadows:
        pixels = np.round((polygon - [x - size / 2, y + size / 2]) * [scale, -scale]).astype(np.int32)
        cv2.fillPoly(shade, [pixels], 140)
    blurred = as_pixels(cv2.GaussianBlur(shade, (0, 0), 0.25 * scale))
    image *= blurred[..., None] / np.float32(255)
    return np.clip(image, 0, 255).astype(np.uint8)


def _distance(network: Network, road: int, point: tuple[float, float]) -> float:
    a, b = network.nodes[network.roads[road].start], network.nodes[network.roads[road].end]
    t = np.clip(np.dot(np.subtract(point, a), b - a) / np.dot(b - a, b - a), 0, 1)
    return float(np.linalg.norm(np.subtract(point, a + t * (b - a))))


def _strip(network: Network, road: int, half: float) -> Floats:
    """The rectangle of a road, extended beyond its nodes so that roads join at bends and junctions."""
    item = network.roads[road]
    a, b = network.nodes[item.start], network.nodes[item.end]
    way = network.direction(road, item.start)
    side = np.array([-way[1], way[0]]) * half
    beyond = [0.0 if len(network.roads_at[n]) == 1 else item.half_width for n in (item.start, item.end)]
    far = [60.0 if len(network.roads_at[n]) == 1 else d for n, d in zip((item.start, item.end), beyond, strict=True)]
    a, b = a - way * far[0], b + way * far[1]
    return np.stack([a + side, b + side, b - side, a - side])


def _wear(canvas: Canvas, network: Network, road: int, asphalt: tuple[float, ...], random: np.random.Generator) -> None:
    item = network.roads[road]
    a, b = network.nodes[item.start], network.nodes[item.end]
    way = network.direction(road, item.start)
    side = np.array([-way[1], way[0]])
    length = float(np.linalg.norm(b - a))
    base = np.asarray(asphalt)
    for lane in range(-item.lanes, item.lanes):
        for track in (-0.85, 0.85):
            offset = side * ((lane + 0.5) * LANE_WIDTH + track)
            canvas.line([a + offset, b + offset], 0.55, base * 0.95)
        offset = side * (lane + 0.5) * LANE_WIDTH
        for end, sign in ((a, 1), (b, -1)):
            start = end + offset + way * sign * 10
            canvas.line([start, start + way * sign * 14], 0.7, base * 0.86)
    for _ in range(int(length / 16)):
        place = a + way * random.uniform(0, length) + side * random.uniform(-0.9, 0.9) * item.half_width
        tone = base * random.uniform(0.72, 1.12)
        if random.random() < 0.5:
            long, wide = random.uniform(1, 5), random.uniform(0.6, 2)
            canvas.polygon([place, place + way * long, place + way * long + side * wide, place + side * wide], tone)
        else:
            points = [place]
            for _ in range(6):
                points.append(points[-1] + way * random.uniform(-0.5, 1.5) + side * random.uniform(-0.7, 0.7))
            canvas.line(points, 0.05, base * 0.6)
    for _ in range(int(length / 40)):
        place = a + way * random.uniform(0, length) + side * random.uniform(-0.5, 0.5) * item.half_width
        canvas.ellipse(float(place[0]), float(place[1]), 0.75, 0.75, base * 0.55)


def _marks(canvas: Canvas, network: Network, road: int) -> None:
    white, yellow = (214, 214, 208), (200, 166, 62)
    item = network.roads[road]
    way = network.direction(road, item.start)
    side = np.array([-way[1], way[0]])
    a = network.nodes[item.start] + way * network.stop_line_distance(item.start)
    b = network.nodes[item.end] - way * network.stop_line_distance(item.end)
    length = float(np.linalg.norm(b - a))
    for offset in (-0.14, 0.14):
        canvas.line([a + side * offset, b + side * offset], 0.12, yellow)
    for sign in (-1, 1):
        edge = side * sign * (item.half_width - 0.35)
        canvas.line([a + edge, b + edge], 0.11, white)
        for lane in range(1, item.lanes):
            offset_vector = side * sign * lane * LANE_WIDTH
            for start in np.arange(0.0, length - 3, 9.0):
                canvas.line([a + offset_vector + way * start, a + offset_vector + way * (start + 3)], 0.13, white)
    for node, point, sign in ((item.start, a, 1), (item.end, b, -1)):
        if len(network.roads_at[node]) < 3:
            continue
        incoming = side * sign  # lanes towards the node
        canvas.line([point, point + incoming * (item.half_width - 0.3)], 0.5, white)
        for y in np.arange(-item.half_width + 0.6, item.half_width - 0.3, 1.1):
            foot = point - way * sign * 1.2 + side * y
            canvas.line([foot, foot - way * sign * 2.6], 0.5, white)
