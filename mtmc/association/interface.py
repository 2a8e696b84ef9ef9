"""What every method of association does: tracks and features of all cameras in, identities out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association
from mtmc.association.links_file import Links
from mtmc.scenarios.scenario import Scenario
from mtmc.tracking.tracks import Tracks


class AssociationMethod(Protocol):
    """Joins the tracks of one vehicle, over cameras and within them."""

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: None = None,
    ) -> Association:
        """Give every track an identity.

        Args:
            tracks: one table per camera, sorted by (track, frame).
            features: the appearance of each camera's tracks, None without an extractor; tracks may be missing.
            scenario: the cameras, in the order of `tracks`: clocks, picture sizes, calibrations.
            links: zones and travel times, where the user gave some; None: there are none.
            constraints: reserved; only None is accepted.

        Returns:
            `identity` has a row for every track: camera after camera, by ascending track number (see `rows_of`).
        """


def rows_of(tracks: Sequence[Tracks]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Camera index (n,) and track number (n,) of each row of `Association.identity`.

    >>> rows_of([Tracks.of([2, 2, 5], [1, 2, 1], [[0, 0, 9, 9]] * 3), Tracks.of([1], [1], [[0, 0, 9, 9]])])[1].tolist()
    [2, 5, 1]
    """
    numbers = [np.unique(table.track) for table in tracks]
    camera = np.repeat(np.arange(len(tracks), dtype=np.int32), [len(each) for each in numbers])
    return camera, np.concatenate([np.zeros(0, np.int32), *numbers])


def refuse_constraints(constraints: object, method: str) -> None:
    """Raise for constraints in a method that does not know them.

    Raises:
        InputError: `constraints` is not None.
    """
    if constraints is not None:
        raise InputError(f"--association {method}: takes no constraints; leave them out")
