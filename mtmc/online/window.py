"""Association over a sliding window: open tracks, and ended ones whose partner may still come.

The same evidence and the same solver as for a recording (`mtmc.association.associate`) run again at every update, with
the links of a `WindowModel`. What is older than the window is frozen: tracks with a final answer keep it, enter later
solves as known vehicles, and leave when their neighbours in time are final, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from mtmc.association.associate import MAX_TRACKS, associate
from mtmc.association.constraints import KnownVehicles
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import GroundMap, TrackSummaries, summarise
from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, Correction, linked
from mtmc.online.events import Event, EventKind
from mtmc.online.identity_numbers import TrackKey, renumber
from mtmc.online.window_model import History, WindowModel
from mtmc.online.window_settings import WindowSettings
from mtmc.online.window_tracks import CameraNews, ClosedTrack, Picture, TimedBoxes, WindowTrack, camera_tracks
from mtmc.tracking.repair_settings import RepairSettings

HISTORY_BOXES = 32
"""Boxes of an ended track that are kept to learn from. Raising it costs memory. Theory: enough for a path."""


class SlidingWindow:
    """Identities of the tracks of cameras that are running.

    A window is a function of the calls of `update` and `use`: the same calls give the same events.

    Args:
        cameras: names of the cameras, in any order; their pictures are told with the first news.
        settings: of the window.
        association: of the solver.
        repair: of it, the settings that say which tracks are parked.
        ground: calibrations of cameras that have one.
        model: links to begin with, for example `WindowModel(read_links(path))`; None: tracks of different cameras are
            joined only after `use`.

    Example:
        >>> from mtmc.online.window import SlidingWindow
        >>> from mtmc.online.window_tracks import CameraNews, ClosedTrack, TimedBoxes
        >>> from mtmc.tracking.tracks import Tracks
        >>> window = SlidingWindow(["c041"])
        >>> seconds = np.arange(20) / 10
        >>> boxes = Tracks.of([1] * 20, range(1, 21), [[20 * i, 150, 40, 30] for i in range(20)])
        >>> news = CameraNews("c041", 640, 360, TimedBoxes(boxes, seconds))
        >>> [(str(event.kind), event.identity) for event in window.update(2.0, [news])]
        [('opened', 0), ('assigned', 1)]
        >>> news = CameraNews("c041", 640, 360, closed=[ClosedTrack(1)])
        >>> [str(event.kind) for event in window.update(3.0, [news])]
        ['closed']
        >>> [str(event.kind) for event in window.finish(4.0)]
        ['final']
    """

    def __init__(
        self,
        cameras: Sequence[str],
        settings: WindowSettings | None = None,
        association: AssociationSettings | None = None,
        repair: RepairSettings | None = None,
        *,
        ground: Mapping[str, GroundMap] | None = None,
        model: WindowModel | None = None,
    ) -> None:
        self._settings = settings or WindowSettings()
        self._association = association or AssociationSettings()
        self._repair = repair or RepairSettings()
        self._ground = dict(ground or {})
        self._pictures = {name: Picture(1, 1, self._ground.get(name)) for name in sorted(cameras)}
        self._tracks: dict[TrackKey, WindowTrack] = {}
        self._past: list[WindowTrack] = []
        self._model = model
        self._next_identity = 1
        self._restored: dict[TrackKey, tuple[int, bool]] = {}
        self._until = -np.inf
        self._standing: tuple[Correction, ...] = ()
        self._no_vehicles: set[TrackKey] = set()
        self._corrected = False
        self._changed = True

    def __len__(self) -> int:
        """Number of tracks in the window."""
        return len(self._tracks)

    @property
    def horizon(self) -> float:
        """Calls of `update` with times before this are not needed for a restart: the earliest start of a track in the
        window; infinite without tracks."""
        return min((track.start for track in self._tracks.values()), default=float("inf"))

    @property
    def ended(self) -> int:
        """Number of tracks to `learn` from."""
        every = len(self._past) + sum(track.closed for track in self._tracks.values())
        return min(every, self._settings.max_history)

    def use(self, model: WindowModel) -> None:
        """Solve with other links from the next update on."""
        self._model = model
        self._changed = True

    def hold(self, standing: Sequence[Correction]) -> None:
        """Solve under these corrections, and no others, from the next update on.

        Args:
            standing: corrections that do not contradict each other. A track that is named as the same vehicle as one
                that has left the window keeps its identity.
        """
        self._changed = True
        self._bind(standing)

    def _bind(self, standing: Sequence[Correction]) -> None:
        self._standing = tuple(standing)
        self._no_vehicles = {key for each in standing if each.kind == NOT_A_VEHICLE for key in each.first}

    def amend(self, merged: Mapping[int, int], moved: Mapping[TrackKey, int], next_identity: int) -> None:
        """Take identities that users have corrected.

        Args:
            merged: identities that have become another one.
            moved: tracks with their new identity; -1: they are no vehicle.
            next_identity: the smallest number that was never used.
        """
        for track in [*self._tracks.values(), *self._past]:
            track.identity = max(moved.get(track.key, merged.get(track.identity, track.identity)), 0)
        self._past = [track for track in self._past if track.identity]
        self._next_identity = max(self._next_identity, next_identity)
        self._corrected = self._changed = True

    def restore(
        self, identities: Mapping[TrackKey, int], final: Collection[TrackKey], next_identity: int, until: float
    ) -> None:
        """Before the calls of `update` since `horizon` are repeated after a restart: what they led to.

        Repeated calls, those up to `until`, solve nothing and say nothing: it was said before.

        Args:
            identities: of tracks, by camera and number, as of `until`.
            final: tracks with final answers.
            next_identity: the smallest number that was never used.
            until: the second of the latest call before the restart.
        """
        self._restored = {key: (number, key in final) for key, number in identities.items() if number > 0}
        self._next_identity = max(self._next_identity, next_identity)
        self._until = until

    def history(self) -> History:
        """Ended tracks of the last `history_seconds`, to `learn` from; shares nothing that changes."""
        ended = [t for t in self._tracks.values() if t.closed and t.key not in self._no_vehicles]
        now = max((track.end for track in [*ended, *self._past]), default=0.0)
        every = [*self._past, *ended][-self._settings.max_history :]
        pictures = {name: picture for name, picture in self._pictures.items() if picture.width > 1}
        return History(camera_tracks(every, pictures, now, association=self._association, repair=self._repair))

    def update(self, now: float, news: Sequence[CameraNews]) -> list[Event]:
        """Take what the cameras tell, solve, and say what follows.

        Nothing is solved while nothing has come that could change an answer: boxes of tracks that have their identity
        are no such thing, their ends and features are.

        Args:
            now: the present second on the common time axis, not before that of the last call. All cameras that still
                run should have told everything up to it: a later answer cannot wait for them.
            news: of each camera at most once; cameras may be missing.

        Returns:
            The events, in the order in which they are to be applied.
        """
        events = [event for each in news for event in self._take(now, each)]
        if now <= self._until:
            self._forget(now)
            return []
        self._restored.clear()
        events += self._solve(now)
        events += self._finish(now)
        self._forget(now)
        return events

    def finish(self, now: float) -> list[Event]:
        """Say everything that is left when no camera runs any more: all tracks close and are final."""
        events = []
        for track in self._tracks.values():
            if not track.closed:
                track.closed = True
                events.append(Event(EventKind.CLOSED, now, *track.key, identity=track.identity, reason="stopped"))
        self._changed = True
        events += self._solve(now)
        events += self._finish(float("inf"), said=now)
        self._forget(now)
        return events

    def _take(self, now: float, news: CameraNews) -> list[Event]:
        self._pictures[news.camera] = Picture(news.width, news.height, self._ground.get(news.camera))
        events = []
        table = news.boxes
        for number in np.unique(table.tracks.track).tolist():
            boxes = table[np.flatnonzero(table.tracks.track == number)]
            key = (news.camera, number)
            if key not in self._tracks:
                identity, final = self._restored.get(key, (0, False))
                self._tracks[key] = WindowTrack(*key, TimedBoxes.empty(), identity=identity, final=final)
                events.append(Event(EventKind.OPENED, now, *key, reason="came into view"))
            self._tracks[key].add(boxes, self._settings.max_boxes)
        for row, number in enumerate(news.features.track.tolist()):
            track = self._tracks.get((news.camera, number))
            if track is not None and np.isfinite(news.features.vector[row]).all():
                self._changed = True
                track.vector = news.features.vector[row].astype(np.float32)
                track.weight = float(news.features.weight[row])
        for closed in news.closed:
            events += self._close(now, news.camera, closed)
        return events

    def _close(self, now: float, camera: str, closed: ClosedTrack) -> list[Event]:
        key = (camera, closed.track)
        track = self._tracks.get(key)
        if track is None or track.closed:
            return []
        self._changed = True
        if closed.boxes is not None and not len(closed.boxes):
            del self._tracks[key]
            return [Event(EventKind.CLOSED, now, *key, identity=track.identity, reason="no vehicle")]
        if closed.boxes is not None:
            track.boxes = TimedBoxes.empty()
            track.add(closed.boxes, self._settings.max_boxes)
        track.closed = True
        return [Event(EventKind.CLOSED, now, *key, identity=track.identity, reason=closed.reason)]

    def _due(self, track: WindowTrack) -> bool:
        """Whether a track is to have an identity."""
        known = track.identity > 0 or track.vector is not None or track.closed
        return known or track.end - track.start >= self._settings.min_seconds

    def _solve(self, now: float) -> list[Event]:
        """Group the tracks of the window into vehicles, and say what changes."""
        due = (track for track in self._tracks.values() if self._due(track) and track.key not in self._no_vehicles)
        rows = {track.key: track for track in due}
        by_user, self._corrected = self._corrected, False
        if not rows or not (self._changed or any(not track.identity for track in rows.values())):
            return []
        self._changed = False
        groups, pinned, sure = self._groups(now, rows)
        known = {key: track.identity for key, track in rows.items() if track.identity}
        change = renumber(groups, known, self._fresh, pinned, {track.identity for track in self._past})
        for number, group in zip(change.number, groups, strict=True):
            for key in group:
                rows[key].identity, rows[key].sure = number, sure.get(key, 1.0)
        events = [
            Event(EventKind.MERGED, now, identity=number, other=other, reason="corrected" if by_user else "one vehicle")
            for other, number in change.merged
        ]
        events += [
            Event(EventKind.SPLIT, now, identity=number, other=other, reason="corrected" if by_user else "two vehicles")
            for number, other in change.split
        ]
        size = {number: len(group) for number, group in zip(change.number, groups, strict=True)}
        for key, number in change.assigned:
            reason = "joined" if size[number] > 1 else "a new vehicle"
            events.append(
                Event(EventKind.ASSIGNED, now, *key, identity=number, probability=rows[key].sure, reason=reason)
            )
        for key, old, number in change.revised:
            reason = "corrected" if by_user else "better evidence"
            events.append(
                Event(
                    EventKind.REVISED,
                    now,
                    *key,
                    identity=number,
                    other=old,
                    probability=rows[key].sure,
                    reason=reason,
                )
            )
        return events

    def _groups(
        self, now: float, rows: Mapping[TrackKey, WindowTrack]
    ) -> tuple[list[list[TrackKey]], dict[int, int], dict[TrackKey, float]]:
        """The tracks of each vehicle, by their start; vehicles in the order of their first track. Then the group of
        each identity that has final answers, and for each track the probability that its group is one vehicle."""
        if self._model is None:
            return self._told(rows)
        context = len(self._past) - min(self._settings.context_tracks, len(self._past))
        named = {key for each in self._standing for key in each.tracks}
        past = [track for place, track in enumerate(self._past) if place >= context or track.key in named]
        every = {track.key: track for track in [*past, *rows.values()]}
        cameras = camera_tracks(
            list(every.values()), self._pictures, now, association=self._association, repair=self._repair
        )
        summaries = summarise(cameras)
        keys = _keys(summaries)
        # Chains of many tracks are left to what learns in the background: eight rounds more in each solve.
        joint = self._association.joint_appearance and len(summaries) <= MAX_TRACKS
        settings = self._association.model_copy(update={"rounds": self._settings.rounds, "joint_appearance": joint})
        known = self._known(keys, every)
        found = associate(summaries, self._model.links, settings, known)
        groups: dict[int, list[TrackKey]] = defaultdict(list)
        for row in np.lexsort((np.arange(len(keys)), summaries.start)).tolist():
            if keys[row] in rows:
                groups[int(found.identity[row])].append(keys[row])
        place = {number: index for index, number in enumerate(groups)}
        settled = [
            (every[key].identity, int(number))
            for key, number, is_known in zip(keys, found.identity, known.settled, strict=True)
            if is_known and every[key].identity
        ]
        pinned = {identity: place[number] for identity, number in settled if number in place}
        return list(groups.values()), pinned, dict(zip(keys, found.sure.tolist(), strict=True))

    def _told(
        self, rows: Mapping[TrackKey, WindowTrack]
    ) -> tuple[list[list[TrackKey]], dict[int, int], dict[TrackKey, float]]:
        """See `_groups`, without links: every track is alone, but for what is final and what users know."""
        keys = sorted(rows, key=lambda key: (rows[key].start, key))
        known = self._known(keys, rows)
        place: dict[int, int] = {}
        groups: list[list[TrackKey]] = []
        pinned = {}
        for key, vehicle, settled in zip(keys, known.vehicle.tolist(), known.settled.tolist(), strict=True):
            if vehicle not in place:
                place[vehicle] = len(groups)
                groups.append([])
            groups[place[vehicle]].append(key)
            if settled and rows[key].identity:
                pinned[rows[key].identity] = place[vehicle]
        return groups, pinned, {}

    def _known(self, keys: Sequence[TrackKey], tracks: Mapping[TrackKey, WindowTrack]) -> KnownVehicles:
        """What final answers, which do not change, and users say about tracks."""
        known, row_of = KnownVehicles.none(len(keys)), {key: row for row, key in enumerate(keys)}
        together: dict[Hashable, list[int]] = defaultdict(list)
        for key, group in linked(self._standing).items():
            if key in row_of:
                together[min(group)].append(row_of[key])
                # Solved long ago with a track that has gone: what it is called is known.
                known.settled[row_of[key]] = tracks[key].identity > 0 and not group <= self._tracks.keys()
        for row, key in enumerate(keys):
            known.settled[row] |= tracks[key].final
            if known.settled[row]:
                together[tracks[key].identity].append(row)
        for rows in together.values():
            vehicles = known.vehicle[rows]
            known.vehicle[np.isin(known.vehicle, vehicles)] = vehicles.min()
        known.settled[:] = np.isin(known.vehicle, known.vehicle[known.settled])
        apart = set()
        for each in self._standing:
            for a, b in product(each.first, each.second) if each.kind == DIFFERENT else ():
                if a in row_of and b in row_of and not (known.settled[row_of[a]] and known.settled[row_of[b]]):
                    apart.add(tuple(sorted((int(known.vehicle[row_of[a]]), int(known.vehicle[row_of[b]])))))
        return replace(known, apart=np.array(sorted(apart), np.int64).reshape(-1, 2))

    def _finish(self, now: float, said: float | None = None) -> list[Event]:
        """Make tracks final that nothing can change any more, and, above the cap, the oldest ones."""
        seconds = now if said is None else said
        ended = (t for t in self._tracks.values() if t.closed and not t.final and t.key not in self._no_vehicles)
        waiting = sorted(ended, key=lambda track: track.end)
        surplus = len(self._tracks) - self._settings.max_tracks
        events = []
        for place, track in enumerate(waiting):
            if now < track.end + self._wait(track.camera) and place >= surplus:
                continue
            track.final = True
            reason = "nothing can follow any more" if place >= surplus else "too many tracks"
            events.append(
                Event(
                    EventKind.FINAL, seconds, *track.key, identity=track.identity, probability=track.sure, reason=reason
                )
            )
        return events

    def _wait(self, camera: str) -> float:
        """Seconds after the end of a track of a camera until it is final."""
        model, wait = self._model, None
        if model is not None and model.unknown(camera) <= self._settings.unknown_links:
            wait = model.horizon(camera)
        if wait is None:
            wait = self._association.longest_travel
        return max(wait, self._association.longest_overlap) + self._settings.settle_seconds

    def _forget(self, now: float) -> None:
        """Let go of tracks that are final, like the ones before and after them of the same vehicle."""
        vehicles: dict[int, list[WindowTrack]] = defaultdict(list)
        for track in list(self._tracks.values()):
            if track.key not in self._no_vehicles:
                vehicles[track.identity].append(track)
            elif track.closed:
                del self._tracks[track.key]
        for identity, tracks in vehicles.items():
            if not identity:
                continue
            tracks.sort(key=lambda track: track.start)
            for before, track, after in zip([None, *tracks], tracks, [*tracks[1:], None], strict=False):
                if track.closed and track.final and all(other is None or other.final for other in (before, after)):
                    del self._tracks[track.key]
                    boxes = track.boxes
                    track.boxes = TimedBoxes.empty()
                    track.add(boxes, HISTORY_BOXES)
                    self._past.append(track)
        oldest = now - self._settings.history_seconds
        self._past = [track for track in self._past if track.end >= oldest][-self._settings.max_history :]
        if self._standing and now > self._until:
            here = self._tracks.keys() | {track.key for track in self._past}
            self._bind([each for each in self._standing if not here.isdisjoint(each.tracks)])

    def _fresh(self) -> int:
        self._next_identity += 1
        return self._next_identity - 1


def _keys(summaries: TrackSummaries) -> list[TrackKey]:
    return [(summaries.cameras[c], int(t)) for c, t in zip(summaries.camera, summaries.track, strict=True)]
