"""Do arrivals follow departures? Evidence for a travel time between two zones from the times of their events alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.links.geography import compiled_likelihood
from mtmc.association.links.zones import TrackEnds
from mtmc.association.track_summaries import TrackSummaries

WIDTHS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Widths of the windows of travel time tried, in seconds."""


def correlate(
    summaries: TrackSummaries,
    sources: TrackEnds,
    entries: TrackEnds,
    window: tuple[float, float],
    lag: float,
    overlap: bool,
    expected: npt.NDArray[np.float64],
) -> list[npt.NDArray[np.generic]]:
    """For every two zones: window, pairs in it, and the travel time that most events agree on.

    Returns columns: overlap, source, target, low, high, pairs, evidence in nats, middle and width of the window of
    travel times (seconds), share of the source's vehicles that take the link if the evidence holds.
    """
    low, high = window
    zone, time = sources.zone, sources.time
    order = np.lexsort((entries.time, entries.zone))
    starts = entries.time[order]
    bounds = np.searchsorted(entries.zone[order], np.arange(len(entries.camera) + 1))
    by_zone = np.lexsort((time, zone))
    spans = np.searchsorted(zone[by_zone], np.arange(len(sources.camera) + 1))
    bins = int(np.ceil((high - low) / lag))
    widths = np.array([max(round(w / lag), 1) for w in WIDTHS if w >= lag], np.int64)
    calibrated = summaries.calibrated

    def row(index: int) -> list[npt.NDArray[np.generic]]:
        rows = by_zone[spans[index] : spans[index + 1]]
        camera = sources.camera[index]
        same = entries.camera == camera
        until = summaries.end[rows] if overlap else np.full(len(rows), np.inf)
        # Calibrated cameras tell by places, not by times, whether they see the same vehicle at once.
        known_by_place = same | (calibrated[camera] & calibrated[entries.camera]) if overlap else same
        least = np.where(known_by_place, np.inf if overlap else 0.0, low)
        count, score, place, width, share = _agreement(
            time[rows], until, starts, bounds, summaries.recorded[entries.camera], summaries.recorded[camera],
            least, low, lag, bins, widths, expected[index],
        )  # fmt: skip
        return [
            np.full(len(score), overlap),
            np.full(len(score), index),
            np.arange(len(score)),
            np.where(same, 0.0, low),
            np.full(len(score), high),
            count,
            score,
            low + place * lag,
            width * lag,
            share,
        ]

    # The compiled part lets other threads run; zones do not depend on each other.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        columns = list(pool.map(row, range(len(sources.camera))))
    if not columns:
        return [np.zeros(0)] * 10
    return [np.concatenate([c[k] for c in columns]) for k in range(10)]


def _agreement(*arguments: object) -> tuple[npt.NDArray[np.float64], ...]:
    found: tuple[npt.NDArray[np.float64], ...] = _compiled_agreement(*arguments)
    return found


@numba.njit(cache=True, nogil=True)
def _compiled_agreement(  # type: ignore[no-untyped-def]  # pragma: no cover
    time, until, starts, bounds, target_clips, clip, least, low, lag, bins, widths, expected
):
    """For one source zone and every target zone: how many events of either side have one of the other at each lag.

    At a lag and width that are travel times, more events than chance would give find at least one partner. Evidence is
    the binomial log-likelihood ratio, the mean of both sides; that of pair counts would see platoons everywhere.
    """
    zones = len(bounds) - 1
    count = np.zeros(zones)
    score = np.zeros(zones)
    place = np.full(zones, bins / 2)
    width = np.full(zones, float(bins))
    share = np.zeros(zones)
    n = len(time)
    for z in range(zones):
        a, b = bounds[z], bounds[z + 1]
        m = b - a
        if m == 0 or n == 0 or least[z] == np.inf:
            continue
        for i in range(n):
            begin = a + np.searchsorted(starts[a:b], time[i] + max(low, least[z]))
            stop = a + np.searchsorted(starts[a:b], min(until[i], time[i] + low + bins * lag), "right")
            count[z] += max(stop - begin, 0)
        # Less than two events on a side show nothing; only the pairs are counted.
        if n < 2 or m < 2 or count[z] < 2:
            continue
        rate_in = m / max(target_clips[z, 1] - target_clips[z, 0], 1.0)
        rate_out = n / max(clip[1] - clip[0], 1.0)
        # Events of each side whose partner, at a lag, would fall into the other's clip.
        seen_out = np.zeros(bins + 1)
        seen_in = np.zeros(bins + 1)
        for i in range(n):
            begin = min(max(int((target_clips[z, 0] - time[i] - low) / lag), 0), bins)
            stop = min(max(int((min(target_clips[z, 1], until[i]) - time[i] - low) / lag), 0), bins)
            if stop > begin:
                seen_out[begin] += 1
                seen_out[stop] -= 1
        for p in range(a, b):
            begin = min(max(int((starts[p] - clip[1] - low) / lag), 0), bins)
            stop = min(max(int((starts[p] - clip[0] - low) / lag), 0), bins)
            if stop > begin:
                seen_in[begin] += 1
                seen_in[stop] -= 1
        from_bin = max(int((least[z] - low) / lag), 0)
        for w in range(len(widths)):
            reach = widths[w]
            hit_out = np.zeros(bins + 1)
            hit_in = np.zeros(bins + 1)
            # A window starting at bin k holds the lags of bins k .. k + reach - 1.
            for i in range(n):
                covered = 0
                begin = a + np.searchsorted(starts[a:b], time[i] + max(low, least[z]))
                for p in range(begin, b):
                    if starts[p] > until[i]:
                        break
                    at = int((starts[p] - time[i] - low) / lag)
                    if at >= bins:
                        break
                    first = max(at - reach + 1, covered)
                    if at + 1 > first:
                        hit_out[first] += 1
                        hit_out[at + 1] -= 1
                    covered = max(covered, at + 1)
            for q in range(m):
                p = a + q
                covered = bins
                # Sources in order of time have falling lags.
                for i in range(n):
                    if starts[p] > until[i]:
                        continue
                    delay = starts[p] - time[i]
                    if delay < max(low, least[z]):
                        break
                    at = int((delay - low) / lag)
                    if at >= bins:
                        continue
                    first = max(at - reach + 1, 0)
                    stop = min(at + 1, covered)
                    if stop > first:
                        hit_in[first] += 1
                        hit_in[stop] -= 1
                        covered = first
            chance_out = 1 - np.exp(-rate_in * reach * lag)
            chance_in = 1 - np.exp(-rate_out * reach * lag)
            ko = ki = no = ni = 0.0
            for k in range(bins):
                ko += hit_out[k]
                ki += hit_in[k]
                no += seen_out[k]
                ni += seen_in[k]
                if k < from_bin or k + reach > bins or ko < 2 or ki < 2:
                    continue
                so = min(ko / max(no, ko, 1.0), 0.98)
                si = min(ki / max(ni, ki, 1.0), 0.98)
                if so <= chance_out or si <= chance_in:
                    continue
                total_o = max(no, ko)
                total_i = max(ni, ki)
                nats = total_o * (so * np.log(so / chance_out) + (1 - so) * np.log((1 - so) / (1 - chance_out)))
                nats += total_i * (si * np.log(si / chance_in) + (1 - si) * np.log((1 - si) / (1 - chance_in)))
                nats *= 0.5
                if np.isfinite(expected[z]):
                    middle = low + (k + reach // 2 + 0.5) * lag
                    nats += np.log(0.03 + compiled_likelihood(middle, expected[z]))
                if nats > score[z]:
                    score[z] = nats
                    place[z] = k + reach / 2
                    width[z] = reach
                    share[z] = (so - chance_out) / (1 - chance_out)
    return count, score, place, width, share


def support(
    sources: TrackEnds,
    entries: TrackEnds,
    source: npt.NDArray[np.generic],
    target: npt.NDArray[np.generic],
    low: npt.NDArray[np.float64],
    width: npt.NDArray[np.float64],
    summaries: TrackSummaries,
) -> npt.NDArray[np.float64]:
    """(m,) nats by which more events of two zones have a partner at a given travel time than chance would give.

    Args:
        sources, entries: the ends.
        source, target: (m,) zones.
        low, width: (m,) window of the travel time in seconds.
        summaries: for how long each camera recorded.
    """
    nats: npt.NDArray[np.float64] = _compiled_support(
        *_by_zone(sources), *_by_zone(entries), source.astype(np.int64), target.astype(np.int64), low, width,
        summaries.recorded[sources.camera], summaries.recorded[entries.camera],
    )  # fmt: skip
    return nats


def _by_zone(ends: TrackEnds) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Times sorted by (zone, time), and where each zone begins."""
    order = np.lexsort((ends.time, ends.zone))
    return ends.time[order], np.searchsorted(ends.zone[order], np.arange(len(ends.camera) + 1)).astype(np.int64)


@numba.njit(cache=True)
def _compiled_support(  # type: ignore[no-untyped-def]  # pragma: no cover
    out_time, out_first, in_time, in_first, source, target, low, width, out_clip, in_clip
):
    result = np.zeros(len(source))
    for m in range(len(source)):
        s, t = source[m], target[m]
        left = out_time[out_first[s] : out_first[s + 1]]
        came = in_time[in_first[t] : in_first[t + 1]]
        if len(left) == 0 or len(came) == 0:
            continue
        nats = 0.0
        for side in range(2):
            if side == 0:
                mine, theirs, begin, clip = left, came, low[m], in_clip[t]
            else:
                mine, theirs, begin, clip = came, left, -low[m] - width[m], out_clip[s]
            rate = len(theirs) / max(clip[1] - clip[0], 1.0)
            chance = min(1 - np.exp(-rate * width[m]), 0.98)
            seen = hits = 0
            for i in range(len(mine)):
                a, b = mine[i] + begin, mine[i] + begin + width[m]
                found = np.searchsorted(theirs, b, "right") > np.searchsorted(theirs, a, "left")
                if found:
                    hits += 1
                if found or (a >= clip[0] and b <= clip[1]):
                    seen += 1
            if seen == 0:
                continue
            share = min(max(hits / seen, 1e-9), 0.98)
            if share > chance:
                nats += seen * (share * np.log(share / chance) + (1 - share) * np.log((1 - share) / (1 - chance)))
            else:
                nats -= 1.0
        result[m] = 0.5 * nats
    return result
