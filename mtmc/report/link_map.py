"""Geometry of the map of cameras and links, and of the histograms of travel times; the template makes the SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.report.data import CameraInfo, LinkInfo

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Node:
    """A camera on the map: its name, its place in map units, and the mean of its arriving and leaving vehicles."""

    name: str
    x: float
    y: float
    flow: float


@dataclass(frozen=True, slots=True)
class Arc:
    """All links from one camera to another, drawn as one curve (a quadratic one, from, control, to)."""

    source: str
    target: str
    count: float
    median: float
    path: str
    width: float


@dataclass(frozen=True, slots=True)
class LinkMap:
    """The map: its size, cameras and arcs, and whether the places were measured or derived from travel times."""

    width: float
    height: float
    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]
    measured: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin: left edge and width as fractions of the histogram's width, height as one of its height."""

    left: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """A link's travel times.

    Attributes:
        link: what it shows.
        bars: its non-empty bins.
        median: seconds; NaN without vehicles.
        median_at: position of the median as a fraction of the width.
        low, high: seconds at the left and the right end.
    """

    link: LinkInfo
    bars: tuple[Bar, ...]
    median: float
    median_at: float
    low: float
    high: float


def draw_map(cameras: Sequence[CameraInfo], links: Sequence[LinkInfo], width: float = 1000.0) -> LinkMap:
    """Place cameras and curves on a map `width` units wide; its height follows from the places (140 to 520 units)."""
    index = {camera.name: i for i, camera in enumerate(cameras)}
    flows: dict[tuple[int, int], list[LinkInfo]] = {}
    for link in links:
        if link.source in index and link.target in index:
            flows.setdefault((index[link.source], index[link.target]), []).append(link)
    measured = len(cameras) > 0 and all(camera.position is not None for camera in cameras)
    if measured:
        place = np.array([camera.position for camera in cameras], np.float64).reshape(-1, 2)
        place[:, 1] *= -1.0  # north is up, pixels count downwards
    else:
        place = _places_from_times(len(cameras), flows)
    place, height = _fit(place, width)

    through = np.zeros(len(cameras))
    arcs = []
    largest = max((sum(link.count for link in group) for group in flows.values()), default=1.0)
    for (a, b), group in sorted(flows.items()):
        count = float(sum(link.count for link in group))
        through[[a, b]] += count / 2
        stroke = 1.5 + 6.5 * float(np.sqrt(count / max(largest, 1e-9)))
        arcs.append(
            Arc(cameras[a].name, cameras[b].name, count, _median_of(group), _curve(place[a], place[b], a == b), stroke)
        )
    nodes = tuple(
        Node(camera.name, float(x), float(y), float(flow))
        for camera, (x, y), flow in zip(cameras, place, through, strict=True)
    )
    return LinkMap(width, height, nodes, tuple(arcs), measured)


def draw_histogram(link: LinkInfo) -> Histogram:
    """Bars of a link's travel times, without the empty bins at both ends."""
    edges, counts = np.asarray(link.edges, np.float64), np.asarray(link.counts, np.float64)
    filled = np.flatnonzero(counts > 0)
    if len(filled) == 0 or len(edges) != len(counts) + 1:
        return Histogram(link, (), float("nan"), 0.0, 0.0, 0.0)
    edges, counts = edges[filled[0] : filled[-1] + 2], counts[filled[0] : filled[-1] + 1]
    low, high = float(edges[0]), float(edges[-1])
    extent = max(high - low, 1e-9)
    bars = tuple(
        Bar(
            float((edges[i] - low) / extent),
            float((edges[i + 1] - edges[i]) / extent),
            float(counts[i] / counts.max()),
            f"{edges[i]:.1f} to {edges[i + 1]:.1f} s: {counts[i]:g}",
        )
        for i in np.flatnonzero(counts > 0)
    )
    median = _median(edges, counts)
    return Histogram(link, bars, median, (median - low) / extent, low, high)


def _median(edges: FloatArray, counts: FloatArray) -> float:
    """Median of a histogram, interpolated within its bin; NaN if it is empty."""
    total = counts.sum()
    if total <= 0:
        return float("nan")
    share = np.concatenate([[0.0], np.cumsum(counts)]) / total
    rising = np.concatenate([[True], np.diff(share) > 0])
    return float(np.interp(0.5, share[rising], edges[rising]))


def _median_of(links: Sequence[LinkInfo]) -> float:
    """Mean of the links' medians, weighted by vehicles; NaN if none has a histogram."""
    medians = np.array([draw_histogram(link).median for link in links])
    weights = np.array([max(link.count, 1e-9) for link in links])
    known = np.isfinite(medians)
    return float(np.average(medians[known], weights=weights[known])) if known.any() else float("nan")


def _places_from_times(n: int, flows: dict[tuple[int, int], list[LinkInfo]]) -> FloatArray:
    """Places whose distances follow the travel times: classical multidimensional scaling of shortest paths."""
    if n < 3:
        return np.stack([np.arange(n, dtype=np.float64), np.zeros(n)], axis=1)
    from scipy.sparse import csr_array  # slow to import
    from scipy.sparse.csgraph import shortest_path

    pairs = [(a, b) for a, b in sorted(flows) if a != b]
    seconds = [abs(_median_of(flows[pair])) for pair in pairs]
    usual = float(np.nanmedian(seconds)) if np.isfinite(seconds).any() else 1.0
    usual = max(usual, 1.0)
    # Overlapping views have travel times near zero; a floor keeps their names apart.
    weight = [max(s, 0.25 * usual) if np.isfinite(s) else usual for s in seconds]
    rows, columns = [a for a, _ in pairs], [b for _, b in pairs]
    distance = shortest_path(csr_array((weight, (rows, columns)), shape=(n, n)), directed=False)
    reach = distance[np.isfinite(distance)].max(initial=usual)
    distance = np.where(np.isfinite(distance), distance, 1.2 * reach)
    centring = np.eye(n) - 1.0 / n
    values, vectors = np.linalg.eigh(-0.5 * centring @ distance**2 @ centring)
    axes = vectors[:, [-1, -2]]
    # The sign of an eigenvector is arbitrary: put the first camera at the lower left.
    axes = axes * np.where(axes[0] > 0, -1.0, 1.0)
    result: FloatArray = axes * np.sqrt(np.maximum(values[[-1, -2]], 0.0))
    return result


def _fit(place: FloatArray, width: float) -> tuple[FloatArray, float]:
    """Scale places to the map and push apart those that would overlap; (places, height of the map)."""
    if len(place) == 0:
        return place, 0.0
    margin, min_height, max_height = 70.0, 140.0, 520.0
    place = place - place.min(axis=0)
    extent = np.maximum(place.max(axis=0), 1e-9)
    scale = float(min((width - 2 * margin) / extent[0], (max_height - 2 * margin) / extent[1]))
    place = place * scale
    gap = min(64.0, 0.5 * (width - 2 * margin) / np.sqrt(len(place)))
    for _ in range(60):
        offset = place[:, None] - place[None]
        distance = np.linalg.norm(offset, axis=2) + np.eye(len(place)) * 1e9
        # Cameras at exactly the same place are separated in a direction that depends on their order only.
        angle = np.arange(len(place)) * 2.4
        offset = np.where((distance < 1e-6)[..., None], np.stack([np.cos(angle), np.sin(angle)], 1)[:, None], offset)
        push = np.maximum(gap - distance, 0.0) / np.maximum(distance, 1e-6)
        place = place + 0.25 * (offset * push[..., None].clip(max=gap)).sum(axis=1)
    place = place - place.min(axis=0)
    extent = place.max(axis=0)
    place = place * min(1.0, (width - 2 * margin) / max(extent[0], 1e-9))
    extent = place.max(axis=0)
    height = float(np.clip(extent[1] + 2 * margin, min_height, None))
    result: FloatArray = place + np.array([(width - extent[0]) / 2, (height - extent[1]) / 2])
    return result, height


def _curve(start: FloatArray, end: FloatArray, loop: bool) -> str:
    """SVG path from one camera to another, bent to its right so that both directions are visible."""
    radius = 15.0
    if loop:
        x, y = start
        return (
            f"M{x - 6:.1f},{y - 13:.1f} C{x - 42:.1f},{y - 62:.1f} {x + 42:.1f},{y - 62:.1f} {x + 6:.1f},{y - 14:.1f}"
        )
    along = end - start
    length = max(float(np.hypot(*along)), 1e-9)
    along = along / length
    aside = np.array([-along[1], along[0]])
    middle = (start + end) / 2 + aside * (10.0 + 0.13 * length)
    first, last = middle - start, middle - end
    begin = start + first / max(float(np.hypot(*first)), 1e-9) * radius
    finish = end + last / max(float(np.hypot(*last)), 1e-9) * (radius + 3.0)
    return f"M{begin[0]:.1f},{begin[1]:.1f} Q{middle[0]:.1f},{middle[1]:.1f} {finish[0]:.1f},{finish[1]:.1f}"
