"""The repair of a track when it has ended, with what else is known of its camera by then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtmc.online.messages import LiveRows
from mtmc.tracking.repair import repair
from mtmc.tracking.repair_settings import RepairSettings


def settle(
    number: int,
    rows: LiveRows,
    picture: tuple[int, int],
    settings: RepairSettings,
    roi: npt.NDArray[np.uint8] | None = None,
) -> LiveRows:
    """The repaired rows of an ended track; none if it is dropped, or is a duplicate of an older one.

    Fragments are not joined here, which would need tracks that have not begun; the association joins them.

    Args:
        number: the track.
        rows: of this track and of those that were in sight at the same time.
        picture: width and height in pixels.
        settings: of the repair.
        roi: (h, w) uint8, white is inside; None if the whole picture counts.
    """
    clock = rows.clock()
    fixed = repair(rows.tracks(), clock, picture, settings.model_copy(update={"relink": False}), roi)
    target = fixed.mapping.get(number)
    if target is None or number != min(old for old, new in fixed.mapping.items() if new == target):
        return LiveRows.empty()
    mine = fixed.tracks[fixed.tracks.track == target]
    found = LiveRows.of_tracks(mine, clock.at(mine.frame))
    return replace(found, track=np.full(len(found), number, np.int32))
