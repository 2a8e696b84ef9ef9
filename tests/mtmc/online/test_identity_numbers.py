"""Numbers of identities from one solve to the next."""

from __future__ import annotations

from itertools import count

from mtmc.online.identity_numbers import renumber

A, B, C, D = (("c", number) for number in (1, 2, 3, 4))


def fresh(start: int = 100):  # type: ignore[no-untyped-def]
    return count(start).__next__


def test_new_tracks_join_known_identities_or_get_a_new_number() -> None:
    found = renumber([[A, B], [C]], {A: 5}, fresh())
    assert found.number == (5, 100)
    assert found.assigned == ((B, 5), (C, 100))
    assert not found.merged and not found.split and not found.revised


def test_merged_identities_go_on_under_the_older_number_without_further_words() -> None:
    found = renumber([[A, B, C]], {A: 9, B: 4, C: 9}, fresh())
    assert found.number == (4,)
    assert found.merged == ((9, 4),)
    assert not found.revised and not found.assigned


def test_the_smaller_part_of_a_split_identity_gets_a_new_number() -> None:
    found = renumber([[A], [B, C]], {A: 5, B: 5, C: 5}, fresh())
    assert found.number == (100, 5)
    assert found.split == ((100, 5),)
    assert found.revised == ((A, 5, 100),)


def test_of_equal_parts_the_earlier_one_keeps_the_number() -> None:
    assert renumber([[A], [B]], {A: 5, B: 5}, fresh()).number == (5, 100)


def test_a_track_can_move_between_identities_that_both_go_on() -> None:
    found = renumber([[A, B], [C, D]], {A: 1, B: 2, C: 2, D: 2}, fresh())
    assert found.number == (1, 2)
    assert found.revised == ((B, 2, 1),)
    assert not found.split and not found.merged


def test_a_final_answer_keeps_its_number_even_if_it_is_the_smaller_part_or_the_younger_one() -> None:
    found = renumber([[A], [B, C]], {A: 5, B: 5, C: 5}, fresh(), pinned={5: 0})
    assert found.number == (5, 100)
    found = renumber([[A, B]], {A: 3, B: 7}, fresh(), pinned={7: 0})
    assert found.number == (7,)
    assert found.merged == ((3, 7),)


def test_an_identity_whose_final_tracks_have_left_is_not_merged_with_the_track_that_leaves_it() -> None:
    found = renumber([[A, B]], {A: 12, B: 2}, fresh(), pinned={12: 0}, past={2})
    assert found.number == (12,) and found.merged == ()
    assert found.revised == ((B, 2, 12),)
    found = renumber([[A, B]], {A: 12, B: 20}, fresh(), past={20})
    assert found.number == (20,) and found.merged == ((12, 20),)
