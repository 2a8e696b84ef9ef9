"""What every method of association does: tracks and features of all cameras in, identities out."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from mtmc.appearance.features import TrackFeatures
from mtmc.association.confidence import Joins
from mtmc.association.constraints import Constraints, KnownVehicles, known_vehicles
from mtmc.association.links_file import Links
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Scenario
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.tracks import Tracks

if TYPE_CHECKING:
    from mtmc.association.associate import Association


class AssociationMethod(Protocol):
    """Joins the tracks of one vehicle, over cameras and within them."""

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: Constraints | None = None,
    ) -> Association:
        """Give every track an identity.

        Args:
            tracks: one table per camera, sorted by (track, frame).
            features: the appearance of each camera's tracks, None without an extractor; tracks may be missing.
            scenario: the cameras, in the order of `tracks`: clocks, picture sizes, calibrations.
            links: zones and travel times, where the user gave some; None: there are none.
            constraints: what the user knows about single tracks, with the number of each; None: nothing. They must
                hold in the result. A method whose `associate` has no such parameter is only run without constraints.

        Returns:
            `identity` has a row for every track: camera after camera, by ascending track number (see `rows_of`).

        Raises:
            InputError: the constraints contradict each other, or a physical fact.
        """


def rows_of(tracks: Sequence[Tracks]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Camera index (n,) and track number (n,) of each row of `Association.identity`.

    >>> rows_of([Tracks.of([2, 2, 5], [1, 2, 1], [[0, 0, 9, 9]] * 3), Tracks.of([1], [1], [[0, 0, 9, 9]])])[1].tolist()
    [2, 5, 1]
    """
    numbers = [np.unique(table.track) for table in tracks]
    camera = np.repeat(np.arange(len(tracks), dtype=np.int32), [len(each) for each in numbers])
    return camera, np.concatenate([np.zeros(0, np.int32), *numbers])


def takes_constraints(method: AssociationMethod) -> bool:
    """Whether a method's `associate` has a parameter `constraints`."""
    parameters = inspect.signature(method.associate).parameters
    return "constraints" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


@dataclass(frozen=True, slots=True)
class Vehicles:
    """The tracks that are not named as not-a-vehicle, for methods that need not know of the others.

    Attributes:
        tracks, features: of each camera.
        known: what is known about their rows; nothing is left out any more.
        kept: (n,) bool, whether each row of all tracks is among them.
    """

    tracks: Sequence[Tracks]
    features: Sequence[TrackFeatures | None]
    known: KnownVehicles
    kept: npt.NDArray[np.bool_]

    @classmethod
    def of_scenario(
        cls,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        constraints: Constraints | None,
    ) -> Vehicles:
        """`of` the cameras of a scenario."""
        names, clocks = [c.name for c in scenario.cameras], [c.clock for c in scenario.cameras]
        return cls.of(tracks, features, names=names, clocks=clocks, constraints=constraints)

    @classmethod
    def of(
        cls,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        *,
        names: Sequence[str],
        clocks: Sequence[Clock],
        constraints: Constraints | None,
    ) -> Vehicles:
        """Take what the constraints say out of the tracks.

        Raises:
            InputError: the constraints contradict each other, or a physical fact.
        """
        spans = tracks
        if constraints is not None and len(constraints):
            spans = [reliable_span(table, clock) for table, clock in zip(tracks, clocks, strict=True)]
        known = known_vehicles(constraints, names, spans)
        kept = ~known.left_out
        if not known.left_out.any():
            return cls(tracks, features, known, kept)
        camera, number = rows_of(tracks)
        left = [number[(camera == index) & kept] for index in range(len(tracks))]
        chosen = [table[np.isin(table.track, numbers)] for table, numbers in zip(tracks, left, strict=True)]
        vectors = [f if f is None else f[np.isin(f.track, numbers)] for f, numbers in zip(features, left, strict=True)]
        return cls(chosen, vectors, known.among(kept), kept)

    def restored(self, association: Association) -> Association:
        """The association of all tracks: those that are no vehicle are dropped."""
        if self.kept.all():
            return association
        rows, n = np.flatnonzero(self.kept), len(self.kept)
        identity = int(association.identity.max(initial=0)) + np.arange(1, n + 1)
        dropped = np.ones(n, np.bool_)
        identity[rows], dropped[rows] = association.identity, association.dropped
        sure = np.full(n if len(association.sure) else 0, np.nan)
        if len(sure):
            sure[rows] = association.sure
        joins = association.joins
        return replace(
            association,
            identity=identity,
            dropped=dropped,
            source=rows[association.source],
            target=rows[association.target],
            joins=Joins(rows[joins.source], rows[joins.target], joins.probability),
            sure=sure,
        )
