from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import Association, associate
from mtmc.association.links_file import read_links, write_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

Make = Callable[..., Any]
Share = Callable[..., float]


def run(cameras: list[CameraTracks], **switches: Any) -> Association:
    return associate(summarise(cameras), None, AssociationSettings(**switches))


def test_joins_vehicles_by_time_alone_in_both_directions(make_road: Make, right_share: Share) -> None:
    road = make_road(seed=1, vehicles=60, scatter=0.7)
    assert right_share(run(road.cameras).identity, road.truth) > 0.9


def test_tracks_that_begin_late_and_end_early_are_joined_by_time_alone(make_road: Make, right_share: Share) -> None:
    road = make_road(seed=1, vehicles=60, scatter=0.7, headway=5.0)
    random = np.random.default_rng(0)
    cameras = []
    for camera in road.cameras:
        rows = camera.tracks
        first, last = (np.zeros(rows.track.max() + 1, np.int64) for _ in range(2))
        np.maximum.at(last, rows.track, rows.frame)
        first[rows.track[::-1]] = rows.frame[::-1]
        late, early = random.integers(0, 15, (2, len(first)))
        kept = (rows.frame >= (first + late)[rows.track]) & (rows.frame <= (last - early)[rows.track])
        cameras.append(replace(camera, tracks=rows[kept]))
    assert right_share(run(cameras).identity, road.truth) > 0.8


def test_a_lorry_alone_in_its_zone_is_known_by_its_size(crossing_track: Callable[..., Tracks]) -> None:
    """Fifteen cars drive to the right, a lorry to the left; nothing of its own zone tells that it is large."""
    cameras = []
    for name, delay in (("c001", 0.0), ("c002", 20.0)):
        cars = [crossing_track(v + 1, 5.0 + 4.0 * v + delay, 10.0, 0.0, False, 2.0 * v) for v in range(15)]
        lorry = crossing_track(16, 60.0 - delay, 10.0, 0.0, True, 200.0)
        box = lorry.box + np.array([-30.0, -40.0, 60.0, 40.0], np.float32)
        cars.append(Tracks(lorry.track, lorry.frame, box, lorry.score, lorry.label))
        cameras.append(CameraTracks(name, Tracks.concatenate(cars), Clock.uniform(10.0), 960, 540))
    found = run(cameras)
    lorries = np.isin(found.source, (15, 31)) & np.isin(found.target, (15, 31))
    mixed = np.isin(found.source, (15, 31)) ^ np.isin(found.target, (15, 31))
    assert found.terms["size"][lorries].max() > 0.5
    assert found.terms["size"][mixed].mean() < 0.0


def test_two_way_traffic_does_not_make_vehicles_turn_back(make_road: Make) -> None:
    """One way, two cameras, dense traffic: what leaves the second might as well come back to the first."""
    went = {}
    for rare in (True, False):
        went[rare] = 0
        for seed in range(4):
            road = make_road(seed=seed, vehicles=60, cameras=2, travel=4.0, scatter=0.3, both_ways=False, headway=3.0)
            identity = run(road.cameras, u_turn_prior=rare).identity
            went[rare] += int((np.bincount(identity) > 2).sum())
    assert went[True] == 0
    assert went[False] > 0


def test_appearance_resolves_what_times_leave_open(make_road: Make, right_share: Share) -> None:
    road = make_road(seed=2, vehicles=60, scatter=6.0, headway=3.0, pixels=True)
    by_time = right_share(run(road.cameras, appearance=False).identity, road.truth)
    by_both = right_share(run(road.cameras).identity, road.truth)
    assert by_both > 0.9
    assert by_both > by_time


def test_candidates_are_pruned_by_appearance_if_there_are_too_many(make_road: Make, right_share: Share) -> None:
    """Many cameras and few vehicles: no link has a distinct travel time, but vehicles differ in appearance."""
    road = make_road(seed=5, vehicles=12, cameras=16, scatter=3.0, headway=6.0, pixels=True)
    few = run(road.cameras, candidate_budget=500)
    assert len(few.source) < len(run(road.cameras).source)
    assert right_share(few.identity, road.truth) > 0.9


def test_features_of_a_single_camera_do_not_prune_candidates(make_road: Make) -> None:
    road = make_road(seed=5, vehicles=12, cameras=4, pixels=True)
    cameras = [road.cameras[0], *(replace(camera, features=None) for camera in road.cameras[1:])]
    assert len(run(cameras, candidate_budget=50).identity) == len(road.truth)


def test_frame_rates_and_clock_offsets_do_not_matter(make_road: Make, right_share: Share) -> None:
    road = make_road(seed=3, vehicles=60, scatter=0.7, rates=(10.0, 8.0, 30.0), offsets=(0.0, 4.5, 1.64))
    assert right_share(run(road.cameras).identity, road.truth) > 0.9


def test_learned_travel_times_are_those_of_the_road(make_road: Make) -> None:
    road = make_road(seed=4, vehicles=60, travel=25.0, scatter=0.5)
    links = run(road.cameras).links
    ways = {(link.source[:4], link.target[:4]): link for link in links.links if link.vehicles > 10}
    assert set(ways) == {("c001", "c002"), ("c002", "c003"), ("c003", "c002"), ("c002", "c001")}
    for link in ways.values():
        middle = 0.5 * (link.travel_time.edges[1:] + link.travel_time.edges[:-1])
        assert middle @ link.travel_time.mass == pytest.approx(25.0, abs=1.0)


def test_links_given_back_give_the_same_identities(make_road: Make, tmp_path: Path) -> None:
    road = make_road(seed=5, vehicles=50, scatter=0.7)
    first = run(road.cameras)
    write_links(tmp_path / "links.yaml", first.links)
    given = read_links(tmp_path / "links.yaml")
    again = associate(summarise(road.cameras), given, AssociationSettings())
    assert again.links == given
    assert np.mean(again.identity == first.identity) > 0.95


def test_a_travel_time_window_that_the_user_sets_is_respected(make_road: Make) -> None:
    road = make_road(seed=6, vehicles=50, scatter=0.7)
    learned = run(road.cameras).links
    shut = {"min": 60.0, "max": 61.0}
    closed = [{**link.model_dump(exclude_none=True), "travel_time": shut} for link in learned.links]
    links = type(learned).model_validate(
        {"zones": [z.model_dump(exclude_none=True) for z in learned.zones], "links": closed}
    )
    summaries = summarise(road.cameras)
    identity = associate(summaries, links, AssociationSettings(fragments=False)).identity
    joined = (identity[:, None] == identity[None]) & ~np.eye(len(identity), dtype=np.bool_)
    first, second = np.nonzero(np.triu(joined))
    gap = np.maximum(summaries.start[first], summaries.start[second]) - np.minimum(
        summaries.end[first], summaries.end[second]
    )
    assert np.all((gap > 59.9) & (gap < 61.1))


@pytest.mark.parametrize("pixels", [False, True])
def test_tracks_of_one_camera_that_overlap_in_time_never_share_an_identity(make_road: Make, pixels: bool) -> None:
    road = make_road(seed=7, vehicles=80, headway=1.5, scatter=8.0, pixels=pixels)
    summaries = summarise(road.cameras)
    identity = associate(summaries, None, AssociationSettings(threshold=0.05)).identity
    for number in np.unique(identity):
        rows = np.flatnonzero(identity == number)
        rows = rows[np.lexsort((summaries.start[rows], summaries.camera[rows]))]
        same = summaries.camera[rows][1:] == summaries.camera[rows][:-1]
        assert not np.any(same & (summaries.start[rows][1:] <= summaries.end[rows][:-1]))


def test_the_same_input_gives_the_same_output(make_road: Make) -> None:
    road = make_road(seed=8, vehicles=40, scatter=4.0, pixels=True)
    assert np.array_equal(run(road.cameras).identity, run(road.cameras).identity)


def test_pieces_of_a_broken_track_are_joined(make_road: Make, right_share: Share) -> None:
    road = make_road(seed=9, vehicles=40, scatter=0.7, pixels=True)
    camera = road.cameras[1]
    rows = camera.tracks.sorted()
    number = rows.track.copy()
    top = int(number.max())
    for track in (3, 8, 15):
        own = np.flatnonzero(rows.track == track)
        number[own[len(own) // 2 :]] = top = top + 1
    keep = np.ones(len(rows), np.bool_)
    for track in (3, 8, 15):
        keep[np.flatnonzero(number == track)[-4:]] = False
    broken = Tracks(number, rows.frame, rows.box, rows.score, rows.label)[keep]
    features = camera.features
    assert features is not None
    extra = np.arange(int(rows.track.max()) + 1, top + 1, dtype=np.int32)
    origin = np.array([3, 8, 15]) - 1
    features = TrackFeatures(
        np.concatenate([features.track, extra]),
        np.concatenate([features.vector, features.vector[origin]]),
        np.concatenate([features.weight, features.weight[origin]]),
    )
    cameras = [road.cameras[0], replace(camera, tracks=broken, features=features), road.cameras[2]]
    summaries = summarise(cameras)
    own = road.truth[summarise(road.cameras).camera == 1]
    counts = [int((summaries.camera == c).sum()) for c in range(3)]
    first = road.truth[: counts[0]]
    truth = np.concatenate([first, own, own[origin], road.truth[len(first) + len(own) :]])
    joined = run(cameras).identity
    assert right_share(joined, truth) > 0.85
    by_place = run(cameras, appearance=False).identity
    assert right_share(run(cameras, appearance=False, fragments=False).identity, truth) < right_share(by_place, truth)


def test_features_that_are_not_numbers_count_as_missing(make_road: Make) -> None:
    road = make_road(seed=10, vehicles=30, scatter=0.7, pixels=True)
    features = road.cameras[0].features
    features.vector[::2] = np.nan
    result = run(road.cameras)
    assert np.isfinite(result.probability).all()
    assert all(np.isfinite(term).all() for term in result.terms.values())


def test_cameras_without_vehicles_one_camera_and_nothing_at_all() -> None:
    empty = CameraTracks("c001", Tracks.empty(), Clock.uniform(10.0), 960, 540)
    assert len(run([]).identity) == 0
    assert len(run([empty, replace(empty, camera="c002")]).identity) == 0


def test_one_camera_keeps_its_tracks_apart(crossing_track: Callable[..., Tracks]) -> None:
    tracks = Tracks.concatenate([crossing_track(k + 1, 7.0 * k, 10.0, 0.0, False, 0.0) for k in range(20)])
    camera = CameraTracks("c001", tracks, Clock.uniform(10.0), 960, 540)
    assert len(np.unique(run([camera]).identity)) == 20


def test_a_parked_track_is_dropped_only_where_nothing_links_it(make_road: Make) -> None:
    road = make_road(seed=11, vehicles=40, scatter=0.5)
    camera = road.cameras[0]
    number = int(camera.tracks.track.max()) + 1
    stand = Tracks.of(np.full(300, number), 1 + np.arange(300), np.tile([700.0, 450.0, 60.0, 40.0], (300, 1)))
    cameras = [
        replace(camera, tracks=Tracks.concatenate([camera.tracks, stand]), parked=np.array([1, number], np.int32)),
        *road.cameras[1:],
    ]
    summaries = summarise(cameras)
    result = associate(summaries, None, AssociationSettings())
    mine = summaries.camera == 0
    assert result.dropped[mine & (summaries.track == number)].all()
    assert not result.dropped[mine & (summaries.track == 1)].any()


def test_every_switch_can_be_turned_off(make_road: Make) -> None:
    road = make_road(seed=12, vehicles=15, pixels=True)
    off = {name: False for name, value in AssociationSettings().model_dump().items() if value is True}
    assert len(off) >= 14
    assert len(run(road.cameras, **off).identity) == len(road.truth)


class Flat:
    """A camera that looks straight down: a tenth of a metre a pixel, from its corner's place."""

    def __init__(self, corner: tuple[float, float]) -> None:
        self.corner = np.array(corner)

    def to_ground(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(0.1 * points + self.corner, np.float64)


def test_overlapping_views_are_joined_by_place(crossing_track: Callable[..., Tracks], right_share: Share) -> None:
    # The second camera sees what the first sees, from 30 m further right and 10 m further down; vehicles in two lanes
    # come in at once, so time alone cannot tell them apart.
    enter = np.repeat(5.0 * np.arange(1, 16), 2)
    tracks: list[list[Tracks]] = [[], []]
    for v, time in enumerate(enter):
        lane = 100.0 * (v % 2)
        tracks[0].append(crossing_track(v + 1, time, 10.0, 0.0, False, lane))
        shifted = crossing_track(v + 1, time, 10.0, 0.0, False, lane)
        rows = np.flatnonzero(shifted.box[:, 0] >= 300.0)
        box = shifted.box[rows] - np.array([300.0, 100.0, 0.0, 0.0], np.float32)
        tracks[1].append(Tracks.of(shifted.track[rows], shifted.frame[rows], box))
    clock = Clock.uniform(10.0)
    cameras = [
        CameraTracks("c001", Tracks.concatenate(tracks[0]), clock, 960, 540, ground=Flat((0.0, 0.0))),
        CameraTracks("c002", Tracks.concatenate(tracks[1]), clock, 960, 540, ground=Flat((30.5, 9.6))),
    ]
    truth = np.tile(np.arange(len(enter)), 2)
    assert right_share(run(cameras).identity, truth) == 1.0


@pytest.mark.parametrize("scenario", ["R01", "R02"])
def test_real_motorway_by_time_alone(shared: Path, scenario: str) -> None:
    root = shared / "real" / "validation" / scenario
    starts = dict(
        line.split() for line in (shared / "real" / "cam_timestamp" / f"{scenario}.txt").read_text().splitlines()
    )
    rates = {"c901": 25.0, "c902": 25.0, "c903": 20.0, "c904": 15.0}
    sizes = {"c901": (960, 324), "c902": (960, 448), "c903": (512, 280), "c904": (560, 432)}
    cameras, truth = [], []
    for folder in sorted(root.glob("c*")):
        rows = np.loadtxt(folder / "gt" / "gt.txt", delimiter=",", ndmin=2)
        tracks = Tracks.of(rows[:, 1], rows[:, 0], rows[:, 2:6])
        clock = Clock.uniform(rates[folder.name], float(starts[folder.name]))
        cameras.append(CameraTracks(folder.name, tracks, clock, *sizes[folder.name]))
        truth.append(np.unique(tracks.track))
    identity = run(cameras).identity
    right = np.mean(
        [identity[k] == identity[len(truth[0]) + np.searchsorted(truth[1], v)] for k, v in enumerate(truth[0])]
    )
    assert right > 0.7
