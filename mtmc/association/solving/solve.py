"""From the evidence of pairs to identities: the most probable chains, then local moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.links.candidates import Pairs
from mtmc.association.solving.chains import cut_clashes, identities_of
from mtmc.association.solving.local_moves import LocalSearch
from mtmc.association.solving.matching import best_pairs
from mtmc.association.track_summaries import TrackSummaries


@dataclass(frozen=True, slots=True)
class Ties:
    """Candidate pairs with their evidence, each two tracks once.

    Attributes:
        source, target: (m,) int64, tracks; the source starts first.
        worth: (m,) float64, log of the odds that the target goes on from the source, less the decision threshold.
        ground: (m,) float64, the part of it that comes from places on the ground.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    worth: npt.NDArray[np.float64]
    ground: npt.NDArray[np.float64]


def tie(
    pairs: Pairs, log_ratio: npt.NDArray[np.float64], ground: npt.NDArray[np.float64], n: int, threshold: float
) -> Ties:
    """Sum up pairs that several links could join: they are one event told in two ways, their ratios add.

    Args:
        pairs: (m) candidates.
        log_ratio: (m,) log-likelihood ratio of each, against both tracks ending and starting on their own.
        ground: (m,) its part from the ground.
        n: number of tracks.
        threshold: least probability that is joined, in (0, 1).
    """
    key = pairs.source * max(n, 1) + pairs.target
    unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    ratio = np.bincount(inverse.reshape(-1), np.exp(np.clip(log_ratio, -60.0, 25.0)), len(unique))
    worth = np.log(np.maximum(ratio, 1e-30)) - np.log(threshold / (1.0 - threshold))
    return Ties(unique // max(n, 1), unique % max(n, 1), worth, ground[first])


def chain(summaries: TrackSummaries, ties: Ties) -> npt.NDArray[np.int64]:
    """(n,) successor of each track, -1 where none: the set of chains of the greatest total worth, without clashes."""
    n = len(summaries)
    taken = best_pairs(ties.source, ties.target, ties.worth, n)
    successor = np.full(n, -1, np.int64)
    gain = np.zeros(n)
    successor[ties.source[taken]] = ties.target[taken]
    gain[ties.source[taken]] = ties.worth[taken]
    return cut_clashes(summaries, successor, gain)


def identify(
    summaries: TrackSummaries, ties: Ties, successor: npt.NDArray[np.int64], local_moves: bool
) -> npt.NDArray[np.int64]:
    """(n,) identities from 0: the chains, improved by local moves if wanted."""
    identity = identities_of(successor)
    if not local_moves:
        return identity
    return LocalSearch(summaries, ties.source, ties.target, ties.worth, ties.ground).improve(identity)
