"""What the association learned while it ran, as text in the store, and when it learns again."""

from __future__ import annotations

import json
import math

from mtmc.association.links_file import Links
from mtmc.online.window_model import WindowModel

FIRST_LESSON = 20
"""Ended tracks from which links are learned for the first time. Raising it joins tracks of different cameras later, on
better grounds. Fewer teach hardly anything."""
MORE = 1.5
"""Links are learned again once that many times as many tracks are known. Raising it learns more rarely."""
LESSON_SECONDS = 600.0
"""Seconds after which links are learned again from no more tracks than before, so that they follow the traffic of the
day. Raising it saves computing time."""
HALF_LIFE = 6 * 3600.0
"""Seconds in which what was learned counts half as much, in tracks, against what can be learned now. Raising it keeps
the links of busy hours through longer quiet ones, and those of a camera that was moved for longer, if fewer vehicles
pass it since. Theory: a night."""


class LessonPlan:
    """When links are learned: from the first tracks, then ever more rarely, and never from far fewer than before.

    >>> plan = LessonPlan()
    >>> plan.due(19, 60.0), plan.due(20, 61.0), plan.due(29, 70.0), plan.due(30, 71.0), plan.due(31, 671.0)
    (False, True, False, True, True)
    >>> plan.due(25, 2000.0), plan.due(25, 8000.0)
    (False, True)
    """

    def __init__(self) -> None:
        """Nothing was learned yet."""
        self._tracks, self._seconds = 0, -math.inf

    def due(self, tracks: int, seconds: float) -> bool:
        """Whether it is time, which counts as done then.

        Args:
            tracks: number of ended tracks that can be learned from now.
            seconds: the present.
        """
        age = seconds - self._seconds
        enough = tracks >= MORE * self._tracks
        if not enough and age >= LESSON_SECONDS:
            enough = tracks >= self._tracks * 0.5 ** (age / HALF_LIFE)
        if tracks < FIRST_LESSON or not enough:
            return False
        self.done(tracks, seconds)
        return True

    def done(self, tracks: int, seconds: float) -> None:
        """Note from how many tracks was learned, and when."""
        self._tracks, self._seconds = tracks, seconds


def lesson_of(model: WindowModel, seconds: float) -> str:
    """A model as text, with the second at which it was learned.

    >>> model, seconds = model_of(lesson_of(WindowModel(Links(), {"c041": 30}), 95.0))
    >>> model.tracks, seconds
    ({'c041': 30}, 95.0)
    """
    content = {"tracks": dict(model.tracks or {}), "seconds": seconds, "links": model.links.model_dump(mode="json")}
    return json.dumps(content)


def model_of(lesson: str) -> tuple[WindowModel, float]:
    """The model in what `lesson_of` returned, and when it was learned."""
    content = json.loads(lesson)
    # Earlier versions kept one number for all cameras, which does not say how well the links of each are known.
    tracks = content["tracks"] if isinstance(content["tracks"], dict) else {}
    model = WindowModel(Links.model_validate(content["links"]), {name: int(count) for name, count in tracks.items()})
    return model, float(content.get("seconds", -math.inf))
