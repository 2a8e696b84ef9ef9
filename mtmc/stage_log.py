"""The log of a run: how long each stage took, and what came from the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

MAX_LISTED = 8
"""Parts of a stage that its line lists by name. Of more parts it gives only the number, to stay readable."""


@dataclass(frozen=True, slots=True)
class StageInfo:
    """One part of one stage.

    Attributes:
        name: `observe`, `embed`, `associate`, ...
        seconds: wall-clock time of the work; for a reused result, 0 or what the work took when it was done.
        frames: frames processed; None for a stage that does not count frames.
        reused: the result came from the cache.
        part: a camera, an extractor, or "" for the whole stage.
    """

    name: str
    seconds: float
    frames: int | None = None
    reused: bool = False
    part: str = ""


class StageLog:
    """Collects an entry for each part of each stage, and prints one line per stage."""

    def __init__(self, console: Console) -> None:
        """Start empty; messages go to `console`."""
        self._console = console
        self.entries: list[StageInfo] = []

    def add(self, name: str, part: str, seconds: float, frames: int | None = None, reused: bool = False) -> None:
        """Record a finished part of a stage."""
        self.entries.append(StageInfo(name, seconds, frames, reused, part))

    @contextmanager
    def timed(self, name: str, part: str = "", frames: int | None = None) -> Iterator[None]:
        """Time the block and record it as a part of a stage."""
        start = time.perf_counter()
        yield
        self.add(name, part, time.perf_counter() - start, frames)

    def say(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, highlight=False, markup=False)

    def tell(self, name: str) -> None:
        """Print the line of a stage: what ran and for how long, and what was reused."""
        parts = [entry for entry in self.entries if entry.name == name]
        fresh = [entry for entry in parts if not entry.reused]
        reused = len(parts) - len(fresh)
        notes = []
        if fresh:
            seconds = sum(entry.seconds for entry in fresh)
            named = [entry.part for entry in fresh if entry.part]
            labels = ", ".join(named) if len(fresh) <= MAX_LISTED else f"{len(fresh)} parts"
            notes.append(f"{labels} in {seconds:.1f} s".lstrip())
        if reused:
            notes.append("reused" if not fresh else f"{reused} reused")
        self.say(f"{name}: {'; '.join(notes) or 'nothing to do'}")
