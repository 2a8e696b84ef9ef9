"""Rows of the report's table from tracks and ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.report.data import ExtractorResult, ReportData, TrackTable
from mtmc.report.tabulate import followed_vehicle, passage_lengths, tabulate_tracks
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks


def boxes(left: list[float]) -> np.ndarray:
    return np.array([[x, 0, 100, 100] for x in left], np.float32)


def test_a_row_says_when_and_where_a_track_was_seen() -> None:
    tracks = Tracks.of([2, 1, 1], [21, 31, 11], boxes([0, 0, 0]))
    table = tabulate_tracks(3, tracks, Clock.uniform(10, start=5))
    assert table.camera.tolist() == [3, 3]
    assert table.track.tolist() == [1, 2]
    assert table.start.tolist() == [6, 7] and table.end.tolist() == [8, 7]
    assert table.first_frame.tolist() == [11, 21] and table.last_frame.tolist() == [31, 21]
    assert table.boxes.tolist() == [2, 1]
    assert table.truth.tolist() == [-1, -1]


def test_a_camera_without_tracks_has_no_rows() -> None:
    assert len(tabulate_tracks(0, Tracks.empty(), Clock.uniform(10))) == 0
    assert len(TrackTable.concatenate([])) == 0
    truth = Tracks.of([1], [1], boxes([0]))
    assert followed_vehicle(Tracks.empty(), truth).tolist() == []
    assert followed_vehicle(truth, Tracks.empty()).tolist() == [-1]


def test_a_track_follows_the_vehicle_that_it_covers_most() -> None:
    tracks = Tracks.of([4] * 5, [1, 2, 3, 4, 5], boxes([0, 0, 0, 0, 0]))
    truth = Tracks.of([9, 9, 8, 8, 8], [1, 2, 3, 4, 5], boxes([5, 5, 5, 5, 5]))
    assert followed_vehicle(tracks, truth).tolist() == [8]


def test_a_loose_box_or_too_few_boxes_follow_nothing() -> None:
    tracks = Tracks.of([1] * 10, range(1, 11), boxes([0] * 10))
    loose = Tracks.of([7] * 10, range(1, 11), boxes([40] * 10))
    assert followed_vehicle(tracks, loose).tolist() == [-1]
    assert followed_vehicle(tracks, loose, overlap=0.4).tolist() == [7]
    brief = Tracks.of([7] * 2, [1, 2], boxes([0] * 2))
    assert followed_vehicle(tracks, brief).tolist() == [-1]
    assert followed_vehicle(tracks, brief, minimum_share=0.2).tolist() == [7]


def test_a_tie_goes_to_the_lower_vehicle() -> None:
    tracks = Tracks.of([1, 1], [1, 2], boxes([0, 0]))
    truth = Tracks.of([9, 3], [1, 2], boxes([0, 0]))
    assert followed_vehicle(tracks, truth).tolist() == [3]


def test_many_tracks_at_once_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    tracks = Tracks.of(
        rng.permutation(np.repeat(np.arange(1, 21), 30)), np.tile(np.arange(1, 31), 20), np.zeros((600, 4))
    )
    box = np.concatenate([rng.integers(0, 60, (600, 2)), np.full((600, 2), 50)], axis=1)
    tracks = Tracks.of(tracks.track, tracks.frame, box)
    truth_box = np.concatenate([rng.integers(0, 60, (150, 2)), np.full((150, 2), 50)], axis=1)
    truth = Tracks.of(np.tile(np.arange(1, 6), 30), np.repeat(np.arange(1, 31), 5), truth_box)
    expected = []
    for number in np.unique(tracks.track):
        hits = dict.fromkeys(range(1, 6), 0)
        mine = np.flatnonzero(tracks.track == number)
        for i in mine:
            for j in np.flatnonzero(truth.frame == tracks.frame[i]):
                dx, dy = np.abs(tracks.box[i, :2] - truth.box[j, :2])
                common = max(0, 50 - dx) * max(0, 50 - dy)
                hits[int(truth.track[j])] += common / (5000 - common) >= 0.5
        best = max(hits, key=lambda v: (hits[v], -v))
        expected.append(best if hits[best] and hits[best] >= 0.25 * len(mine) else -1)
    assert followed_vehicle(tracks, truth).tolist() == expected
    assert len(set(expected)) > 1


def test_passages_of_the_ground_truth_are_counted() -> None:
    truth = Tracks.of([4, 9, 4], [1, 1, 2], boxes([0, 200, 0]))
    assert passage_lengths(2, truth) == {(4, 2): 2, (9, 2): 1}
    assert passage_lengths(2, Tracks.empty()) == {}


def test_a_report_refuses_identities_that_do_not_fit_its_tracks() -> None:
    with pytest.raises(ValueError, match="for 0 tracks"):
        ReportData("s", False, "now", [], TrackTable.empty(), [ExtractorResult("a", np.zeros(1, np.int32))])
    with pytest.raises(ValueError, match="at least one extractor"):
        ReportData("s", False, "now", [], TrackTable.empty(), [])
