"""Travel-time densities: they are densities, and they find what the times came from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mtmc.association.links.travel_times import TravelTimes, fit_travel_times

Floats = npt.NDArray[np.float64]


def fit(seconds: Floats, weight: Floats | None = None) -> TravelTimes:
    """The travel times of a single link."""
    weight = np.ones(len(seconds)) if weight is None else weight
    return fit_travel_times(np.zeros(len(seconds), np.int64), seconds, weight, 1)


def integral(times: TravelTimes, link: int, low: float, high: float) -> float:
    """Of the density that callers see (`at`), by the trapezium rule."""
    at = np.linspace(low, high, 20_001)
    return float(np.trapezoid(times.at(np.full(len(at), link), at), at))


WEIGHTED = st.lists(st.tuples(st.floats(-30.0, 300.0), st.floats(0.01, 1.0)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=50)
@given(WEIGHTED)
def test_the_density_integrates_to_one_wherever_the_times_lie(times: list[tuple[float, float]]) -> None:
    seconds, weight = np.array(times).T
    found = fit(seconds, weight)
    assert (found.density >= 0).all()
    low, high = float(found.first[0] - found.step[0]), float(found.first[0] + 97 * found.step[0])
    assert integral(found, 0, low, high) == pytest.approx(1.0, abs=2e-3)
    link = np.zeros(1, np.int64)
    assert found.mass_below(link, np.array([low])) == pytest.approx(0.0)
    assert found.mass_below(link, np.array([high])) == pytest.approx(1.0)


@settings(deadline=None, max_examples=50)
@given(WEIGHTED, st.lists(st.floats(-60.0, 400.0), min_size=2, max_size=10))
def test_the_mass_below_never_falls(times: list[tuple[float, float]], at: list[float]) -> None:
    mass = fit(*np.array(times).T).mass_below(np.zeros(len(at), np.int64), np.sort(at))
    assert (np.diff(mass) >= -1e-12).all()
    assert ((mass >= 0) & (mass <= 1 + 1e-12)).all()


@pytest.mark.parametrize("seed", range(3))
def test_many_normal_times_give_back_their_distribution(seed: int) -> None:
    seconds = np.random.default_rng(seed).normal(25.0, 2.0, 2000)
    found, at = fit(seconds), np.linspace(18.0, 32.0, 29)
    link = np.zeros(len(at), np.int64)
    assert found.at(link, at) == pytest.approx(norm.pdf(at, 25.0, 2.0), abs=0.03)
    assert found.mass_below(link, at) == pytest.approx(norm.cdf(at, 25.0, 2.0), abs=0.04)
    assert found.quantile(0.5)[0] == pytest.approx(25.0, abs=0.4)
    assert found.quantile(0.99)[0] == pytest.approx(25.0 + 2.33 * 2.0, abs=0.8)


def test_two_ways_of_driving_give_two_peaks() -> None:
    random = np.random.default_rng(0)
    found = fit(np.concatenate([random.normal(20.0, 1.0, 400), random.normal(60.0, 1.0, 400)]))
    free, between, waited = found.at(np.zeros(3, np.int64), np.array([20.0, 40.0, 60.0]))
    assert min(free, waited) > 10.0 * between


def test_weights_count_as_fractions_of_vehicles() -> None:
    seconds = np.concatenate([np.full(10, 20.0), np.full(10, 30.0)]) + np.tile(np.linspace(-1, 1, 10), 2)
    found = fit(seconds, np.repeat([0.9, 0.1], 10))
    assert found.mass_below(np.zeros(1, np.int64), np.array([25.0]))[0] == pytest.approx(0.9, abs=0.03)


def test_rounds_of_learning_do_not_broaden_a_link() -> None:
    """A density learned from samples of the last round's density: smoothing must not add up."""
    random = np.random.default_rng(1)
    seconds = random.normal(30.0, 1.5, 300)
    for _ in range(10):
        found = fit(seconds)
        middle = found.first[0] + (np.arange(found.density.shape[1]) + 0.5) * found.step[0]
        mass = found.density[0] * found.step[0]
        seconds = random.choice(middle, 300, p=mass / mass.sum()) + found.step[0] * random.uniform(-0.5, 0.5, 300)
    assert np.std(seconds) < 2.0


def test_links_do_not_mix_and_one_without_vehicles_has_no_density() -> None:
    link = np.array([0, 2, 0, 2, 0, 2])
    seconds = np.array([10.0, 50.0, 11.0, 51.0, 9.0, 49.0])
    found = fit_travel_times(link, seconds, np.ones(6), 3)
    assert integral(found, 0, -20.0, 30.0) == pytest.approx(1.0, abs=2e-3)
    assert integral(found, 2, 30.0, 80.0) == pytest.approx(1.0, abs=2e-3)
    assert not found.density[1].any()
    assert found.at(np.array([1]), np.array([10.0]))[0] == 0.0


def test_the_order_of_the_times_does_not_matter() -> None:
    random = np.random.default_rng(2)
    seconds, weight, order = random.exponential(20.0, 50), random.random(50), random.permutation(50)
    a, b = fit(seconds, weight), fit(seconds[order], weight[order])
    assert a.density == pytest.approx(b.density)
