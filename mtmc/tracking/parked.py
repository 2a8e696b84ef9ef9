"""Tracks of parked vehicles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.scenarios.clock import Clock
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.segments import Segments, centre, size
from mtmc.tracking.tracks import Tracks

TAIL = 0.1
"""Share of a track's boxes ignored at either end of its extent. Raising it flags more tracks as parked. A few boxes may
belong to a vehicle that passed in front."""


def parked(tracks: Tracks, clock: Clock, settings: RepairSettings | None = None) -> npt.NDArray[np.int32]:
    """The numbers of tracks of parked vehicles, ascending.

    They are flagged, not dropped: a parked vehicle may drive in another camera or at another time, which only the
    association can tell.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
        settings: `parked_seconds` and `parked_extent`; default to `RepairSettings()`.
    """
    limits = settings or RepairSettings()
    if not len(tracks):
        return np.zeros(0, np.int32)
    segments = Segments.of(tracks)
    where = centre(tracks.box)
    extent = np.hypot(
        *(segments.quantile(where[:, axis], 1 - TAIL) - segments.quantile(where[:, axis], TAIL) for axis in (0, 1))
    )
    typical = segments.quantile(size(tracks.box), 0.5)
    # Both ends must be at the same place too: a vehicle that drives off after a long stop was not parked.
    way = where[segments.last] - where[segments.first]
    lasting = clock.at(tracks.frame[segments.last]) - clock.at(tracks.frame[segments.first])
    limit = limits.parked_extent * typical
    still = (extent <= limit) & (np.hypot(way[:, 0], way[:, 1]) <= 2 * limit) & (lasting >= limits.parked_seconds)
    result: npt.NDArray[np.int32] = segments.number[still]
    return result
