"""Resampling draws whole groups, and two results of the same groups are paired."""

import numpy as np

from evaluation.bootstrap import bootstrap_means, interval


def test_the_spread_is_that_of_the_groups_not_of_the_observations() -> None:
    random = np.random.default_rng(0)
    of_group = random.normal(size=400)
    groups = np.repeat(np.arange(400), 9)
    means = bootstrap_means(of_group[groups], groups, draws=4000)
    assert abs(means.std() - of_group.std() / 20) < 0.003
    assert abs(means.mean() - of_group.mean()) < 0.005


def test_differences_of_two_results_are_paired() -> None:
    random = np.random.default_rng(1)
    one = random.normal(size=200)
    groups = random.integers(0, 50, 200)
    both = bootstrap_means(np.column_stack([one, one + 0.25]), groups, draws=500, seed=3)
    np.testing.assert_allclose(both[:, 1] - both[:, 0], 0.25)
    np.testing.assert_array_equal(both[:, 0], bootstrap_means(one, groups, draws=500, seed=3))
    low, high = interval(both[:, 0])
    assert low < one.mean() < high
