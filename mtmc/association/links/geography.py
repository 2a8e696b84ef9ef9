"""What calibration says of links before any vehicle was matched: how far apart zones lie and whether they face."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.links.zones import TrackEnds
from mtmc.association.track_summaries import GROUND_STEP, TrackSummaries

USUAL_SPEED = 10.0
"""Metres a second, where the tracks themselves do not tell."""
DETOUR = 1.1
"""Roads are longer than the straight line."""
FACING = 3.0
"""How strongly a link is expected to lead the way that vehicles head."""
FAR = 150.0
"""Metres over which links grow rarer: something lies in between."""
NEAR_SHARE, NEAR_SPREAD = 0.8, 0.12
"""Share of travel times that are close to what distance and free traffic let expect, and their relative spread."""
GEOGRAPHY_SPREAD = 0.45
"""Relative spread of the others about what calibration lets expect."""
WAITING = 10.0
"""Seconds that waiting at lights adds to the spread of late arrivals."""


@dataclass(frozen=True, slots=True)
class ZonePlaces:
    """Zones on the ground.

    Attributes:
        place: (z, 2) float64, metres; NaN without calibration.
        heading: (z, 2) float64, unit vectors of motion, or (0, 0).
    """

    place: npt.NDArray[np.float64]
    heading: npt.NDArray[np.float64]


def zone_places(summaries: TrackSummaries, ends: TrackEnds, entry: bool) -> ZonePlaces:
    """Median place and mean heading on the ground of the ends in each zone."""
    zones = len(ends.camera)
    place = np.full((zones, 2), np.nan)
    heading = np.zeros((zones, 2))
    first, last = summaries.ground_first[:-1], summaries.ground_first[1:] - 1
    known = np.flatnonzero(last >= first)
    if len(known) == 0:
        return ZonePlaces(place, heading)
    ground = summaries.ground_place
    known = known[np.isfinite(ground[(first if entry else last)[known]]).all(1)]
    first, last = first[known], last[known]
    at = ground[first if entry else last]
    step = ground[np.minimum(first + 3, last)] - at if entry else at - ground[np.maximum(last - 3, first)]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step = np.where(np.nan_to_num(length) > 1.0, step / np.maximum(length, 1e-9), 0.0)
    zone = ends.zone[known]
    for number in np.unique(zone):
        rows = zone == number
        place[number] = np.median(at[rows], axis=0)
        mean = step[rows].mean(0)
        size = float(np.linalg.norm(mean))
        heading[number] = mean / size if size > 0.3 else 0.0
    return ZonePlaces(place, heading)


def usual_speed(summaries: TrackSummaries) -> float:
    """Speed in metres a second of free traffic: the upper quartile over all ground samples of vehicles that move."""
    ground = summaries.ground_place
    if len(ground) < 20:
        return USUAL_SPEED
    step = np.linalg.norm(np.diff(ground, axis=0), axis=1) / GROUND_STEP
    border = np.zeros(len(step), np.bool_)
    border[summaries.ground_first[1:-1][(summaries.ground_first[1:-1] > 0)] - 1] = True
    step, border = step[np.isfinite(step)], border[np.isfinite(step)]
    moving = step[~border & (step > 3.0) & (step < 40.0)]
    return float(np.quantile(moving, 0.75)) if len(moving) >= 20 else USUAL_SPEED


def expected_travel(
    source: ZonePlaces, target: ZonePlaces, speed: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Expected seconds from each source zone to each target zone (s, t), and how likely one leads to the other (s, t).

    The likelihood is relative, at most 1; NaN seconds where a zone is not calibrated.
    """
    way = target.place[None] - source.place[:, None]
    distance = np.linalg.norm(way, axis=2)
    towards = way / np.maximum(distance, 1e-9)[..., None]
    near = np.clip(distance / 20.0, 0.0, 1.0)
    out = np.where(source.heading.any(1, keepdims=True), (towards * source.heading[:, None]).sum(2), 0.5)
    into = np.where(target.heading.any(1, keepdims=True).T, (towards * target.heading[None]).sum(2), 0.5)
    odds = np.exp(FACING * near * (out - 1.0) + FACING * near * (into - 1.0) - distance / FAR)
    return DETOUR * distance / speed, odds


def travel_likelihood(lag: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Density, up to a factor, of travel times that should take `seconds`: mostly within half as long again."""
    lag, seconds = np.broadcast_arrays(lag, seconds)
    result: npt.NDArray[np.float64] = _compiled_each(lag.ravel(), seconds.ravel()).reshape(lag.shape)
    return result


@numba.njit(cache=True)
def _compiled_each(lag, seconds):  # type: ignore[no-untyped-def]  # pragma: no cover
    result = np.empty(len(lag))
    for i in range(len(lag)):
        result[i] = compiled_likelihood(lag[i], seconds[i])
    return result


@numba.njit(cache=True)
def compiled_likelihood(lag, seconds):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`travel_likelihood` of one lag, for other compiled code."""
    near = NEAR_SPREAD * seconds + 1.0
    if lag > seconds:
        # Waiting makes late arrivals likelier than early ones.
        sharp = np.exp(-0.5 * ((lag - seconds) / (2.0 * near)) ** 2)
        broad = np.exp(-(lag - seconds) / (GEOGRAPHY_SPREAD * seconds + WAITING))
    else:
        sharp = np.exp(-0.5 * ((lag - seconds) / near) ** 2)
        broad = np.exp(-0.5 * ((lag - seconds) / (GEOGRAPHY_SPREAD * seconds + 1.5)) ** 2)
    return NEAR_SHARE * sharp + (1.0 - NEAR_SHARE) * broad
