"""What every way of working on clips has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

RETRIES = 1
"""Times that a clip is tried again after its process died or ran out of memory. Raising it helps where machines come
and go; a clip that always crashes its decoder then costs that many more attempts."""


class ClipFailure(Exception):
    """A clip could not be processed; the text is for the user."""


class Executor(Protocol):
    """Runs a function for many clips. Keeps its workers between calls, until it is closed."""

    name: str
    """As it is chosen on the command line."""

    def cores(self, jobs: int) -> int:
        """CPU cores that each of `jobs` clips may use: decoder, detector and extractor get that many threads."""

    def map(
        self,
        function: Callable[[Job], Result],
        jobs: Mapping[str, Job],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> Iterator[tuple[str, Result | ClipFailure]]:
        """Yield (clip, result of `function` for its job) as clips finish.

        A clip that kills its process, or runs out of memory, is tried again `RETRIES` times, apart from the others;
        then it fails, and the others still finish. Closing the iterator early cancels the clips that have not started.

        Args:
            function: importable by name, or a partial of such a function.
            jobs: by clip; they and the results are sent between processes.
            expected: exceptions that mean that the clip itself cannot be used; it is not tried again. Other exceptions
                are bugs and propagate.
        """

    def close(self) -> None:
        """Stop the workers."""
