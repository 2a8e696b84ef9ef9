"""Overlapping fields of view of uncalibrated cameras are found from vehicles that look and move alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.evidence.common_views import find_overlapping_views
from mtmc.association.links_file import read_links, write_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, TrackSummaries, places_at, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

WIDTH, HEIGHT, FPS = 960, 540, 10.0
# Metres on the ground to pixels: two views of one place, from two sides.
SOUTH = np.array([[12.0, 2.0, 480.0], [0.0, 6.0, 300.0], [0.0, 0.004, 1.0]])
WEST = np.array([[-2.0, 13.0, 470.0], [5.0, 1.0, 290.0], [0.004, 0.0, 1.0]])

Right = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], float]


def _scene(
    vehicles: int, seed: int, elsewhere: bool, noise: float = 0.5
) -> tuple[list[CameraTracks], npt.NDArray[np.int64]]:
    """Two cameras at a crossing; with `elsewhere`, the second sees similar vehicles at another crossing."""
    random = np.random.default_rng(seed)
    look = random.normal(size=(vehicles, 32))
    cameras, truth = [], []
    for camera, view in enumerate((SOUTH, WEST)):
        drives = np.random.default_rng([seed, camera if elsewhere else 0])
        rows = []
        for vehicle in range(vehicles):
            start, turn, speed = drives.uniform(0, 50), drives.uniform(0, 2 * np.pi), drives.uniform(5, 12)
            seconds = np.arange(0.0, 50.0 / speed, 1 / FPS)
            # Each stops for a while, as at a light.
            way = speed * np.minimum(seconds, np.maximum(seconds - drives.uniform(0, 3), 0.4 * seconds)) - 20.0
            ground = np.outer(way, [np.cos(turn), np.sin(turn)]) + drives.uniform(-6, 6, 2)
            point = np.column_stack([ground, np.ones(len(ground))]) @ view.T
            foot = point[:, :2] / point[:, 2:] + random.normal(0, 2.0, (len(ground), 2))
            frame = np.round((start + seconds) * FPS).astype(np.int64) + 1
            inside = ((foot > 0) & (foot < [WIDTH, HEIGHT])).all(1)
            box = np.column_stack([foot - [30.0, 40.0], np.broadcast_to([60.0, 40.0], (len(foot), 2))])
            rows.append(Tracks.of(np.full(inside.sum(), vehicle + 1), frame[inside], box[inside]))
        vector = (look + noise * random.normal(size=look.shape)).astype(np.float32)
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        number = np.arange(1, vehicles + 1, dtype=np.int32)
        features = TrackFeatures(number, vector, np.ones(vehicles, np.float32))
        table = Tracks.concatenate(rows)
        cameras.append(CameraTracks(f"c{camera}", table, Clock.uniform(FPS), WIDTH, HEIGHT, 700, features=features))
        truth.append(np.unique(table.track) - 1 + (vehicles * camera if elsewhere else 0))
    return cameras, np.concatenate(truth).astype(np.int64)


def _bare(summaries: TrackSummaries) -> TrackSummaries:
    return replace(summaries, vector=np.zeros((len(summaries), 0), np.float32), weight=summaries.weight * 0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_overlapping_views_come_with_the_homography_between_the_pictures(seed: int) -> None:
    summaries = summarise(_scene(20, seed, elsewhere=False)[0])
    views = find_overlapping_views(summaries, summaries.vector)
    assert views.source.tolist() == [0, 1]
    assert views.target.tolist() == [1, 0]
    ground = np.random.default_rng(5).uniform(-8, 8, (50, 2))
    south, west = (np.column_stack([ground, np.ones(50)]) @ view.T for view in (SOUTH, WEST))
    here, there = south[:, :2] / south[:, 2:], west[:, :2] / west[:, 2:]
    shape = np.array([WIDTH, HEIGHT])
    mapped = np.column_stack([here / shape, np.ones(50)]) @ views.mapping[0].T
    assert np.median(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] * shape - there, axis=1)) < 10.0


def test_places_join_vehicles_of_uninformative_appearance(right_share: Right) -> None:
    share = {True: 0.0, False: 0.0}
    for seed in range(4):
        cameras, truth = _scene(20, seed, elsewhere=False, noise=1.5)
        for wanted in share:
            found = associate(summarise(cameras), None, AssociationSettings(overlapping_views=wanted))
            share[wanted] += right_share(found.identity, truth) / 4
    assert share[True] > 0.9
    assert share[True] > share[False] + 0.08


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_similar_vehicles_elsewhere_are_not_an_overlap(seed: int) -> None:
    summaries = summarise(_scene(20, seed, elsewhere=True)[0])
    assert len(find_overlapping_views(summaries, summaries.vector)) == 0


def test_offsets_distinguish_one_vehicle_from_others() -> None:
    cameras, truth = _scene(20, 0, elsewhere=False)
    summaries = summarise(cameras)
    views = find_overlapping_views(summaries, summaries.vector)
    a, b = (m.ravel() for m in np.meshgrid(*(np.flatnonzero(summaries.camera == c) for c in (0, 1)), indexing="ij"))
    offset, spread = views.offsets(summaries, a, b)
    at_once = np.minimum(summaries.end[a], summaries.end[b]) >= np.maximum(summaries.start[a], summaries.start[b])
    assert np.array_equal(np.isfinite(spread), at_once)
    apart = np.linalg.norm(offset, axis=1)
    same = truth[a] == truth[b]
    assert np.median(apart[same & at_once]) < 1.0
    assert np.median(apart[~same & at_once]) > 5.0
    inside, _ = views.offsets(summaries, a[:1], a[1:2])
    assert np.isnan(inside).all()


def test_found_views_can_be_given_back_and_removed(tmp_path: Path) -> None:
    cameras, _ = _scene(20, 0, elsewhere=False, noise=1.5)
    summaries = summarise(cameras)
    first = associate(summaries, None, AssociationSettings())
    write_links(tmp_path / "links.yaml", first.links)
    given = read_links(tmp_path / "links.yaml", ["c0", "c1"])
    assert given.overlapping_views is not None
    assert [view.cameras for view in given.overlapping_views] == [("c0", "c1")]
    again = associate(summaries, given, AssociationSettings())
    assert np.abs(again.terms["ground"]).max() > 1.0
    assert again.links.overlapping_views == given.overlapping_views
    none = associate(summaries, given.model_copy(update={"overlapping_views": ()}), AssociationSettings())
    assert not none.terms.get("ground", np.zeros(1)).any()


@pytest.mark.parametrize("size", [1, 4, 8])
def test_views_of_pictures_of_any_size_can_be_written(size: int) -> None:
    cameras, _ = _scene(20, 0, elsewhere=False)
    large = [
        replace(c, width=size * WIDTH, height=size * HEIGHT, tracks=replace(c.tracks, box=c.tracks.box * size))
        for c in cameras
    ]
    views = associate(summarise(large), None, AssociationSettings()).links.overlapping_views
    assert views is not None
    assert [view.cameras for view in views] == [("c0", "c1")]


def test_no_overlap_is_found_without_features() -> None:
    summaries = _bare(summarise(_scene(20, 0, elsewhere=False)[0]))
    assert len(find_overlapping_views(summaries, summaries.vector)) == 0
    nothing = summarise([])
    assert len(find_overlapping_views(nothing, nothing.vector)) == 0


def test_places_are_interpolated_on_the_path() -> None:
    summaries = summarise(_scene(6, 1, elsewhere=False)[0])
    random = np.random.default_rng(0)
    track = random.integers(0, len(summaries), 40)
    seconds = random.uniform(-5.0, 70.0, (40, 7))
    place = places_at(summaries, track, seconds)
    for row, number in enumerate(track):
        path = slice(summaries.path_first[number], summaries.path_first[number + 1])
        wanted = [np.interp(seconds[row], summaries.path_time[path], axis) for axis in summaries.path_place[path].T]
        np.testing.assert_allclose(place[row], np.stack(wanted, 1), atol=1e-6)
