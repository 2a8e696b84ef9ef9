"""The boxes of a run that are scored."""

import numpy as np

from mtmc.identities import Identities, boxes_of, clip_boxes
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracks import Tracks


def identities(camera: list[int], track: list[int], identity: list[int]) -> Identities:
    return Identities(*(np.array(column, np.int32) for column in (camera, track, [0] * len(track), identity)))


def test_every_box_gets_its_tracks_identity_in_its_camera() -> None:
    cameras = tuple(Camera(f"c{n}", n, 10.0, 100, 80, 9, Clock.uniform(10)) for n in (41, 42))
    tracks = [
        Tracks.of([1, 1, 2], [1, 2, 1], [[0, 0, 10, 10], [5, 0, 10, 10], [50, 0, 10, 10]]),
        Tracks.of([1, 3], [4, 4], [[0, 0, 20, 20], [30, 0, 20, 20]]),
    ]
    boxes = boxes_of(Scenario("x", "", cameras), tracks, identities([1, 0, 0, 1], [3, 1, 2, 1], [7, 7, -1, 8]))
    assert list(zip(boxes.camera.tolist(), boxes.identity.tolist(), boxes.frame.tolist(), strict=True)) == [
        (41, 7, 1),
        (41, 7, 2),
        (42, 8, 4),
        (42, 7, 4),
    ]


def test_boxes_are_clipped_to_the_picture_and_those_outside_it_are_dropped() -> None:
    clipped = clip_boxes(np.array([[-5, 70, 20, 20], [200, 0, 10, 10]], np.float32), 100, 80)
    np.testing.assert_allclose(clipped, [[0, 70, 15, 10], [100, 0, 0, 10]])
    camera = Camera("c1", 1, 10.0, 100, 80, 9, Clock.uniform(10))
    tracks = [Tracks.of([1, 1], [1, 2], [[-5, 70, 20, 20], [200, 0, 10, 10]])]
    assert boxes_of(Scenario("x", "", (camera,)), tracks, identities([0], [1], [1])).frame.tolist() == [1]


def test_a_track_that_was_not_associated_has_no_identity() -> None:
    assert identities([0], [4], [2]).of_boxes(0, np.array([3, 4, 9], np.int32), np.ones(3, np.int32)).tolist() == [
        -1,
        2,
        -1,
    ]
    assert identities([], [], []).of_boxes(0, np.array([3], np.int32), np.ones(1, np.int32)).tolist() == [-1]


def test_a_track_that_was_cut_has_an_identity_in_each_part() -> None:
    columns = ([0, 0, 0, 1], [4, 4, 5, 4], [0, 30, 0, 0], [2, 3, 4, 5])
    table = Identities(*(np.array(column, np.int32) for column in columns))
    track, frame = np.array([4, 4, 4, 5], np.int32), np.array([1, 29, 30, 99], np.int32)
    assert table.of_boxes(0, track, frame).tolist() == [2, 2, 3, 4]
    assert table.of_boxes(1, track[:3], frame[:3]).tolist() == [5, 5, 5]


def test_of_two_boxes_of_a_vehicle_in_a_frame_the_more_confident_one_is_kept() -> None:
    table = identities([0, 0, 0], [1, 2, 3], [7, 7, 8])
    box = np.tile([0, 0, 10, 10], (6, 1))
    tracks = Tracks.of([1, 1, 2, 2, 3, 4], [4, 5, 5, 6, 5, 5], box, [0.9, 0.3, 0.8, 0.8, 0.1, 0.9])
    assert table.of_tracks(0, tracks).tolist() == [7, -1, 7, 7, 8, -1]
