"""The association solved again under the answers, and the facts that refuse an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.association.choice import make_association
from mtmc.association.constraints import Constraints, TrackName, known_vehicles, locate, of_parts
from mtmc.association.interface import AssociationMethod, takes_constraints
from mtmc.pipeline import track_features
from mtmc.report.stored_run import StoredRun
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.tracks import Tracks
from mtmc.web.correction_log import Entry
from mtmc.web.joins import Joins


@dataclass(frozen=True, slots=True)
class Solution:
    """What the association found.

    Attributes:
        identity: (n,) int32, of each passage; -1 for none.
        joins: candidate pairs with their probabilities.
    """

    identity: npt.NDArray[np.int32]
    joins: Joins


class Resolver:
    """Solves the association of a run again, as often as is asked."""

    def __init__(self, run: StoredRun) -> None:
        """Keep the run; tracks are cut at the first use."""
        self._run = run
        settings = run.settings
        self._method: AssociationMethod = make_association(
            run.association,
            learned=settings.association,
            linkage=settings.linkage,
            repair=settings.repair,
            options=settings.options.association,
        )

    @property
    def takes_answers(self) -> bool:
        """Whether the method of association can solve under constraints; if not, answers only act directly."""
        return takes_constraints(self._method)

    @cached_property
    def tracks(self) -> list[Tracks]:
        """The tracks of each camera, cut into passages: `track` holds the part's number."""
        return [cuts.apply(o.tracks) for cuts, o in zip(self._run.cuts, self._run.observations, strict=True)]

    @cached_property
    def _spans(self) -> list[Tracks]:
        """The reliable spans: outside, tracks of two vehicles may overlap by mistake."""
        return [reliable_span(t, o.camera.clock) for t, o in zip(self.tracks, self._run.observations, strict=True)]

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise if answers contradict each other, or a fact: a vehicle has one box in a picture.

        Raises:
            InputError: they do; the message names the answers by number.
        """
        known_vehicles(self._of_parts(entries), self._names, self._spans, "answer")

    def solve(self, entries: Sequence[Entry]) -> Solution:
        """Identities and candidate pairs under the answers.

        Raises:
            InputError: the answers contradict each other.
        """
        features = [track_features(*parts) for parts in zip(self._run.cuts, self._run.vectors, strict=True)]
        constraints = self._of_parts(entries)
        more = {"constraints": constraints} if len(constraints) and self.takes_answers else {}
        links = self._run.links if self._run.links_given else None
        found = self._method.associate(self.tracks, features, self._run.scenario, links, **more)
        identity = np.where(found.dropped, -1, found.identity).astype(np.int32)
        return Solution(identity, Joins.of(found))

    def located(self, constraints: Constraints) -> list[tuple[TrackName, ...]]:
        """The tracks that each row of constraints names, by their numbers.

        Raises:
            InputError: there is no such track.
        """
        found = locate(constraints, {o.camera.name: o.tracks for o in self._run.observations}, "constraints")
        return [found.names(row) for row in range(len(found))]

    @property
    def _names(self) -> list[str]:
        return [camera.name for camera in self._run.scenario.cameras]

    def _of_parts(self, entries: Sequence[Entry]) -> Constraints:
        whole = {o.camera.name: o.tracks for o in self._run.observations}
        located = locate(constraints_of(entries), whole, "answer")
        cuts = dict(zip(self._names, self._run.cuts, strict=True))
        return of_parts(located, cuts, dict(zip(self._names, self.tracks, strict=True)))


def constraints_of(entries: Sequence[Entry]) -> Constraints:
    """Answers as constraints; the number of the answer stands as their line.

    Raises:
        InputError: an answer names a passage in a form that cannot be read.

    >>> constraints_of([Entry(7, "", "", "same", ("c041/3",), ("c042/8/120",))]).track.tolist()
    [[3, 8]]
    """
    tables = []
    for entry in entries:
        first, second = [track_name(key) for key in entry.first], [track_name(key) for key in entry.second]
        if entry.kind == "same" and len(first) + len(second) > 1:
            tables.append(Constraints.must_link(*first, *second, line=entry.seq))
        elif entry.kind == "different":
            tables += [Constraints.cannot_link(a, b, line=entry.seq) for a in first for b in second]
        elif entry.kind == "not-a-vehicle":
            tables.append(Constraints.not_a_vehicle(*first, line=entry.seq))
    return Constraints.concatenate(tables)


def track_name(key: str) -> TrackName:
    """The track that a passage's key names: `c041/12`, or its part from a frame on, `c041/12/340`.

    Raises:
        InputError: it is no such key.
    """
    camera, _, rest = key.partition("/")
    numbers = rest.split("/")
    if not camera or len(numbers) > 2 or not all(n.isdecimal() and n.isascii() and len(n) < 10 for n in numbers):
        raise InputError(f"{key}: is no passage; it must be CAMERA/TRACK or CAMERA/TRACK/FRAME")
    return TrackName(camera, int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0)
