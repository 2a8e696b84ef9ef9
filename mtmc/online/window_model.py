"""What a site teaches over time: links and travel times, learned from ended tracks beside the solves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mtmc.association.associate import associate
from mtmc.association.links_file import Link, Links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise

HORIZON_QUANTILE = 0.99
"""Share of a link's vehicles that have arrived when a track becomes final. Raising it waits longer for slow ones.
Theory: the slowest hundredth is rarely worth the wait of all others."""


SINGLE = 1.5
"""Expected vehicles up to which a link counts as taken by one vehicle. Raising it expects more unknown links, and waits
longer. Theory: half way between one and two."""


@dataclass(frozen=True)
class WindowModel:
    """Links between cameras. Immutable: a window changes to another one between two solves.

    Attributes:
        links: zones, links and overlapping views.
        tracks: number of tracks of each camera that they were learned from; None: they are given, and complete.
    """

    links: Links
    tracks: Mapping[str, int] | None = None

    def horizon(self, camera: str) -> float | None:
        """Seconds after the end of a track of a camera by which its successor has come.

        From a camera that no link leaves, as long as over the slowest link of the site; None without links.
        """
        return self._horizons.get(camera, self._slowest)

    def unknown(self, camera: str) -> float:
        """Share of the vehicles that leave a camera by a link that is not known yet; 0 for given links.

        Of all vehicles, those that do what no other did are about as many as the next ones that will do what none did
        (I. J. Good, "The population frequencies of species", Biometrika 40, 1953; the estimate is Turing's). One more
        is added, so that a few tracks prove nothing.

        >>> WindowModel(Links()).unknown("c041"), WindowModel(Links(), {"c041": 19}).unknown("c041")
        (0.0, 0.05)
        """
        if self.tracks is None:
            return 0.0
        return min(1.0, (self._singles.get(camera, 0.0) + 1.0) / (self.tracks.get(camera, 0) + 1.0))

    @cached_property
    def _leaving(self) -> list[tuple[str, Link]]:
        """The links between cameras, with the camera that each leaves."""
        camera = {zone.name: zone.camera for zone in self.links.zones}
        return [(camera[link.source], link) for link in self.links.links if not link.overlap]

    @cached_property
    def _horizons(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for camera, link in self._leaving:
            found[camera] = max(found.get(camera, -np.inf), _quantile(link))
        return found

    @cached_property
    def _slowest(self) -> float | None:
        return max(self._horizons.values(), default=None)

    @cached_property
    def _singles(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for camera, link in self._leaving:
            if link.vehicles < SINGLE:
                found[camera] = found.get(camera, 0.0) + link.vehicles
        return found


@dataclass(frozen=True, slots=True)
class History:
    """Ended tracks to learn from; a snapshot, so that another thread can learn while the window goes on.

    Attributes:
        cameras: their tracks.
    """

    cameras: Sequence[CameraTracks]

    def __len__(self) -> int:
        return sum(self.tracks().values())

    def tracks(self) -> dict[str, int]:
        """Number of tracks of each camera."""
        return {camera.camera: len(np.unique(camera.tracks.track)) for camera in self.cameras}


def learn(history: History, settings: AssociationSettings | None = None) -> WindowModel:
    """Learn links from ended tracks, as an offline run does. Takes seconds; meant for a background thread.

    Args:
        history: result of `SlidingWindow.history`.
        settings: of the association.
    """
    found = associate(summarise(history.cameras), None, settings or AssociationSettings())
    return WindowModel(found.links, history.tracks())


def _quantile(link: Link) -> float:
    total = np.concatenate([[0.0], np.cumsum(link.travel_time.mass)])
    return float(np.interp(HORIZON_QUANTILE, total, link.travel_time.edges))
