"""One function over many cameras in parallel processes, so that one camera's failure is its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from common.processes import worker_context

Job = TypeVar("Job")
Result = TypeVar("Result")


class CameraFailure(Exception):
    """A camera could not be worked on; the text is for the person."""


def map_cameras(
    function: Callable[[Job], Result],
    jobs: Mapping[str, Job],
    workers: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
    expected: tuple[type[Exception], ...] = (),
) -> Iterator[tuple[str, Result | CameraFailure]]:
    """Yield (camera, what `function` gave for its job) as cameras finish.

    A process that dies (a crash inside a decoder, the memory killer) takes the others of its pool with it; their jobs
    are then repeated one by one, each in a process of its own, so that only the guilty camera fails.

    Args:
        function: importable by name; runs in a worker process.
        jobs: by camera.
        workers: processes at a time.
        initializer, initargs: called first in every process.
        expected: exceptions of `function` that mean a camera's failure; others are faults of ours and pass through.
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
                yield name, CameraFailure(f"{name}: the process that worked on it died")


def _pool(workers: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=initializer, initargs=initargs)


def _outcome(future: Future[Any], expected: tuple[type[Exception], ...]) -> Any:
    try:
        return future.result()
    except expected as error:
        return CameraFailure(str(error))
