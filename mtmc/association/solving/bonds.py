"""Bonds: what the user knows about tracks, in the terms of candidate pairs and their evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.constraints import KnownVehicles
from mtmc.association.links.candidates import PairKind, Pairs
from mtmc.association.track_summaries import TrackSummaries

BOND = 1e4
"""Nats for joining two tracks that must be linked. Raising it changes nothing until the sums of evidence lose digits.
Theory: more than any evidence against it, which is bounded by a few times 25 nats."""


@dataclass(frozen=True, slots=True)
class Bonds:
    """Pairs of tracks that are known.

    Attributes:
        vehicle: (n,) int64, equal for tracks that must be linked.
        source, target: (k,) int64, each must-linked track and the next one of its vehicle, by their starts.
        apart: (j, 2) int64, pairs of tracks that are different vehicles.
        settled: (n,) bool, tracks of which any two with a different `vehicle` are different vehicles, too.
    """

    vehicle: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    apart: npt.NDArray[np.int64]
    settled: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, known: KnownVehicles, summaries: TrackSummaries) -> Bonds:
        """The bonds of an association's rows, none of which may be left out."""
        order = np.lexsort((np.arange(len(summaries)), summaries.start, known.vehicle))
        same = np.diff(known.vehicle[order]) == 0
        pairs = [np.zeros((0, 2), np.int64)]
        for first, second in known.apart.tolist():
            a, b = (np.flatnonzero(known.vehicle == each) for each in (first, second))
            pairs.append(np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2))
        return cls(known.vehicle, order[:-1][same], order[1:][same], np.concatenate(pairs), known.settled)

    @classmethod
    def none(cls, n: int) -> Bonds:
        """Nothing is known about n tracks."""
        nothing = np.zeros(0, np.int64)
        return cls(np.arange(n), nothing, nothing, np.zeros((0, 2), np.int64), np.zeros(n, np.bool_))

    def complete(self, pairs: Pairs) -> Pairs:
        """Candidate pairs without those of different vehicles, and with those that must be linked.

        Those of settled tracks stay: they are what different vehicles look like (see `refutes`).
        """
        n = len(self.vehicle)
        pairs = pairs[~np.isin(_keys(pairs.source, pairs.target, n), self._apart_keys())]
        missing = ~np.isin(_keys(self.source, self.target, n), _keys(pairs.source, pairs.target, n))
        source, target = self.source[missing], self.target[missing]
        # The link of a resemblance only chooses its prior, which does not matter here.
        nothing = np.zeros(len(source))
        added = Pairs.of(source, target, nothing.astype(np.int64), nothing, kind=PairKind.RESEMBLANCE)
        return Pairs.concatenate([pairs, added])

    def holds(self, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(m,) whether a pair of tracks is one of the bonds."""
        n = len(self.vehicle)
        return np.isin(_keys(source, target, n), _keys(self.source, self.target, n))

    def refutes(self, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(m,) whether both tracks of a pair are settled, as different vehicles."""
        different: npt.NDArray[np.bool_] = self.vehicle[source] != self.vehicle[target]
        return different & self.settled[source] & self.settled[target]

    def lift(
        self, pairs: Pairs, log_ratio: npt.NDArray[np.float64], bottom: float, top: float
    ) -> npt.NDArray[np.float64]:
        """(m,) nats that lift the log-likelihood ratio of each bond to `top`, its pairs taken together, and lower that
        of each refuted pair to `bottom`; else 0."""
        rows = np.flatnonzero(self.holds(pairs.source, pairs.target))
        key = _keys(pairs.source[rows], pairs.target[rows], len(self.vehicle))
        _, bond = np.unique(key, return_inverse=True)
        bond = bond.reshape(-1)
        nats = np.where(self.refutes(pairs.source, pairs.target), bottom - log_ratio, 0.0)
        nats[rows] = top - np.log(np.bincount(bond, np.exp(log_ratio[rows])))[bond]
        return nats

    def _apart_keys(self) -> npt.NDArray[np.int64]:
        n = len(self.vehicle)
        a, b = self.apart.T
        return np.concatenate([_keys(a, b, n), _keys(b, a, n)])


def _keys(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    return np.asarray(a * max(n, 1) + b, np.int64)
