"""A method of association in shards: what it needs of memory is bounded by a shard, and shards run anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association
from mtmc.association.confidence import identity_probability
from mtmc.association.constraints import Constraints, KnownVehicles, known_vehicles
from mtmc.association.interface import AssociationMethod, rows_of
from mtmc.association.links_file import Links
from mtmc.execution.in_turn import InTurn
from mtmc.execution.interface import ClipFailure, Executor
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.sharding.plan import Shard, groups_of_cameras, longest_travel, plan_shards
from mtmc.sharding.settings import ShardingSettings
from mtmc.sharding.stitch import Solved, stitch
from mtmc.tracking.reliable_span import reliable_span
from mtmc.tracking.tracks import Tracks

AT_ONCE = 8
"""Shards that are handed to the executor at a time: their tracks are copied. Raising it keeps more workers busy and
costs memory."""


@dataclass(frozen=True, slots=True)
class ShardJob:
    """A shard as it is sent to a worker; the fields are the arguments of `AssociationMethod.associate`."""

    method: AssociationMethod
    tracks: Sequence[Tracks]
    features: Sequence[TrackFeatures | None]
    scenario: Scenario
    links: Links | None
    constraints: Constraints | None


def solve_shard(job: ShardJob) -> tuple[Solved, Links]:
    """The identities of a shard's tracks, camera after camera, by ascending track number, and the links."""
    more = {} if job.constraints is None else {"constraints": job.constraints}
    found = job.method.associate(job.tracks, job.features, job.scenario, job.links, **more)
    return Solved(np.asarray(found.identity, np.int64), found.dropped, found.joins, found.sure), found.links


class ShardedAssociation:
    """An `AssociationMethod` that solves large scenarios in shards with another one.

    Scenarios of at most `max_tracks` tracks are left to the other method as they are, so their result is the same to
    the last bit. In larger ones each shard learns evidence, and links if none are given, from its own tracks: links
    that are given as a file say less than those that the method learns along with the evidence, and cost more than the
    seams do (benchmarks/city.py seams). The links of the result are then those of the shard with the most tracks.

    Args:
        method: solves the shards.
        settings: how large they are.
        longest_travel: seconds; the overlap in time where no link says less.
        executor: where shards are solved; None: in this process.
    """

    def __init__(
        self,
        method: AssociationMethod,
        settings: ShardingSettings | None = None,
        *,
        longest_travel: float = 240.0,
        executor: Executor | None = None,
    ) -> None:
        self._method = method
        self._settings = settings or ShardingSettings()
        self._longest_travel = longest_travel
        self._executor: Executor = executor or InTurn()

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: Constraints | None = None,
    ) -> Association:
        """See `mtmc.association.interface.AssociationMethod`. Candidate pairs are not told of shards.

        Raises:
            InputError: constraints contradict each other or a physical fact, or demand what no shard can see; or a
                shard cannot be solved.
        """
        camera, number = rows_of(tracks)
        if len(number) <= self._settings.max_tracks:
            more = {} if constraints is None else {"constraints": constraints}
            return self._method.associate(tracks, features, scenario, links, **more)
        whole = _Whole(tracks, features, scenario, constraints, camera, number, *_times(tracks, scenario))
        overlap = self._settings.overlap
        if overlap is None:
            overlap = self._longest_travel if links is None else longest_travel(links, self._longest_travel)
        count = np.bincount(camera, minlength=len(tracks))
        shards = plan_shards(
            camera,
            whole.start,
            whole.end,
            group=groups_of_cameras(_names(scenario), links, count, self._settings.max_tracks),
            max_tracks=self._settings.max_tracks,
            overlap=overlap,
        )
        solved = list(self._solve(shards, links, whole))
        if links is None:
            links = solved[int(np.argmax([len(shard.rows) for shard in shards]))][1]
        return whole.stitched(shards, [found for found, _ in solved], links)

    def _solve(self, shards: Sequence[Shard], links: Links | None, whole: _Whole) -> Iterator[tuple[Solved, Links]]:
        for first in range(0, len(shards), AT_ONCE):
            some = shards[first : first + AT_ONCE]
            jobs = {
                f"shard {first + place}": whole.job(self._method, shard, links) for place, shard in enumerate(some, 1)
            }
            results = dict(self._executor.map(solve_shard, jobs, expected=(InputError,)))
            for name, shard in zip(jobs, some, strict=True):
                result = results[name]
                if isinstance(result, ClipFailure):
                    raise InputError(
                        f"association: {name} of {len(shards)} ({len(shard.rows)} tracks) failed: {result}; "
                        "if it ran out of memory, set a smaller sharding.max_tracks"
                    )
                if len(result[0].identity) != len(shard.rows):
                    raise InputError(
                        f"association: the method gave {len(result[0].identity)} identities to {len(shard.rows)} tracks"
                    )
                yield result


@dataclass(frozen=True, slots=True)
class _Whole:
    """All tracks. Rows are those of `rows_of`; `start` and `end` are seconds."""

    tracks: Sequence[Tracks]
    features: Sequence[TrackFeatures | None]
    scenario: Scenario
    constraints: Constraints | None
    camera: npt.NDArray[np.int32]
    number: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]

    def job(self, method: AssociationMethod, shard: Shard, links: Links | None) -> ShardJob:
        """The shard's tracks, of the cameras that have any, with clips that last as long as the shard sees."""
        tracks, features, cameras = [], [], []
        for index in np.unique(self.camera[shard.rows]).tolist():
            numbers = self.number[shard.rows[self.camera[shard.rows] == index]]
            table, known = self.tracks[index], self.features[index]
            table = table[np.isin(table.track, numbers)]
            table, camera = _clipped(table, self.scenario.cameras[index], shard.begin, shard.end)
            tracks.append(table)
            cameras.append(camera)
            features.append(None if known is None else known[np.isin(known.track, numbers)])
        names = {camera.name for camera in cameras}
        if links is not None:
            links = _among(links, names)
        constraints = self.constraints
        if constraints is not None:
            inside = np.zeros(len(self.camera) + 1, np.bool_)
            inside[shard.rows], inside[-1] = True, True  # the last one stands for no track
            constraints = constraints[np.flatnonzero(inside[self._constrained()].all(axis=1))]
        return ShardJob(
            method, tracks, features, replace(self.scenario, cameras=tuple(cameras), missing={}), links, constraints
        )

    def stitched(self, shards: Sequence[Shard], solved: Sequence[Solved], links: Links) -> Association:
        """The identities of all tracks."""
        known = self._known()
        identity, joins = stitch(shards, solved, self.start, self.end, known)
        self._check_linked(identity, known)
        n = len(identity)
        dropped, sure = np.zeros(n, np.bool_), np.zeros(n)
        for shard, each in zip(shards, solved, strict=True):
            own = shard.rows[shard.owned]
            dropped[own] = each.dropped[shard.owned]
            sure[own] = each.sure[shard.owned] if len(each.sure) else np.nan
        alone = np.bincount(identity)[identity] == 1
        nothing = np.zeros(0, np.int64)
        told = any(len(each.sure) for each in solved)
        return Association(
            identity,
            dropped & alone,
            links,
            nothing,
            nothing,
            np.zeros(0),
            {},
            joins,
            np.where(np.isnan(sure), np.nan, identity_probability(identity, joins)) if told else np.zeros(0),
        )

    def _known(self) -> KnownVehicles:
        if self.constraints is None or not len(self.constraints):
            return KnownVehicles.none(len(self.camera))
        clocks = [camera.clock for camera in self.scenario.cameras]
        spans = [reliable_span(table, clock) for table, clock in zip(self.tracks, clocks, strict=True)]
        return known_vehicles(self.constraints, _names(self.scenario), spans)

    def _constrained(self) -> npt.NDArray[np.int64]:
        """The rows (k, 2) of the tracks that constraints name; n for none."""
        constraints = cast(Constraints, self.constraints)
        index = {name: place for place, name in enumerate(_names(self.scenario))}
        row = {pair: at for at, pair in enumerate(zip(self.camera.tolist(), self.number.tolist(), strict=True))}
        named = zip(constraints.camera.ravel().tolist(), constraints.track.ravel().tolist(), strict=True)
        rows = [row.get((index.get(camera, -1), track), len(self.camera)) for camera, track in named]
        return np.array(rows, np.int64).reshape(-1, 2)

    def _check_linked(self, identity: npt.NDArray[np.int64], known: KnownVehicles) -> None:
        """Refuse must-links that no shard could see, or that shards decided otherwise."""
        broken = np.flatnonzero((identity != identity[known.vehicle]) & ~known.left_out)
        if len(broken):
            a, b = int(known.vehicle[broken[0]]), int(broken[0])
            names = _names(self.scenario)
            tracks = (f"track {self.number[row]} of {names[self.camera[row]]}" for row in (a, b))
            seconds = abs(self.start[b] - self.start[a])
            raise InputError(
                f"constraints: {' and '.join(tracks)} must be linked, but are {seconds:.0f} s apart in different "
                "shards; raise sharding.max_tracks or sharding.overlap"
            )


def _names(scenario: Scenario) -> list[str]:
    return [camera.name for camera in scenario.cameras]


def _times(tracks: Sequence[Tracks], scenario: Scenario) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Seconds of the first and the last box of each row."""
    starts, ends = [np.zeros(0)], [np.zeros(0)]
    for table, camera in zip(tracks, scenario.cameras, strict=True):
        _, first, count = np.unique(table.track, return_index=True, return_counts=True)
        starts.append(camera.clock.at(table.frame[first]))
        ends.append(camera.clock.at(table.frame[first + count - 1]))
    return np.concatenate(starts), np.concatenate(ends)


def _clipped(table: Tracks, camera: Camera, begin: float, end: float) -> tuple[Tracks, Camera]:
    """A camera as if it had recorded from second `begin` to `end` only, and its tracks with the frames of that clip.

    Association learns from what was not seen, and must not take the rest of the recording for empty streets.
    """
    since = float(camera.clock.frame_at(begin)) if np.isfinite(begin) else 1.0
    until = float(camera.clock.frame_at(end)) if np.isfinite(end) else np.inf
    shift = int(min(max(since, 1.0), table.frame.min(initial=np.iinfo(np.int32).max))) - 1
    clock = Clock(camera.clock.frames - shift, camera.clock.seconds)
    count = max(int(min(until, camera.frame_count)) - shift, 1) if camera.frame_count else 0
    return replace(table, frame=table.frame - np.int32(shift)), replace(camera, clock=clock, frame_count=count)


def _among(links: Links, cameras: set[str]) -> Links:
    """What concerns these cameras alone."""
    zones = tuple(zone for zone in links.zones if zone.camera in cameras)
    names = {zone.name for zone in zones}
    within = tuple(link for link in links.links if {link.source, link.target} <= names)
    views = links.overlapping_views
    if views is not None:
        views = tuple(view for view in views if set(view.cameras) <= cameras)
    return links.model_copy(update={"zones": zones, "links": within, "overlapping_views": views})
