"""What calibration says about links before any vehicle is matched: distances and directions between zones."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.links.zones import TrackEnds
from mtmc.association.track_summaries import GROUND_STEP, TrackSummaries

USUAL_SPEED = 10.0
"""Metres per second of free traffic, if the tracks do not show it. Raising it expects shorter travel times. Theory: a
little below the urban speed limit of 50 km/h."""
MIN_SPEED = 3.0
"""Metres per second from which a ground sample counts as driving. Raising it ignores slow traffic. Theory: faster than
walking."""
MAX_SPEED = 40.0
"""Metres per second up to which a ground sample counts as driving. Raising it admits errors of localisation. Theory:
144 km/h, faster than traffic."""
MIN_SPEED_SAMPLES = 20
"""Ground samples needed to estimate the speed of free traffic. Raising it falls back on `USUAL_SPEED` more often.
Safety bound against a quartile of a handful of samples."""
DETOUR = 1.1
"""Length of a road relative to the straight line. Raising it expects longer travel times. Development scenarios."""
FACING = 3.0
"""Nats by which a link is less likely when vehicles leave at a right angle to its direction (and twice that when they
leave the opposite way); the same for the way they enter. Raising it trusts directions more. Development scenarios."""
NEAR_DISTANCE = 20.0
"""Metres between two zones from which their direction counts in full. Raising it ignores directions over longer
distances. Theory: about the length of a crossing, within which vehicles turn."""
FAR = 150.0
"""Metres over which the likelihood of a link falls by a factor of e: something else lies in between. Raising it expects
longer links. Theory: about the distance between neighbouring crossings."""
NEAR_SHARE = 0.8
"""Share of travel times that are close to that of free traffic. Raising it trusts free traffic more. Development
scenarios."""
NEAR_SPREAD = 0.12
"""Relative standard deviation of the travel times close to that of free traffic. Raising it tolerates a greater
difference of speeds. Development scenarios."""
GEOGRAPHY_SPREAD = 0.45
"""Relative spread of the remaining travel times. Raising it tolerates worse calibrations and slower traffic.
Development scenarios."""
WAITING = 10.0
"""Seconds by which waiting at traffic lights widens the distribution of late arrivals. Raising it expects longer waits.
Theory: the mean wait at a light with a cycle of 40 to 60 seconds."""
GEOGRAPHY_FLOOR = 0.03
"""Likelihood, relative to its maximum of 1, of a travel time that geography rules out. Raising it lets the times of
events contradict geography more easily. Safety bound: calibrations and speeds can be wrong."""
HEADING_SAMPLES = 3
"""Ground samples from which a track's heading at its end is read. Raising it averages over a longer stretch of road.
Theory: 1.5 seconds, long enough to average out errors of localisation, too short to turn."""
MIN_STEP = 1.0
"""Metres that a track must move to have a heading. Raising it leaves more tracks without one. Safety bound against
directions made of noise."""
MIN_HEADING = 0.3
"""Length of the mean of the tracks' unit vectors from which a zone has a heading. Raising it leaves more zones without
one. Safety bound against directions made of noise."""


@dataclass(frozen=True, slots=True)
class ZonePlaces:
    """Places of zones on the ground.

    Attributes:
        place: (z, 2) float64, metres; NaN where the camera is not calibrated.
        heading: (z, 2) float64, unit vectors of mean motion, or (0, 0) where vehicles head in different directions.
    """

    place: npt.NDArray[np.float64]
    heading: npt.NDArray[np.float64]


def zone_places(summaries: TrackSummaries, ends: TrackEnds, entry: bool) -> ZonePlaces:
    """Median place and mean heading on the ground of the track ends in each zone.

    Args:
        summaries: the tracks.
        ends: their entries or exits.
        entry: whether `ends` are the entries.
    """
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
    step = (
        ground[np.minimum(first + HEADING_SAMPLES, last)] - at
        if entry
        else at - ground[np.maximum(last - HEADING_SAMPLES, first)]
    )
    length = np.linalg.norm(step, axis=1, keepdims=True)
    step = np.where(np.nan_to_num(length) > MIN_STEP, step / np.maximum(length, 1e-9), 0.0)
    zone = ends.zone[known]
    for number in np.unique(zone):
        rows = zone == number
        place[number] = np.median(at[rows], axis=0)
        mean = step[rows].mean(0)
        size = float(np.linalg.norm(mean))
        heading[number] = mean / size if size > MIN_HEADING else 0.0
    return ZonePlaces(place, heading)


def usual_speed(summaries: TrackSummaries) -> float:
    """Speed of free traffic in metres per second: the upper quartile over the ground samples of moving vehicles."""
    ground = summaries.ground_place
    if len(ground) < MIN_SPEED_SAMPLES:
        return USUAL_SPEED
    step = np.linalg.norm(np.diff(ground, axis=0), axis=1) / GROUND_STEP
    border = np.zeros(len(step), np.bool_)
    # The last tracks may be of a camera without calibration, and have no samples.
    begins = summaries.ground_first[1:-1]
    border[begins[(begins > 0) & (begins < len(ground))] - 1] = True
    step, border = step[np.isfinite(step)], border[np.isfinite(step)]
    moving = step[~border & (step > MIN_SPEED) & (step < MAX_SPEED)]
    return float(np.quantile(moving, 0.75)) if len(moving) >= MIN_SPEED_SAMPLES else USUAL_SPEED


def expected_travel(
    source: ZonePlaces, target: ZonePlaces, speed: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Travel time expected between zones, and how likely one zone leads to the other.

    Args:
        source, target: s exit zones and t entry zones.
        speed: of free traffic, in metres per second.

    Returns:
        Seconds (s, t), NaN where a zone is not calibrated, and relative likelihoods (s, t), at most 1.
    """
    way = target.place[None] - source.place[:, None]
    distance = np.linalg.norm(way, axis=2)
    towards = way / np.maximum(distance, 1e-9)[..., None]
    near = np.clip(distance / NEAR_DISTANCE, 0.0, 1.0)
    out = np.where(source.heading.any(1, keepdims=True), (towards * source.heading[:, None]).sum(2), 0.5)
    into = np.where(target.heading.any(1, keepdims=True).T, (towards * target.heading[None]).sum(2), 0.5)
    odds = np.exp(FACING * near * (out - 1.0) + FACING * near * (into - 1.0) - distance / FAR)
    return DETOUR * distance / speed, odds


def travel_likelihood(lag: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Relative likelihood, at most 1, of travel times `lag` where geography expects `seconds`; shapes broadcast.

    A mixture of a narrow and a wide bell, both wider for late arrivals than for early ones.
    """
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
    """`travel_likelihood` of a single travel time, for use in compiled code."""
    near = NEAR_SPREAD * seconds + 1.0
    if lag > seconds:
        # Waiting makes late arrivals more likely than early ones.
        sharp = np.exp(-0.5 * ((lag - seconds) / (2.0 * near)) ** 2)
        broad = np.exp(-(lag - seconds) / (GEOGRAPHY_SPREAD * seconds + WAITING))
    else:
        sharp = np.exp(-0.5 * ((lag - seconds) / near) ** 2)
        broad = np.exp(-0.5 * ((lag - seconds) / (GEOGRAPHY_SPREAD * seconds + 1.5)) ** 2)
    return NEAR_SHARE * sharp + (1.0 - NEAR_SHARE) * broad
