"""Average linkage of track features with one threshold: the method that everybody starts with.

Tracks are merged bottom-up (UPGMA) while the mean cosine similarity of two clusters' tracks reaches the threshold.
Nothing else is used: no time between cameras, no place, no link. One rule of the world holds all the same: a vehicle
has one track at a time in a camera, so clusters with tracks of one camera that overlap in time are never merged.

The result is exact. Two clusters can only be merged if some pair of their tracks reaches the threshold, so each
connected component of the graph of such pairs is a problem of its own. The graph is searched block by block, and the
distances are held for one component at a time, so that memory grows with the largest component, not the scenario.

Source: R. Sokal, C. Michener, "A statistical method for evaluating systematic relationships" (1958); D. Müllner,
"Modern hierarchical, agglomerative clustering algorithms", arXiv 1109.2378 (the algorithm inside SciPy).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association
from mtmc.association.constraints import Constraints, KnownVehicles
from mtmc.association.interface import Vehicles, rows_of
from mtmc.association.links_file import Links
from mtmc.association.settings import LinkageSettings
from mtmc.scenarios.scenario import Scenario
from mtmc.tracking.tracks import Tracks

IntArray = npt.NDArray[np.int64]

MAX_COMPONENT = 20_000
"""Number of tracks in one component of the graph of similar pairs. Raising it allows more and costs memory by its
square: at 20000 the distances take 1.6 GB. Safety bound on memory."""
FORBIDDEN = 1e10
"""Distance between two tracks that must stay apart, and its negative between two that must be linked. Raising it loses
digits of the distances that it is averaged with, which no longer matter. Theory: a mean over at most MAX_COMPONENT² / 4
pairs with one such pair among them is still far above 2, the largest distance between two features."""
BLOCK = 512
"""Number of rows of the similarity matrix computed at a time. Raising it saves a little time and costs memory if the
threshold is so low that most pairs reach it. Safety bound on memory."""


class AverageLinkage:
    """Average linkage of features with one threshold and a constraint on time within each camera."""

    def __init__(self, settings: LinkageSettings | None = None) -> None:
        """Keep the settings; None: the defaults."""
        self._settings = settings or LinkageSettings()

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: Constraints | None = None,
    ) -> Association:
        """See `mtmc.association.interface.AssociationMethod`; `links` are not used.

        Raises:
            InputError: the threshold is so low that more than `MAX_COMPONENT` tracks hang together.
        """
        vehicles = Vehicles.of_scenario(tracks, features, scenario, constraints)
        nodes = _Nodes.of(vehicles.tracks, vehicles.features, self._settings.camera_mean, vehicles.known)
        threshold = self._settings.threshold
        identity = _identities(nodes, list(_trees(nodes, threshold)), threshold)
        return vehicles.restored(Association.of(identity, links or Links()))


def best_threshold(
    tracks: Sequence[Tracks],
    features: Sequence[TrackFeatures | None],
    score: Callable[[IntArray], float],
    *,
    camera_mean: bool = True,
    thresholds: Sequence[float] = tuple(np.arange(0.0, 0.96, 0.02).round(2).tolist()),
) -> tuple[float, float]:
    """The threshold that scores best against ground truth: an upper bound of what plain linkage can do, for benchmarks.

    Args:
        tracks, features, camera_mean: as for `AverageLinkage`.
        score: the figure to maximise, given the identities (n,) in the order of `rows_of`.
        thresholds: those that are tried, on one and the same tree.

    Returns:
        The threshold, the highest of several equally good ones, and its score.
    """
    nodes = _Nodes.of(tracks, features, camera_mean)
    trees = list(_trees(nodes, min(thresholds)))
    found = [(score(_identities(nodes, trees, threshold)), threshold) for threshold in thresholds]
    best, threshold = max(found)
    return threshold, best


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The tracks: camera (n,), first and last frame (n,), features (n, d), zeros where missing, which of them can be
    compared (n,), vehicles (n,) of must-linked tracks, and pairs of these (k, 2) that must stay apart."""

    camera: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    last: npt.NDArray[np.int32]
    vector: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    vehicle: IntArray
    apart: IntArray

    @classmethod
    def of(
        cls,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        camera_mean: bool,
        given: KnownVehicles | None = None,
    ) -> _Nodes:
        camera, number = rows_of(tracks)
        width = max((f.vector.shape[1] for f in features if f is not None and len(f.track)), default=0)
        vector, known = np.zeros((len(number), width), np.float32), np.zeros(len(number), np.bool_)
        ends = []
        for index, (table, feature) in enumerate(zip(tracks, features, strict=True)):
            mine = np.flatnonzero(camera == index)
            _, begin, count = np.unique(table.track, return_index=True, return_counts=True)
            ends.append(np.stack([table.frame[begin], table.frame[begin + count - 1]], 1))
            if feature is None or not len(feature.track) or not len(mine):
                continue
            at = np.minimum(np.searchsorted(number[mine], feature.track), len(mine) - 1)
            good = (number[mine][at] == feature.track) & np.isfinite(feature.vector).all(axis=1)
            rows = mine[at[good]]
            found = feature.vector[good]
            if camera_mean and len(rows) > 1:
                found = found - found.mean(axis=0)
            length = np.linalg.norm(found, axis=1)
            rows, found, length = rows[length > 0], found[length > 0], length[length > 0]
            vector[rows], known[rows] = found / length[:, None], True
        first, last = np.concatenate([np.zeros((0, 2), np.int32), *ends]).T
        given = KnownVehicles.none(len(number)) if given is None else given
        # A track without a feature stands where the others of its vehicle do.
        linked = np.bincount(given.vehicle, minlength=len(number))[given.vehicle] > 1
        for row in np.flatnonzero(linked & ~known).tolist():
            others = vector[(given.vehicle == given.vehicle[row]) & known]
            if len(others):
                vector[row] = others.mean(axis=0) / max(float(np.linalg.norm(others.mean(axis=0))), 1e-9)
        return cls(camera, first, last, vector, known | linked, given.vehicle, given.apart)


@dataclass(frozen=True, slots=True)
class _Tree:
    """A component: its rows, and SciPy's linkage matrix over them."""

    rows: IntArray
    merges: npt.NDArray[np.float64]


def _trees(nodes: _Nodes, threshold: float) -> Iterator[_Tree]:
    """The trees of all components of two or more tracks."""
    known = np.flatnonzero(nodes.known)
    component = _components(nodes.vector[known], threshold, nodes.vehicle[known])
    order = np.argsort(component, kind="stable")
    for rows in np.split(known[order], np.flatnonzero(np.diff(component[order])) + 1):
        if len(rows) > MAX_COMPONENT:
            raise InputError(
                f"linkage.threshold={threshold:g}: {len(rows)} tracks hang together by pairs above it, at most "
                f"{MAX_COMPONENT} can be clustered; raise it"
            )
        if len(rows) > 1:
            merges = linkage(_distances(nodes, rows), "average")
            merges[:, 2] = np.maximum(merges[:, 2], 0.0)  # SciPy cuts no tree with negative distances
            yield _Tree(rows, merges)


def _components(vector: npt.NDArray[np.float32], threshold: float, vehicle: IntArray) -> IntArray:
    """(n,) the component of each row in the graph of pairs whose similarity reaches the threshold, or that must be
    linked."""
    n = len(vector)
    label: IntArray = np.unique(vehicle, return_inverse=True)[1].astype(np.int64)
    for start in range(0, n, BLOCK):
        block = vector[start : start + BLOCK] @ vector[start:].T
        apart = label[start : start + BLOCK, None] != label[start:]
        # Products of float32: a pair at the very threshold must not be lost.
        a, b = np.nonzero((block >= threshold - 1e-6) & apart)
        pairs = np.unique(np.stack([label[a + start], label[b + start]], 1), axis=0)
        graph = coo_array((np.ones(len(pairs), np.bool_), pairs.T), shape=(n, n))
        label = connected_components(graph, directed=False)[1].astype(np.int64)[label]
    return label


def _distances(nodes: _Nodes, rows: IntArray) -> npt.NDArray[np.float64]:
    """Distances of a component in SciPy's condensed form, built row after row of the upper triangle."""
    vector, camera, first, last = (x[rows] for x in (nodes.vector, nodes.camera, nodes.first, nodes.last))
    vehicle = nodes.vehicle[rows]
    apart: dict[int, list[int]] = {}
    for a, b in [*nodes.apart.tolist(), *nodes.apart[:, ::-1].tolist()]:
        apart.setdefault(a, []).append(b)
    n = len(rows)
    result = np.empty(n * (n - 1) // 2)
    at = 0
    for start in range(0, n, BLOCK):
        block = 1.0 - (vector[start : start + BLOCK] @ vector[start:].T).astype(np.float64)
        for i in range(start, min(start + BLOCK, n)):
            later = slice(i + 1, n)
            row = np.maximum(block[i - start, i + 1 - start :], 0.0)
            together = (first[later] <= last[i]) & (last[later] >= first[i])
            row[(camera[later] == camera[i]) & together] = FORBIDDEN
            row[np.isin(vehicle[later], apart.get(int(vehicle[i]), []))] = FORBIDDEN
            row[vehicle[later] == vehicle[i]] = -FORBIDDEN
            result[at : at + len(row)] = row
            at += len(row)
    return result


def _identities(nodes: _Nodes, trees: Sequence[_Tree], threshold: float) -> IntArray:
    """(n,) identities from 1, by the first track of each."""
    group: IntArray = np.arange(len(nodes.camera))
    for tree in trees:
        flat = fcluster(tree.merges, 1.0 - threshold, "distance")
        leader = np.full(flat.max() + 1, len(group))
        np.minimum.at(leader, flat, tree.rows)
        group[tree.rows] = leader[flat]
    identity: IntArray = np.unique(group, return_inverse=True)[1].astype(np.int64) + 1
    return identity
