"""What corrections change at once in final identities, and why they are refused."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import pytest

from mtmc.online.correcting import NO_VEHICLE, Changes, Refused, decide, undo
from mtmc.online.corrections import DIFFERENT, NOT_A_VEHICLE, PAGE, SAME, Correction
from mtmc.online.identity_numbers import TrackKey

A1, A2, A3 = ("a", 1), ("a", 2), ("a", 3)
B1, B2 = ("b", 1), ("b", 2)


@dataclass
class Site:
    """Tracks with identity, whether that is final, and first and last second."""

    tracks: dict[TrackKey, tuple[int, bool, float, float]]
    aliases: set[int] = field(default_factory=set)

    def identity(self, key: TrackKey) -> int | None:
        return self.tracks[key][0] if key in self.tracks else None

    def final(self, key: TrackKey) -> bool:
        return self.tracks[key][1]

    def span(self, key: TrackKey) -> tuple[float, float] | None:
        return self.tracks[key][2:]

    def members(self, identity: int) -> list[TrackKey]:
        return sorted(key for key, (number, *_) in self.tracks.items() if number == identity)

    def merged(self, identity: int) -> bool:
        return identity in self.aliases

    def after(self, changes: Changes) -> Site:
        found = dict(self.tracks)
        for other, into, _ in changes.merged:
            found |= {key: (into, *rest) for key, (number, *rest) in found.items() if number == other}  # type: ignore[misc]
        for key, _, new in changes.moved:
            found[key] = (new, *found[key][1:])
        return Site(found, self.aliases | {other for other, _, _ in changes.merged})


def site() -> Site:
    """Vehicle 1 in both cameras, two tracks of what may be vehicle 2, and one that is still in view."""
    return Site(
        {
            A1: (1, True, 0.0, 5.0),
            B1: (1, True, 10.0, 15.0),
            A2: (2, True, 20.0, 25.0),
            B2: (3, True, 30.0, 35.0),
            A3: (4, False, 40.0, 44.0),
        }
    )


def told(kind: str, first: TrackKey, *second: TrackKey, seq: int = 1) -> Correction:
    return Correction(PAGE, seq, kind, (first,), second)


def fresh() -> itertools.count[int]:
    return itertools.count(10)


def test_two_final_identities_become_the_older_one() -> None:
    changes = decide(told(SAME, B2, A2), [], site(), fresh().__next__)
    assert changes.merged == ((3, 2, (B2,)),)
    assert (changes.split, changes.moved) == ((), ())


def test_a_track_in_view_joins_what_is_final() -> None:
    assert decide(told(SAME, A3, B2), [], site(), fresh().__next__).moved == ((A3, 4, 3),)


def test_tracks_that_are_not_final_are_left_to_the_next_solve() -> None:
    here = Site({A3: (4, False, 40.0, 44.0), B2: (0, False, 50.0, 55.0)})
    for kind in (SAME, DIFFERENT):
        assert decide(told(kind, A3, B2), [], here, fresh().__next__) == Changes()


def test_the_second_track_leaves_with_those_that_are_the_same_vehicle() -> None:
    here = site().after(decide(told(SAME, B1, B2), [], site(), fresh().__next__))
    changes = decide(told(DIFFERENT, A1, B1, seq=2), [told(SAME, B1, B2)], here, fresh().__next__)
    assert changes.split == ((10, 1),)
    assert changes.moved == ((B1, 1, 10), (B2, 1, 10))


def test_what_is_final_stays_when_a_track_in_view_differs_from_it() -> None:
    here = site()
    here.tracks[A3] = (1, False, 40.0, 44.0)
    assert decide(told(DIFFERENT, A3, B1), [], here, fresh().__next__).moved == ((A3, 1, 10),)


def test_a_track_that_is_no_vehicle_has_no_identity() -> None:
    changes = decide(told(NOT_A_VEHICLE, A2), [], site(), fresh().__next__)
    assert changes.moved == ((A2, 2, NO_VEHICLE),)
    assert decide(told(NOT_A_VEHICLE, A2), [], site().after(changes), fresh().__next__).moved == ()


@pytest.mark.parametrize(
    ("correction", "standing", "reason"),
    [
        (told(SAME, A1, ("a", 9)), [], "there is no track 9 of a, or it is older than what is kept"),
        (told(SAME, ("q", 1), A1), [], "there is no track 1 of q"),
        (told(DIFFERENT, A1, A1), [], "stands on both sides"),
        (
            told(DIFFERENT, A1, B1, seq=4),
            [told(SAME, A1, A2, seq=2), told(SAME, A2, B1, seq=3)],
            "answer 2 and answer 3 say that track 1 of a and track 1 of b are one vehicle; undo it first",
        ),
        (
            told(SAME, A2, B1, seq=4),
            [told(SAME, A1, A2, seq=2), told(DIFFERENT, A1, B1, seq=3)],
            "answer 3 says that track 1 of a and track 1 of b are different vehicles; undo it first",
        ),
        (
            told(SAME, A1, A2, seq=2),
            [told(NOT_A_VEHICLE, A2, seq=1)],
            "answer 1 says that track 2 of a is no vehicle; undo it first",
        ),
        (
            told(NOT_A_VEHICLE, A2, seq=2),
            [told(SAME, A1, A2, seq=1)],
            "answer 1 says that track 2 of a is the vehicle of another track; undo it first",
        ),
    ],
)
def test_what_contradicts_is_refused_with_a_reason(
    correction: Correction, standing: list[Correction], reason: str
) -> None:
    with pytest.raises(Refused, match=reason.replace("(", r"\(")):
        decide(correction, standing, site(), fresh().__next__)


def test_a_vehicle_is_not_in_two_places_of_a_picture() -> None:
    here = site()
    here.tracks[A2] = (2, True, 3.0, 9.0)
    with pytest.raises(Refused, match="track 1 of a and track 2 of a were in view together; if one of them is"):
        decide(told(SAME, A1, A2), [], here, fresh().__next__)
    here.tracks[B2] = (2, True, 30.0, 35.0)
    with pytest.raises(Refused, match="these identities cannot be one vehicle: track 1 of a and track 2 of a were in"):
        decide(told(SAME, B1, B2), [], here, fresh().__next__)
    here.tracks[A2] = (2, True, 4.5, 9.0)  # ends of tracks are unreliable
    assert decide(told(SAME, A1, A2), [], here, fresh().__next__).merged


@pytest.mark.parametrize(
    "correction", [told(SAME, B2, A2), told(SAME, A1, B2), told(DIFFERENT, A1, B1), told(NOT_A_VEHICLE, A2)]
)
def test_undo_restores_which_tracks_are_one_vehicle(correction: Correction) -> None:
    counter, before = fresh(), site()
    changed = decide(correction, [], before, counter.__next__)
    middle = before.after(changed)
    assert middle.tracks != before.tracks
    after = middle.after(undo(Changes.from_json(changed.to_json()), [], middle, counter.__next__))

    def groups(here: Site) -> set[frozenset[TrackKey]]:
        return {frozenset(k for k, row in here.tracks.items() if row[0] == n) for n, *_ in here.tracks.values()}

    assert groups(after) == groups(before)
    assert all(row[0] > 0 for row in after.tracks.values())


def test_undo_leaves_what_another_answer_says() -> None:
    one, two = told(SAME, A1, A2, seq=1), told(SAME, B1, A2, seq=2)
    here = site()
    changed = decide(one, [], here, fresh().__next__)
    here = here.after(changed)
    assert decide(two, [one], here, fresh().__next__) == Changes()
    assert undo(changed, [two], here, fresh().__next__) == Changes()
    no_vehicle = told(NOT_A_VEHICLE, B2)
    changed = decide(no_vehicle, [], here, fresh().__next__)
    assert undo(changed, [replace(no_vehicle, seq=9)], here.after(changed), fresh().__next__) == Changes()


def test_undo_gives_no_number_that_became_another() -> None:
    here = site()
    changed = decide(told(NOT_A_VEHICLE, B2), [], here, fresh().__next__)
    here = here.after(changed)
    here.aliases.add(3)
    assert undo(changed, [], here, fresh().__next__).moved == ((B2, NO_VEHICLE, 10),)
