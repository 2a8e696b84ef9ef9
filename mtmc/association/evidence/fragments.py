"""Fragments of one vehicle's track within a camera: a track breaks where nothing leaves, and another starts just
there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import LinkTable, PairKind, Pairs, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds
from mtmc.association.track_summaries import TrackSummaries

LONGEST_GAP = 8.0
"""Seconds for which a vehicle may be lost within a camera. Raising it rejoins longer gaps and adds false candidates.
Development scenarios."""
MEAN_GAP = 1.5
"""Mean of the exponential distribution of gaps, in seconds. Raising it makes long gaps more likely. Development
scenarios."""
BREAK_SHARE = 0.1
"""Expected share of tracks that break. Raising it joins more fragments. Development scenarios."""
PLACE_ERRORS = ((0.8, 0.1, 0.2), (0.2, 0.35, 0.6))
"""Mixture of the errors of a predicted place: share of vehicles, standard deviation in box sizes, and its growth in box
sizes per second of the gap. Most vehicles move on evenly, some do not. Raising the deviations tolerates more.
Development scenarios."""
MIN_SIDE = 4.0
"""Pixels to which the box size is raised in these errors. Raising it tolerates more for tiny boxes. Theory: the error
of a box is at least a pixel or so."""
MIN_END_WEIGHT = 0.02
"""Smallest probability that the start or end of a track is a real entry or exit. Raising it joins fewer fragments.
Safety bound against a division by 0."""
PATH_POINTS = 8
"""Points along each track from which the density of traffic is estimated. Raising it costs time. Theory: one per cell
on the way across the picture."""
CELLS = 8
"""Cells on each side of the grid on which densities of places are estimated. Raising it resolves zones more finely and
needs more tracks. Development scenarios."""
EVEN_COUNT = 0.1
"""Tracks spread evenly over the picture in addition to those seen. Raising it flattens the densities. Safety bound
against a density of 0."""


def find_fragments(summaries: TrackSummaries) -> Pairs:
    """Pairs of tracks of one camera where the second starts within `LONGEST_GAP` seconds after the first has ended."""
    cameras = np.arange(len(summaries.cameras), dtype=np.int64)
    count = len(summaries.cameras)
    entries = camera_ends(RawEnds.entries(summaries), count)
    exits = camera_ends(RawEnds.exits(summaries), count)
    window = np.full(len(cameras), LONGEST_GAP)
    table = LinkTable(np.zeros(len(cameras), np.bool_), cameras, cameras, np.zeros(len(cameras)), window)
    pairs = find_pairs(summaries, entries, exits, table)
    return Pairs.of(pairs.source, pairs.target, np.zeros(len(pairs), np.int64), pairs.seconds, kind=PairKind.FRAGMENT)


def fragment_log_ratio(
    summaries: TrackSummaries, pairs: Pairs, probability: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratio in nats that the second track continues the first, from place, motion and gap.

    One vehicle: the place is normally distributed around the one that the motion of both ends predicts, with a spread
    that grows with the gap, and the gap is exponentially distributed. Two vehicles: the second starts where, and as
    often as, tracks start in this camera.

    Args:
        summaries: the tracks.
        pairs: result of `find_fragments`.
        probability: (m,) probability of each pair, from the previous round: ends of fragments are not exits.
    """
    n = len(summaries)
    a, b = pairs.source, pairs.target
    gap = pairs.seconds
    shape = summaries.shape[summaries.camera[a]]
    motion = 0.5 * (summaries.exit_speed[a] + summaries.entry_speed[b])
    off = (summaries.entry[b] - summaries.exit[a] - motion * gap[:, None]) * shape
    box = np.maximum(np.sqrt(np.prod(0.5 * (summaries.extent[a] + summaries.extent[b]) * shape, axis=1)), MIN_SIDE)
    likelihood = np.zeros(len(pairs))
    for share, deviation, growth in PLACE_ERRORS:
        variance = ((deviation + growth * gap) * box) ** 2
        likelihood += share * np.exp(-0.5 * (off**2).sum(1) / variance) / (2 * np.pi * variance)
    log_place = np.log(np.maximum(likelihood, 1e-30))
    log_gap = -gap / MEAN_GAP - np.log(MEAN_GAP)
    every = np.arange(n)
    born = np.maximum(1.0 - np.bincount(b, probability, n), MIN_END_WEIGHT)
    died = np.maximum(1.0 - np.bincount(a, probability, n), MIN_END_WEIGHT)
    births = _density(summaries, every, summaries.entry, born)
    deaths = _density(summaries, every, summaries.exit, died)
    part = np.linspace(0.05, 0.95, PATH_POINTS)[:, None, None]
    path = (summaries.entry + part * (summaries.exit - summaries.entry)).reshape(-1, 2)
    traffic = _density(summaries, np.tile(every, PATH_POINTS), path, np.ones(len(path)), at=summaries.exit)
    area = np.prod(shape, axis=1)
    length = np.maximum(summaries.recorded[:, 1] - summaries.recorded[:, 0], 1.0)
    rate = np.bincount(summaries.camera, born, len(length)) / length
    log_births = np.log(births[b] * rate[summaries.camera[b]] / area)
    # Tracks break wherever there is traffic; where many tracks end, an end is most likely an exit.
    breaks = BREAK_SHARE * traffic[a]
    log_break = np.log(breaks / (breaks + deaths[a]))
    result: npt.NDArray[np.float64] = log_break + log_place + log_gap - log_births
    return result


def _density(
    summaries: TrackSummaries,
    track: npt.NDArray[np.int64],
    place: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    at: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """(n,) density of places at each track's own place, in its camera, relative to an even distribution.

    Args:
        summaries: the tracks.
        track: (m,) the track of each place.
        place: (m, 2) places, divided by the picture's size.
        weight: (m,) weight of each place.
        at: (n, 2) places at which to evaluate the density, one per track; None means `place` itself.
    """
    cell = np.clip((place * CELLS).astype(np.int64), 0, CELLS - 1)
    grid = np.zeros((len(summaries.cameras), CELLS, CELLS))
    np.add.at(grid, (summaries.camera[track], cell[:, 0], cell[:, 1]), weight)
    padded = np.pad(grid, ((0, 0), (1, 1), (1, 1)))
    sides = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    smooth = 0.5 * grid + 0.125 * sides + EVEN_COUNT / CELLS**2
    smooth *= CELLS**2 / smooth.sum((1, 2), keepdims=True)
    cell = np.clip(((place if at is None else at) * CELLS).astype(np.int64), 0, CELLS - 1)
    result: npt.NDArray[np.float64] = smooth[summaries.camera, cell[:, 0], cell[:, 1]]
    return result
