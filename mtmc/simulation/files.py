"""Writing data sets atomically, with several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from common.errors import InputError
from common.files import atomic
from common.processes import worker_context

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `output` if the block succeeds and is deleted otherwise.

    Raises:
        InputError: `output` exists and is not an empty folder.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"--output: {output} exists and is not empty; choose another folder or remove it")
    with atomic(output) as folder:
        folder.mkdir()
        yield folder


def write_text(path: Path, lines: Iterable[str]) -> None:
    """Write `lines`, each terminated by a newline."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def write_jpeg(path: Path, picture: npt.NDArray[np.uint8], quality: int) -> None:
    """Write a picture, (height, width) grey or (height, width, 3) BGR, of a `quality` in per cent.

    OpenCV's own `imwrite` says nothing where the disk is full.
    """
    path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def parallel_map(function: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int) -> Iterator[_Result]:
    """Yield the results of `function` for each task in order, computed by `workers` processes (1: in this process)."""
    if workers <= 1 or len(tasks) <= 1:
        yield from map(function, tasks)
        return
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=worker_context(), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(function, tasks)
