"""Writing data sets: whole or not at all, with several processes."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import cv2

from common.errors import InputError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@contextmanager
def published(output: Path) -> Iterator[Path]:
    """A folder to write into that becomes `output` when the block ends well, and vanishes when it does not.

    Raises:
        InputError: `output` exists and is not an empty folder.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"--output: {output} exists already and is not empty; name another folder or remove it")
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        yield folder
        folder.chmod(0o755)
        if output.exists():
            output.rmdir()
        folder.replace(output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_text(path: Path, lines: Iterable[str]) -> None:
    """Write `lines`, each ended by a newline."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def in_parallel(function: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    """The results of `function` on each task, in their order, by `workers` processes (1: in this one)."""
    if workers <= 1 or len(tasks) <= 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(function, tasks)
