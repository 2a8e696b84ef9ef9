"""Counts, travel times and origin-destination of the present identities, as tables and for the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from detection.vehicle_classes import class_names
from mtmc.association.links_file import Links
from mtmc.report.data import CameraInfo, LinkInfo
from mtmc.scenarios.scenario import Scenario
from mtmc.web.identity_index import IdentityIndex

HOUR = 3600.0
BINS = 40
"""Bins of a histogram of travel times. Raising it shows more detail and more noise."""
TABLES = ("counts", "travel_times", "origin_destination")


@dataclass(frozen=True, slots=True)
class Flow:
    """Vehicles that went from one camera straight to another.

    Attributes:
        source, target: indices of the cameras.
        seconds: (k,) travel times: from the last box in the source to the first in the target; negative where both
            cameras see the vehicle at once.
        left: (k,) seconds at which they left the source.
    """

    source: int
    target: int
    seconds: npt.NDArray[np.float64]
    left: npt.NDArray[np.float64]


def flows(index: IdentityIndex, since: float | None = None, until: float | None = None) -> list[Flow]:
    """The flows between different cameras, of vehicles that left in a span of time; the busiest first."""
    p = index.passages
    a, b = p.camera[index.source], p.camera[index.target]
    left, seconds = p.end[index.source], p.start[index.target] - p.end[index.source]
    kept = a != b
    if since is not None:
        kept &= left >= since
    if until is not None:
        kept &= left < until
    a, b, left, seconds = a[kept], b[kept], left[kept], seconds[kept]
    pairs, place = np.unique(np.stack([a, b], 1), axis=0, return_inverse=True)
    place = place.ravel()
    found = [
        Flow(int(source), int(target), seconds[place == k], left[place == k])
        for k, (source, target) in enumerate(pairs.tolist())
    ]
    return sorted(found, key=lambda flow: (-len(flow.seconds), flow.source, flow.target))


def as_link(flow: Flow, cameras: tuple[str, ...]) -> LinkInfo:
    """A flow as the report draws links: its count and its histogram."""
    low, high = float(flow.seconds.min()), float(flow.seconds.max())
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(flow.seconds, bins=min(BINS, max(5, len(flow.seconds))), range=(low, high))
    return LinkInfo(
        cameras[flow.source],
        cameras[flow.target],
        float(len(flow.seconds)),
        edges.astype(np.float64),
        counts.astype(np.float64),
    )


def camera_infos(scenario: Scenario) -> list[CameraInfo]:
    """The cameras as the report's map places them."""
    infos = []
    for camera in scenario.cameras:
        start, end = camera.span
        place = None
        if camera.ground is not None:
            east, north = camera.ground.to_ground([[camera.width / 2, camera.height * 0.8]])[0]
            place = (float(east), float(north)) if np.isfinite([east, north]).all() else None
        infos.append(
            CameraInfo(
                camera.name,
                camera.width,
                camera.height,
                camera.fps,
                start,
                end,
                camera.frame_count,
                position=place,
            )
        )
    return infos


def link_curve(links: Links, source: str, target: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The travel times that the association expects from one camera to another: edges (k + 1,) and weights (k,).

    All links between the two cameras, weighted by their vehicles; overlaps are left out, whose times are from entry to
    entry. Empty without a link.
    """
    camera = {zone.name: zone.camera for zone in links.zones}
    chosen = [
        link
        for link in links.links
        if (camera[link.source], camera[link.target]) == (source, target) and not link.overlap
    ]
    if not chosen:
        return np.zeros(0), np.zeros(0)
    low = min(float(link.travel_time.edges[0]) for link in chosen)
    high = max(float(link.travel_time.edges[-1]) for link in chosen)
    edges = np.linspace(low, high, BINS + 1)
    weights = np.zeros(BINS)
    for link in chosen:
        time = link.travel_time
        share = np.concatenate([[0.0], np.cumsum(time.mass)])
        weights += max(link.vehicles, 1.0) * np.diff(np.interp(edges, time.edges, share))
    return edges, weights


def table(name: str, index: IdentityIndex, cameras: tuple[str, ...]) -> pl.DataFrame:
    """A table of traffic.

    Args:
        name: "counts": passages of each camera and class in each hour of the time axis; "travel_times": a row for each
            vehicle that goes from one camera to another; "origin_destination": vehicles by first and last camera.
        index: the identities.
        cameras: names of the cameras.
    """
    p = index.passages
    names = np.asarray(cameras, np.str_)
    if name == "counts":
        rows = index.order
        frame = pl.DataFrame(
            {
                "camera": _text(names[p.camera[rows]] if len(rows) else names[:0]),
                "hour": np.floor(p.start[rows] / HOUR).astype(np.int64),
                "class": pl.Series(class_names(p.label[rows]), dtype=pl.String),
                "identity": index.identity[rows],
            }
        )
        return (
            frame.group_by("camera", "hour", "class")
            .agg(vehicles=pl.col("identity").n_unique(), passages=pl.len())
            .sort("camera", "hour", "class", nulls_last=True)
        )
    if name == "travel_times":
        kept = p.camera[index.source] != p.camera[index.target]
        a, b = index.source[kept], index.target[kept]
        return pl.DataFrame(
            {
                "identity": index.identity[a],
                "source": _text(names[p.camera[a]]),
                "target": _text(names[p.camera[b]]),
                "left_seconds": p.end[a],
                "arrived_seconds": p.start[b],
                "travel_seconds": p.start[b] - p.end[a],
            }
        ).sort("left_seconds", "identity")
    first, last = index.order[index.begin[:-1]], index.order[index.begin[1:] - 1]
    frame = pl.DataFrame({"origin": _text(names[p.camera[first]]), "destination": _text(names[p.camera[last]])})
    return frame.group_by("origin", "destination").len("vehicles").sort("origin", "destination")


def _text(names: npt.NDArray[np.str_]) -> pl.Series:
    return pl.Series(names.tolist(), dtype=pl.String)
