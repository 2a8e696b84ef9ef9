"""Which zones may be linked, found from the times of exits and entries alone: a peak of their cross-correlation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.screening import Screen
from mtmc.association.links.candidates import LinkTable, camera_ends, find_pairs
from mtmc.association.links.correlation import correlate, support
from mtmc.association.links.geography import expected_travel, travel_likelihood, usual_speed, zone_places
from mtmc.association.links.travel_times import BINS, TravelTimes
from mtmc.association.links.zones import RawEnds, TrackEnds
from mtmc.association.track_summaries import TrackSummaries

FINE_LAG, COARSE_LAG = 0.1, 0.5
"""Seconds a bin of the lags that are tried, in small and in large scenarios."""
FINE_ZONES = 10_000
"""Most pairs of zones for which the fine bins are affordable."""
CLEAR_PEAK = 12.0
"""Nats of evidence above which a link counts in a large scenario: about one false link in 160,000 places tried."""
SUCCESSION_SHARE, OVERLAP_SHARE = 0.6, 0.1
"""Share of a zone's vehicles that all its links of one kind are expected to take."""
CALIBRATED_SHARE = 0.75
"""The same of successions where calibration tells which zones lead to which."""
ALONE = 0.8
"""Share of its prior that a link keeps which a single vehicle takes, where appearance may tell that it does."""
RETURN_ODDS = 0.1
"""How likely a vehicle comes back to the camera that it left, against another one."""
LINKS_PER_ZONE = 12
"""Most links kept of one zone in a large scenario."""
SCREENABLE = 60_000_000
"""Most pairs of which those that look alike are picked out one by one."""
PASSING = 25
"""Pairs of each track, on the mean, that pass."""
ZONE_CHOICE = 2.0
"""Nats that evidence of two whole cameras is worth less for two of their zones."""
LEAST_OWN = 1.0
"""Nats that the events of two zones must give for what their cameras show to count."""


@dataclass(frozen=True, slots=True)
class LinkPrior:
    """What is believed of each link before any pair was weighed.

    Attributes:
        probability: (l,) share of the vehicles at the source zone that take the link.
        alone: (l,) share of that probability that a link keeps where only a vehicle or two could take it.
        first: (l,) the same, with what the correlation of events suggests: where learning starts.
        sure: (l,) how much of the travel times that learning starts from lies in the peak, not spread as `times`.
        peak: travel times that most events agree on.
        times: broad travel times that back up the learned ones where few vehicles were seen.
        chance: travel times of pairs that have nothing to do with each other; None where a person vouches for all
            links.
    """

    probability: npt.NDArray[np.float64]
    alone: npt.NDArray[np.float64]
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
    returns: bool = True,
    screening: Callable[[float], Screen] | None = None,
) -> tuple[LinkTable, LinkPrior, Screen | None]:
    """Candidate links with a first idea of their travel times.

    Args:
        summaries: the tracks.
        entries, exits: their ends in zones.
        longest_travel, longest_overlap: the window of travel times is [-longest_overlap, longest_travel] seconds.
        budget: most pairs in all windows together. Below it every two zones may be linked; above it only those that a
            screened pair joins or, without a screen, those whose events correlate clearly, with windows around their
            peaks.
        returns: whether vehicles may come back to the camera that they left. Arrivals follow departures in the rhythm
            of traffic lights, so times alone cannot tell a return; appearance can.
        screening: makes a screen that lets a share of the pairs pass; None where nothing is known of appearance.

    Returns:
        The links, what is believed of them, and the screen that their pairs must pass, if any.
    """
    lag = FINE_LAG if len(entries.camera) * max(len(exits.camera), len(entries.camera)) <= FINE_ZONES else COARSE_LAG
    speed = usual_speed(summaries)
    arrive = zone_places(summaries, entries, entry=True)
    leave = zone_places(summaries, exits, entry=False)
    expected, odds = expected_travel(leave, arrive, speed)
    none = np.full((len(entries.camera), len(entries.camera)), np.nan)
    tables = [
        correlate(
            summaries,
            exits,
            entries,
            (-longest_overlap, longest_travel),
            lag,
            False,
            expected,
        ),
        correlate(summaries, entries, entries, (0.0, longest_travel), lag, True, none),
    ]
    found = [np.concatenate([np.asarray(t[k]) for t in tables]) for k in range(len(tables[0]))]
    _lean_on_cameras(summaries, entries, exits, found, (-longest_overlap, longest_travel), lag, expected)
    overlap, source, target, low, high, pairs, score, peak, width, taken = found
    keep = pairs > 0
    if not returns:
        starts_in = np.where(overlap, _camera_of(entries, source), _camera_of(exits, source))
        keep &= starts_in != _camera_of(entries, target)
    total, screen = int(pairs.sum()), None
    if budget < total <= SCREENABLE and screening is not None:
        # Few vehicles between many cameras: times tell little. What looks alike is weighed, on all its links.
        screen = screening(min(PASSING * len(summaries) / total, 1.0))
        rows = np.flatnonzero(keep)
        table = _table(found, rows)
        kept = find_pairs(summaries, entries, exits, table, screen.passes)
        keep[rows[np.bincount(kept.link, minlength=len(rows)) == 0]] = False
    elif total > budget:
        keep &= score > CLEAR_PEAK
        # The best links of each source zone, by evidence.
        order = np.lexsort((-score, ~keep, source, overlap))
        group = np.stack([overlap[order], source[order]], 1)
        new = np.concatenate([[True], (np.diff(group, axis=0) != 0).any(1)])
        begin = np.flatnonzero(new)
        place = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
        keep[order[place >= LINKS_PER_ZONE]] = False
        reach = np.maximum(2.0 * width, 5.0)
        found[3], found[4] = np.maximum(low, peak - reach), np.minimum(high, peak + reach)
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((target[rows], source[rows], overlap[rows]))]
    table = _table(found, rows)
    seconds = np.where(table.overlap, np.nan, _of_links(expected, table))
    likely = np.where(table.overlap, np.nan, _of_links(odds, table))
    chance = broad_times(table)
    spread = _withtravel_likelihood(chance, seconds)
    sure = np.clip((score[rows] - np.where(table.overlap, 8.0, 3.0)) / 8.0, 0.0, 0.9)
    likely = np.where(np.isfinite(likely), likely, 0.3)
    starts_in = np.where(table.overlap, _camera_of(entries, table.source), _camera_of(exits, table.source))
    back = starts_in == _camera_of(entries, table.target)
    likely = np.where(back, RETURN_ODDS * likely, likely)
    probability = _shares(table, likely, np.isfinite(seconds))
    # Arrivals follow departures in the rhythm of traffic lights: that alone does not make vehicles return.
    sure = np.where(back, 0.0, sure)
    # What contradicts geography needs more evidence to start with.
    sure = sure * likely / (likely + 0.05)
    first = np.maximum(probability, sure * taken[rows])
    # Where nothing but time chooses partners, or links are chosen by time, nobody could tell.
    by_time = screening is None or (total > budget and screen is None)
    alone = np.full(len(table), 0.0 if by_time else ALONE)
    return table, LinkPrior(probability, alone, first, sure, _peaks(peak[rows], width[rows]), spread, chance), screen


def _table(columns: list[npt.NDArray[np.generic]], rows: npt.NDArray[np.int64]) -> LinkTable:
    """Links of some rows of the columns of `correlate`."""
    overlap, source, target, low, high = (column[rows] for column in columns[:5])
    return LinkTable(
        overlap.astype(np.bool_),
        source.astype(np.int64),
        target.astype(np.int64),
        low.astype(np.float64),
        high.astype(np.float64),
    )


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
    Which zones it joins, their own events must tell, at the travel time that all of them together show.
    """
    count = len(summaries.cameras)
    coming = replace(camera_ends(RawEnds.entries(summaries), count), time=entries.time)
    going = replace(camera_ends(RawEnds.exits(summaries), count), time=exits.time)
    unknown = np.full((count, count), np.nan)
    overlap, source, target, _, _, _, score, peak, width, taken = columns
    for over, ends, starts in ((False, going, exits), (True, coming, entries)):
        whole = correlate(summaries, ends, coming, window if not over else (0.0, window[1]), lag, over, unknown)
        rows = np.flatnonzero(overlap == over)
        pair = starts.camera[source[rows].astype(np.int64)].astype(np.int64) * count
        pair += entries.camera[target[rows].astype(np.int64)]
        # A camera's own arrivals follow its departures in the rhythm of a traffic light, not because vehicles return.
        rows, pair = rows[pair // count != pair % count], pair[pair // count != pair % count]
        middle, reach = np.asarray(whole[7], np.float64)[pair], np.asarray(whole[8], np.float64)[pair]
        own = support(starts, entries, source[rows], target[rows], middle - 0.5 * reach, reach, summaries)
        # Cameras vouch for zones at most as much as these do themselves.
        clear = own + np.clip(np.asarray(whole[6], np.float64)[pair] - ZONE_CHOICE, 0.0, np.maximum(own, 0.0))
        if not over:
            seconds = expected[source[rows].astype(np.int64), target[rows].astype(np.int64)]
            fits = np.log(0.03 + travel_likelihood(middle, seconds))
            clear += np.where(np.isfinite(seconds), fits, 0.0)
        better = (own > LEAST_OWN) & (clear > score[rows].astype(np.float64))
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


def _camera_of(ends: TrackEnds, zone: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """Camera of each zone; meaningless for numbers of the other kind of zone."""
    result: npt.NDArray[np.int32] = ends.camera[np.minimum(zone.astype(np.int64), len(ends.camera) - 1)]
    return result


def _shares(
    table: LinkTable, likely: npt.NDArray[np.float64], calibrated: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Prior probability of each link: the links of a source zone share what does not leave, as geography has it."""
    if len(table) == 0:
        return np.zeros(0)
    _, zone = np.unique(np.stack([table.overlap, table.source], 1), axis=0, return_inverse=True)
    zone = zone.reshape(-1)
    total = np.bincount(zone, likely)[zone]
    whole = np.where(table.overlap, OVERLAP_SHARE, np.where(calibrated, CALIBRATED_SHARE, SUCCESSION_SHARE))
    # Where no zone lies well, little leads anywhere.
    result: npt.NDArray[np.float64] = whole * likely / np.maximum(total, 0.3)
    return result


def _withtravel_likelihood(spread: TravelTimes, seconds: npt.NDArray[np.float64]) -> TravelTimes:
    """Broad travel times drawn towards the expected seconds (NaN: not known), which calibration may get wrong."""
    known = np.flatnonzero(np.isfinite(seconds))
    density = spread.density.copy()
    middle = spread.first[known, None] + (np.arange(BINS) + 0.5) * spread.step[known, None]
    bell = travel_likelihood(middle, seconds[known, None]) + 1e-9
    bell /= (bell.sum(1) * spread.step[known])[:, None]
    density[known] = 0.25 * density[known] + 0.75 * bell
    return TravelTimes(spread.first, spread.step, density, spread.peak)


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
