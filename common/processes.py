"""Worker processes that do not import the user's script."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any


def available_processors() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_context() -> SpawnContext:
    """The multiprocessing context for workers, such as a `ProcessPoolExecutor`'s `mp_context`.

    Workers are spawned, not forked: the threads of OpenMP, OpenVINO and torch do not survive a fork. A spawned process
    normally runs the parent's `__main__` again. A script without `if __name__ == "__main__"` would start its work
    once more in every worker, and a program read from standard input has no file to run. Workers of this context skip
    that step, so functions and arguments must come from importable modules.
    """
    return _WorkerContext()


class _WorkerProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _anonymous_main():
            return SpawnProcess._Popen(process_obj)


class _WorkerContext(SpawnContext):
    Process = _WorkerProcess


_launching = threading.Lock()


@contextmanager
def _anonymous_main() -> Iterator[None]:
    """Hide from multiprocessing where `__main__` came from, while a process is launched.

    The stand-in has everything else that `__main__` has: another thread may be pickling its classes at this moment.
    """
    with _launching:
        main = sys.modules["__main__"]
        stand_in = ModuleType("__main__")
        stand_in.__dict__.update({k: v for k, v in vars(main).items() if k not in ("__file__", "__spec__")})
        sys.modules["__main__"] = stand_in
        try:
            yield
        finally:
            sys.modules["__main__"] = main
