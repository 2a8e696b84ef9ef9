from __future__ import annotations

import numpy as np

from mtmc.association.evidence.likelihood_ratio import fit_scale


def test_pairs_that_count_as_neither_do_not_blunt_the_ratio() -> None:
    """Six views of each vehicle: of its fifteen pairs five are next to each other, the other ten look as much alike."""
    random = np.random.default_rng(0)
    value = np.concatenate([random.normal(4.0, 0.7, 150), random.normal(0.0, 1.0, 2000)])
    next_to = np.arange(len(value)) < 50
    alike = np.arange(len(value)) < 150
    probability = np.where(next_to, 0.95, 0.01)

    def worth(rest: np.ndarray) -> float:
        scale = fit_scale(value, probability, rest, prior_mean=2.5, prior_deviation=1.0, strength=10.0)
        return float(scale.at(np.array([4.0]))[0])

    assert worth(np.where(alike, 0.0, 1.0 - probability)) > worth(1.0 - probability) + 2.0


def test_the_ratio_rises_with_the_value_and_is_zero_where_nothing_was_measured() -> None:
    random = np.random.default_rng(1)
    value = np.concatenate([random.normal(3.0, 1.0, 40), random.normal(0.0, 1.0, 500), [np.nan]])
    probability = np.where(np.arange(len(value)) < 40, 0.9, 0.02)
    scale = fit_scale(value, probability, 1.0 - probability, prior_mean=2.5, prior_deviation=1.0, strength=10.0)
    ratio = scale.at(np.array([-2.0, 0.0, 2.0, 4.0, np.nan]))
    assert (np.diff(ratio[:4]) >= 0).all()
    assert ratio[0] < 0 < ratio[3]
    assert ratio[4] == 0


def test_certain_examples_keep_true_pairs_that_nobody_believes_from_blunting_the_ratio() -> None:
    """A hundred true pairs are not believed yet; strangers show that different vehicles do not look that much alike."""
    random = np.random.default_rng(2)
    value = np.concatenate([random.normal(6.0, 0.7, 110), random.normal(0.0, 1.0, 5000)])
    probability = np.where(np.arange(len(value)) < 10, 0.9, 0.0)
    prior = {"prior_mean": 2.5, "prior_deviation": 1.0, "strength": 10.0}

    def worth(different: np.ndarray | None) -> float:
        scale = fit_scale(value, probability, 1.0 - probability, **prior, different=different)
        return float(scale.at(np.array([6.0]))[0])

    assert worth(random.normal(0.0, 1.0, 2000)) > worth(None) + 1.5
    assert worth(np.zeros(0)) == worth(None)


def test_a_few_wrong_examples_do_not_blur_a_robust_ratio() -> None:
    """One in ten pairs that are believed is false: a value between both kinds is no evidence for a pair."""
    random = np.random.default_rng(5)
    value = np.concatenate([random.normal(8.0, 0.5, 90), random.normal(0.0, 1.0, 2010)])
    probability = np.where(np.arange(len(value)) < 100, 1.0, 0.0)
    prior = {"prior_mean": 2.5, "prior_deviation": 1.0, "strength": 3.0}
    usual, robust = (
        fit_scale(value, probability, 1.0 - probability, robust=robust, **prior).at(np.array([2.5, 8.0]))
        for robust in (False, True)
    )
    assert robust[0] < usual[0]
    assert robust[1] > 4
