"""From the evidence of pairs to identities: the best set of chains, then local search."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from common.table import Table
from evaluation.assignment import heaviest_assignment
from mtmc.association.evidence.looks import Looks
from mtmc.association.links.candidates import Pairs
from mtmc.association.solving.bonds import BOND, Bonds
from mtmc.association.solving.chains import cut_clashes, identities_of
from mtmc.association.solving.local_moves import LocalSearch
from mtmc.association.track_summaries import TrackSummaries

MIN_LOG_RATIO = -60.0
"""Nats below which a likelihood ratio does not fall. Raising it lets hopeless pairs keep some probability. Safety bound
of the arithmetic."""
MAX_LOG_RATIO = 25.0
"""Nats above which a likelihood ratio does not rise. Raising it makes the surest pairs more different from each other.
Safety bound of the arithmetic."""


@dataclass(frozen=True, slots=True)
class Ties(Table):
    """Candidate pairs with their evidence, each pair of tracks once.

    Attributes:
        source, target: (m,) int64, tracks; the source starts first.
        worth: (m,) float64, log odds in nats that the target continues the source, minus those of the threshold.
        ground: (m,) float64, the part of it that comes from places on the ground.
        appearance: (m,) float64, the part of it that comes from the features of the two tracks.
    """

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    worth: npt.NDArray[np.float64]
    ground: npt.NDArray[np.float64]
    appearance: npt.NDArray[np.float64]


def tie(
    pairs: Pairs,
    log_ratio: npt.NDArray[np.float64],
    ground: npt.NDArray[np.float64],
    n: int,
    threshold: float,
    appearance: npt.NDArray[np.float64] | None = None,
) -> Ties:
    """Combine the pairs of the same two tracks: the links are alternative explanations, so their ratios add up.

    Args:
        pairs: the candidate pairs.
        log_ratio: (m,) log-likelihood ratio in nats, against the source ending and the target starting on its own.
        ground: (m,) the part of it that comes from places on the ground.
        n: number of tracks.
        threshold: probability above which two tracks are joined, in (0, 1).
        appearance: (m,) the part of it that comes from features, None for none; equal for the pairs of two tracks.
    """
    key = pairs.source * max(n, 1) + pairs.target
    unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    ratio = np.bincount(inverse.reshape(-1), np.exp(np.clip(log_ratio, MIN_LOG_RATIO, MAX_LOG_RATIO)), len(unique))
    worth = np.log(np.maximum(ratio, 1e-30)) - np.log(threshold / (1.0 - threshold))
    alike = np.zeros(len(first)) if appearance is None else appearance[first]
    return Ties(unique // max(n, 1), unique % max(n, 1), worth, ground[first], alike)


def hold(ties: Ties, bonds: Bonds) -> Ties:
    """The ties, those of tracks that must be linked beyond all others."""
    bonded = bonds.holds(ties.source, ties.target)
    return replace(
        ties,
        worth=np.where(bonded, BOND, ties.worth),
        ground=np.where(bonded, 0.0, ties.ground),
        appearance=np.where(bonded, 0.0, ties.appearance),
    )


def chain(summaries: TrackSummaries, ties: Ties, bonds: Bonds | None = None) -> npt.NDArray[np.int64]:
    """(n,) successor of each track, -1 for none: the chains with the largest total worth, cut where tracks clash."""
    n = len(summaries)
    taken = heaviest_assignment(ties.source, ties.target, ties.worth)
    successor = np.full(n, -1, np.int64)
    gain = np.zeros(n)
    successor[ties.source[taken]] = ties.target[taken]
    gain[ties.source[taken]] = ties.worth[taken]
    return cut_clashes(summaries, successor, gain, bonds)


def identify(
    summaries: TrackSummaries,
    ties: Ties,
    successor: npt.NDArray[np.int64],
    local_search: bool,
    bonds: Bonds | None = None,
    looks: Looks | None = None,
) -> npt.NDArray[np.int64]:
    """(n,) identities from 0: the chains, improved by local search if wanted.

    With `looks`, features of whole identities are compared instead of those of the two tracks of each tie.
    """
    identity = identities_of(successor)
    return search_of(summaries, ties, bonds, looks).improve(identity) if local_search else identity


def search_of(
    summaries: TrackSummaries, ties: Ties, bonds: Bonds | None = None, looks: Looks | None = None
) -> LocalSearch:
    """The local search over ties; with `looks`, features of whole identities take the place of those of ties."""
    worth = ties.worth if looks is None else ties.worth - ties.appearance
    return LocalSearch(summaries, ties.source, ties.target, worth, ties.ground, bonds, looks=looks)
