"""Conversion between the arrays that association works with and the `Links` that users read and edit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from common.errors import InputError
from mtmc.association.evidence.common_views import OverlappingViews
from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.discovery import LinkPrior
from mtmc.association.links.travel_times import BINS, TravelTimes
from mtmc.association.links.zones import RawEnds, TrackEnds, describe_ends
from mtmc.association.links_file import Kind, Link, Links, OverlappingView, TravelTime, Zone
from mtmc.association.track_summaries import TrackSummaries

MIN_VEHICLES = 1.0
"""Expected number of vehicles from which a learned link is written. Raising it writes fewer links. Theory: a link that
no vehicle took is not worth reading."""
MIN_VEHICLES_BY_APPEARANCE = 0.3
"""The same where appearance vouches for the vehicles, so that one is enough: the link of a single pair of tracks is
expected to have the probability of that pair as its number of vehicles. Raising it writes fewer links. Theory: below
the probability from which tracks are joined."""
WRITTEN_BINS = 32
"""Bins of a written travel-time distribution. Raising it writes longer, finer distributions. Theory: a third of the
bins that are computed with, enough for a user to see the shape."""
NEGLIGIBLE_BIN = 1e-4
"""Mass of a bin, relative to the largest one, up to which bins at either end of a distribution are not written. Raising
it cuts longer tails off. Safety bound."""
WINDOW_FLOOR = 0.05
"""Share of a given link's vehicles whose travel times are spread evenly over its window. Raising it trusts the given
distribution less. Safety bound: what was never seen before is not impossible."""
ZONE_TOLERANCE = 0.1
"""Distance, in picture sizes, up to which a track end outside all zones still belongs to the nearest one. Raising it
assigns more of them. Theory: detectors find and lose vehicles at varying distances."""
OUTLINE_MARGIN = 0.02
"""Margin of a written polygon around the track ends, in picture sizes. Raising it writes larger zones. Theory: a few
pixels, so that even a single end has an outline."""


def to_links(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    *,
    table: LinkTable,
    mass: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    times: TravelTimes,
    by_appearance: bool = False,
) -> Links:
    """Learned links that a vehicle is likely to have taken, with their zones.

    Args:
        summaries: the tracks.
        entries, exits: their ends, sorted into zones.
        table: the links.
        mass: (l,) expected number of vehicles that take each link.
        share: (l,) share of the source's vehicles that take it.
        times: travel times of the links.
        by_appearance: whether they were learned from appearance as well.
    """
    names: dict[tuple[Kind, int], str] = {}
    zones: list[Zone] = []
    links: list[Link] = []
    for row in np.flatnonzero((mass >= (MIN_VEHICLES_BY_APPEARANCE if by_appearance else MIN_VEHICLES)) & times.known):
        kind: Kind = "entry" if table.overlap[row] else "exit"
        ends: list[tuple[Kind, int]] = [(kind, int(table.source[row])), ("entry", int(table.target[row]))]
        for end in ends:
            if end not in names:
                zone = _zone(summaries, *end, entries if end[0] == "entry" else exits)
                names[end] = zone.name
                zones.append(zone)
        links.append(
            Link(
                source=names[ends[0]],
                target=names[ends[1]],
                overlap=bool(table.overlap[row]),
                share=round(float(np.clip(share[row], 0.001, 1.0)), 4),
                vehicles=round(float(mass[row]), 2),
                travel_time=_travel_time(times, int(row)),
            )
        )
    zones.sort(key=lambda zone: zone.name)
    return Links(zones=tuple(zones), links=tuple(links), unlisted=True)


def from_links(summaries: TrackSummaries, links: Links) -> tuple[TrackEnds, TrackEnds, LinkTable, LinkPrior]:
    """Entries and exits sorted into given zones, and given links with their travel times as bounds and as prior.

    Args:
        summaries: the tracks.
        links: the given zones and links.

    Raises:
        InputError: a zone's camera is not in the scenario.
    """
    index = {name: k for k, name in enumerate(summaries.cameras)}
    for zone in links.zones:
        if zone.camera not in index:
            raise InputError(
                f"links: zone {zone.name!r} lies in camera {zone.camera!r}, but the scenario has only the cameras "
                f"{', '.join(summaries.cameras)}"
            )
    number: dict[str, int] = {}
    ends = {}
    kinds: tuple[Kind, Kind] = ("entry", "exit")
    for kind in kinds:
        own = [zone for zone in links.zones if zone.kind == kind]
        number |= {zone.name: k for k, zone in enumerate(own)}
        ends[kind] = _sort_ends(summaries, own, kind, index)
    edges = [link.travel_time.edges for link in links.links]
    table = LinkTable(
        np.array([link.overlap for link in links.links], np.bool_),
        np.array([number[link.source] for link in links.links], np.int64),
        np.array([number[link.target] for link in links.links], np.int64),
        np.array([e[0] for e in edges], np.float64),
        np.array([e[-1] for e in edges], np.float64),
    )
    step = (table.high - table.low) / BINS
    density = np.zeros((len(edges), BINS))
    for row, link in enumerate(links.links):
        total = np.concatenate([[0.0], np.cumsum(link.travel_time.mass)])
        bounds = table.low[row] + step[row] * np.arange(BINS + 1)
        given = np.diff(np.interp(bounds, edges[row], total)) / step[row]
        density[row] = (1.0 - WINDOW_FLOOR) * given + WINDOW_FLOOR / (BINS * step[row])
    times = TravelTimes(table.low.copy(), step, density, np.arange(len(edges)), np.zeros(len(edges)))
    share = np.array([link.share for link in links.links], np.float64)
    return (
        ends["entry"],
        ends["exit"],
        table,
        LinkPrior(share, np.zeros(len(edges)), share, np.zeros(len(edges)), times, times, None),
    )


def to_views(summaries: TrackSummaries, views: OverlappingViews) -> tuple[OverlappingView, ...]:
    """Overlapping fields of view that were found, each pair of cameras once, in pixels."""
    found = []
    for a, b, mapping in zip(views.source.tolist(), views.target.tolist(), views.mapping, strict=True):
        if a < b:
            pixels = np.diag([*summaries.shape[b], 1.0]) @ mapping @ np.diag([*(1.0 / summaries.shape[a]), 1.0])
            # A homography is defined up to a factor. Nine digits, since its last row is small.
            rows = [tuple(float(f"{x:.9g}") for x in row) for row in pixels / np.linalg.norm(pixels)]
            found.append(OverlappingView(cameras=(summaries.cameras[a], summaries.cameras[b]), mapping=tuple(rows)))
    return tuple(found)


def from_views(summaries: TrackSummaries, views: tuple[OverlappingView, ...]) -> OverlappingViews:
    """Given overlapping fields of view of the cameras that take part, in both directions."""
    index = {name: k for k, name in enumerate(summaries.cameras)}
    found: dict[tuple[int, int], npt.NDArray[np.float64]] = {}
    for view in views:
        if not set(view.cameras) <= set(index):
            continue
        a, b = (index[name] for name in view.cameras)
        mapping = np.diag([*(1.0 / summaries.shape[b]), 1.0]) @ view.mapping @ np.diag([*summaries.shape[a], 1.0])
        found[a, b], found[b, a] = mapping, np.asarray(np.linalg.inv(mapping), np.float64)
    return OverlappingViews.of(found)


def _sort_ends(summaries: TrackSummaries, zones: list[Zone], kind: Kind, index: dict[str, int]) -> TrackEnds:
    """Sort track ends into given zones; ends outside all zones go to an extra zone of their camera that has no
    links."""
    raw = RawEnds.entries(summaries) if kind == "entry" else RawEnds.exits(summaries)
    place, direction = raw.place, raw.direction
    zone_camera = np.array([index[z.camera] for z in zones] + list(range(len(summaries.cameras))), np.int32)
    chosen = len(zones) + summaries.camera.astype(np.int64)
    best = np.full(len(summaries), -np.inf)
    for number, zone in enumerate(zones):
        rows = np.flatnonzero(summaries.camera == index[zone.camera])
        outside = _distance(place[rows], np.array(zone.polygon) / summaries.shape[index[zone.camera]])
        score = np.where(outside <= ZONE_TOLERANCE, -outside / ZONE_TOLERANCE, -np.inf)
        if zone.direction is not None:
            towards = np.array(zone.direction) / max(float(np.hypot(*zone.direction)), 1e-9)
            score = score + direction[rows] @ towards
        better = score > best[rows]
        best[rows[better]] = score[better]
        chosen[rows[better]] = number
    return describe_ends(raw, chosen, len(zone_camera), zone_camera)


def _distance(points: npt.NDArray[np.float64], polygon: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) distance of points (n, 2) from a polygon (k, 2), 0 inside."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    side = b - a
    along = ((points[:, None] - a) * side).sum(-1) / np.maximum((side**2).sum(-1), 1e-12)
    near = np.linalg.norm(points[:, None] - (a + np.clip(along, 0, 1)[..., None] * side), axis=-1).min(1)
    crosses = (a[:, 1] > points[:, 1:2]) != (b[:, 1] > points[:, 1:2])
    rise = np.where(side[:, 1] == 0, 1e-12, side[:, 1])
    left = points[:, :1] < a[:, 0] + (points[:, 1:2] - a[:, 1]) * side[:, 0] / rise
    inside = (crosses & left).sum(1) % 2 == 1
    return np.where(inside, 0.0, near)


def _zone(summaries: TrackSummaries, kind: Kind, number: int, ends: TrackEnds) -> Zone:
    """A learned zone: the outline of its track ends, with a name that is unique in the scenario."""
    camera = int(ends.camera[number])
    place = (summaries.entry if kind == "entry" else summaries.exit)[ends.zone == number]
    shape = summaries.shape[camera]
    rank = int(np.count_nonzero(ends.camera[:number] == camera)) + 1
    direction = ends.direction[number]
    return Zone(
        name=f"{summaries.cameras[camera]}-{kind}-{rank}",
        camera=summaries.cameras[camera],
        kind=kind,
        polygon=_outline(place * shape, OUTLINE_MARGIN * float(shape.max())),
        direction=(round(float(direction[0]), 3), round(float(direction[1]), 3)) if direction.any() else None,
    )


def _outline(points: npt.NDArray[np.float64], margin: float) -> tuple[tuple[float, float], ...]:
    """Convex hull of the points, each widened to a small square so that even a single point has one."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * margin
    cloud = (points[:, None] + corners).reshape(-1, 2)
    try:
        hull = cloud[ConvexHull(cloud).vertices]
    except QhullError:
        hull = points.mean(0) + corners
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in hull)


def _travel_time(times: TravelTimes, row: int) -> TravelTime:
    """Density of a link in fewer bins, without its empty ends."""
    mass = times.distinct[times.row[row]] * times.step[row]
    full = np.flatnonzero(mass > NEGLIGIBLE_BIN * mass.max())
    a, b = int(full[0]), int(full[-1]) + 1
    total = np.concatenate([[0.0], np.cumsum(mass)])
    old = times.first[row] + times.step[row] * np.arange(BINS + 1)
    new = np.linspace(old[a], old[b], WRITTEN_BINS + 1)
    weights = np.diff(np.interp(new, old, total))
    weights = np.round(100.0 * weights / weights.sum(), 2)
    return TravelTime(
        first=round(float(new[0]), 3), step=round(float(new[1] - new[0]), 4), weights=tuple(map(float, weights))
    )
