"""Vehicles that leave one after the other travel about equally long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.evidence.platoons import Platoons

Floats = npt.NDArray[np.float64]


def density(leave: Floats, seconds: Floats, probability: Floats, link: npt.NDArray[np.int64] | None = None) -> Floats:
    """Each pair of a source of its own, on links that spread travel times over 100 seconds."""
    n = len(leave)
    link = np.zeros(n, np.int64) if link is None else link
    neighbours = Platoons(link=link, exit_time=leave, source=np.arange(n), seconds=seconds)
    return neighbours.density(probability, np.full(n, 0.01))


def test_a_vehicle_is_expected_to_take_as_long_as_its_neighbours() -> None:
    leave = np.array([0.0, 1.5, 3.0, 1.0, 1.1])
    found = density(leave, np.array([40.0, 40.5, 39.5, 40.0, 60.0]), np.array([0.9, 0.9, 0.9, 0.0, 0.0]))
    assert found[3] > 0.01 > found[4]
    assert found[3] > 10.0 * found[4]


def test_neighbours_say_less_the_longer_ago_they_left() -> None:
    """A pair that takes as long as the neighbours did."""
    leave = np.array([0.0, 1.0, 2.0, 3.0, 9.0, 60.0])
    found = density(leave, np.full(6, 40.0), np.array([0.9, 0.9, 0.9, 0.0, 0.0, 0.0]))
    assert found[3] > 1.1 * found[4] > 0.02
    assert found[5] == pytest.approx(0.01)


def test_other_links_and_other_choices_of_the_same_vehicle_are_not_neighbours() -> None:
    leave, seconds = np.array([0.0, 0.5]), np.array([40.0, 40.0])
    other_link = density(leave, seconds, np.array([0.9, 0.0]), np.array([0, 1]))
    assert other_link[1] == pytest.approx(0.01)
    nothing = np.zeros(2, np.int64)
    neighbours = Platoons(link=nothing, exit_time=np.zeros(2), source=nothing, seconds=seconds)
    one_vehicle = neighbours.density(np.array([0.9, 0.0]), np.full(2, 0.01))
    assert one_vehicle == pytest.approx(np.full(2, 0.01))


def test_what_it_gives_is_a_density() -> None:
    """Over all travel times of one more vehicle, as the link's own density is one over its window."""
    at = np.linspace(0.0, 100.0, 2001)
    leave = np.concatenate([[0.0, 1.0, 2.0], np.full(len(at), 1.5)])
    seconds = np.concatenate([[40.0, 42.0, 41.0], at])
    probability = np.concatenate([np.full(3, 0.9), np.zeros(len(at))])
    found = density(leave, seconds, probability)[3:]
    assert np.trapezoid(found, at) == pytest.approx(1.0, abs=0.01)
    assert at[found.argmax()] == pytest.approx(41.0, abs=0.5)


def test_no_pairs() -> None:
    assert len(density(np.zeros(0), np.zeros(0), np.zeros(0))) == 0
