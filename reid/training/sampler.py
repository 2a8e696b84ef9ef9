"""Which images make which batch: P identities with K images each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.errors import InputError

Rows = npt.NDArray[np.int64]


class IdentityBatches:
    """An endless series of batches in which every identity comes up equally often.

    The identities are shuffled and dealt out `identities` at a time; what remains is put back before the next deal.
    Batch number i is a function of the seed and i alone: any process can make any batch, and a run that was cut off
    goes on with the very next one.

    Args:
        labels: (n,) integer class of each image.
        identities: P, distinct identities in a batch.
        images: K, images of each; distinct ones where the identity has K, otherwise all of them and repetitions.
        seed: decides everything.

    Raises:
        InputError: there are fewer than P identities.
    """

    def __init__(self, labels: npt.ArrayLike, identities: int, images: int, seed: int) -> None:
        values = np.asarray(labels)
        order = np.argsort(values, kind="stable").astype(np.int64)
        distinct, first = np.unique(values[order], return_index=True)
        if len(distinct) < identities:
            raise InputError(
                f"sampler.identities: a batch takes {identities} identities, the training data have {len(distinct)}; "
                f"set sampler.identities to at most {len(distinct)}"
            )
        self._rows = np.split(order, first[1:])
        self.identities = identities
        self.images = images
        self.seed = seed

    def __len__(self) -> int:
        """Batches that show about as many images as there are: an epoch."""
        return max(1, sum(map(len, self._rows)) // (self.identities * self.images))

    def batch(self, number: int) -> Rows:
        """(P * K,) int64 rows of batch `number` (from 0), the K images of an identity one after the other."""
        deals = len(self._rows) // self.identities
        deal, place = divmod(number, deals)
        shuffled = np.random.default_rng([self.seed, 0, deal]).permutation(len(self._rows))
        chosen = shuffled[place * self.identities : (place + 1) * self.identities]
        random = np.random.default_rng([self.seed, 1, number])
        return np.concatenate([_draw(self._rows[identity], self.images, random) for identity in chosen])


def _draw(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    shuffled = random.permutation(rows)
    if len(rows) >= count:
        return shuffled[:count]
    return np.concatenate((shuffled, random.choice(rows, count - len(rows))))
