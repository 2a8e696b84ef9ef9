"""Clips in parallel processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from common.processes import available_processors, worker_context
from mtmc.execution.interface import RETRIES, ClipFailure, Job, Result


class Processes:
    """An `Executor` of spawned processes, which stay for the next call: importing the packages takes them seconds.

    Args:
        workers: clips processed at a time; None: one per CPU.
    """

    name = "processes"

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or available_processors()
        self._pool: ProcessPoolExecutor | None = None
        self._size = 0

    def cores(self, jobs: int) -> int:
        """The cores of this machine, shared by the clips that run at a time."""
        return max(1, available_processors() // max(1, min(self._workers, jobs)))

    def map(
        self,
        function: Callable[[Job], Result],
        jobs: Mapping[str, Job],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> Iterator[tuple[str, Result | ClipFailure]]:
        """See `Executor.map`.

        A process that dies (a crash in a decoder, the out-of-memory killer) brings down its pool. The unfinished clips
        are then repeated one by one, each in a process of its own, so that only the clip at fault fails.
        """
        again: dict[str, Job] = {}
        pool = self._started(min(self._workers, len(jobs)))
        futures = {pool.submit(function, job): name for name, job in jobs.items()}
        try:
            for future in as_completed(futures):
                name = futures[future]
                try:
                    yield name, future.result()
                except expected as error:
                    yield name, ClipFailure(str(error))
                except (BrokenProcessPool, MemoryError):
                    again[name] = jobs[name]
        finally:
            for future in futures:
                future.cancel()
            if again:
                self.close()
        for name, job in again.items():
            yield name, _alone(function, job, name, expected)

    def close(self) -> None:
        """Stop the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _started(self, workers: int) -> ProcessPoolExecutor:
        if self._pool is None or self._size < workers:
            self.close()
            self._pool, self._size = _pool(workers), workers
        return self._pool


def _alone(
    function: Callable[[Job], Result], job: Job, name: str, expected: tuple[type[Exception], ...]
) -> Result | ClipFailure:
    """The result of a clip that failed among others, tried again by itself."""
    reason = ""
    for _ in range(RETRIES):
        with _pool(1) as pool:
            try:
                return pool.submit(function, job).result()
            except expected as error:
                return ClipFailure(str(error))
            except BrokenProcessPool:
                reason = f"{name}: its worker process died"
            except MemoryError:
                reason = f"{name}: out of memory"
    return ClipFailure(reason)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(max(1, workers), mp_context=worker_context())
