"""One clip after the other, in this process: no start-up time, and a debugger stops where it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from common.processes import available_processors
from mtmc.execution.interface import ClipFailure, Job, Result


class InTurn:
    """An `Executor` without workers. A clip that crashes the process ends the run, which the cache then continues."""

    name = "in-turn"

    def cores(self, jobs: int) -> int:
        """All of them."""
        return available_processors()

    def map(
        self,
        function: Callable[[Job], Result],
        jobs: Mapping[str, Job],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> Iterator[tuple[str, Result | ClipFailure]]:
        """See `Executor.map`."""
        for name, job in jobs.items():
            try:
                yield name, function(job)
            except expected as error:
                yield name, ClipFailure(str(error))
            except MemoryError:
                yield name, ClipFailure(f"{name}: out of memory")

    def close(self) -> None:
        """Nothing to stop."""
