"""Batches of views, made ahead of the training step, in worker processes or not, always the same."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from common.errors import InputError
from reid.images import RgbImage, UnreadableImage, read_image
from reid.settings import ViewSettings
from reid.training.sampler import IdentityBatches
from reid.views import GLOBAL_VIEWS, make_views

log = logging.getLogger(__name__)

_SAMPLE = 32
_GIGABYTE = 1e9


class Batch(NamedTuple):
    """What one training step sees. Views are ordered view by view: all first views, all second views, ...

    Attributes:
        global_views: (2 * n, 3, h, w) uint8, RGB, channels last in memory.
        local_views: (L * n, 3, h', w') uint8.
        labels: (n,) int64 classes of the n images.
        unreadable: files that were passed over while making this batch.
    """

    global_views: torch.Tensor
    local_views: torch.Tensor
    labels: torch.Tensor
    unreadable: tuple[str, ...] = ()


class ImageStore:
    """Images by row, kept decoded in memory when all of them fit.

    Args:
        paths: (n,) files.
        gigabytes: memory that decoded images may take; 0 reads each image from its file every time.
        threads: that decode.

    What is kept stays in this process: a copy in a worker reads the files, or each would hold all images again.
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
        """The image of a row, (h, w, 3) uint8 RGB.

        Raises:
            UnreadableImage: it is none.
        """
        kept = self._kept[row]
        return read_image(self.paths[row]) if kept is None else kept

    def _estimate(self) -> float:
        """Bytes of all images, from some of them."""
        rows = np.linspace(0, len(self.paths) - 1, min(_SAMPLE, len(self.paths))).astype(int)
        sample = [p for p in (_read_or_none(self.paths[r]) for r in rows) if p is not None]
        return float(np.mean([p.nbytes for p in sample])) * len(self.paths) if sample else np.inf


class BatchMaker(Dataset[Batch]):
    """Batch by number. A pure function of the seed and the number, whatever the process that calls it.

    Args:
        store: the training images.
        labels: (n,) int64 class of each.
        batches: which rows make which batch.
        views: how views are drawn.
        size: height and width of global views.
        rank: this process's number among `processes`; it makes its share of the batch's identities.
        processes: must divide the number of identities in a batch.

    An unreadable image is passed over: another of the same identity takes its place, or, where the identity has none
    that can be read, its neighbour in the batch, label and all.

    Raises:
        InputError: `processes` does not divide the identities; on access, when a whole batch is unreadable.
    """

    def __init__(
        self,
        store: ImageStore,
        labels: npt.NDArray[np.int64],
        batches: IdentityBatches,
        views: ViewSettings,
        size: tuple[int, int],
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if batches.identities % processes:
            raise InputError(
                f"sampler.identities: {batches.identities} identities cannot be shared evenly by {processes} processes"
            )
        self.store, self.labels, self.batches, self.views, self.size = store, labels, batches, views, size
        self.share = batches.identities * batches.images // processes
        self.first = rank * self.share

    def __getitem__(self, number: int) -> Batch:
        rows = self.batches.batch(number)[self.first : self.first + self.share]
        unreadable: list[str] = []
        found = [self._readable(int(row), unreadable) for row in rows]
        good = [place for place, pair in enumerate(found) if pair is not None]
        if not good:
            raise InputError(f"{self.store.paths[int(rows[0])]}: not one image of batch {number} can be read")
        whole = np.empty((GLOBAL_VIEWS, len(rows), *self.size, 3), np.uint8)
        part = np.empty((self.views.local, len(rows), *self.views.local_size, 3), np.uint8)
        labels = np.empty(len(rows), np.int64)
        for place in range(len(rows)):
            pair = found[place] or found[min(good, key=lambda g: abs(g - place))]
            assert pair is not None
            row, image = pair
            random = np.random.default_rng([self.batches.seed, 2, number, self.first + place])
            whole[:, place], part[:, place] = make_views(image, self.views, self.size, random)
            labels[place] = self.labels[row]
        return Batch(_as_images(whole), _as_images(part), torch.from_numpy(labels), tuple(unreadable))

    def _readable(self, row: int, unreadable: list[str]) -> tuple[int, RgbImage] | None:
        """The row's image, else the next of its identity that can be read."""
        for candidate in itertools.chain((row,), self._others(row)):
            try:
                return candidate, self.store.read(candidate)
            except UnreadableImage:
                unreadable.append(self.store.paths[candidate])
        return None

    def _others(self, row: int) -> Iterator[int]:
        """The other rows of a row's identity, those after it first; looked for only once one is asked for."""
        label = self.labels[row]
        same = np.flatnonzero(self.labels == label) if label >= 0 else np.array([row])
        place = int(np.searchsorted(same, row))
        yield from map(int, np.concatenate((same[place + 1 :], same[:place])))


def iterate_batches(maker: BatchMaker, first: int, last: int, workers: int, pin: bool = False) -> Iterator[Batch]:
    """Batches `first` .. `last - 1` in order, made ahead by `workers` processes (0: made when asked for)."""
    # Workers that each start OpenCV threads fight over the cores.
    cv2.setNumThreads(0 if workers else 1)
    yield from DataLoader(
        maker,
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        # Not forked from this process: its threads (OpenVINO's, OpenMP's) do not survive a fork.
        multiprocessing_context="forkserver" if workers else None,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
    )


class DamageReport:
    """Counts unreadable images and names each once in the log."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def add(self, unreadable: Sequence[str]) -> None:
        """Take in what one batch passed over."""
        for path in unreadable:
            if path not in self.files:
                self.files.add(path)
                log.warning("%s: unreadable image, passed over (%d so far)", path, len(self.files))


def _read_or_none(path: str) -> RgbImage | None:
    try:
        return read_image(path)
    except UnreadableImage:
        return None


def _as_images(views: npt.NDArray[np.uint8]) -> torch.Tensor:
    """(v, n, h, w, 3) to (v * n, 3, h, w) without moving a byte: channels last."""
    flat = views.reshape(views.shape[0] * views.shape[1], *views.shape[2:])
    return torch.from_numpy(flat).permute(0, 3, 1, 2)
