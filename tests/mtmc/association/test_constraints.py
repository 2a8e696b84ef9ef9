"""Constraints: which tracks they name, and which of them cannot be."""

from __future__ import annotations

import re

import numpy as np
import pytest

from common.errors import InputError
from mtmc.appearance.splitting import Cuts
from mtmc.association.constraints import Constraints, TrackName, known_vehicles, locate, of_parts
from mtmc.tracking.tracks import Tracks

Row = tuple[int, int, int]


def table(*rows: Row) -> Tracks:
    """Tracks of (number, first frame, last frame), with boxes of 10 pixels at x = 100 * number."""
    track, frame = [], []
    for number, first, last in rows:
        track += [number] * (last - first + 1)
        frame += range(first, last + 1)
    return Tracks.of(track, frame, [[100 * number, 50, 10, 10] for number in track]).sorted()


A, B = table((1, 1, 5), (2, 4, 9), (3, 20, 25)), table((1, 1, 5), (7, 30, 39))
TRACKS = {"a": A, "b": B}
ROWS = {("a", 1): 0, ("a", 2): 1, ("a", 3): 2, ("b", 1): 3, ("b", 7): 4}


def at(text: str) -> TrackName:
    camera, number = text.split()
    return TrackName(camera, int(number))


def both(*parts: Constraints) -> Constraints:
    return Constraints.concatenate(parts)


def known(*parts: Constraints):  # type: ignore[no-untyped-def]
    return known_vehicles(locate(both(*parts), TRACKS), ["a", "b"], [A, B])


def must(*names: str, line: int = 0) -> Constraints:
    return Constraints.must_link(*map(at, names), line=line)


def cannot(*names: str, line: int = 0) -> Constraints:
    return Constraints.cannot_link(*map(at, names), line=line)


def test_a_point_names_the_box_that_holds_it_and_the_most_central_one_of_several() -> None:
    given = Constraints.not_a_vehicle(
        TrackName("b", frame=31, point=(703, 55)), TrackName("a", frame=4, point=(205, 55))
    )
    assert locate(given, TRACKS).track[:, 0].tolist() == [7, 2]
    close = Tracks.of([1, 2], [1, 1], [[0, 0, 100, 100], [40, 40, 100, 100]])
    for point, wanted in (((45, 45), 1), ((95, 95), 2)):
        found = locate(Constraints.not_a_vehicle(TrackName("a", frame=1, point=point)), {"a": close})
        assert found.track[0, 0] == wanted


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (TrackName("aa", 1), "given:3: there is no camera aa; did you mean a?"),
        (TrackName("a", 9), "given:3: camera a has no track 9; it has 3, from 1 to 3"),
        (TrackName("a", 1, frame=9), "given:3: track 1 of a runs from frame 1 to 5"),
        (
            TrackName("a", frame=4, point=(5, 5)),
            "no box of camera a holds the point (5, 5) in frame 4, which has 2 boxes",
        ),
        (TrackName("a", frame=99, point=(105, 55)), "in frame 99, which has 0 boxes"),
    ],
)
def test_a_track_that_does_not_exist_is_refused(name: TrackName, error: str) -> None:
    with pytest.raises(InputError, match=re.escape(error)):
        locate(Constraints.not_a_vehicle(name, line=3), TRACKS, "given")


def test_must_links_join_transitively_and_cannot_links_hold_between_the_groups() -> None:
    found = known(must("a 1", "b 7"), must("b 7", "a 3"), cannot("b 1", "a 3"))
    assert found.vehicle.tolist() == [0, 1, 0, 3, 0]
    assert found.apart.tolist() == [[0, 3]]
    assert found
    assert not known()


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (
            [must("a 1", "b 7", line=2), must("a 3", "b 7", line=4), cannot("a 3", "a 1", line=9)],
            "constraints:9: cannot-link: track 3 of a and track 1 of a are must-linked by line 2, 4",
        ),
        (
            [must("a 1", "a 2", line=5)],
            "constraints:5: must-link: track 1 of a and track 2 of a are one vehicle with two",
        ),
        (
            [must("a 1", "b 7", line=2), must("a 2", "b 7", line=3)],
            "constraints:3: must-link: together with the other must-links, track 1 of a and track 2 of a are one "
            "vehicle with two boxes in frame 4",
        ),
        (
            [must("a 1", "b 7", line=1), Constraints.not_a_vehicle(at("b 7"), line=2)],
            "constraints:1: must-link: track 7 of b is named as not-a-vehicle, too",
        ),
        ([cannot("a 1", "a 1")], "row 1: cannot-link: both sides are track 1 of a"),
    ],
)
def test_contradictions_are_refused_with_the_reason(parts: list[Constraints], error: str) -> None:
    with pytest.raises(InputError, match=re.escape(error)):
        known(*parts)


def test_tracks_that_follow_each_other_in_one_camera_may_be_linked() -> None:
    assert known(must("a 1", "a 3")).vehicle[2] == 0


def test_a_frame_names_one_part_of_a_track_that_was_cut_and_no_frame_all_of_them() -> None:
    cuts = Cuts(np.array([7], np.int32), np.array([35], np.int32), 8)
    parts = cuts.apply(B)
    everything = {"a": Cuts.none(), "b": cuts}

    def tracks_of(given: Constraints) -> list[list[int]]:
        found: list[list[int]] = of_parts(locate(given, TRACKS), everything, {"a": A, "b": parts}).track.tolist()
        return found

    late, early = TrackName("b", 7, frame=36), TrackName("b", 7, frame=34)
    assert tracks_of(Constraints.must_link(at("a 1"), late)) == [[1, 8]]
    assert tracks_of(Constraints.must_link(at("a 1"), TrackName("b", frame=34, point=(705, 55)))) == [[1, 7]]
    assert tracks_of(cannot("a 1", "b 7")) == [[1, 7], [1, 8]]
    assert tracks_of(Constraints.not_a_vehicle(at("b 7"))) == [[7, 0], [8, 0]]
    assert tracks_of(Constraints.must_link(early, late)) == [[7, 8]]
    joined = of_parts(locate(must("a 1", "b 7"), TRACKS), everything, {"a": A, "b": parts})
    assert len(set(known_vehicles(joined, ["a", "b"], [A, parts]).vehicle[[0, 4, 5]].tolist())) == 1
