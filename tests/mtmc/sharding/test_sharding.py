"""Association in shards: what is split, what is stitched, and that the result keeps the rules of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association
from mtmc.association.confidence import Joins
from mtmc.association.constraints import Constraints, KnownVehicles, TrackName
from mtmc.association.interface import rows_of
from mtmc.association.links_file import Link, Links, TravelTime, Zone
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.sharding.plan import Shard, groups_of_cameras, plan_shards
from mtmc.sharding.settings import ShardingSettings
from mtmc.sharding.sharded import ShardedAssociation
from mtmc.sharding.stitch import Solved, stitch
from mtmc.tracking.tracks import Tracks

FPS, GAP = 2.0, 10.0
SQUARE = ((0, 0), (90, 0), (90, 90), (0, 90))


def drive(vehicles: int, cameras: int) -> tuple[list[Tracks], list[TrackFeatures], Scenario]:
    """Vehicles that start every 3 s and are 5 s in view of each camera of a road, 10 s after the one before.

    The first element of a track's vector is its vehicle.
    """
    tables, features = [], []
    for camera in range(cameras):
        start = 3.0 * np.arange(vehicles) + camera * (5.0 + GAP)
        first = np.round(start * FPS).astype(int) + 1
        frame = np.concatenate([np.arange(f, f + int(5 * FPS)) for f in first])
        number = np.repeat(np.arange(1, vehicles + 1), int(5 * FPS))
        tables.append(Tracks.of(number, frame, [[0, 0, 9, 9]] * len(frame)))
        vector = np.stack([np.arange(vehicles), np.ones(vehicles)], 1).astype(np.float32)
        features.append(
            TrackFeatures(np.arange(1, vehicles + 1, dtype=np.int32), vector, np.ones(vehicles, np.float32))
        )
    frames = int((3 * vehicles + cameras * 15) * FPS)
    clips = (Camera(f"c{k}", k, FPS, 90, 90, frames, Clock.uniform(FPS)) for k in range(cameras))
    return tables, features, Scenario("road", "", tuple(clips))


class ByVehicle:
    """Knows the vehicles, and counts the tracks that it is asked about."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def associate(
        self,
        tracks: Sequence[Tracks],
        features: Sequence[TrackFeatures | None],
        scenario: Scenario,
        links: Links | None = None,
        constraints: Constraints | None = None,
    ) -> Association:
        vehicle = np.concatenate([f.vector[:, 0] for f in features if f is not None]).astype(np.int64)
        self.sizes.append(len(vehicle))
        assert len(rows_of(tracks)[0]) == len(vehicle)
        for table, camera in zip(tracks, scenario.cameras, strict=True):
            assert table.frame.min() >= 1
            assert camera.frame_count >= 1
        return Association.of(vehicle + 1000, links or Links())


def test_shards_give_the_identities_of_the_whole_where_the_overlap_sees_every_join() -> None:
    tracks, features, scenario = drive(vehicles=200, cameras=4)
    method = ByVehicle()
    settings = ShardingSettings(max_tracks=120, overlap=20.0)
    found = ShardedAssociation(method, settings).associate(tracks, features, scenario)
    vehicle = np.tile(np.arange(200), 4)
    assert len(method.sizes) > 5
    assert max(method.sizes) <= 120
    assert (found.identity == vehicle + 1).all()


def test_a_scenario_of_one_shard_is_left_to_the_method_as_it_is() -> None:
    tracks, features, scenario = drive(vehicles=10, cameras=2)
    found = ShardedAssociation(ByVehicle(), ShardingSettings(max_tracks=20)).associate(tracks, features, scenario)
    assert (found.identity == np.tile(np.arange(10), 2) + 1000).all()


def test_identities_do_not_depend_on_how_a_shard_numbers_its_own() -> None:
    class Shuffled(ByVehicle):
        def associate(self, *arguments: object, **more: object) -> Association:
            found = super().associate(*arguments, **more)  # type: ignore[arg-type]
            numbers = np.random.default_rng(len(self.sizes)).permutation(5000)
            return replace(found, identity=numbers[found.identity])

    tracks, features, scenario = drive(vehicles=100, cameras=3)
    settings = ShardingSettings(max_tracks=90, overlap=20.0)
    one, other = (
        ShardedAssociation(method, settings).associate(tracks, features, scenario)
        for method in (ByVehicle(), Shuffled())
    )
    assert (one.identity == other.identity).all()


@pytest.mark.parametrize("seed", range(8))
def test_stitching_never_puts_two_tracks_that_are_in_view_at_once_together(seed: int) -> None:
    """Shards that contradict each other at random, but never themselves."""
    random = np.random.default_rng(seed)
    n = 300
    start = np.sort(random.uniform(0, 600, n))
    end = start + random.uniform(1, 60, n)
    camera = random.integers(0, 5, n).astype(np.int32)
    shards = plan_shards(camera, start, end, group=np.zeros(5, np.int64), max_tracks=80, overlap=40.0)
    assert len(shards) > 2
    assert sorted(np.concatenate([shard.rows[shard.owned] for shard in shards]).tolist()) == list(range(n))
    solved = [at_random(shard, start, end, random) for shard in shards]
    identity, joins = stitch(shards, solved, start, end, KnownVehicles.none(n))
    assert set(identity.tolist()) == set(range(1, int(identity.max()) + 1))
    together = np.triu(identity[:, None] == identity, 1)
    at_once = np.maximum(start[:, None], start) < np.minimum(end[:, None], end)
    assert together.sum() > 50
    assert not (together & at_once).any()
    assert (identity[joins.source] == identity[joins.target]).all()


def at_random(
    shard: Shard, start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], random: np.random.Generator
) -> Solved:
    """Identities of tracks that are not in view at once, some of them with the joins that made them."""
    identity = np.full(len(shard.rows), -1)
    free: list[float] = []
    last: list[int] = []
    source, target = [], []
    for place in np.argsort(start[shard.rows], kind="stable").tolist():
        row = shard.rows[place]
        open_ones = [k for k, until in enumerate(free) if until <= start[row]]
        if open_ones and random.random() < 0.7:
            chosen = int(random.choice(open_ones))
            source.append(last[chosen])
            target.append(place)
        else:
            chosen = len(free)
            free.append(0.0)
            last.append(place)
        free[chosen], last[chosen], identity[place] = end[row], place, chosen
    joins = Joins(np.array(source, np.int64), np.array(target, np.int64), np.full(len(source), 0.8))
    return Solved(identity, np.zeros(len(identity), np.bool_), joins, np.full(len(identity), 0.8))


def test_cannot_links_between_shards_hold() -> None:
    start = np.array([0.0, 20.0, 40.0])
    shards = [
        Shard(np.array([0, 1]), np.array([True, True]), -np.inf, 30.0),
        Shard(np.array([1, 2]), np.array([False, True]), 10.0, np.inf),
    ]
    none = np.zeros(2, np.bool_)
    joins = Joins(np.array([0]), np.array([1]), np.array([0.9]))
    solved = [Solved(np.array([1, 1]), none, joins, np.ones(2))] * 2
    identity, _ = stitch(shards, solved, start, start + 5, KnownVehicles.none(3))
    assert identity.tolist() == [1, 1, 1]
    apart = replace(KnownVehicles.none(3), apart=np.array([[0, 2]]))
    identity, _ = stitch(shards, solved, start, start + 5, apart)
    assert identity.tolist() == [1, 1, 2]


def test_a_must_link_that_no_shard_sees_is_refused() -> None:
    tracks, features, scenario = drive(vehicles=200, cameras=2)
    method = ShardedAssociation(ByVehicle(), ShardingSettings(max_tracks=60, overlap=20.0))
    far = Constraints.must_link(TrackName("c0", 1), TrackName("c1", 150))
    with pytest.raises(InputError, match=r"track 1 of c0 and track 150 of c1 must be linked.*sharding.overlap"):
        method.associate(tracks, features, scenario, constraints=far)
    near = Constraints.must_link(TrackName("c0", 60), TrackName("c1", 60))
    assert (method.associate(tracks, features, scenario, constraints=near).identity[[59, 259]] == 60).all()


def test_cameras_that_no_link_connects_are_in_different_shards() -> None:
    zones = [Zone(name=f"{kind}{k}", camera=f"c{k}", kind=kind, polygon=SQUARE) for k in range(4) for kind in KINDS]
    time = TravelTime(min=1, max=9)
    links = Links(
        zones=tuple(zones),
        links=tuple(Link(source=f"exit{a}", target=f"entry{a + 1}", travel_time=time) for a in (0, 2)),
    )
    names, count = [f"c{k}" for k in range(4)], np.full(4, 50)
    assert groups_of_cameras(names, links, count, 100).tolist() == [0, 0, 1, 1]
    assert groups_of_cameras(names, links, count, 200).tolist() == [0, 0, 0, 0]
    assert groups_of_cameras(names, None, count, 10).tolist() == [0, 0, 0, 0]
    learned = links.model_copy(update={"unlisted": True})
    assert groups_of_cameras(names, learned, count, 10).tolist() == [0, 0, 0, 0]


KINDS = ("entry", "exit")
