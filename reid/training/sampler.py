"""Batch sampling: P identities with K images each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.errors import InputError

Rows = npt.NDArray[np.int64]


class IdentityBatches:
    """An infinite sequence of batches in which every identity occurs equally often.

    The identities are shuffled and dealt out `identities` at a time; the remainder is shuffled back in for the next
    round. Batch i depends on the seed and i only, so that any process can make any batch and an interrupted run resumes
    with exactly the next one.

    Args:
        labels: (n,) integer, class of each image.
        identities: P, distinct identities per batch.
        images: K, images per identity; without repetition if the identity has at least K.
        seed: seed of all random choices.

    Raises:
        InputError: the data has fewer than P identities.
    """

    def __init__(self, labels: npt.ArrayLike, identities: int, images: int, seed: int) -> None:
        values = np.asarray(labels)
        order = np.argsort(values, kind="stable").astype(np.int64)
        distinct, first = np.unique(values[order], return_index=True)
        if len(distinct) < identities:
            raise InputError(
                f"sampler.identities: a batch needs {identities} identities, the training data has {len(distinct)}; "
                f"set sampler.identities to at most {len(distinct)}"
            )
        self._rows = np.split(order, first[1:])
        self.identities = identities
        self.images = images
        self.seed = seed

    def __len__(self) -> int:
        """Batches per epoch: the number of images divided by the batch size."""
        return max(1, sum(map(len, self._rows)) // (self.identities * self.images))

    def batch(self, number: int) -> Rows:
        """Return (P * K,) int64, the rows of batch `number` (from 0), grouped by identity."""
        deals = len(self._rows) // self.identities
        deal, place = divmod(number, deals)
        shuffled = np.random.default_rng([self.seed, 0, deal]).permutation(len(self._rows))
        chosen = shuffled[place * self.identities : (place + 1) * self.identities]
        random = np.random.default_rng([self.seed, 1, number])
        return np.concatenate([draw_rows(self._rows[identity], self.images, random) for identity in chosen])


class MixedBatches:
    """Batches of which each data set has a fixed number of identities; otherwise as `IdentityBatches`.

    Args:
        labels: (n,) integer, class of each image, distinct between data sets.
        source: (n,) integer, data set of each image, from 0, in ascending order.
        identities: identities of each data set in a batch.
        images: K, images per identity.
        seed: seed of all random choices.

    Raises:
        InputError: a data set has fewer identities than a batch takes of it.
    """

    def __init__(
        self, labels: npt.ArrayLike, source: npt.ArrayLike, identities: Sequence[int], images: int, seed: int
    ) -> None:
        values, sources = np.asarray(labels), np.asarray(source)
        self._first = np.searchsorted(sources, np.arange(len(identities)))
        self._parts = [
            IdentityBatches(values[sources == number], count, images, seed) for number, count in enumerate(identities)
        ]
        self.identities = sum(identities)
        self.images = images
        self.seed = seed

    def __len__(self) -> int:
        """Batches per epoch: the first data set's images divided by its share of a batch."""
        return len(self._parts[0])

    def batch(self, number: int) -> Rows:
        """Return (P * K,) int64, the rows of batch `number` (from 0), grouped by data set and identity."""
        return np.concatenate([first + p.batch(number) for first, p in zip(self._first, self._parts, strict=True)])


def draw_rows(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """Draw `count` of the given rows, without repetition if there are as many."""
    shuffled = random.permutation(rows)
    if len(rows) >= count:
        return shuffled[:count]
    return np.concatenate((shuffled, random.choice(rows, count - len(rows))))
