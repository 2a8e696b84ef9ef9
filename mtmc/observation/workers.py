"""Run a function for many cameras in parallel processes; the failure of one camera does not affect the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from common.processes import worker_context

Job = TypeVar("Job")
Result = TypeVar("Result")


class CameraFailure(Exception):
    """A camera could not be processed; the text is for the user."""


def map_cameras(
    function: Callable[[Job], Result],
    jobs: Mapping[str, Job],
    workers: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    expected: tuple[type[Exception], ...] = (),
) -> Iterator[tuple[str, Result | CameraFailure]]:
    """Yield (camera, result of `function` for its job) as cameras finish.

    A process that dies (a crash in a decoder, the out-of-memory killer) brings down its pool. The unfinished jobs are
    then repeated one by one, each in a process of its own, so that only the camera at fault fails.

    Args:
        function: importable by name; runs in a worker process.
        jobs: by camera.
        workers: number of processes.
        initializer, initargs: a function that every process calls first, and its arguments.
        expected: exceptions of `function` that mean that the camera failed; others are bugs and propagate.
    """
    repeated: dict[str, Job] = {}
    with _pool(min(workers, max(len(jobs), 1)), initializer, initargs) as pool:
        futures = {pool.submit(function, job): name for name, job in jobs.items()}
        for future in as_completed(futures):
            name = futures[future]
            try:
                yield name, _outcome(future, expected)
            except BrokenProcessPool:
                repeated[name] = jobs[name]
    for name, job in repeated.items():
        with _pool(1, initializer, initargs) as pool:
            try:
                yield name, _outcome(pool.submit(function, job), expected)
            except BrokenProcessPool:
                yield name, CameraFailure(f"{name}: its worker process died")


def _pool(workers: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=initializer, initargs=initargs)


def _outcome(future: Future[Any], expected: tuple[type[Exception], ...]) -> Any:
    try:
        return future.result()
    except expected as error:
        return CameraFailure(str(error))
