"""Tracks of several cameras to identities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.links_file import read_links, write_links
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

VEHICLES, PASSAGE, TRAVEL = 40, 40, 20.0


def passages(starts: npt.NDArray[np.float64]) -> Tracks:
    """One vehicle per start (seconds), crossing a 400 x 300 picture from left to right in four seconds."""
    first = np.rint(starts * 10).astype(int) + 1
    steps = np.arange(PASSAGE)
    left = np.tile(9 * steps, len(starts))
    box = np.column_stack([left, np.full(len(left), 150), np.full(len(left), 40), np.full(len(left), 30)])
    track = np.repeat(np.arange(1, len(starts) + 1), PASSAGE)
    return Tracks.of(track, (first[:, None] + steps).ravel(), box).sorted()


def corridor(seed: int, appearance: bool, noise: float = 0.1) -> tuple[list[CameraTracks], npt.NDArray[np.int64]]:
    """Two cameras on one road, about 20 s apart; row i of both is vehicle i, the second camera's shuffled."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(rng.uniform(3, 9, VEHICLES))
    arrivals = starts + PASSAGE / 10 + TRAVEL + rng.normal(0, 1.5, VEHICLES)
    order = rng.permutation(VEHICLES)
    looks = rng.normal(size=(VEHICLES, 64))
    cameras = []
    for name, when, who in (("c1", starts, np.arange(VEHICLES)), ("c2", arrivals[order], order)):
        vector = looks[who] + noise * 8 * rng.normal(size=looks.shape)
        vector = (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)
        numbers = np.arange(1, VEHICLES + 1, dtype=np.int32)
        features = TrackFeatures(numbers, vector, np.ones(VEHICLES, np.float32)) if appearance else None
        cameras.append(CameraTracks(name, passages(when), Clock.uniform(10), 400, 300, 4000, None, features))
    return cameras, np.concatenate([np.arange(VEHICLES), order])


def right_pairs(identity: npt.NDArray[np.int64], vehicle: npt.NDArray[np.int64]) -> float:
    """Share of the vehicles whose two tracks, and no other, have one identity."""
    right = 0
    for number in range(VEHICLES):
        mine = identity[vehicle == number]
        right += bool(mine[0] == mine[1] and (identity == mine[0]).sum() == 2)
    return right / VEHICLES


def test_vehicles_are_followed_along_a_road_without_given_links() -> None:
    cameras, vehicle = corridor(1, appearance=True)
    result = associate(summarise(cameras), None, AssociationSettings())
    assert right_pairs(result.identity, vehicle) >= 0.9
    assert any(link.source != link.target for link in result.links.links)


def test_tracks_of_one_camera_that_overlap_in_time_never_share_an_identity() -> None:
    cameras, _ = corridor(2, appearance=True, noise=0.5)
    summaries = summarise(cameras)
    identity = associate(summaries, None, AssociationSettings(threshold=0.05)).identity
    same = (identity[:, None] == identity) & (summaries.camera[:, None] == summaries.camera)
    together = (summaries.start[:, None] <= summaries.end) & (summaries.start <= summaries.end[:, None])
    assert not (same & together & ~np.eye(len(identity), dtype=bool)).any()


def test_the_same_input_gives_the_same_identities() -> None:
    first, second = (associate(summarise(corridor(3, True)[0]), None, AssociationSettings()).identity for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_features_that_are_not_finite_are_ignored() -> None:
    cameras, vehicle = corridor(4, appearance=True)
    features = cameras[0].features
    assert features is not None
    features.vector[5] = np.nan
    identity = associate(summarise(cameras), None, AssociationSettings()).identity
    assert right_pairs(identity, vehicle) >= 0.8


@pytest.mark.parametrize("cameras", [0, 1, 2])
def test_empty_cameras_and_single_cameras_are_handled(cameras: int) -> None:
    empty = [CameraTracks(f"c{i}", Tracks.empty(), Clock.uniform(10), 400, 300) for i in range(cameras)]
    if cameras == 2:
        empty[0] = CameraTracks("c0", passages(np.array([1.0, 7.0])), Clock.uniform(10), 400, 300)
    result = associate(summarise(empty), None, AssociationSettings())
    assert len(result.identity) == (2 if cameras == 2 else 0)
    assert len(set(result.identity.tolist())) == len(result.identity)


def test_links_that_were_learned_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    links = associate(summarise(corridor(1, appearance=True)[0]), None, AssociationSettings()).links
    write_links(tmp_path / "links.yaml", links)
    again = read_links(tmp_path / "links.yaml", ["c1", "c2"])
    assert [zone.name for zone in again.zones] == [zone.name for zone in links.zones]
    assert [(k.source, k.target) for k in again.links] == [(k.source, k.target) for k in links.links]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zones: []\nlinks: []\nzone: []\n", "zone"),
        ("zones:\n- {name: a, camera: c1, kind: way, polygon: [[0, 0], [1, 0], [1, 1]]}\n", "kind"),
        ("zones: []\nlinks:\n- {source: a, target: b, travel_time: {min: 1, max: 2}}\n", "no zone"),
        ("zones:\n- {name: a, camera: c9, kind: exit, polygon: [[0, 0], [1, 0], [1, 1]]}\n", "c9"),
        ("overlapping_views:\n- {cameras: [c1, c9], mapping: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}\n", "c9"),
        ("overlapping_views:\n- {cameras: [c1, c1], mapping: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}\n", "different"),
        ("overlapping_views:\n- {cameras: [c1, c2], mapping: [[1, 0, 0], [1, 0, 0], [0, 0, 1]]}\n", "inverted"),
        ("overlapping_views:\n- {cameras: [c1, c2], mappings: []}\n", "mapping"),
        ("common_views: []\n", "common_views: this key is now called `overlapping_views`"),
        ("links:\n- {source: a, target: b, travel_time: {least: 1, max: 2}}\n", "least: this key is now called `min`"),
        ("zones: []\nlinks:\n- {source: a, target: b, travel_time: {min: 2, max: 1}}\n", "below"),
        ("links:\n- {source: a, target: b, travel_time: {first: 0, step: 1, weights: [1, .nan]}}\n", "finite"),
        ("- 1\n", "zones"),
    ],
)
def test_wrong_links_are_named_with_file_and_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "links.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_links(path, ["c1", "c2"])
    assert str(path) in str(caught.value)
