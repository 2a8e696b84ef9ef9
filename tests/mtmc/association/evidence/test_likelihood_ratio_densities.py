"""Likelihood ratios against the true densities, and the densities themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from mtmc.association.evidence import likelihood_ratio
from mtmc.association.evidence.likelihood_ratio import correlation_ratio, fit_scale


def test_the_correlation_ratio_is_that_of_two_normal_densities() -> None:
    random = np.random.default_rng(0)
    u, v = random.normal(size=(2, 20))
    for rho in (0.0, 0.3, 0.8):
        joint = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).logpdf(np.column_stack([u, v]))
        assert correlation_ratio(u, v, np.full(20, rho)) == pytest.approx(joint - norm.logpdf(u) - norm.logpdf(v))


@pytest.mark.parametrize("u", [-1.5, 0.0, 2.0])
def test_a_likelihood_ratio_times_what_it_divides_by_is_a_density(u: float) -> None:
    mass, _ = quad(
        lambda v: float(np.exp(correlation_ratio(np.float64(u), np.float64(v), np.float64(0.6)))) * norm.pdf(v), -8, 8
    )
    assert mass == pytest.approx(1.0, abs=1e-6)


def test_the_kernel_density_of_false_pairs_integrates_to_one() -> None:
    random = np.random.default_rng(1)
    sample, grid = random.normal(size=500), np.linspace(-6.0, 6.0, 64)
    density = likelihood_ratio.kernel_density(sample, random.random(500), grid)
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=5e-3)
    assert (density > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_learned_ratio_is_that_of_the_densities_the_values_come_from(seed: int) -> None:
    """True pairs around 0.7, false ones around 0.2; away from the tails the ratio is known to within half a nat."""
    random = np.random.default_rng(seed)
    true, false = norm(0.7, 0.1), norm(0.2, 0.15)
    value = np.concatenate([true.rvs(1000, random_state=random), false.rvs(20_000, random_state=random)])
    probability = np.where(np.arange(len(value)) < 1000, 1.0, 0.0)
    scale = fit_scale(
        value, probability=probability, rest=1.0 - probability, prior_mean=2.5, prior_deviation=1.0, strength=10.0
    )
    at = np.linspace(0.35, 0.6, 11)
    assert scale.at(at) == pytest.approx(true.logpdf(at) - false.logpdf(at), abs=0.5)


def test_values_far_beyond_all_examples_settle_nothing() -> None:
    random = np.random.default_rng(2)
    value = np.concatenate([random.normal(3.0, 0.5, 50), random.normal(0.0, 1.0, 500)])
    probability = np.where(np.arange(550) < 50, 1.0, 0.0)
    prior = {"prior_mean": 2.5, "prior_deviation": 1.0, "strength": 10.0}
    scale = fit_scale(value, probability=probability, rest=1.0 - probability, **prior)
    low, high = scale.at(np.array([-1e6, 1e6]))
    assert -10.0 < low < 0.0 < high < 10.0


def test_too_few_false_pairs_teach_nothing() -> None:
    probability = np.array([0.0, 1.0])
    prior = {"prior_mean": 2.5, "prior_deviation": 1.0, "strength": 10.0}
    scale = fit_scale(np.array([0.1, 0.9]), probability=probability, rest=1.0 - probability, **prior)
    assert not scale.at(np.array([-5.0, 0.5, 5.0])).any()
