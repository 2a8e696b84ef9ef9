from itertools import pairwise

import numpy as np
import pytest

from mtmc.association.associate import Association
from mtmc.association.confidence import Joins as Confident
from mtmc.association.links_file import Links
from mtmc.web.doubts import find_doubts, find_partners
from mtmc.web.identity_index import IdentityIndex
from mtmc.web.joins import Joins
from mtmc.web.passages import Passages
from mtmc.web.sides import Sides, centred

FPS = 10


def passages(*rows: tuple[int, float, float]) -> Passages:
    """Passages of (camera, start, end); a box in each frame."""
    camera, start, end = (np.array(column) for column in zip(*rows, strict=True))
    first, last = (start * FPS).astype(np.int32) + 1, (end * FPS).astype(np.int32) + 1
    number = np.arange(1, len(rows) + 1)
    return Passages._of(camera, number, 0, number, first, last, start, end, last - first + 1, 2, 40.0)


def index_of(table: Passages, *identity: int) -> IdentityIndex:
    return IdentityIndex(table, np.array(identity, np.int32))


def joins_of(*pairs: tuple[int, int, float, bool]) -> Joins:
    """Pairs of (source, target, nats, made)."""
    source, target, nats, made = (np.array(column) for column in zip(*pairs, strict=True))
    return Joins(source, target, nats.astype(np.float64), 1 / (1 + np.exp(-nats)), made)


ROAD = passages(
    *((camera, 50.0 * vehicle + 10 * camera, 50.0 * vehicle + 10 * camera + 4) for vehicle, camera in np.ndindex(3, 3))
)
"""Three vehicles that pass cameras 0, 1 and 2."""


def test_the_answer_that_is_expected_to_put_most_right_is_asked_first() -> None:
    index = index_of(ROAD, 1, 1, 2, 3, 3, 4, 5, 5, 5)
    joins = joins_of((0, 1, 6.0, True), (1, 2, 1.0, False), (4, 5, -2.0, False), (6, 7, -4.0, True), (7, 8, 6.0, True))
    asked = find_doubts(joins, index)
    order = [(d.source, d.target, d.joined) for d in asked]
    assert order.index((1, 2, False)) < order.index((4, 5, False))
    assert order.index((6, 7, True)) < order.index((7, 8, True))
    assert all(a.expected >= b.expected for a, b in pairwise(asked))
    assert find_doubts(joins, index, limit=2) == asked[:2]


def test_what_answers_imply_is_not_asked() -> None:
    index = index_of(ROAD, 1, 1, 2, 3, 3, 4, 5, 5, 5)
    joins = joins_of((1, 2, 1.0, False), (0, 2, 0.5, False), (4, 5, 0.0, False))
    assert [(d.source, d.target) for d in find_doubts(joins, index)] == [(1, 2), (4, 5)]
    assert [(d.source, d.target) for d in find_doubts(joins, index, answered={(1, 2)})] == [(4, 5)]


def test_identities_that_a_camera_sees_at_once_are_not_asked_about() -> None:
    table = passages((0, 0, 4), (1, 10, 14), (0, 2, 6), (1, 30, 34))
    index = index_of(table, 1, 1, 2, 2)
    joins = joins_of((1, 3, 3.0, False))  # the other two tracks of the same identities are in one picture
    assert find_doubts(joins, index) == []
    assert find_partners(joins, index, 1) == {}
    parted = index_of(table, 1, 2, 3, 2)
    assert [(d.source, d.target, d.joined) for d in find_doubts(joins, parted)] == []  # joined, but by no join
    assert list(find_partners(joins_of((0, 1, 3.0, False)), parted, 1)) == [2]


def test_sides_that_look_alike_are_more_likely_one_vehicle() -> None:
    rng = np.random.default_rng(3)
    looks = rng.normal(size=(4, 16))
    table = passages(*((vehicle % 2, 10.0 * vehicle, 10.0 * vehicle + 4) for vehicle in range(12)))
    vector = np.concatenate([looks, looks[[0, 2, 1, 3]], rng.normal(size=(4, 16))]).astype(np.float32)
    features = centred((vector, np.ones(12, np.bool_)), table.camera)
    sides = Sides(index_of(table, *range(12)), features)

    def p(a: int, b: int) -> float:
        return sides.probability(np.array([a]), np.array([b]), 0.0, 0.1)

    assert p(0, 4) > 10 * p(0, 5) and p(3, 7) > 10 * p(3, 5)
    unknown = Sides(index_of(table, *range(12)), (features[0], np.arange(12) != 4))
    assert p(0, 5) < unknown.probability(np.array([0]), np.array([4]), 0.0, 0.1) < p(0, 4)


def test_nobody_is_in_two_places_unless_their_cameras_share_a_view() -> None:
    table = passages((0, 0, 10), (1, 12, 20), (0, 30, 40), (1, 31, 41), (0, 60, 70), (1, 61, 71))
    pair = np.array([2]), np.array([3]), 0.0, 0.3
    apart = Sides(index_of(table, 1, 1, 2, 3, 4, 5)).probability(*pair)
    shared = Sides(index_of(table, 1, 1, 2, 3, 4, 4)).probability(*pair)
    assert apart < 0.3 * shared


@pytest.mark.parametrize("terms", [{"appearance": np.log([2.0, 3.0, 1.0])}, {}])
def test_the_links_of_a_pair_add_up(terms: dict[str, np.ndarray]) -> None:
    pairs = np.array([0, 0, 2]), np.array([1, 1, 1]), np.array([0.4, 0.3, 0.2])
    made = Confident(np.array([0, 3]), np.array([1, 2]), np.array([0.9, 0.8]))
    found = Joins.of(Association(np.array([1, 1, 2, 2]), np.zeros(4, np.bool_), Links(), *pairs, terms, made))
    assert list(zip(found.source.tolist(), found.target.tolist(), strict=True)) == [(0, 1), (2, 1), (3, 2)]
    assert found.made.tolist() == [True, False, True]
    assert found.share == pytest.approx([0.7, 0.2, 0.0])
    ratio = [5.0, 1.0] if terms else [0.4 / 0.6 + 0.3 / 0.7, 0.25]
    assert np.exp(found.nats) == pytest.approx([*ratio, 0.0])


def test_nothing_is_asked_of_nothing() -> None:
    empty = index_of(ROAD[np.zeros(0, np.int64)])
    assert find_doubts(Joins.none(), empty) == []
    assert find_doubts(Joins.none(), index_of(ROAD, *[-1] * 9)) == []
