"""Wrong merges and splits on cases small enough to check by hand."""

from __future__ import annotations

import numpy as np

from mtmc.report.errors import Change, Difference, compare, find_errors, right_vehicles


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_a_perfect_result_has_no_errors() -> None:
    errors = find_errors(ints(7, 7, 9, 9), ints(1, 1, 2, 2))
    assert errors.merges == () and errors.splits == ()
    assert right_vehicles(ints(7, 7, 9, 9), ints(1, 1, 2, 2)).tolist() == [1, 2]


def test_nothing_in_nothing_out() -> None:
    errors = find_errors(ints(), ints())
    assert errors.merges == () and errors.splits == ()
    assert right_vehicles(ints(), ints()).tolist() == []


def test_two_vehicles_in_one_identity_are_a_merge_led_by_the_longer_one() -> None:
    errors = find_errors(ints(5, 5, 5, 6), ints(1, 2, 2, 3), ints(10, 20, 20, 5))
    (merge,) = errors.merges
    assert (merge.identity, merge.vehicles, merge.wrong_boxes) == (5, (2, 1), 10)
    assert [rows.tolist() for rows in merge.rows] == [[1, 2], [0]]
    assert errors.splits == ()
    assert right_vehicles(ints(5, 5, 5, 6), ints(1, 2, 2, 3)).tolist() == [3]


def test_one_vehicle_in_two_identities_is_a_split() -> None:
    errors = find_errors(ints(5, 6, 6), ints(1, 1, 1), ints(10, 3, 4))
    (split,) = errors.splits
    assert (split.vehicle, split.identities, split.wrong_boxes) == (1, (5, 6), 7)
    assert [rows.tolist() for rows in split.rows] == [[0], [1, 2]]
    assert errors.merges == ()


def test_tracks_without_identity_are_parts_of_their_own() -> None:
    errors = find_errors(ints(5, -1, -1), ints(1, 1, 1))
    (split,) = errors.splits
    assert split.identities == (5, -1, -1) and split.wrong_boxes == 2
    assert errors.merges == (), "tracks without identity are not merged with each other"


def test_a_vehicle_with_one_track_and_no_identity_is_not_right() -> None:
    assert right_vehicles(ints(-1, 3), ints(1, 2)).tolist() == [2]


def test_a_track_of_no_known_vehicle_in_an_identity_never_leads_it() -> None:
    errors = find_errors(ints(5, 5), ints(-1, 4), ints(100, 1))
    (merge,) = errors.merges
    assert merge.vehicles == (4, -1) and merge.wrong_boxes == 100
    assert find_errors(ints(5, 5), ints(-1, -1)).merges == ()


def test_errors_with_most_wrong_boxes_come_first() -> None:
    errors = find_errors(ints(1, 1, 2, 2), ints(1, 2, 3, 4), ints(50, 5, 50, 30))
    assert [merge.identity for merge in errors.merges] == [2, 1]


def test_compare_says_what_the_other_extractor_fixes_and_breaks() -> None:
    truth = ints(1, 1, 2, 2, 3, 3)
    first = ints(1, 2, 3, 3, 4, 4)
    other = ints(1, 1, 3, 5, 4, 4)
    assert compare(first, other, truth) == (Difference(1, Change.FIXED), Difference(2, Change.BROKEN))
    assert compare(first, first, truth) == ()
