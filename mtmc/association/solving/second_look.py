"""A second look at identities: splits those whose halves look like two vehicles, and joins those that look like one.

Vehicles of one model that pass one after the other are joined by times and by similarities that are high for any single
pair; and tracks that no link ties together stay apart although they are one vehicle. The likeness of groups tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mtmc.association.evidence.likeness import fit_likeness, groups_of, halves_of
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.local_moves import LocalSearch
from mtmc.association.solving.solve import Ties, search_of
from mtmc.association.track_summaries import TrackSummaries

TRIED = -3.0
"""Nats for the ties between two groups: they are the best of many that were tried. Raising it splits less. Development
scenarios."""
UNTIED = -2.0
"""Nats for two groups without ties, beside those of one of all groups being the vehicle of another. Raising it joins
more groups that only look alike. Development scenarios."""
AGAIN = -1.0
"""Nats for each pair of tracks of two groups in one camera. Raising it joins more groups that pass the same cameras.
Development scenarios."""


def look_again(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    *,
    ties: Ties,
    identity: npt.NDArray[np.int64],
    strangers: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    joins: bool = True,
    untied: bool = False,
    bonds: Bonds | None = None,
) -> npt.NDArray[np.int64]:
    """(n,) identities from 0: some of those found so far are split, then some joined.

    The halves of an identity are the last two clusters of average linkage. They become two identities if what their
    likeness says, ln P(likeness | halves of one vehicle) / P(likeness | two vehicles), outweighs the ties between them;
    two identities become one if their likeness outweighs that nothing, or little, ties them together.

    Args:
        summaries: the tracks.
        vector: (n, d) their features, of length 1.
        ties: candidate pairs and their evidence.
        identity: (n,) identities found so far.
        strangers: tracks that are different vehicles for certain.
        joins: whether identities that look alike are joined, which takes time by the square of the identities.
        untied: whether identities are known to hold tracks that nothing but their features ties together; then missing
            ties do not speak against one.
        bonds: what is known about tracks; tracks that must be linked stay together.
    """
    ties = replace(ties, worth=ties.worth - ties.appearance)
    identity = _split(summaries, vector, ties, identity.copy(), strangers, untied=untied, bonds=bonds)
    if joins:
        identity = _joined(summaries, vector, ties, identity, strangers, bonds=bonds)
    return identity


def _split(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    ties: Ties,
    identity: npt.NDArray[np.int64],
    strangers: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    *,
    untied: bool,
    bonds: Bonds | None,
) -> npt.NDArray[np.int64]:
    likeness = fit_likeness(summaries, vector, identity, strangers)
    if likeness is None:
        return identity
    search = search_of(summaries, ties[identity[ties.source] == identity[ties.target]], bonds)
    waiting = [halves for group in groups_of(summaries, identity) if (halves := halves_of(vector, group)) is not None]
    fresh = int(identity.max()) + 1
    while waiting:
        rest, half = waiting.pop()
        alike = likeness.of((rest, half))[0, 1]
        if alike >= likeness.middle:
            continue
        whole = np.flatnonzero(identity == identity[rest[0]])
        evidence = _between(search, np.setdiff1d(whole, half), half)
        if untied:
            evidence = max(evidence, 0.0)
        if evidence + TRIED + float(likeness.log_ratio(alike)) < 0:
            identity[half] = fresh
            fresh += 1
            waiting += [halves for group in (rest, half) if (halves := halves_of(vector, group)) is not None]
    return identity


def _joined(
    summaries: TrackSummaries,
    vector: npt.NDArray[np.float32],
    ties: Ties,
    identity: npt.NDArray[np.int64],
    strangers: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    *,
    bonds: Bonds | None,
) -> npt.NDArray[np.int64]:
    likeness = fit_likeness(summaries, vector, identity, strangers, singles=True)
    if likeness is None:
        return identity
    search = search_of(summaries, ties, bonds)
    camera = summaries.camera
    groups = groups_of(summaries, identity, 1)
    least = UNTIED - float(np.log(len(groups)))
    hopeless = set[tuple[int, int]]()

    def one_vehicle(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], ratio: float) -> bool:
        key = (int(identity[a[0]]), int(identity[b[0]]))
        if key in hopeless:
            return False
        evidence = _between(search, *(np.flatnonzero(identity == number) for number in key))
        again = AGAIN * float((camera[a][:, None] == camera[b]).sum())
        if np.isfinite(evidence) and ratio + max(evidence + TRIED, least) + again > 0:
            return True
        hopeless.add(key)
        return False

    while True:
        first, second = np.triu_indices(len(groups), 1)
        ratio = likeness.between(groups)[first, second]
        order = [pair for pair in np.argsort(-ratio, kind="stable").tolist() if ratio[pair] > 0]
        pairs = ((groups[first[pair]], groups[second[pair]], float(ratio[pair])) for pair in order)
        found = next((pair for pair in pairs if one_vehicle(*pair)), None)
        if found is None:
            return identity
        a, b, _ = found
        number = int(identity[a[0]])
        identity[identity == identity[b[0]]] = number
        hopeless = {each for each in hopeless if number not in each}
        groups = [group for group in groups if group is not a and group is not b] + [np.concatenate([a, b])]


def _between(search: LocalSearch, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    """Nats for two groups of tracks being one vehicle; -inf if they cannot be."""
    both = search.ordered(np.concatenate([first, second]))
    return search.evidence(both) - search.evidence(search.ordered(first)) - search.evidence(search.ordered(second))
