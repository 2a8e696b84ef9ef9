"""Which zones may be linked, found from the times of exits and entries alone: a peak of their cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.candidates import LinkTable, camera_ends
from mtmc.association.geography import expected_travel, usual_speed, zone_places
from mtmc.association.summaries import TrackSummaries
from mtmc.association.travel import BINS, TravelTimes
from mtmc.association.zones import RawEnds, TrackEnds

FINE_LAG, COARSE_LAG = 0.1, 0.5
"""Seconds a bin of the lags that are tried, in small and in large scenarios."""
FINE_ZONES = 10_000
"""Most pairs of zones for which the fine bins are affordable."""
WIDTHS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Widths of the windows of travel time tried, in seconds."""
CLEAR_PEAK = 12.0
"""Nats of evidence above which a link counts in a large scenario: about one false link in 160,000 places tried."""
SUCCESSION_SHARE, OVERLAP_SHARE = 0.6, 0.1
"""Share of a zone's vehicles that all its links of one kind are expected to take."""
RETURN_ODDS = 0.1
"""How likely a vehicle comes back to the camera that it left, against another one."""
LINKS_PER_ZONE = 12
"""Most links kept of one zone in a large scenario."""
ZONE_CHOICE = 2.0
"""Nats that evidence of two whole cameras is worth less for two of their zones: which ones, it does not say."""
GEOGRAPHY_SPREAD = 0.45
"""Standard deviation of the log of the travel time about what calibration lets expect."""


@dataclass(frozen=True, slots=True)
class LinkPrior:
    """What is believed of each link before any pair was weighed.

    Attributes:
        probability: (l,) share of the vehicles at the source zone that take the link.
        first: (l,) the same, with what the correlation of events suggests: where learning starts.
        sure: (l,) how much of the travel times that learning starts from lies in the peak, not spread as `times`.
        peak: travel times that most events agree on.
        times: broad travel times that back up the learned ones where few vehicles were seen.
        chance: travel times of pairs that have nothing to do with each other; None where a person vouches for all
            links.
    """

    probability: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    sure: npt.NDArray[np.float64]
    peak: TravelTimes
    times: TravelTimes
    chance: TravelTimes | None


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
    lag = FINE_LAG if len(entries.camera) * max(len(exits.camera), len(entries.camera)) <= FINE_ZONES else COARSE_LAG
    speed = usual_speed(summaries)
    arrive = zone_places(summaries, entries, entry=True)
    leave = zone_places(summaries, exits, entry=False)
    expected, odds = expected_travel(leave, arrive, speed)
    none = np.full((len(entries.camera), len(entries.camera)), np.nan)
    tables = [
        _correlate(
            summaries,
            exits,
            entries,
            (-longest_overlap, longest_travel),
            lag,
            False,
            expected,
        ),
        _correlate(summaries, entries, entries, (0.0, longest_travel), lag, True, none),
    ]
    found = [np.concatenate([np.asarray(t[k]) for t in tables]) for k in range(len(tables[0]))]
    _lean_on_cameras(summaries, entries, exits, found, (-longest_overlap, longest_travel), lag, expected)
    overlap, source, target, low, high, pairs, score, peak, width, taken = found
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
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((target[rows], source[rows], overlap[rows]))]
    table = LinkTable(
        overlap[rows].astype(np.bool_),
        source[rows].astype(np.int64),
        target[rows].astype(np.int64),
        low[rows].astype(np.float64),
        high[rows].astype(np.float64),
    )
    seconds = np.where(table.overlap, np.nan, _of_links(expected, table))
    likely = np.where(table.overlap, np.nan, _of_links(odds, table))
    chance = broad_times(table)
    spread = _with_geography(chance, seconds)
    sure = np.clip((score[rows] - np.where(table.overlap, 8.0, 3.0)) / 8.0, 0.0, 0.9)
    likely = np.where(np.isfinite(likely), likely, 0.3)
    starts_in = np.where(table.overlap, _camera_of(entries, table.source), _camera_of(exits, table.source))
    likely = np.where(starts_in == _camera_of(entries, table.target), RETURN_ODDS * likely, likely)
    probability = _shares(table, likely)
    # What contradicts geography needs more evidence to start with.
    sure = sure * likely / (likely + 0.05)
    first = np.maximum(probability, sure * taken[rows])
    return table, LinkPrior(probability, first, sure, _peaks(peak[rows], width[rows]), spread, chance)


def _lean_on_cameras(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    columns: list[npt.NDArray[np.generic]],
    window: tuple[float, float],
    lag: float,
    expected: npt.NDArray[np.float64],
) -> None:
    """Where the events of two whole cameras agree more clearly than those of two of their zones, the zones' columns
    (of `_correlate`) take the cameras' evidence and travel time, in place.

    Few vehicles, spread over lanes and turns, leave each zone with one or two events; together they show the link.
    """
    count = len(summaries.cameras)
    coming = camera_ends(RawEnds.entries(summaries), count)
    going = camera_ends(RawEnds.exits(summaries), count)
    unknown = np.full((count, count), np.nan)
    overlap, source, target, _, _, _, score, peak, width, taken = columns
    for over, ends, starts in ((False, going, exits), (True, coming, entries)):
        whole = _correlate(summaries, ends, coming, window if not over else (0.0, window[1]), lag, over, unknown)
        rows = np.flatnonzero(overlap == over)
        pair = starts.camera[source[rows].astype(np.int64)].astype(np.int64) * count
        pair += entries.camera[target[rows].astype(np.int64)]
        clear = np.asarray(whole[6], np.float64)[pair] - ZONE_CHOICE
        if not over:
            seconds = expected[source[rows].astype(np.int64), target[rows].astype(np.int64)]
            fits = np.log(0.03 + _geography(np.asarray(whole[7], np.float64)[pair], seconds))
            clear += np.where(np.isfinite(seconds), fits, 0.0)
        better = clear > score[rows].astype(np.float64)
        rows, pair = rows[better], pair[better]
        score[rows] = clear[better]
        for mine, theirs in ((peak, whole[7]), (width, whole[8]), (taken, whole[9])):
            mine[rows] = theirs[pair]


def _of_links(values: npt.NDArray[np.float64], table: LinkTable) -> npt.NDArray[np.float64]:
    """values[source, target] of each link; only meaningful for successions."""
    if values.size == 0:
        return np.full(len(table), np.nan)
    result: npt.NDArray[np.float64] = values[
        np.minimum(table.source, len(values) - 1), np.minimum(table.target, values.shape[1] - 1)
    ]
    return result


def _camera_of(ends: TrackEnds, zone: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Camera of each zone; meaningless for numbers of the other kind of zone."""
    result: npt.NDArray[np.int32] = ends.camera[np.minimum(zone, len(ends.camera) - 1)]
    return result


def _shares(table: LinkTable, likely: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Prior probability of each link: the links of a source zone share what does not leave, as geography has it."""
    if len(table) == 0:
        return np.zeros(0)
    _, zone = np.unique(np.stack([table.overlap, table.source], 1), axis=0, return_inverse=True)
    zone = zone.reshape(-1)
    total = np.bincount(zone, likely)[zone]
    whole = np.where(table.overlap, OVERLAP_SHARE, SUCCESSION_SHARE)
    # Where no zone lies well, little leads anywhere.
    result: npt.NDArray[np.float64] = whole * likely / np.maximum(total, 0.3)
    return result


def _with_geography(spread: TravelTimes, seconds: npt.NDArray[np.float64]) -> TravelTimes:
    """Broad travel times drawn towards the expected seconds (NaN: not known), which calibration may get wrong."""
    known = np.flatnonzero(np.isfinite(seconds))
    density = spread.density.copy()
    middle = spread.first[known, None] + (np.arange(BINS) + 0.5) * spread.step[known, None]
    bell = _geography(middle, seconds[known, None]) + 1e-9
    bell /= (bell.sum(1) * spread.step[known])[:, None]
    density[known] = 0.25 * density[known] + 0.75 * bell
    return TravelTimes(spread.first, spread.step, density, spread.peak)


def _geography(lag: npt.NDArray[np.float64], seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Density, up to a factor, of travel times that should take `seconds`: mostly within half as long again."""
    deviation = GEOGRAPHY_SPREAD * seconds + 1.5
    # Waiting makes late arrivals likelier than early ones.
    deviation = np.where(lag > seconds, 1.5 * deviation, deviation)
    result: npt.NDArray[np.float64] = np.exp(-0.5 * ((lag - seconds) / deviation) ** 2)
    return result


def broad_times(table: LinkTable) -> TravelTimes:
    """Travel times of links of which nothing is known: shorter ones are likelier, any in the window is possible."""
    step = (table.high - table.low) / BINS
    middle = table.low[:, None] + (np.arange(BINS) + 0.5) * step[:, None]
    density = np.exp(-np.maximum(middle, 0.0) / 60.0) * np.where(middle < 0, np.exp(middle / 5.0), 1.0) + 0.02
    density /= (density.sum(1) * step)[:, None]
    return TravelTimes(table.low.copy(), step, density, np.zeros(len(table)))


def _peaks(peak: npt.NDArray[np.float64], width: npt.NDArray[np.float64]) -> TravelTimes:
    """Normal travel times around each peak, on bins as fine as its width."""
    deviation = 0.5 * np.maximum(width, 0.3)
    step = 8.0 * deviation / BINS
    first = peak - 4.0 * deviation
    middle = (np.arange(BINS) + 0.5) * step[:, None] - 4.0 * deviation[:, None]
    bell = np.exp(-0.5 * (middle / deviation[:, None]) ** 2)
    bell /= (bell.sum(1) * step)[:, None]
    return TravelTimes(first, step, bell, np.zeros(len(peak)))


def _correlate(
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
    middle = low + (np.arange(bins) + 0.5) * lag
    widths = np.array([max(round(w / lag), 1) for w in WIDTHS if w >= lag], np.int64)
    calibrated = np.zeros(len(summaries.cameras), np.bool_)
    calibrated[summaries.camera[np.diff(summaries.ground_first) > 0]] = True
    columns: list[list[npt.NDArray[np.generic]]] = []
    for index in range(len(sources.camera)):
        rows = by_zone[spans[index] : spans[index + 1]]
        camera = sources.camera[index]
        same = entries.camera == camera
        until = summaries.end[rows] if overlap else np.full(len(rows), np.inf)
        # Calibrated cameras tell by places, not by times, whether they see the same vehicle at once.
        known_by_place = same | (calibrated[camera] & calibrated[entries.camera]) if overlap else same
        seconds = expected[index]
        bonus = np.zeros((len(same), bins))
        known = np.isfinite(seconds)
        bonus[known] = np.log(0.03 + _geography(np.asarray(middle, np.float64), seconds[known, None]))
        least = np.where(known_by_place, np.inf if overlap else 0.0, low)
        count, score, place, width, share = _agreement(
            time[rows], until, starts, bounds, summaries.recorded[entries.camera], summaries.recorded[camera],
            least, low, lag, bins, widths, bonus,
        )  # fmt: skip
        columns.append(
            [
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
        )
    if not columns:
        return [np.zeros(0)] * 10
    return [np.concatenate([c[k] for c in columns]) for k in range(10)]


def _agreement(*arguments: object) -> tuple[npt.NDArray[np.float64], ...]:
    found: tuple[npt.NDArray[np.float64], ...] = _compiled_agreement(*arguments)
    return found


@numba.njit(cache=True)
def _compiled_agreement(  # type: ignore[no-untyped-def]  # pragma: no cover
    time, until, starts, bounds, target_clips, clip, least, low, lag, bins, widths, bonus
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
                    if w == 0:
                        count[z] += 1
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
                nats = 0.5 * nats + bonus[z, k + reach // 2]
                if nats > score[z]:
                    score[z] = nats
                    place[z] = k + reach / 2
                    width[z] = reach
                    share[z] = (so - chance_out) / (1 - chance_out)
    return count, score, place, width, share
