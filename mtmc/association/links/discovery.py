"""Find the pairs of zones that may be linked from the times of exits and entries alone: a peak of their
cross-correlation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.screening import CandidatePruning
from mtmc.association.links.candidates import LinkTable, camera_ends, find_pairs
from mtmc.association.links.correlation import Correlations, correlate, support
from mtmc.association.links.geography import (
    GEOGRAPHY_FLOOR,
    expected_travel,
    travel_likelihood,
    usual_speed,
    zone_places,
)
from mtmc.association.links.travel_times import BINS, TravelTimes
from mtmc.association.links.zones import RawEnds, TrackEnds
from mtmc.association.track_summaries import TrackSummaries

FINE_LAG = 0.1
"""Seconds per bin of the travel times that are tried, in small scenarios. Raising it blurs peaks and saves time.
Theory: finer than the scatter of free traffic."""
COARSE_LAG = 0.5
"""Seconds per bin in large scenarios. Raising it blurs peaks and saves time. Safety bound on time."""
FINE_ZONES = 10_000
"""Pairs of zones up to which the fine bins are used. Raising it costs time in large scenarios. Safety bound on time."""
DISTINCT_PEAK = 12.0
"""Nats of evidence above which a link is kept in a large scenario. Raising it keeps fewer links. Development scenarios:
evidence is the best of many delays and widths, so its number of nats is no probability of a false link."""
SUCCESSION_SHARE = 0.6
"""Share of a zone's vehicles that take any of its successions, before learning. Raising it joins more tracks.
Development scenarios."""
OVERLAP_SHARE = 0.1
"""Share of a zone's vehicles that take any of its overlaps, before learning. Raising it expects more overlapping fields
of view. Development scenarios."""
CALIBRATED_SHARE = 0.75
"""Share of a zone's vehicles that take any of its successions, before learning, where geography is known. Raising it
joins more tracks. Development scenarios."""
UNKNOWN_LIKELIHOOD = 0.3
"""Relative likelihood of a link without geography. Raising it favours links of uncalibrated cameras over those of
calibrated ones. Development scenarios."""
LONE_SHARE = 0.8
"""Share of its prior that a link keeps when a single vehicle could take it and appearance can tell whether it does.
Raising it joins more rare journeys. Development scenarios."""
RETURN_ODDS = 0.1
"""Odds that a vehicle returns to the camera that it left, relative to another camera. Raising it finds more U-turns and
more false ones. Development scenarios."""
LINKS_PER_ZONE = 12
"""Links kept per source zone in a large scenario. Raising it keeps weaker links and more candidate pairs. Theory: more
than the ways out of a crossing."""
MAX_PRUNABLE = 60_000_000
"""Candidate pairs up to which they are pruned by appearance one by one. Raising it costs time in large scenarios.
Safety bound on time."""
PAIRS_PER_TRACK = 25
"""Candidate pairs per track that pruning keeps on average. Raising it loses fewer true pairs of poor features and costs
time. Development scenarios."""
ZONE_CHOICE = 2.0
"""Nats by which the evidence of two whole cameras is reduced for a pair of their zones. Raising it relies less on whole
cameras. Theory: the choice among the pairs of zones of two cameras, about log 7."""
MIN_OWN = 1.0
"""Nats that the events of two zones must contribute for the evidence of their cameras to count. Raising it relies less
on whole cameras. Development scenarios."""
SURE_SUCCESSION = 3.0
"""Nats of evidence from which the peak of a succession is used as the first travel time. Raising it starts learning
from broader travel times. Development scenarios."""
SURE_OVERLAP = 8.0
"""Nats of evidence from which the peak of an overlap is used as the first travel time. Raising it starts learning with
fewer overlaps. Development scenarios."""
SURE_SCALE = 8.0
"""Nats above `SURE_SUCCESSION` or `SURE_OVERLAP` from which a peak is trusted in full. Raising it starts learning from
broader travel times. Development scenarios."""
MAX_SURE = 0.9
"""Upper bound of the trust in a peak. Raising it makes a wrong first peak harder to unlearn. Safety bound."""
CONTRADICTION = 0.05
"""Relative likelihood by geography at which the trust in a peak is halved. Raising it trusts peaks less where they
contradict geography. Development scenarios."""
MIN_LIKELIHOOD = 0.3
"""Sum of the relative likelihoods of a zone's links from which they share its vehicles in full. Raising it joins fewer
tracks where no zone is well placed. Development scenarios."""
EXPECTED_PART = 0.75
"""Part of the prior travel times that follows geography, the rest is broad. Raising it trusts calibration more.
Development scenarios."""
TRAVEL_DECAY = 60.0
"""Seconds over which the density of unknown travel times falls by a factor of e. Raising it expects longer journeys.
Theory: about the travel time over a few blocks."""
OVERLAP_DECAY = 5.0
"""Seconds over which the density of unknown negative travel times, of overlaps, falls by a factor of e. Raising it
expects wider overlaps. Theory: about the time in view."""
TRAVEL_FLOOR = 0.02
"""Density of unknown travel times relative to its maximum below which it never falls. Raising it expects more very long
journeys. Safety bound: no time within the window is impossible."""
MIN_PEAK_WIDTH = 0.3
"""Seconds to which the window of a peak is widened at least. Raising it starts learning from broader travel times.
Theory: the error of the times at which tracks start and end."""
PEAK_REACH = 2.0
"""Widths of a peak on either side of it at which travel times are cut off in a large scenario. Raising it keeps more
candidate pairs. Safety bound on memory."""
MIN_REACH = 5.0
"""Seconds on either side of a peak that are kept at least. Raising it keeps more candidate pairs. Safety bound."""


@dataclass(frozen=True, slots=True)
class LinkPrior:
    """What is believed about each link before any pair is weighed.

    Attributes:
        probability: (l,) share of the vehicles at the source zone that take the link.
        lone: (l,) share of that probability that a link keeps when only one or two vehicles could take it.
        first: (l,) the probability combined with the correlation of events: where learning starts.
        sure: (l,) part of the first travel times that follows `peak`; the rest follows `times`.
        peak: travel times that most events agree on.
        times: broad travel times that support the learned ones where few vehicles were seen.
        chance: travel times of unrelated pairs; None if the user vouches for all links.
    """

    probability: npt.NDArray[np.float64]
    lone: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    sure: npt.NDArray[np.float64]
    peak: TravelTimes
    times: TravelTimes
    chance: TravelTimes | None


def discover_links(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    *,
    longest_travel: float,
    longest_overlap: float,
    budget: int,
    returns: bool = True,
    pruning: Callable[[float], CandidatePruning] | None = None,
) -> tuple[LinkTable, LinkPrior, CandidatePruning | None]:
    """Candidate links and first estimates of their travel times.

    Args:
        summaries: the tracks.
        entries, exits: their ends, sorted into zones.
        longest_travel, longest_overlap: travel times lie in [-longest_overlap, longest_travel] seconds.
        budget: largest number of candidate pairs. Up to it, any two zones may be linked. Above it, only zones that a
            pair of similar tracks joins or, without pruning by appearance, zones whose events correlate distinctly,
            with travel times restricted to the surroundings of the peak.
        returns: whether vehicles may return to the camera that they left. Traffic lights make arrivals follow
            departures, so times alone cannot identify a return; appearance can.
        pruning: makes a `CandidatePruning` that keeps a given share of the pairs; None if appearance is unknown.

    Returns:
        The links, the prior beliefs about them, and the pruning to which their pairs are subject, if any.
    """
    lag = FINE_LAG if len(entries.camera) * max(len(exits.camera), len(entries.camera)) <= FINE_ZONES else COARSE_LAG
    window = (-longest_overlap, longest_travel)
    speed = usual_speed(summaries)
    arrive = zone_places(summaries, entries, entry=True)
    leave = zone_places(summaries, exits, entry=False)
    expected, odds = expected_travel(leave, arrive, speed)
    unknown = np.full((len(entries.camera), len(entries.camera)), np.nan)
    found = Correlations.concatenate(
        [
            correlate(summaries, exits, entries, window=window, lag=lag, overlap=False, expected=expected),
            correlate(
                summaries, entries, entries, window=(0.0, longest_travel), lag=lag, overlap=True, expected=unknown
            ),
        ]
    )
    found = _supported_by_cameras(summaries, entries, exits, found, window=window, lag=lag, expected=expected)
    keep = found.pairs > 0
    if not returns:
        starts_in = np.where(found.overlap, _camera_of(entries, found.source), _camera_of(exits, found.source))
        keep &= starts_in != _camera_of(entries, found.target)
    total, chosen = int(found.pairs.sum()), None
    if budget < total <= MAX_PRUNABLE and pruning is not None:
        # Few vehicles between many cameras: times say little. Pairs of similar tracks are kept, with all their links.
        chosen = pruning(min(PAIRS_PER_TRACK * len(summaries) / total, 1.0))
        rows = np.flatnonzero(keep)
        kept = find_pairs(summaries, entries, exits, found.links(rows), chosen.keeps)
        keep[rows[np.bincount(kept.link, minlength=len(rows)) == 0]] = False
    elif total > budget:
        keep &= found.evidence > DISTINCT_PEAK
        keep[_beyond_best(found, keep)] = False
        reach = np.maximum(PEAK_REACH * found.width, MIN_REACH)
        found = replace(
            found, low=np.maximum(found.low, found.peak - reach), high=np.minimum(found.high, found.peak + reach)
        )
    rows = np.flatnonzero(keep)
    rows = rows[np.lexsort((found.target[rows], found.source[rows], found.overlap[rows]))]
    table = found.links(rows)
    # If only times choose the partners, or times choose the links, nothing confirms a link that one vehicle takes.
    by_time = pruning is None or (total > budget and chosen is None)
    prior = _prior(
        table,
        evidence=found.evidence[rows],
        taken=found.share[rows],
        peak=_peaks(found.peak[rows], found.width[rows]),
        seconds=np.where(table.overlap, np.nan, _of_links(expected, table)),
        likely=np.where(table.overlap, np.nan, _of_links(odds, table)),
        back=np.where(table.overlap, _camera_of(entries, table.source), _camera_of(exits, table.source))
        == _camera_of(entries, table.target),
        lone=0.0 if by_time else LONE_SHARE,
    )
    return table, prior, chosen


def _prior(
    table: LinkTable,
    *,
    evidence: npt.NDArray[np.float64],
    taken: npt.NDArray[np.float64],
    peak: TravelTimes,
    seconds: npt.NDArray[np.float64],
    likely: npt.NDArray[np.float64],
    back: npt.NDArray[np.bool_],
    lone: float,
) -> LinkPrior:
    """Prior beliefs about links, from geography and from the correlation of events.

    Args:
        table: the links.
        evidence, taken: (l,) evidence of the correlation, and the share of vehicles that it suggests.
        peak: travel times around the peaks of the correlation.
        seconds, likely: (l,) travel time and relative likelihood from geography, NaN where unknown.
        back: (l,) whether a link leads back to the camera that it leaves.
        lone: as in `LinkPrior`.
    """
    chance = broad_times(table)
    times = _with_expected(chance, seconds)
    sure = (evidence - np.where(table.overlap, SURE_OVERLAP, SURE_SUCCESSION)) / SURE_SCALE
    sure = np.clip(sure, 0.0, MAX_SURE)
    likely = np.where(np.isfinite(likely), likely, UNKNOWN_LIKELIHOOD)
    likely = np.where(back, RETURN_ODDS * likely, likely)
    probability = _shares(table, likely, np.isfinite(seconds))
    # Traffic lights make arrivals follow departures: that alone does not show that vehicles return.
    sure = np.where(back, 0.0, sure)
    # A peak that contradicts geography needs more evidence.
    sure = sure * likely / (likely + CONTRADICTION)
    first = np.maximum(probability, sure * taken)
    return LinkPrior(probability, np.full(len(table), lone), first, sure, peak, times, chance)


def _beyond_best(found: Correlations, keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Rows of `found` that are not among the `LINKS_PER_ZONE` best of their source zone; rows to keep rank first."""
    order = np.lexsort((-found.evidence, ~keep, found.source, found.overlap))
    group = np.stack([found.overlap[order], found.source[order]], 1)
    new = np.concatenate([[True], (np.diff(group, axis=0) != 0).any(1)])
    begin = np.flatnonzero(new)
    rank = np.arange(len(order)) - np.repeat(begin, np.diff(np.append(begin, len(order))))
    return order[rank >= LINKS_PER_ZONE]


def _supported_by_cameras(
    summaries: TrackSummaries,
    entries: TrackEnds,
    exits: TrackEnds,
    found: Correlations,
    *,
    window: tuple[float, float],
    lag: float,
    expected: npt.NDArray[np.float64],
) -> Correlations:
    """Correlations of zones, replaced by those of their whole cameras where these are clearer.

    A few vehicles that are spread over lanes and turns leave one or two events in each zone; together they show the
    link. Which zones it joins is decided by the zones' own events at the travel time that all events together show.
    """
    count = len(summaries.cameras)
    coming = replace(camera_ends(RawEnds.entries(summaries), count), time=entries.time)
    going = replace(camera_ends(RawEnds.exits(summaries), count), time=exits.time)
    unknown = np.full((count, count), np.nan)
    evidence, peak, width, share = (column.copy() for column in (found.evidence, found.peak, found.width, found.share))
    for overlap, ends, starts in ((False, going, exits), (True, coming, entries)):
        whole = correlate(
            summaries,
            ends,
            coming,
            window=(0.0, window[1]) if overlap else window,
            lag=lag,
            overlap=overlap,
            expected=unknown,
        )
        rows = np.flatnonzero(found.overlap == overlap)
        pair = starts.camera[found.source[rows]].astype(np.int64) * count
        pair += entries.camera[found.target[rows]]
        # A camera's own arrivals follow its departures because of a traffic light, not because vehicles return.
        other = pair // count != pair % count
        rows, pair = rows[other], pair[other]
        source, target = found.source[rows], found.target[rows]
        middle, reach = whole.peak[pair], whole.width[pair]
        own = support(starts, entries, summaries, source=source, target=target, low=middle - 0.5 * reach, width=reach)
        # The cameras add at most as much evidence as the zones have themselves.
        clear = own + np.clip(whole.evidence[pair] - ZONE_CHOICE, 0.0, np.maximum(own, 0.0))
        if not overlap:
            seconds = expected[source, target]
            fits = np.log(GEOGRAPHY_FLOOR + travel_likelihood(middle, seconds))
            clear += np.where(np.isfinite(seconds), fits, 0.0)
        better = (own > MIN_OWN) & (clear > evidence[rows])
        rows, pair = rows[better], pair[better]
        evidence[rows] = clear[better]
        peak[rows], width[rows], share[rows] = whole.peak[pair], whole.width[pair], whole.share[pair]
    return replace(found, evidence=evidence, peak=peak, width=width, share=share)


def _of_links(values: npt.NDArray[np.float64], table: LinkTable) -> npt.NDArray[np.float64]:
    """(l,) values[source, target] of each link; meaningful for successions only."""
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


def _shares(
    table: LinkTable, likely: npt.NDArray[np.float64], calibrated: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Prior probability of each link: the links of a source zone share its vehicles in proportion to their likelihood.

    Args:
        table: the links.
        likely: (l,) relative likelihood.
        calibrated: (l,) whether geography is known.
    """
    if len(table) == 0:
        return np.zeros(0)
    _, zone = np.unique(np.stack([table.overlap, table.source], 1), axis=0, return_inverse=True)
    zone = zone.reshape(-1)
    total = np.bincount(zone, likely)[zone]
    whole = np.where(table.overlap, OVERLAP_SHARE, np.where(calibrated, CALIBRATED_SHARE, SUCCESSION_SHARE))
    # If no zone is well placed, few vehicles go anywhere.
    result: npt.NDArray[np.float64] = whole * likely / np.maximum(total, MIN_LIKELIHOOD)
    return result


def _with_expected(broad: TravelTimes, seconds: npt.NDArray[np.float64]) -> TravelTimes:
    """Broad travel times concentrated around the expected seconds (NaN where unknown), as calibrations can be wrong."""
    known = np.flatnonzero(np.isfinite(seconds))
    middle = broad.first[known, None] + (np.arange(BINS) + 0.5) * broad.step[known, None]
    bell = travel_likelihood(middle, seconds[known, None]) + 1e-9
    bell /= (bell.sum(1) * broad.step[known])[:, None]
    drawn = (1.0 - EXPECTED_PART) * broad.distinct[broad.row[known]] + EXPECTED_PART * bell
    row = broad.row.copy()
    row[known] = len(broad.distinct) + np.arange(len(known))
    return TravelTimes(broad.first, broad.step, np.concatenate([broad.distinct, drawn]), row, broad.peak)


def broad_times(table: LinkTable) -> TravelTimes:
    """Travel times of unknown links: short ones are more likely, all within the window are possible."""
    step = (table.high - table.low) / BINS
    windows, row = np.unique(np.stack([table.low, step], 1), axis=0, return_inverse=True)
    middle = windows[:, :1] + (np.arange(BINS) + 0.5) * windows[:, 1:]
    early = np.where(middle < 0, np.exp(middle / OVERLAP_DECAY), 1.0)
    density = np.exp(-np.maximum(middle, 0.0) / TRAVEL_DECAY) * early + TRAVEL_FLOOR
    density /= (density.sum(1) * windows[:, 1])[:, None]
    return TravelTimes(table.low.copy(), step, density, row.reshape(-1).astype(np.int64), np.zeros(len(table)))


def _peaks(peak: npt.NDArray[np.float64], width: npt.NDArray[np.float64]) -> TravelTimes:
    """Normal travel times around each peak, with a standard deviation of half its width, over 4 of these either way."""
    deviation, row = np.unique(0.5 * np.maximum(width, MIN_PEAK_WIDTH), return_inverse=True)
    row = row.reshape(-1).astype(np.int64)
    step = 8.0 * deviation / BINS
    middle = (np.arange(BINS) + 0.5) * step[:, None] - 4.0 * deviation[:, None]
    bell = np.exp(-0.5 * (middle / deviation[:, None]) ** 2)
    bell /= (bell.sum(1) * step)[:, None]
    return TravelTimes(peak - 4.0 * deviation[row], step[row], bell, row, np.zeros(len(peak)))
