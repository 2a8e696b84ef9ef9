"""The sliding window of the association behind the interface that the engine ticks, with what it learns on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from mtmc.appearance.features import TrackFeatures
from mtmc.association.links_file import Links
from mtmc.association.track_summaries import GroundMap
from mtmc.config import PipelineSettings
from mtmc.online.engine import Said
from mtmc.online.events import Event
from mtmc.online.lessons import lesson_of, links_of, tracks_of
from mtmc.online.messages import CameraReport, LiveRows
from mtmc.online.window import SlidingWindow
from mtmc.online.window_model import WindowModel, learn
from mtmc.online.window_settings import WindowSettings
from mtmc.online.window_tracks import CameraNews, ClosedTrack, TimedBoxes

FIRST_LESSON = 20
"""Ended tracks from which links are learned for the first time. Raising it joins tracks of different cameras later, on
better grounds. Fewer teach hardly anything."""
MORE = 1.5
"""Links are learned again once that many times as many tracks are known. Raising it learns more rarely."""
LESSON_SECONDS = 600.0
"""Seconds after which links are learned again in any case, so that they follow the traffic of the day. Raising it saves
computing time."""


class AssociationWindow:
    """A `mtmc.online.engine.Window` of the association.

    Args:
        cameras: their names.
        settings: of all stages.
        ground: calibrations of the cameras that have one.
        links: zones and links that are given; None: learned from the tracks.
        window: of the sliding window.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        settings: PipelineSettings,
        *,
        ground: Mapping[str, GroundMap] | None = None,
        links: Links | None = None,
        window: WindowSettings | None = None,
    ) -> None:
        self._settings, self._given = settings, links is not None
        model = WindowModel(links) if links is not None else None
        self._window = SlidingWindow(
            cameras, window, association=settings.association, repair=settings.repair, ground=ground, model=model
        )
        self._seconds = -math.inf
        self._learned = (0, -math.inf)
        self._ended = 0

    def __len__(self) -> int:
        """Number of tracks in the window."""
        return len(self._window)

    @property
    def horizon(self) -> float:
        """See `Window`."""
        return self._window.horizon

    def tick(self, seconds: float, reports: Sequence[CameraReport]) -> list[Said]:
        """See `Window`."""
        now = seconds if math.isfinite(seconds) else self._seconds
        now = max(now, max((r.seconds for r in reports if math.isfinite(r.seconds)), default=now))
        by_camera: dict[str, list[CameraReport]] = {}
        for report in reports:
            by_camera.setdefault(report.camera, []).append(report)
        self._ended += sum(bool(len(track.rows)) for report in reports for track in report.closed)
        events = []
        if reports or math.isfinite(seconds):
            events = self._window.update(now, [_news(told) for _, told in sorted(by_camera.items())])
        if math.isinf(seconds) and math.isfinite(now):
            events += self._window.finish(now)
        self._seconds = now
        return [_said(event) for event in events]

    def restore(
        self,
        identities: Mapping[tuple[str, int], int],
        final: Collection[tuple[str, int]],
        next_identity: int,
        until: float,
    ) -> None:
        """See `Window`."""
        self._window.restore(identities, final, next_identity, until)

    def lesson(self) -> Callable[[], str] | None:
        """See `Window`."""
        known, at = self._learned
        if self._given or self._ended < FIRST_LESSON:
            return None
        if self._ended < MORE * known and self._seconds - at < LESSON_SECONDS:
            return None
        self._learned = (self._ended, self._seconds)
        history, association = self._window.history(), self._settings.association
        if len(history) < FIRST_LESSON:
            return None

        def learned() -> str:
            model = learn(history, association)
            return lesson_of(model.links, model.tracks)

        return learned

    def use(self, lesson: str) -> None:
        """See `Window`."""
        model = WindowModel(links_of(lesson), tracks_of(lesson))
        self._learned = (max(self._ended, model.tracks), self._seconds)
        self._window.use(model)


def _news(reports: Sequence[CameraReport]) -> CameraNews:
    """What several reports of one camera say together."""
    features = [report.features for report in reports]
    for report in reports:
        for track in report.closed:
            if track.vector is not None:
                features.append(TrackFeatures._of([track.number], track.vector[None], [max(track.weight, 1e-3)]))
    newest = TrackFeatures.concatenate([each for each in features if len(each)])
    # Of several features of a track the last one counts.
    _, last = np.unique(newest.track[::-1], return_index=True)
    closed = [ClosedTrack(t.number, _timed(t.rows), t.why) for report in reports for t in report.closed]
    size = next(((r.width, r.height) for r in reversed(reports) if r.width), (1, 1))
    rows = LiveRows.concatenate([report.rows for report in reports])
    return CameraNews(reports[0].camera, *size, _timed(rows), newest[len(newest) - 1 - last], closed)


def _timed(rows: LiveRows) -> TimedBoxes:
    order = np.lexsort((rows.seconds, rows.track))
    rows = rows[order]
    return TimedBoxes(rows.tracks(), rows.seconds)


def _said(event: Event) -> Said:
    content: dict[str, object] = {"reason": event.reason}
    if event.other:
        content["other"] = event.other
    if event.probability != 1.0:
        content["probability"] = round(event.probability, 4)
    camera, track = (event.camera, event.track) if event.camera else (None, None)
    return Said(str(event.kind), event.identity or None, camera, track, content)
