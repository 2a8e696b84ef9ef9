"""What is known about the tracks of a run without labels: which are the same vehicle, and which are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from common.errors import InputError
from reid.adaptation.pairs import AnsweredPairs
from reid.adaptation.tracks import UNKNOWN, TrackCrops

Pairs = npt.NDArray[np.int64]
"""(p, 2) numbers, the smaller one first."""


@dataclass(frozen=True, slots=True)
class Relations:
    """Tracks joined to vehicles, and the pairs of vehicles that are known to differ.

    Attributes:
        vehicle: (t,) int64, vehicle of each track, 0, 1, ... A vehicle is one track, or several that were joined.
        different: (p, 2) int64, pairs of vehicles that differ, sorted, the smaller number first.
        joined: number of pairs of tracks that were joined.
    """

    vehicle: npt.NDArray[np.int64]
    different: Pairs
    joined: int

    @property
    def vehicles(self) -> int:
        """Number of vehicles."""
        return int(self.vehicle.max()) + 1

    def differ(self, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(n, n) mask of the pairs among n vehicles that are known to differ."""
        codes = self.different[:, 0] * self.vehicles + self.different[:, 1]
        low, high = np.minimum(labels[:, None], labels), np.maximum(labels[:, None], labels)
        wanted = low * self.vehicles + high
        at = np.searchsorted(codes, wanted)
        found: npt.NDArray[np.bool_] = (at < len(codes)) & (codes[np.minimum(at, len(codes) - 1)] == wanted)
        return found


def relate(
    crops: TrackCrops, vectors: npt.NDArray[np.float32], margin: float, answered: AnsweredPairs | None = None
) -> Relations:
    """Work out what is known about the tracks of a run.

    Tracks that a camera sees at the same time are different vehicles. Tracks of two cameras are the same vehicle if
    each is the other's most similar one there and the run gave them the same identity; where the run has no identities,
    if they lead the second most similar ones by `margin`. Joined vehicles with different identities differ as well. A
    join that contradicts what was seen at once is left out. What somebody has answered goes before all of that.

    Args:
        crops: the crops, sorted by track.
        vectors: (n, d) unit vectors of the crops by the extractor to adapt.
        margin: lead in cosine similarity.
        answered: pairs of tracks that somebody has compared.

    Raises:
        InputError: answers contradict each other, or what was seen at once.
    """
    answered = answered or AnsweredPairs.none()
    first = np.flatnonzero(np.diff(crops.track, prepend=-1))
    tracks = crops[first]
    means = np.add.reduceat(vectors, first)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    apart = np.concatenate([seen_at_once(tracks), answered.different])
    _check(answered, tracks, apart)
    owner, joined = _join(len(tracks), np.concatenate([answered.same, _same(tracks, means, margin)]), apart)
    vehicle = np.unique(owner, return_inverse=True)[1]
    parts = [vehicle[apart], _by_identity(vehicle, tracks.identity)]
    pairs = np.sort(np.concatenate(parts), axis=1)
    return Relations(vehicle, np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0), joined)


def seen_at_once(tracks: TrackCrops) -> Pairs:
    """Pairs of tracks (rows of `tracks`) of one camera whose times overlap."""
    found = [np.zeros((0, 2), np.int64)]
    for camera in np.unique(tracks.camera):
        rows = np.flatnonzero(tracks.camera == camera)
        rows = rows[np.argsort(tracks.start[rows], kind="stable")]
        # Of the tracks in the order of their beginnings, those after a track overlap it until one begins past its end.
        last = np.searchsorted(tracks.start[rows], tracks.end[rows], side="right")
        count = np.maximum(last - np.arange(len(rows)) - 1, 0)
        one = np.repeat(np.arange(len(rows)), count)
        other = one + 1 + np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
        found.append(np.sort(np.column_stack([rows[one], rows[other]]), axis=1))
    return np.concatenate(found)


def _same(tracks: TrackCrops, vectors: npt.NDArray[np.float32], margin: float) -> Pairs:
    """Pairs of tracks of two cameras that are the same vehicle in all likelihood, the most similar first."""
    named = bool((tracks.identity != UNKNOWN).any())
    found: list[tuple[float, int, int]] = []
    cameras = [np.flatnonzero(tracks.camera == camera) for camera in np.unique(tracks.camera)]
    for place, here in enumerate(cameras):
        for there in cameras[place + 1 :]:
            similarity = vectors[here] @ vectors[there].T
            best, back = similarity.argmax(axis=1), similarity.argmax(axis=0)
            for row in np.flatnonzero(back[best] == np.arange(len(here))):
                column = best[row]
                one, other, value = here[row], there[column], float(similarity[row, column])
                if named:
                    sure = tracks.identity[one] != UNKNOWN and tracks.identity[one] == tracks.identity[other]
                else:
                    rivals = np.concatenate([np.delete(similarity[row], column), np.delete(similarity[:, column], row)])
                    sure = value - rivals.max(initial=-1.0) >= margin
                if sure:
                    found.append((-value, int(one), int(other)))
    return np.array([pair[1:] for pair in sorted(found)], np.int64).reshape(-1, 2)


def _check(answered: AnsweredPairs, tracks: TrackCrops, apart: Pairs) -> None:
    """Raise if tracks that are answered to be one vehicle are not."""
    owner, _ = _join(len(tracks), answered.same, np.zeros((0, 2), np.int64))
    wrong = np.flatnonzero(owner[apart[:, 0]] == owner[apart[:, 1]])
    if len(wrong):
        one, other = (Path(str(tracks.path[track])).name for track in apart[wrong[0]].tolist())
        raise InputError(
            f"--pairs: by the answers, {one} and {other} are one vehicle and different ones, or one camera sees both "
            "at the same time; correct the list"
        )


def _join(count: int, same: Pairs, apart: Pairs) -> tuple[npt.NDArray[np.int64], int]:
    """Join pairs one after the other unless that would make one vehicle of tracks seen at once."""
    owner = np.arange(count)
    rivals: dict[int, set[int]] = {}
    for one, other in apart.tolist():
        rivals.setdefault(one, set()).add(other)
        rivals.setdefault(other, set()).add(one)
    members = {track: [track] for track in range(count)}
    joined = 0
    for one, other in same.tolist():
        a, b = int(owner[one]), int(owner[other])
        if a == b or any(rivals.get(track, set()).intersection(members[b]) for track in members[a]):
            continue
        owner[members[b]] = a
        members[a] += members.pop(b)
        joined += 1
    return owner, joined


def _by_identity(vehicle: npt.NDArray[np.int64], identity: npt.NDArray[np.int64]) -> Pairs:
    """All pairs of joined vehicles that the run gave different identities."""
    number, size = np.unique(vehicle, return_counts=True)
    several = number[size > 1]
    if len(several) < 2 or (identity == UNKNOWN).all():
        return np.zeros((0, 2), np.int64)
    name = {int(v): int(i) for v, i in zip(vehicle, identity, strict=True)}
    names = np.array([name[int(v)] for v in several])
    one, other = np.triu_indices(len(several), 1)
    keep = (names[one] != names[other]) & (names[one] != UNKNOWN) & (names[other] != UNKNOWN)
    pairs: Pairs = np.column_stack([several[one], several[other]])[keep]
    return pairs
