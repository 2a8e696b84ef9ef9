"""What a site teaches over time: links and travel times, learned from ended tracks beside the solves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtmc.association.associate import associate
from mtmc.association.links_file import Link, Links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise

HORIZON_QUANTILE = 0.99
"""Share of a link's vehicles that have arrived when a track becomes final. Raising it waits longer for slow ones.
Theory: the slowest hundredth is rarely worth the wait of all others."""


@dataclass(frozen=True, slots=True)
class WindowModel:
    """Links between cameras. Immutable: a window changes to another one between two solves.

    Attributes:
        links: zones, links and overlapping views.
        tracks: number of tracks that they were learned from; 0 for given ones.
    """

    links: Links
    tracks: int = 0

    def horizon(self, camera: str) -> float | None:
        """Seconds after the end of a track of a camera by which its successor has come.

        From a camera that no link leaves, as long as over the slowest link of the site; None without links.
        """
        zones = {zone.name for zone in self.links.zones if zone.camera == camera}
        times = [(link.source in zones, _quantile(link)) for link in self.links.links if not link.overlap]
        own = [seconds for mine, seconds in times if mine]
        return max(own or [seconds for _, seconds in times], default=None)


@dataclass(frozen=True, slots=True)
class History:
    """Ended tracks to learn from; a snapshot, so that another thread can learn while the window goes on.

    Attributes:
        cameras: their tracks.
    """

    cameras: Sequence[CameraTracks]

    def __len__(self) -> int:
        return sum(len(np.unique(camera.tracks.track)) for camera in self.cameras)


def learn(history: History, settings: AssociationSettings | None = None) -> WindowModel:
    """Learn links from ended tracks, as an offline run does. Takes seconds; meant for a background thread.

    Args:
        history: result of `SlidingWindow.history`.
        settings: of the association.
    """
    found = associate(summarise(history.cameras), None, settings or AssociationSettings())
    return WindowModel(found.links, len(history))


def _quantile(link: Link) -> float:
    total = np.concatenate([[0.0], np.cumsum(link.travel_time.mass)])
    return float(np.interp(HORIZON_QUANTILE, total, link.travel_time.edges))
