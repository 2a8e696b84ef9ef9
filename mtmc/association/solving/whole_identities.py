"""Whole identities: which tracks belong together when the features of all tracks of an identity are compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.looks import Looks, fit_looks, fit_looks_to_all
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.solve import Ties, identify, search_of
from mtmc.association.track_summaries import TrackSummaries

AGAIN = 0.05
"""How often a vehicle passes a camera that it passed before, for each time that a stranger would. Raising it takes more
look-alikes for one vehicle. Development scenarios."""
MIN_EVIDENCE = 0.4
"""Nats by which what the bolder identities join has to look like vehicles rather than strangers. Raising it asks for
more pairs of tracks before they are taken. Development scenarios."""
AGAINST = -8.0
"""Such nats below which careful identities are dropped. Raising it compares whole identities in fewer scenarios: some
tracks in one camera are a broken one. Development scenarios."""


def compare_whole_identities(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    different: npt.NDArray[np.float64],
    *,
    ties: Ties,
    successor: npt.NDArray[np.int64],
    identity: npt.NDArray[np.int64],
    bonds: Bonds | None,
    least: float = AGAINST,
) -> tuple[npt.NDArray[np.int64], Looks] | None:
    """(n,) identities from 0 with the features of whole identities compared, and what those say; None if there are too
    few to learn from.

    What a similarity says is learned twice: from the identities found so far, which leaves out the less similar tracks
    of a vehicle, and from all pairs at once, which may take vehicles of one model for one. Either is kept only if what
    it joins besides lies in one camera less often than strangers do: a vehicle rarely passes a camera twice, and one of
    the same model as often as any.

    Args:
        summaries: the tracks; few enough for all of their pairs.
        vector: (n, d) their features.
        different: (k,) similarities of tracks that are different vehicles for certain.
        ties: candidate pairs and their evidence.
        successor: (n,) the chains, from which the search begins.
        identity: (n,) identities found so far.
        bonds: what is known about tracks.
        least: nats by which what the careful identities join has to look like vehicles rather than strangers.
    """
    careful, looks = identity, fit_looks(summaries, vector, identity, different)
    if looks is not None:
        careful = identify(summaries, ties, successor, True, bonds, looks)
        if _evidence(summaries, joined=careful, before=identity) < least:
            careful, looks = identity, None
    bold_looks = fit_looks_to_all(summaries, vector)
    if bold_looks is not None:
        bold = identify(summaries, ties, successor, True, bonds, bold_looks)
        if _evidence(summaries, joined=bold, before=careful) > MIN_EVIDENCE:
            careful, looks = bold, bold_looks
    return None if looks is None else (careful, looks)


def support_of(
    summaries: TrackSummaries, ties: Ties, bonds: Bonds | None, looks: Looks, identity: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """(n,) nats that the identity of each track loses without it; 0 for a track on its own."""
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


def _evidence(summaries: TrackSummaries, *, joined: npt.NDArray[np.int64], before: npt.NDArray[np.int64]) -> float:
    """Nats for what the identities `joined` join beside those `before` being vehicles rather than strangers.

    Strangers lie in one camera as often as any two tracks that it does not see at once, vehicles `AGAIN` times that:
    the log-likelihood ratio of two Poisson distributions.
    """
    camera, start, end = summaries.camera, summaries.start, summaries.end
    same = camera[:, None] == camera
    possible = np.triu(~(same & (start[:, None] <= end) & (start <= end[:, None])), 1)
    usual = float((same & possible).sum()) / max(float(possible.sum()), 1.0)
    found = possible & (joined[:, None] == joined) & (before[:, None] != before)
    return usual * float(found.sum()) * (1.0 - AGAIN) + float((found & same).sum()) * float(np.log(AGAIN))
