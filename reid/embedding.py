"""Features of image files, decoded ahead of the network in batches; unreadable files are reported and skipped."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reid.branches import ImageLabels
from reid.extractor import Extractor
from reid.images import UnreadableImage, read_image

log = logging.getLogger(__name__)

_FILES_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class EmbeddedFiles:
    """Features of image files.

    Attributes:
        vectors: (n, d) float32, one row per file in the given order; rows of unreadable files are zeros.
        readable: (n,) bool, which files could be read.
        unreadable: one line per unreadable file, naming the file and the reason.
    """

    vectors: npt.NDArray[np.float32]
    readable: npt.NDArray[np.bool_]
    unreadable: tuple[str, ...]


def embed_files(
    extractor: Extractor,
    paths: Sequence[str],
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
    labels: ImageLabels | None = None,
) -> EmbeddedFiles:
    """Embed image files.

    Args:
        extractor: computes the features.
        paths: n image files.
        threads: threads that decode and resize while the network computes; more helps where decoding is the bottleneck.
        progress: called after each batch with its number of files.
        labels: cameras and viewpoints of the files, for networks that use them; None: not known.
    """
    vectors = np.zeros((len(paths), extractor.dims), np.float32)
    readable = np.zeros(len(paths), np.bool_)
    unreadable: list[str] = []
    for start, images, good, problems in _prepared(extractor, paths, threads):
        rows = start + np.flatnonzero(good)
        if len(rows):
            known = None if labels is None else ImageLabels(*(part[rows] for part in labels))
            vectors[rows] = extractor.embed_prepared(images, known)
        readable[rows] = True
        unreadable += problems
        if progress is not None:
            progress(len(good))
    for problem in unreadable:
        log.warning("%s; skipped", problem)
    return EmbeddedFiles(vectors, readable, tuple(unreadable))


_Prepared = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], list[str]]


def _prepared(
    extractor: Extractor, paths: Sequence[str], threads: int
) -> Iterator[tuple[int, npt.NDArray[np.uint8], npt.NDArray[np.bool_], list[str]]]:
    """Yield batches in order: first row, decoded images, mask of the readable files, problems of the others."""

    def prepare(start: int) -> _Prepared:
        decoded, good, problems = [], [], []
        for path in paths[start : start + _FILES_AT_ONCE]:
            try:
                decoded.append(read_image(path))
                good.append(True)
            except UnreadableImage as error:
                good.append(False)
                problems.append(str(error))
        return extractor.prepare(decoded, "rgb"), np.array(good, np.bool_), problems

    starts = deque(range(0, len(paths), _FILES_AT_ONCE))
    # Only a few batches are decoded ahead: the images of a large gallery do not fit into memory.
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        ahead: deque[tuple[int, Future[_Prepared]]] = deque()
        while starts or ahead:
            while starts and len(ahead) <= threads:
                start = starts.popleft()
                ahead.append((start, pool.submit(prepare, start)))
            start, future = ahead.popleft()
            yield (start, *future.result())
