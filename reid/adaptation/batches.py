"""Batches of vehicles of which some are known to differ: others teach nothing to a triplet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from reid.adaptation.relations import Relations
from reid.training.sampler import Rows, draw_rows


class RelatedBatches:
    """An infinite sequence of batches: half of the vehicles at random, the others known to differ from one of those.

    Args:
        labels: (n,) int64, vehicle of each crop.
        relations: the vehicles that differ.
        vehicles: vehicles that may be used, each known to differ from another one of them.
        identities: P, vehicles per batch.
        images: K, crops per vehicle.
        seed: seed of all random choices.

    Raises:
        InputError: there are fewer vehicles than a batch takes.
    """

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        relations: Relations,
        vehicles: npt.NDArray[np.int64],
        *,
        identities: int,
        images: int,
        seed: int,
    ) -> None:
        if len(vehicles) < identities:
            raise InputError(
                f"vehicles: a batch takes {identities}, but of the run's vehicles only {len(vehicles)} are seen at the "
                "same time as another one and not held out; lower it (--set vehicles=...) or adapt on a longer run"
            )
        self._vehicles = vehicles
        self._rows = {int(v): np.flatnonzero(labels == v) for v in vehicles}
        usable = np.isin(relations.different, vehicles).all(axis=1)
        self._rivals: dict[int, list[int]] = {int(v): [] for v in vehicles}
        for one, other in relations.different[usable].tolist():
            self._rivals[one].append(other)
            self._rivals[other].append(one)
        self.identities, self.images, self.seed = identities, images, seed

    def batch(self, number: int) -> Rows:
        """Return (P * K,) int64, the rows of batch `number` (from 0), grouped by vehicle."""
        random = np.random.default_rng([self.seed, 4, number])
        order = [int(v) for v in random.permutation(self._vehicles)]
        chosen: dict[int, None] = {}
        for vehicle in order:
            if len(chosen) >= self.identities - 1:
                break
            if vehicle in chosen:
                continue
            rivals = [r for r in self._rivals[vehicle] if r not in chosen]
            chosen[vehicle] = None
            if rivals:
                chosen[rivals[int(random.integers(len(rivals)))]] = None
        for vehicle in order:
            if len(chosen) >= self.identities:
                break
            chosen.setdefault(vehicle)
        return np.concatenate([draw_rows(self._rows[v], self.images, random) for v in chosen])
