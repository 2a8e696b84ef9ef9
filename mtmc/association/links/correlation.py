"""Evidence for a travel time between two zones from the times of their events alone: do arrivals follow departures?"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from common.table import Table
from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.geography import GEOGRAPHY_FLOOR, compiled_likelihood
from mtmc.association.links.zones import TrackEnds
from mtmc.association.track_summaries import TrackSummaries

WIDTHS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Widths in seconds of the travel-time windows that are tried. Raising them, or adding more, finds links with a wider
scatter of travel times, at the cost of time and of more chance peaks. Theory: doubling widths, from the scatter of free
traffic to that of a traffic light."""

SPARSE = 64
"""Pairs of events of two zones up to which windows that hold none or one of them are skipped. Raising it saves time in
large scenarios until sorting costs more; the result does not change. Safety bound on time."""


@dataclass(frozen=True, slots=True)
class Correlations(Table):
    """Cross-correlation of the events of zone pairs, one row per pair of zones.

    Attributes:
        overlap: (k,) bool, False for exits followed by entries, True for entries that overlap.
        source: (k,) int64, an exit zone, or an entry zone for an overlap.
        target: (k,) int64, an entry zone.
        low, high: (k,) float64, travel times that are considered, in seconds.
        pairs: (k,) float64, number of pairs of tracks within these travel times.
        evidence: (k,) float64, log-likelihood ratio in nats of the best travel-time window against chance, at least 0.
        peak: (k,) float64, middle of that window in seconds.
        width: (k,) float64, its width in seconds.
        share: (k,) float64, share of the source's vehicles that take the link, if the evidence holds.
    """

    overlap: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    pairs: npt.NDArray[np.float64]
    evidence: npt.NDArray[np.float64]
    peak: npt.NDArray[np.float64]
    width: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]

    def links(self, rows: npt.NDArray[np.int64]) -> LinkTable:
        """Links of some rows."""
        return LinkTable(self.overlap[rows], self.source[rows], self.target[rows], self.low[rows], self.high[rows])


def correlate(
    summaries: TrackSummaries,
    sources: TrackEnds,
    entries: TrackEnds,
    *,
    window: tuple[float, float],
    lag: float,
    overlap: bool,
    expected: npt.NDArray[np.float64],
) -> Correlations:
    """Correlate the events of every source zone with those of every entry zone.

    At the true travel time of a link, more departures are followed by an arrival, and more arrivals are preceded by a
    departure, than the rates of events let expect by chance.

    Args:
        summaries: the tracks, for how long each camera recorded.
        sources: the exits, or the entries to look for overlaps.
        entries: the entries.
        window: shortest and longest travel time in seconds.
        lag: resolution of travel times in seconds.
        overlap: whether to look for overlaps, where the target must be entered while the source is still in view.
        expected: (source zones, entry zones) travel time in seconds from geography, NaN where unknown.

    Returns:
        One row per pair of zones, ordered by (source, target).
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

    def row(index: int) -> Correlations:
        rows = by_zone[spans[index] : spans[index + 1]]
        camera = sources.camera[index]
        same = entries.camera == camera
        until = summaries.end[rows] if overlap else np.full(len(rows), np.inf)
        # Calibrated cameras tell from places, not from times, whether they see the same vehicle at once.
        known_by_place = same | (calibrated[camera] & calibrated[entries.camera]) if overlap else same
        earliest = np.where(known_by_place, np.inf if overlap else 0.0, low)
        count, evidence, place, width, share = _agreement(
            time[rows], until, starts, bounds, summaries.recorded[entries.camera], summaries.recorded[camera],
            earliest, low, lag, bins, widths, expected[index],
        )  # fmt: skip
        zones = len(evidence)
        return Correlations(
            overlap=np.full(zones, overlap),
            source=np.full(zones, index, np.int64),
            target=np.arange(zones, dtype=np.int64),
            low=np.where(same, 0.0, low),
            high=np.full(zones, high, np.float64),
            pairs=count,
            evidence=evidence,
            peak=low + place * lag,
            width=width * lag,
            share=share,
        )

    # The compiled part releases the interpreter lock, and zones do not depend on each other.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return Correlations.concatenate(list(pool.map(row, range(len(sources.camera)))))


def _agreement(*arguments: object) -> tuple[npt.NDArray[np.float64], ...]:
    found: tuple[npt.NDArray[np.float64], ...] = _compiled_agreement(*arguments)
    return found


@numba.njit(cache=True, nogil=True)
def _compiled_agreement(  # type: ignore[no-untyped-def]  # pragma: no cover
    time, until, starts, bounds, target_clips, clip, earliest, low, lag, bins, widths, expected
):
    """For one source zone and every target zone: number of pairs, and evidence, place, width and share of the best
    window.

    At a lag and width that match the travel time, more events than by chance have at least one partner in the window.
    The evidence is the binomial log-likelihood ratio, averaged over both sides. Counting pairs instead of events with a
    partner would find platoons everywhere.
    """
    zones = len(bounds) - 1
    count = np.zeros(zones)
    score = np.zeros(zones)
    place = np.full(zones, bins / 2)
    width = np.full(zones, float(bins))
    share = np.zeros(zones)
    n = len(time)
    lags = np.empty(2 * SPARSE, np.int64)
    for z in range(zones):
        a, b = bounds[z], bounds[z + 1]
        m = b - a
        if m == 0 or n == 0 or earliest[z] == np.inf:
            continue
        for i in range(n):
            begin = a + np.searchsorted(starts[a:b], time[i] + max(low, earliest[z]))
            stop = a + np.searchsorted(starts[a:b], min(until[i], time[i] + low + bins * lag), "right")
            count[z] += max(stop - begin, 0)
        # Fewer than two events on a side show nothing; only the pairs are counted.
        if n < 2 or m < 2 or count[z] < 2:
            continue
        rate_in = m / max(target_clips[z, 1] - target_clips[z, 0], 1.0)
        rate_out = n / max(clip[1] - clip[0], 1.0)
        # Events of each side whose partner at a given lag would fall into the other side's clip.
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
        for k in range(bins):
            seen_out[k + 1] += seen_out[k]
            seen_in[k + 1] += seen_in[k]
        from_bin = max(int((earliest[z] - low) / lag), 0)
        # Few pairs leave most bins empty. No window shows anything unless the lags of two pairs fit into it.
        nearest, lowest, highest = 0, 0, bins - 1
        if count[z] <= SPARSE:
            number = 0
            for i in range(n):
                begin = a + np.searchsorted(starts[a:b], time[i] + max(low, earliest[z]))
                for p in range(begin, b):
                    at = int((starts[p] - time[i] - low) / lag)
                    if starts[p] > until[i] or at >= bins or number == len(lags):
                        break
                    lags[number] = at
                    number += 1
            if number < 2:
                continue
            ordered = np.sort(lags[:number])
            nearest, lowest, highest = bins, ordered[0], ordered[-1]
            for i in range(1, number):
                nearest = min(nearest, ordered[i] - ordered[i - 1])
        for w in range(len(widths)):
            reach = widths[w]
            if nearest >= reach:
                continue
            hit_out = np.zeros(bins + 1)
            hit_in = np.zeros(bins + 1)
            # A window starting at bin k holds the lags of bins k .. k + reach - 1.
            for i in range(n):
                covered = 0
                begin = a + np.searchsorted(starts[a:b], time[i] + max(low, earliest[z]))
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
                # Sources in order of time have decreasing lags.
                for i in range(n):
                    if starts[p] > until[i]:
                        continue
                    delay = starts[p] - time[i]
                    if delay < max(low, earliest[z]):
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
            ko = ki = 0.0
            for k in range(max(lowest - reach + 1, 0), highest + 1):
                ko += hit_out[k]
                ki += hit_in[k]
                no, ni = seen_out[k], seen_in[k]
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
                    nats += np.log(GEOGRAPHY_FLOOR + compiled_likelihood(middle, expected[z]))
                if nats > score[z]:
                    score[z] = nats
                    place[z] = k + reach / 2
                    width[z] = reach
                    share[z] = (so - chance_out) / (1 - chance_out)
    return count, score, place, width, share


def support(
    sources: TrackEnds,
    entries: TrackEnds,
    summaries: TrackSummaries,
    *,
    source: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    low: npt.NDArray[np.float64],
    width: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """(m,) evidence in nats that more events of two zones have a partner at a given travel time than by chance.

    Args:
        sources, entries: the track ends.
        summaries: the tracks, for how long each camera recorded.
        source, target: (m,) zones.
        low, width: (m,) start and width of the travel-time window in seconds.
    """
    nats: npt.NDArray[np.float64] = _compiled_support(
        *_by_zone(sources), *_by_zone(entries), source, target, low, width,
        summaries.recorded[sources.camera], summaries.recorded[entries.camera],
    )  # fmt: skip
    return nats


def _by_zone(ends: TrackEnds) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Times sorted by (zone, time), and the first row of each zone, with the number of rows at the end."""
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
