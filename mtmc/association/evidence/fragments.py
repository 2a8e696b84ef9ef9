"""Pieces of one vehicle in one camera: a track that breaks off where nothing leaves, and one that starts just there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import LinkTable, Pairs, camera_ends, find_pairs
from mtmc.association.links.zones import RawEnds
from mtmc.association.track_summaries import TrackSummaries

LONGEST_GAP = 8.0
"""Seconds a vehicle may be lost."""
MEAN_GAP = 1.5
BREAK_SHARE = 0.1
"""Share of tracks that are expected to break off."""
PLACE_ERRORS = ((0.8, 0.1, 0.2), (0.2, 0.35, 0.6))
"""Share, boxes, and boxes a second of the gap by which the place is off: most vehicles go on evenly, some do not."""
PATH_POINTS = 8
CELLS = 8
"""The picture is cut in CELLS x CELLS for how often tracks start and end at a place."""


def find_fragments(summaries: TrackSummaries) -> Pairs:
    """Pairs of one camera of which the second starts within `LONGEST_GAP` after the first has ended; link is 0."""
    cameras = np.arange(len(summaries.cameras), dtype=np.int64)
    count = len(summaries.cameras)
    entries = camera_ends(RawEnds.entries(summaries), count)
    exits = camera_ends(RawEnds.exits(summaries), count)
    window = np.full(len(cameras), LONGEST_GAP)
    table = LinkTable(np.zeros(len(cameras), np.bool_), cameras, cameras, np.zeros(len(cameras)), window)
    pairs = find_pairs(summaries, entries, exits, table)
    return Pairs(pairs.source, pairs.target, np.zeros(len(pairs), np.int64), pairs.seconds)


def fragment_log_ratio(
    summaries: TrackSummaries, pairs: Pairs, probability: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratio that the second track goes on where the first broke off, from place and motion.

    One vehicle: the place is normally distributed around where the motion of both ends leads, ever wider with the gap,
    and the gap is exponential. Two vehicles: the second starts where and as often as tracks start in this camera.

    Args:
        summaries: the tracks.
        pairs: of `find_fragments`.
        probability: (m,) probability of each pair, from the round before: ends that are breaks are no exits.
    """
    n = len(summaries)
    a, b = pairs.source, pairs.target
    gap = pairs.seconds
    shape = summaries.shape[summaries.camera[a]]
    motion = 0.5 * (summaries.exit_speed[a] + summaries.entry_speed[b])
    off = (summaries.entry[b] - summaries.exit[a] - motion * gap[:, None]) * shape
    box = np.maximum(np.sqrt(np.prod(0.5 * (summaries.extent[a] + summaries.extent[b]) * shape, axis=1)), 4.0)
    likelihood = np.zeros(len(pairs))
    for share, least, growth in PLACE_ERRORS:
        variance = ((least + growth * gap) * box) ** 2
        likelihood += share * np.exp(-0.5 * (off**2).sum(1) / variance) / (2 * np.pi * variance)
    log_place = np.log(np.maximum(likelihood, 1e-30))
    log_gap = -gap / MEAN_GAP - np.log(MEAN_GAP)
    every = np.arange(n)
    born = np.maximum(1.0 - np.bincount(b, probability, n), 0.02)
    died = np.maximum(1.0 - np.bincount(a, probability, n), 0.02)
    births = _density(summaries, every, summaries.entry, born)
    deaths = _density(summaries, every, summaries.exit, died)
    part = np.linspace(0.05, 0.95, PATH_POINTS)[:, None, None]
    path = (summaries.entry + part * (summaries.exit - summaries.entry)).reshape(-1, 2)
    traffic = _density(summaries, np.tile(every, PATH_POINTS), path, np.ones(len(path)), at=summaries.exit)
    area = np.prod(shape, axis=1)
    length = np.maximum(summaries.recorded[:, 1] - summaries.recorded[:, 0], 1.0)
    rate = np.bincount(summaries.camera, born, len(length)) / length
    log_births = np.log(births[b] * rate[summaries.camera[b]] / area)
    # Breaks happen wherever there is traffic; where many tracks end, an end is most likely an exit.
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
    """(n,) how many times more often than evenly places of the camera's tracks fall near each track's own.

    Args:
        summaries: the tracks.
        track: (m,) the track of each place.
        place: (m, 2) places, divided by the picture's size.
        weight: (m,) how much each counts.
        at: (n, 2) where the density is asked for, one place a track; None: `place` itself.
    """
    cell = np.clip((place * CELLS).astype(np.int64), 0, CELLS - 1)
    grid = np.zeros((len(summaries.cameras), CELLS, CELLS))
    np.add.at(grid, (summaries.camera[track], cell[:, 0], cell[:, 1]), weight)
    padded = np.pad(grid, ((0, 0), (1, 1), (1, 1)))
    sides = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    smooth = 0.5 * grid + 0.125 * sides + 0.1 / CELLS**2
    smooth *= CELLS**2 / smooth.sum((1, 2), keepdims=True)
    cell = np.clip(((place if at is None else at) * CELLS).astype(np.int64), 0, CELLS - 1)
    result: npt.NDArray[np.float64] = smooth[summaries.camera, cell[:, 0], cell[:, 1]]
    return result
