"""Batches of augmented views, prefetched by worker processes; reproducible for any number of workers."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from common.errors import InputError
from reid.branches import ImageLabels
from reid.images import RgbImage, UnreadableImage, read_image
from reid.settings import IMAGENET_MEAN, IMAGENET_STD, ViewSettings
from reid.training.sampler import Rows
from reid.views import make_views

log = logging.getLogger(__name__)

_SAMPLE = 32
_GIGABYTE = 1e9


class Batch(NamedTuple):
    """Input of one training step. Views are stacked view by view: all first views, then all second views, ...

    Attributes:
        global_views: (g * n, 3, h, w) uint8, RGB, channels last in memory; g is 2, or 1 by `views.global_views`.
        local_views: (L * n, 3, h', w') uint8.
        labels: (n,) int64 classes of the n images.
        unreadable: files that could not be read and were replaced in this batch.
        image_labels: cameras and viewpoints of the n images; None: not known.
    """

    global_views: torch.Tensor
    local_views: torch.Tensor
    labels: torch.Tensor
    unreadable: tuple[str, ...] = ()
    image_labels: ImageLabels | None = None


class ImageStore:
    """Images by row, cached decoded in memory if all of them fit.

    The cache is not copied to worker processes, which read the files instead; otherwise each would hold all images.

    Args:
        paths: n image files.
        gigabytes: memory limit of the cache; 0 reads each image from its file every time.
        threads: threads that decode.
    """

    def __init__(self, paths: Sequence[str], gigabytes: float = 0.0, threads: int = 2) -> None:
        self.paths = list(paths)
        self._kept: list[RgbImage | None] = [None] * len(self.paths)
        if gigabytes > 0 and self.paths and self._estimate() <= gigabytes * _GIGABYTE:
            with ThreadPoolExecutor(threads) as pool:
                self._kept = list(pool.map(_read_or_none, self.paths))

    def __getstate__(self) -> dict[str, object]:
        return {"paths": self.paths, "_kept": [None] * len(self.paths)}

    def read(self, row: int) -> RgbImage:
        """Return the image of a row, (h, w, 3) uint8 RGB.

        Raises:
            UnreadableImage: the file is not a readable image.
        """
        kept = self._kept[row]
        return read_image(self.paths[row]) if kept is None else kept

    def _estimate(self) -> float:
        """Estimate the size of all decoded images in bytes from a sample."""
        rows = np.linspace(0, len(self.paths) - 1, min(_SAMPLE, len(self.paths))).astype(int)
        sample = [p for p in (_read_or_none(self.paths[r]) for r in rows) if p is not None]
        return float(np.mean([p.nbytes for p in sample])) * len(self.paths) if sample else np.inf


class BatchRows(Protocol):
    """Selects the rows of each batch; a function of its seed and the number of the batch."""

    identities: int
    images: int
    seed: int

    def batch(self, number: int) -> Rows:
        """(identities * images,) rows of batch `number`, grouped by identity."""


class BatchMaker(Dataset[Batch]):
    """Makes batches by number: a pure function of seed and number, independent of the calling process.

    Args:
        store: the training images.
        labels: (n,) int64, class of each image.
        batches: selects the rows of each batch.
        views: settings of the augmented views.
        size: height and width of global views in pixels.
        rank: rank of this process among `processes`; it makes its share of the identities in a batch.
        processes: must divide the number of identities in a batch.
        mean: RGB mean of the network's input, for the erasing noise.
        std: RGB standard deviation of the network's input, for the erasing noise.
        image_labels: cameras and viewpoints of all rows.

    An unreadable image is replaced by another one of the same identity or, if that identity has no readable image, by
    its neighbour in the batch together with its label.

    Raises:
        InputError: `processes` does not divide the identities; on access, if no image of a batch can be read.
    """

    def __init__(
        self,
        store: ImageStore,
        labels: npt.NDArray[np.int64],
        batches: BatchRows,
        views: ViewSettings,
        size: tuple[int, int],
        rank: int = 0,
        processes: int = 1,
        *,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        image_labels: ImageLabels | None = None,
    ) -> None:
        if batches.identities % processes:
            raise InputError(
                f"sampler.identities: {batches.identities} identities cannot be divided among {processes} processes"
            )
        self.store, self.labels, self.batches, self.views, self.size = store, labels, batches, views, size
        self.mean, self.std, self.image_labels = mean, std, image_labels
        self.share = batches.identities * batches.images // processes
        self.first = rank * self.share

    def __getitem__(self, number: int) -> Batch:
        rows = self.batches.batch(number)[self.first : self.first + self.share]
        unreadable: list[str] = []
        found = [self._readable(int(row), unreadable) for row in rows]
        good = [place for place, pair in enumerate(found) if pair is not None]
        if not good:
            raise InputError(f"{self.store.paths[int(rows[0])]}: no image of batch {number} can be read")
        global_views = np.empty((self.views.global_views, len(rows), *self.size, 3), np.uint8)
        local_views = np.empty((self.views.local, len(rows), *self.views.local_size, 3), np.uint8)
        labels = np.empty(len(rows), np.int64)
        used = np.empty(len(rows), np.int64)
        for place in range(len(rows)):
            pair = found[place] or found[min(good, key=lambda g: abs(g - place))]
            assert pair is not None
            row, image = pair
            random = np.random.default_rng([self.batches.seed, 2, number, self.first + place])
            global_views[:, place], local_views[:, place] = make_views(
                image, self.views, self.size, random, mean=self.mean, std=self.std
            )
            labels[place], used[place] = self.labels[row], row
        known = self.image_labels
        if known is not None:
            known = ImageLabels(*(part[torch.from_numpy(used)] for part in known))
        return Batch(
            _as_images(global_views), _as_images(local_views), torch.from_numpy(labels), tuple(unreadable), known
        )

    def _readable(self, row: int, unreadable: list[str]) -> tuple[int, RgbImage] | None:
        """The row's image, or the next readable one of the same identity."""
        for candidate in itertools.chain((row,), self._others(row)):
            try:
                return candidate, self.store.read(candidate)
            except UnreadableImage:
                unreadable.append(self.store.paths[candidate])
        return None

    def _others(self, row: int) -> Iterator[int]:
        """Yield the other rows of a row's identity, starting after it; evaluated lazily."""
        label = self.labels[row]
        same = np.flatnonzero(self.labels == label) if label >= 0 else np.array([row])
        place = int(np.searchsorted(same, row))
        yield from map(int, np.concatenate((same[place + 1 :], same[:place])))


def iterate_batches(maker: BatchMaker, first: int, last: int, workers: int, pin: bool = False) -> Iterator[Batch]:
    """Yield batches `first` .. `last - 1` in order, prefetched by `workers` processes (0: made on demand)."""
    # OpenCV threads in every worker would oversubscribe the cores.
    cv2.setNumThreads(0 if workers else 1)
    yield from DataLoader(
        maker,
        batch_size=None,
        sampler=range(first, last),
        generator=torch.Generator(),  # else each (re)start of a run would draw from the network's random numbers
        num_workers=workers,
        # Not plain fork: this process's threads (OpenVINO, OpenMP) do not survive a fork.
        multiprocessing_context="forkserver" if workers else None,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
    )


class DamageReport:
    """Collects unreadable images and logs each of them once."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def add(self, unreadable: Sequence[str]) -> None:
        """Add the unreadable files of one batch."""
        for path in unreadable:
            if path not in self.files:
                self.files.add(path)
                log.warning("%s: unreadable image, skipped (%d so far)", path, len(self.files))


def _read_or_none(path: str) -> RgbImage | None:
    try:
        return read_image(path)
    except UnreadableImage:
        return None


def _as_images(views: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Reshape (v, n, h, w, 3) to (v * n, 3, h, w) without a copy: channels last in memory."""
    flat = views.reshape(views.shape[0] * views.shape[1], *views.shape[2:])
    return torch.from_numpy(flat).permute(0, 3, 1, 2)
