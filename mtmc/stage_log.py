"""What the stages of a run took, and what was reused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from mtmc.report.data import StageInfo


class StageLog:
    """Collects one entry a stage and part, and tells the person in a line each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.entries: list[StageInfo] = []

    def add(self, name: str, part: str, seconds: float, frames: int | None = None, reused: bool = False) -> None:
        """Note a finished part of a stage."""
        self.entries.append(StageInfo(name, seconds, frames, reused, part))

    @contextmanager
    def timed(self, name: str, part: str = "", frames: int | None = None) -> Iterator[None]:
        """Note the block as a part of a stage that was worked on."""
        start = time.perf_counter()
        yield
        self.add(name, part, time.perf_counter() - start, frames)

    def say(self, text: str) -> None:
        """Tell the person something."""
        self._console.print(text, highlight=False, markup=False)

    def tell(self, name: str) -> None:
        """Tell what became of a stage's parts: worked on in so many seconds, reused."""
        parts = [entry for entry in self.entries if entry.name == name]
        fresh = [entry for entry in parts if not entry.reused]
        reused = len(parts) - len(fresh)
        notes = []
        if fresh:
            seconds = sum(entry.seconds for entry in fresh)
            labels = (
                ", ".join(entry.part for entry in fresh if entry.part) if len(fresh) <= 8 else f"{len(fresh)} parts"
            )
            notes.append(f"{labels + ' ' if labels else ''}in {seconds:.1f} s")
        if reused:
            notes.append("reused" if not fresh else f"{reused} reused")
        self.say(f"{name}: {'; '.join(notes) or 'nothing to do'}")
