"""Pieces of one vehicle in one camera: a track that breaks off where nothing leaves, and one that starts just there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.candidates import LinkTable, Pairs, find_pairs
from mtmc.association.summaries import TrackSummaries

LONGEST_GAP = 8.0
"""Seconds a vehicle may be lost."""
MEAN_GAP = 1.5
BREAK_SHARE = 0.1
"""Share of tracks that are expected to break off."""
CELLS = 8
"""The picture is cut in CELLS x CELLS for how often tracks start and end at a place."""


def find_fragments(summaries: TrackSummaries) -> Pairs:
    """Pairs of one camera of which the second starts within `LONGEST_GAP` after the first has ended; link is 0."""
    cameras = np.arange(len(summaries.cameras), dtype=np.int64)
    camera = summaries.camera.astype(np.int64)
    window = np.full(len(cameras), LONGEST_GAP)
    table = LinkTable(np.zeros(len(cameras), np.bool_), cameras, cameras, np.zeros(len(cameras)), window)
    pairs = find_pairs(summaries, camera, camera, len(cameras), table)
    return Pairs(pairs.source, pairs.target, np.zeros(len(pairs), np.int64), pairs.seconds)


def fragment_log_ratio(summaries: TrackSummaries, pairs: Pairs) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratio that the second track goes on where the first broke off, from place and motion.

    One vehicle: the place is normally distributed around where the motion of both ends leads, ever wider with the gap,
    and the gap is exponential. Two vehicles: the second starts where and as often as tracks start in this camera.
    """
    a, b = pairs.source, pairs.target
    gap = pairs.seconds
    shape = summaries.shape[summaries.camera[a]]
    motion = 0.5 * (summaries.exit_speed[a] + summaries.entry_speed[b])
    off = (summaries.entry[b] - summaries.exit[a] - motion * gap[:, None]) * shape
    box = np.sqrt(np.prod(0.5 * (summaries.extent[a] + summaries.extent[b]) * shape, axis=1))
    deviation = (0.35 + 0.5 * gap) * np.maximum(box, 4.0)
    log_place = -0.5 * (off**2).sum(1) / deviation**2 - np.log(2 * np.pi * deviation**2)
    log_gap = -gap / MEAN_GAP - np.log(MEAN_GAP)
    births = _density(summaries, summaries.entry)
    deaths = _density(summaries, summaries.exit)
    area = np.prod(shape, axis=1)
    length = np.maximum(summaries.recorded[:, 1] - summaries.recorded[:, 0], 1.0)
    rate = np.bincount(summaries.camera, minlength=len(length)) / length
    log_births = np.log(births[b] * rate[summaries.camera[b]] / area)
    # Breaks happen anywhere; where many tracks end, an end is most likely an exit.
    log_break = np.log(BREAK_SHARE / (BREAK_SHARE + deaths[a]))
    result: npt.NDArray[np.float64] = log_break + log_place + log_gap - log_births
    return result


def _density(summaries: TrackSummaries, place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n,) how many times more often than evenly tracks of the camera have an end near each one's place."""
    cell = np.clip((place * CELLS).astype(np.int64), 0, CELLS - 1)
    cameras = len(summaries.cameras)
    grid = np.zeros((cameras, CELLS, CELLS))
    np.add.at(grid, (summaries.camera, cell[:, 0], cell[:, 1]), 1.0)
    padded = np.pad(grid, ((0, 0), (1, 1), (1, 1)))
    smooth = 0.5 * grid + 0.125 * (
        padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    )
    smooth += 0.1 / CELLS**2
    smooth *= CELLS**2 / smooth.sum((1, 2), keepdims=True)
    result: npt.NDArray[np.float64] = smooth[summaries.camera, cell[:, 0], cell[:, 1]]
    return result
