"""What the cameras could see: whether a vehicle that takes a link arrives while the target camera records."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import LinkTable
from mtmc.association.links.travel_times import TravelTimes
from mtmc.association.links.zones import TrackEnds
from mtmc.association.track_summaries import TrackSummaries

NEW_SHARE = 0.5
"""Smallest share of the arrivals in a zone that count as new vehicles, however many of them links explain. Raising it
joins fewer tracks. Without it, links that explain all arrivals by chance would persist. Development scenarios."""
NEW_SHARE_CALIBRATED = 0.2
"""Smallest share of new vehicles for calibrated cameras, where geography rules out most chance links. Raising it joins
fewer tracks. Development scenarios."""
NEW_COUNT = 0.3
"""New vehicles that every zone has in addition to `NEW_SHARE`. Raising it joins fewer tracks in zones with few
arrivals. Safety bound against a rate of 0."""
MIN_VISIBLE = 0.2
"""Smallest share of a link's vehicles that are assumed to be seen at its source. Raising it lowers the estimate of
vehicles that were not seen. Safety bound against a division by 0."""
MIN_LEAVING = 0.05
"""Smallest share of vehicles that end their journey, or are missed by the tracker, at any exit. Raising it joins fewer
tracks. Safety bound."""


class Visibility:
    """Which links each track could have taken, and whether the recordings would show it."""

    def __init__(self, summaries: TrackSummaries, table: LinkTable, entries: TrackEnds, exits: TrackEnds) -> None:
        """Precompute the links of each track.

        Args:
            summaries: the tracks.
            table: the links.
            entries, exits: the tracks' ends.
        """
        recorded = summaries.recorded
        self._table = table
        self._tracks = len(summaries)
        self._entry_zone = entries.zone
        self._start, self._end = entries.time, exits.time
        self._source_window = recorded[source_cameras(table, entries, exits)]
        self._target_window = recorded[take(entries.camera, table.target)]
        length = np.maximum(recorded[:, 1] - recorded[:, 0], 1.0)
        self._zone_length = length[entries.camera]
        self._arrivals = np.bincount(entries.zone, minlength=len(entries.camera)).astype(np.float64)
        self._new_share = np.where(summaries.calibrated[entries.camera], NEW_SHARE_CALIBRATED, NEW_SHARE)
        # (track, link) pairs: successions from the track's exit, overlaps from its entry, successions to its entry.
        self._out_track, self._out_link = _members(exits.zone, table.source, ~table.overlap)
        self._over_track, self._over_link = _members(entries.zone, table.source, table.overlap)
        self._in_track, self._in_link = _members(entries.zone, table.target, ~table.overlap)
        self._in_members = np.bincount(self._in_link, minlength=len(table))
        self._ahead: tuple[TravelTimes, npt.NDArray[np.int64], npt.NDArray[np.float64]] | None = None

    def departures(self, times: TravelTimes) -> npt.NDArray[np.float64]:
        """(l,) expected number of vehicles at each link's source whose arrival would be seen if they took the link.

        Args:
            times: travel times of the links.
        """
        links = len(self._table)
        rows, ahead = self._seen_ahead(times)
        seen = np.asarray(np.bincount(self._out_link[rows], ahead, links), np.float64)
        seen += np.bincount(self._over_link, minlength=links)
        return seen

    def arrivals(self) -> npt.NDArray[np.float64]:
        """(n,) rate, in vehicles per second, at which vehicles enter a track's zone."""
        result: npt.NDArray[np.float64] = (self._arrivals / self._zone_length)[self._entry_zone]
        return result

    def leaving(self, share: npt.NDArray[np.float64], times: TravelTimes) -> npt.NDArray[np.float64]:
        """(n,) probability that no camera sees a track's vehicle again.

        Args:
            share: (l,) share of the source's vehicles that take each link.
            times: travel times of the links.
        """
        rows, seen = self._seen_ahead(times)
        taken = np.asarray(
            np.bincount(self._out_track[rows], share[self._out_link[rows]] * seen, self._tracks), np.float64
        )
        taken += np.bincount(self._over_track, share[self._over_link], self._tracks)
        result: npt.NDArray[np.float64] = np.maximum(1.0 - taken, MIN_LEAVING)
        return result

    def arriving(self, mass: npt.NDArray[np.float64], times: TravelTimes) -> npt.NDArray[np.float64]:
        """(n,) rate, in vehicles per second, at which vehicles that no camera has seen before enter a track's zone.

        Args:
            mass: (l,) expected number of vehicles that take each link.
            times: travel times of the links.
        """
        zones = len(self._arrivals)
        explained = np.bincount(self._table.target, mass, zones) if len(self._table) else np.zeros(zones)
        new = np.maximum(self._arrivals - explained, self._new_share * self._arrivals + NEW_COUNT) / self._zone_length
        link, start = self._in_link, self._start[self._in_track]
        rows = _of_known(times, link)
        linked, came = link[rows], start[rows]
        before = times.mass_below(linked, came - self._source_window[linked, 0])
        seen = np.zeros(len(link))
        seen[rows] = np.maximum(before - times.mass_below(linked, came - self._source_window[linked, 1]), 0.0)
        links = len(self._table)
        usual = np.bincount(link, seen, links) / np.maximum(self._in_members, 1)
        flow = mass / np.maximum(usual, MIN_VISIBLE) / self._zone_length[self._table.target]
        unseen = np.bincount(self._in_track, flow[link] * (1.0 - seen), self._tracks)
        result: npt.NDArray[np.float64] = new[self._entry_zone] + unseen
        return result

    def _seen_ahead(self, times: TravelTimes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Rows of `_out_track` and `_out_link` whose link has travel times, and for each the probability that the
        target camera records the arrival. For all other rows it is 0."""
        if self._ahead is None or self._ahead[0] is not times:
            rows = _of_known(times, self._out_link)
            link, end = self._out_link[rows], self._end[self._out_track[rows]]
            later = times.mass_below(link, self._target_window[link, 1] - end)
            seen = np.maximum(later - times.mass_below(link, self._target_window[link, 0] - end), 0.0)
            self._ahead = times, rows, seen  # departures and those who leave are asked for in turn
        return self._ahead[1], self._ahead[2]


def _of_known(times: TravelTimes, link: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows whose link has travel times."""
    return np.flatnonzero(times.known[link])


def source_cameras(table: LinkTable, entries: TrackEnds, exits: TrackEnds) -> npt.NDArray[np.int64]:
    """(l,) camera of each link's source zone."""
    return np.where(table.overlap, take(entries.camera, table.source), take(exits.camera, table.source)).astype(
        np.int64
    )


def take(values: npt.NDArray[np.int32], index: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """values[index], with 0 where the index is out of range because it numbers the other kind of zone."""
    if len(values) == 0:
        return np.zeros(len(index), np.int64)
    return np.where(index < len(values), values[np.minimum(index, len(values) - 1)], 0).astype(np.int64)


def _members(
    zone: npt.NDArray[np.int64], link_zone: npt.NDArray[np.int64], of_kind: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All (track, link) where the track's zone is the link's zone, for links of one kind."""
    links = np.flatnonzero(of_kind)
    links = links[np.argsort(link_zone[links], kind="stable")]
    low = np.searchsorted(link_zone[links], zone, "left")
    count = np.searchsorted(link_zone[links], zone, "right") - low
    track = np.repeat(np.arange(len(zone)), count)
    place = np.arange(len(track)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    return track, links[place]
