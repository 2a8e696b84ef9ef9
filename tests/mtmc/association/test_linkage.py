"""Average linkage against a plain implementation of it, and its rule for one camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.association import linkage as module
from mtmc.association.interface import rows_of
from mtmc.association.linkage import AverageLinkage, best_threshold
from mtmc.association.settings import LinkageSettings
from mtmc.association.track_summaries import TrackFeatures
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracks import Tracks

CLOCK = Clock.uniform(10)


def scenario(cameras: int) -> Scenario:
    return Scenario("X", "", tuple(Camera(f"c{i}", i, 10, 100, 100, 100, CLOCK, Path()) for i in range(cameras)))


def random_run(
    seed: int, vehicles: int = 12, cameras: int = 3, noise: float = 0.4
) -> tuple[list[Tracks], list[TrackFeatures | None], npt.NDArray[np.int64]]:
    """Tracks of a few boxes, numbered with gaps, their features, and the vehicle of each row."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(vehicles, 16))
    tracks: list[Tracks] = []
    features: list[TrackFeatures | None] = []
    vehicle = []
    for _ in range(cameras):
        who = rng.integers(0, vehicles, vehicles)
        number = np.sort(rng.choice(100, vehicles, replace=False)) + 1
        first = rng.integers(1, 200, vehicles)
        length = rng.integers(2, 40, vehicles)
        tables = [
            Tracks.of([n, n], [f, f + k], [[0, 0, 9, 9]] * 2) for n, f, k in zip(number, first, length, strict=True)
        ]
        vector = looks[who] + noise * rng.normal(size=(vehicles, 16))
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        known = rng.random(vehicles) < 0.9
        features.append(
            TrackFeatures(
                number[known].astype(np.int32), vector[known].astype(np.float32), np.ones(int(known.sum()), np.float32)
            )
        )
        tracks.append(Tracks.concatenate(tables))
        vehicle.append(who)
    return tracks, features, np.concatenate(vehicle)


def plain(
    tracks: list[Tracks], features: list[TrackFeatures | None], threshold: float
) -> set[frozenset[tuple[int, int]]]:
    """Merge the two closest clusters that may be merged, again and again."""
    ends = {
        (c, int(n)): (table.frame[table.track == n].min(), table.frame[table.track == n].max())
        for c, table in enumerate(tracks)
        for n in np.unique(table.track)
    }
    vector = {(c, int(n)): v for c, f in enumerate(features) if f for n, v in zip(f.track, f.vector, strict=True)}

    def similarity(a: frozenset[tuple[int, int]], b: frozenset[tuple[int, int]]) -> float:
        for x in a:
            for y in b:
                if x[0] == y[0] and ends[x][0] <= ends[y][1] and ends[y][0] <= ends[x][1]:
                    return -np.inf
        if not all(x in vector for x in a | b):
            return -np.inf
        return float(np.mean([vector[x] @ vector[y] for x in a for y in b]))

    clusters = {frozenset([key]) for key in ends}
    while True:
        pairs = [(similarity(a, b), a, b) for a in clusters for b in clusters if min(a) < min(b)]
        best, a, b = max(pairs, key=lambda pair: pair[0])
        if best < threshold:
            return clusters
        clusters = clusters - {a, b} | {a | b}


def clusters_of(tracks: list[Tracks], identity: npt.NDArray[np.int64]) -> set[frozenset[tuple[int, int]]]:
    camera, number = rows_of(tracks)
    keys = list(zip(camera.tolist(), number.tolist(), strict=True))
    return {frozenset(k for k, i in zip(keys, identity, strict=True) if i == each) for each in np.unique(identity)}


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(4))
def test_the_clusters_are_those_of_a_plain_implementation(
    seed: int, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 7)  # several blocks
    tracks, features, _ = random_run(seed)
    method = AverageLinkage(LinkageSettings(threshold=threshold, camera_mean=False))
    found = method.associate(tracks, features, scenario(3))
    assert clusters_of(tracks, found.identity) == plain(tracks, features, threshold)
    assert sorted(set(found.identity.tolist())) == list(range(1, found.identity.max() + 1))


def test_one_cameras_tracks_at_one_time_stay_apart_however_alike() -> None:
    vector = np.tile(np.float32([0.6, 0.8]), (4, 1))
    box = [[0, 0, 9, 9]] * 2
    table = Tracks.concatenate([Tracks.of([n, n], [f, f + 10], box) for n, f in ((1, 1), (2, 5), (3, 30))])
    other = Tracks.of([1, 1], [1, 50], box)
    features = [
        TrackFeatures(np.arange(1, 4, dtype=np.int32), vector[:3], np.ones(3, np.float32)),
        TrackFeatures(np.array([1], np.int32), vector[:1], np.ones(1, np.float32)),
    ]
    settings = LinkageSettings(threshold=0.9, camera_mean=False)
    identity = AverageLinkage(settings).associate([table, other], features, scenario(2)).identity
    assert identity[0] != identity[1]
    assert len(np.unique(identity)) == 2


def test_tracks_without_features_stand_alone() -> None:
    tracks, features, _ = random_run(5)
    identity = AverageLinkage().associate(tracks, [None, *features[1:]], scenario(3)).identity
    assert len(np.unique(identity[:12])) == 12
    assert not np.isin(identity[:12], identity[12:]).any()
    nothing = AverageLinkage().associate([Tracks.empty()] * 2, [None, None], scenario(2))
    assert len(nothing.identity) == 0


def test_the_best_threshold_finds_the_vehicles() -> None:
    tracks, features, vehicle = random_run(6, noise=0.15)

    def score(identity: npt.NDArray[np.int64]) -> float:
        return float(((identity[:, None] == identity) == (vehicle[:, None] == vehicle)).mean())

    threshold, best = best_threshold(tracks, features, score, camera_mean=False)
    assert 0.2 < threshold < 0.96
    settings = LinkageSettings(threshold=threshold, camera_mean=False)
    assert score(AverageLinkage(settings).associate(tracks, features, scenario(3)).identity) == best
    assert best > 0.95


def test_too_many_tracks_that_hang_together_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_COMPONENT", 10)
    tracks, features, _ = random_run(7)
    with pytest.raises(InputError, match=r"linkage\.threshold=-0\.9: .* raise it"):
        AverageLinkage(LinkageSettings(threshold=-0.9)).associate(tracks, features, scenario(3))
