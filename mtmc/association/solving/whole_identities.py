"""Whole identities: which tracks belong together when the features of all tracks of an identity are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.looks import Looks, fit_looks, fit_looks_to_all
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.solve import Ties, identify, search_of
from mtmc.association.track_summaries import TrackSummaries

LIKE_STRANGERS = 0.5
"""What the bolder identities join may lie in one camera up to this share of how often strangers do. Raising it takes
more look-alikes for one vehicle. Theory: halfway between strangers and vehicles that pass a camera once."""
CHANCE = 0.5
"""Pairs of tracks in one camera that are added to both counts of this comparison. Raising it asks for more pairs before
the bolder identities are taken. Theory: Jeffreys' prior of a Poisson rate."""


@dataclass(frozen=True, slots=True)
class WholeIdentities:
    """Identities and what their tracks say about each other.

    Attributes:
        identity: (n,) int64, from 0.
        support: (n,) float64, nats that the identity of each track loses without it; 0 for a track on its own.
    """

    identity: npt.NDArray[np.int64]
    support: npt.NDArray[np.float64]


def compare_whole_identities(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    different: npt.NDArray[np.float64],
    *,
    ties: Ties,
    successor: npt.NDArray[np.int64],
    identity: npt.NDArray[np.int64],
    bonds: Bonds | None,
) -> WholeIdentities | None:
    """Identities with the features of whole identities compared; None if there are too few to learn from.

    What a similarity says is learned twice: from the identities found so far, which leaves out the less similar tracks
    of a vehicle, and from all pairs at once, which may take vehicles of one model for one. The second is kept if what
    it joins besides lies in one camera clearly less often than strangers do: a vehicle rarely passes a camera twice,
    and one of the same model as often as any.

    Args:
        summaries: the tracks; few enough for all of their pairs.
        vector: (n, d) their features.
        different: (k,) similarities of tracks that are different vehicles for certain.
        ties: candidate pairs and their evidence.
        successor: (n,) the chains, from which the search begins.
        identity: (n,) identities found so far.
        bonds: what is known about tracks.
    """
    careful_looks = fit_looks(summaries, vector, identity, different)
    bold_looks = fit_looks_to_all(summaries, vector)
    careful = identity if careful_looks is None else identify(summaries, ties, successor, True, bonds, careful_looks)
    if bold_looks is not None:
        bold = identify(summaries, ties, successor, True, bonds, bold_looks)
        if _are_no_strangers(summaries, _pairs(bold) & ~_pairs(careful)):
            return WholeIdentities(bold, _support(summaries, ties, bonds, bold_looks, bold))
    if careful_looks is None:
        return None
    return WholeIdentities(careful, _support(summaries, ties, bonds, careful_looks, careful))


def _support(
    summaries: TrackSummaries, ties: Ties, bonds: Bonds | None, looks: Looks, identity: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """See `WholeIdentities`."""
    search = search_of(summaries, ties, bonds, looks)
    order = np.lexsort((np.arange(len(summaries)), summaries.start, identity))
    support = np.zeros(len(summaries))
    for tracks in np.split(order, np.flatnonzero(np.diff(identity[order])) + 1):
        if len(tracks) > 1:
            own = tracks.tolist()
            whole = search.evidence(own)
            for place, track in enumerate(own):
                support[track] = whole - search.evidence(own[:place] + own[place + 1 :])
    return support


def _pairs(identity: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """(n, n) tracks of one identity."""
    return np.asarray(identity[:, None] == identity, np.bool_)


def _are_no_strangers(summaries: TrackSummaries, joined: npt.NDArray[np.bool_]) -> bool:
    """Whether joined tracks (n, n) lie in one camera less often than any two that it does not see at once."""
    camera, start, end = summaries.camera, summaries.start, summaries.end
    same = camera[:, None] == camera
    possible = np.triu(~(same & (start[:, None] <= end) & (start <= end[:, None])), 1)
    usual = float((same & possible).sum()) / max(float(possible.sum()), 1.0)
    expected = usual * float((joined & possible).sum())
    return bool((same & joined & possible).sum() + CHANCE < LIKE_STRANGERS * (expected + CHANCE))
