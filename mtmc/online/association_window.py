"""The sliding window of the association behind the interface that the engine ticks, with what it learns on the way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from mtmc.appearance.features import TrackFeatures
from mtmc.association.links_file import Links
from mtmc.association.track_summaries import GroundMap
from mtmc.config import PipelineSettings
from mtmc.online.corrections import Correction
from mtmc.online.engine import Said
from mtmc.online.events import Event
from mtmc.online.lessons import FIRST_LESSON, LessonPlan, lesson_of, model_of
from mtmc.online.messages import CameraReport, LiveRows
from mtmc.online.window import SlidingWindow
from mtmc.online.window_model import WindowModel, learn
from mtmc.online.window_settings import WindowSettings
from mtmc.online.window_tracks import CameraNews, ClosedTrack, TimedBoxes


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
        self._plan = LessonPlan()

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

    def hold(self, standing: Sequence[Correction]) -> None:
        """See `Window`."""
        self._window.hold(standing)

    def amend(self, merged: Mapping[int, int], moved: Mapping[tuple[str, int], int], next_identity: int) -> None:
        """See `Window`."""
        self._window.amend(merged, moved, next_identity)

    def lesson(self, *, last: bool = False) -> Callable[[], str] | None:
        """See `Window`."""
        tracks = self._window.ended
        if self._given or tracks < FIRST_LESSON or not (self._plan.due(tracks, self._seconds) or last):
            return None
        history, association, seconds = self._window.history(), self._settings.association, self._seconds
        return lambda: lesson_of(learn(history, association), seconds)

    def use(self, lesson: str) -> None:
        """See `Window`."""
        model, seconds = model_of(lesson)
        self._plan.done(sum((model.tracks or {}).values()), seconds)
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
