"""Lines that say how far a training is."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from datetime import timedelta

log = logging.getLogger(__name__)

# Seconds between two lines of progress: often enough to see that a run is alive, seldom enough for a log file.
_PROGRESS_SECONDS = 10.0
_PROGRESS_LOSSES = ("total", "classification", "triplet", "self_supervision")


class Progress:
    """Logs how far a run is: step, losses, images per second and time left, at most every `_PROGRESS_SECONDS`.

    Args:
        first: completed steps when the run was (re)started.
        last: the step at which it stops.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._started = time.perf_counter()
        self._last_line = -math.inf

    def is_due(self) -> bool:
        """Whether the last line is long enough ago."""
        return time.perf_counter() - self._last_line >= _PROGRESS_SECONDS

    def update(self, step: int, row: Mapping[str, float]) -> None:
        """Log a line if one is due, or if this is the last step; `row` is that of log.csv."""
        if not self.is_due() and step < self._last:
            return
        self._last_line = time.perf_counter()
        left = (self._last_line - self._started) / (step - self._first) * (self._last - step)
        losses = ", ".join(f"{name} {row[name]:.4g}" for name in _PROGRESS_LOSSES if row.get(name))
        log.info(
            "step %d of %d: %s; %.1f images/s, %s left",
            step,
            self._last,
            losses,
            row["images_per_second"],
            timedelta(seconds=round(left)),
        )
