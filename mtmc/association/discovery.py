"""Which zones may be linked, found from the times of exits and entries alone: a peak of their cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.candidates import LinkTable
from mtmc.association.summaries import TrackSummaries
from mtmc.association.travel import BINS, TravelTimes
from mtmc.association.zones import TrackEnds

LAG = 0.5
"""Seconds a bin of the cross-correlation."""
SCALES = (1, 2, 4, 8, 16, 32)
"""Peak widths tried, in bins."""
CLEAR_PEAK = 12.0
"""Nats of evidence (Poisson log-likelihood ratio) above which a link counts in a large scenario: about one false
link in 160,000 places tried."""
LINKS_PER_ZONE = 12
"""Most links kept of one zone in a large scenario."""


@dataclass(frozen=True, slots=True)
class LinkPrior:
    """What is believed of each link before any pair was weighed.

    Attributes:
        probability: (l,) share of the vehicles at the source zone that take the link.
        start: travel times that learning starts from.
        times: broad travel times that back up the learned ones where few vehicles were seen.
    """

    probability: npt.NDArray[np.float64]
    start: TravelTimes
    times: TravelTimes


def discover_links(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    longest_travel: float,
    longest_overlap: float,
    budget: int,
) -> tuple[LinkTable, LinkPrior]:
    """Candidate links with a first idea of their travel times.

    Args:
        summaries: the tracks.
        entries, exits: their ends in zones.
        longest_travel, longest_overlap: the window of travel times is [-longest_overlap, longest_travel] seconds.
        budget: most pairs in all windows together. Below it every two zones may be linked; above it only those whose
            events correlate clearly are kept, with windows around their peaks.
    """
    tables = [
        _correlate(summaries, exits, exits.zone, summaries.end, entries, -longest_overlap, longest_travel, False),
        _correlate(summaries, entries, entries.zone, summaries.start, entries, 0.0, longest_travel, True),
    ]
    found = [np.concatenate([np.asarray(t[k]) for t in tables]) for k in range(len(tables[0]))]
    overlap, source, target, low, high, pairs, score, peak, width, excess, events = found
    keep = pairs > 0
    if int(pairs.sum()) > budget:
        keep &= score > CLEAR_PEAK
        # The best links of each source zone, by evidence.
        order = np.lexsort((-score, ~keep, source, overlap))
        group = np.stack([overlap[order], source[order]], 1)
        new = np.concatenate([[True], (np.diff(group, axis=0) != 0).any(1)])
        begin = np.flatnonzero(new)
        place = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
        keep[order[place >= LINKS_PER_ZONE]] = False
        reach = np.maximum(2.0 * width, 5.0)
        low, high = np.maximum(low, peak - reach), np.minimum(high, peak + reach)
    keep = np.flatnonzero(keep)
    keep = keep[np.lexsort((target[keep], source[keep], overlap[keep]))]
    table = LinkTable(
        overlap[keep].astype(np.bool_),
        source[keep].astype(np.int64),
        target[keep].astype(np.int64),
        low[keep],
        high[keep],
    )
    sure = np.clip((score[keep] - 5.0) / 10.0, 0.0, 0.9)
    spread = broad_times(table)
    share = np.where(table.overlap, 0.1, 0.6) / np.maximum(_links_of_zone(table), 1)
    probability = np.maximum(share, sure * np.clip(excess[keep] / np.maximum(events[keep], 1), 0.0, 0.9))
    return table, LinkPrior(probability, _peaked(spread, peak[keep], width[keep], sure), spread)


def broad_times(table: LinkTable) -> TravelTimes:
    """Travel times of links of which nothing is known: shorter ones are likelier, any in the window is possible."""
    step = (table.high - table.low) / BINS
    middle = table.low[:, None] + (np.arange(BINS) + 0.5) * step[:, None]
    density = np.exp(-np.maximum(middle, 0.0) / 60.0) * np.where(middle < 0, np.exp(middle / 5.0), 1.0) + 0.02
    density /= (density.sum(1) * step)[:, None]
    return TravelTimes(table.low.copy(), step, density, np.zeros(len(table)))


def _peaked(
    spread: TravelTimes,
    peak: npt.NDArray[np.float64],
    width: npt.NDArray[np.float64],
    sure: npt.NDArray[np.float64],
) -> TravelTimes:
    """A peak on top of broad travel times, with `sure` of the mass."""
    deviation = np.maximum(0.5 * width, spread.step)[:, None]
    middle = spread.first[:, None] + (np.arange(BINS) + 0.5) * spread.step[:, None]
    bell = np.exp(-0.5 * ((middle - peak[:, None]) / deviation) ** 2) + 1e-12
    bell /= (bell.sum(1) * spread.step)[:, None]
    return TravelTimes(
        spread.first, spread.step, sure[:, None] * bell + (1 - sure[:, None]) * spread.density, np.zeros(len(peak))
    )


def _links_of_zone(table: LinkTable) -> npt.NDArray[np.int64]:
    """How many links of the same kind start at each link's source."""
    if len(table) == 0:
        return np.zeros(0, np.int64)
    _, inverse, count = np.unique(
        np.stack([table.overlap, table.source], 1), axis=0, return_inverse=True, return_counts=True
    )
    result: npt.NDArray[np.int64] = count[inverse.reshape(-1)]
    return result


def _correlate(
    summaries: TrackSummaries,
    sources: TrackEnds,
    zone: npt.NDArray[np.int64],
    time: npt.NDArray[np.float64],
    entries: TrackEnds,
    low: float,
    high: float,
    overlap: bool,
) -> list[npt.NDArray[np.generic]]:
    """For every two zones: window, pairs in it, and the clearest peak above what independent events would give."""
    order = np.lexsort((summaries.start, entries.zone))
    starts = summaries.start[order]
    bounds = np.searchsorted(entries.zone[order], np.arange(len(entries.camera) + 1))
    arrivals = np.diff(bounds)
    bins = max(int(np.ceil((high - low) / LAG)), 1)
    by_zone = np.argsort(zone, kind="stable")
    spans = np.searchsorted(zone[by_zone], np.arange(len(sources.camera) + 1))
    lag = low + (np.arange(bins) + 0.5) * LAG
    columns: list[list[npt.NDArray[np.generic]]] = []
    for index in range(len(sources.camera)):
        rows = by_zone[spans[index] : spans[index + 1]]
        camera = sources.camera[index]
        same = entries.camera == camera
        if overlap and same.all():
            continue
        until = summaries.end[rows] if overlap else np.full(len(rows), np.inf)
        counts = _count(time[rows], until, starts, bounds, low, LAG, bins)
        if overlap:
            counts[same] = 0.0
        else:
            counts[same] *= lag > 0
        expected = _expected(summaries, camera, entries.camera, len(rows), arrivals, lag)
        if overlap:
            duration = np.sort(summaries.end[rows] - summaries.start[rows])
            expected *= 1.0 - np.searchsorted(duration, lag) / len(rows)
        score, place, width, excess = _clearest_peak(counts, expected)
        columns.append(
            [
                np.full(len(score), overlap),
                np.full(len(score), index),
                np.arange(len(score)),
                np.where(same, 0.0, low),
                np.full(len(score), high),
                counts.sum(1),
                score,
                low + place * LAG,
                width * LAG,
                excess,
                np.full(len(score), float(len(rows))),
            ]
        )
    if not columns:
        return [np.zeros(0)] * 11
    return [np.concatenate([c[k] for c in columns]) for k in range(11)]


def _expected(
    summaries: TrackSummaries,
    camera: int,
    cameras: npt.NDArray[np.int32],
    events: int,
    arrivals: npt.NDArray[np.int64],
    lag: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """(zones, bins) pairs a bin if exits and entries were independent and evenly spread over the clips."""
    begin, end = summaries.recorded[camera]
    other = summaries.recorded[cameras]
    common = np.minimum(end, other[:, 1:] - lag) - np.maximum(begin, other[:, :1] - lag)
    length = np.maximum(end - begin, 1.0) * np.maximum(other[:, 1] - other[:, 0], 1.0)
    result: npt.NDArray[np.float64] = events * (arrivals / length)[:, None] * np.maximum(common, 0.0) * LAG
    return result


def _clearest_peak(
    counts: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], ...]:
    """Of each row: evidence in nats, middle (bins), width (bins) and excess of its clearest peak over all scales."""
    found: tuple[npt.NDArray[np.float64], ...] = _compiled_peak(counts, expected, np.array(SCALES))
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _compiled_peak(counts, expected, scales):  # type: ignore[no-untyped-def]  # pragma: no cover
    n, bins = counts.shape
    score = np.zeros(n)
    middle = np.full(n, bins / 2)
    width = np.full(n, float(bins))
    excess = np.zeros(n)
    for row in range(n):
        for scale in scales:
            if scale > bins:
                break
            seen = 0.0
            chance = 0.02
            for k in range(bins):
                seen += counts[row, k]
                chance += expected[row, k]
                if k >= scale:
                    seen -= counts[row, k - scale]
                    chance -= expected[row, k - scale]
                if k >= scale - 1 and seen > chance:
                    nats = seen * np.log(seen / chance) - (seen - chance)
                    if nats > score[row]:
                        score[row] = nats
                        middle[row] = k + 1 - scale / 2
                        width[row] = scale
                        excess[row] = seen - chance
    return score, middle, width, excess


def _count(
    time: npt.NDArray[np.float64],
    until: npt.NDArray[np.float64],
    starts: npt.NDArray[np.float64],
    bounds: npt.NDArray[np.int64],
    low: float,
    step: float,
    bins: int,
) -> npt.NDArray[np.float64]:
    counts: npt.NDArray[np.float64] = _compiled_count(time, until, starts, bounds, low, step, bins)
    return counts


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _compiled_count(time, until, starts, bounds, low, step, bins):  # type: ignore[no-untyped-def]  # pragma: no cover
    counts = np.zeros((len(bounds) - 1, bins))
    for z in range(len(bounds) - 1):
        a, b = bounds[z], bounds[z + 1]
        for i in range(len(time)):
            begin = a + np.searchsorted(starts[a:b], time[i] + low)
            for p in range(begin, b):
                place = int((starts[p] - time[i] - low) / step)
                if place >= bins or starts[p] > until[i]:
                    break
                counts[z, place] += 1.0
    return counts
