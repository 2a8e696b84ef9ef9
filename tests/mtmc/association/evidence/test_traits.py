"""Weak traits: what agreement and disagreement say, and what they must not say."""

from __future__ import annotations

import numpy as np
import pytest

from mtmc.association.evidence.traits import Trait, label_log_ratio


def sizes(rho: float, pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of both tracks of each pair, with a correlation."""
    random = np.random.default_rng(seed)
    u, other = random.normal(size=(2, pairs))
    return u, rho * u + np.sqrt(1 - rho**2) * other


def test_agreement_speaks_for_a_pair_and_disagreement_against_it() -> None:
    u, v = np.array([2.0, 2.0, -2.0, 2.0]), np.array([2.0, -2.0, -2.0, np.nan])
    found = Trait("size", u, v, prior=0.7, strength=100.0).log_ratio(np.full(4, 0.5), np.zeros(4, np.int64))
    assert found[0] == pytest.approx(found[2])
    assert found[0] > 0.0 > found[1]
    assert found[3] == 0.0, "not measured"


def test_what_a_trait_is_worth_is_learned_from_the_pairs() -> None:
    """True pairs that agree, or that do not: the same agreement then says more, or less."""
    group = np.zeros(400, np.int64)
    worth = {}
    for rho in (0.9, 0.0):
        u, v = sizes(rho, 400)
        u[0] = v[0] = 2.0
        worth[rho] = Trait("lane", u, v, prior=0.4, strength=15.0).log_ratio(np.full(400, 0.95), group)[0]
    assert worth[0.9] > worth[0.0] + 0.5


def test_each_link_learns_its_own_correlation() -> None:
    """Lanes are kept along one link and not along another."""
    kept, mixed = sizes(0.9, 300, seed=1), sizes(0.0, 300, seed=2)
    u, v = (np.concatenate(part) for part in zip(kept, mixed, strict=True))
    u[[0, 300]], v[[0, 300]] = 2.0, 2.0
    found = Trait("lane", u, v, prior=0.2, strength=15.0).log_ratio(np.full(600, 0.95), np.repeat([0, 1], 300))
    assert found[0] > found[300] + 0.5


def test_a_pair_does_not_vouch_for_itself() -> None:
    """The only pair of its link: however probable it is held to be, its agreement is worth the same."""
    group = np.array([0] * 2000 + [1])
    u, v = sizes(0.5, 2001)
    u[-1] = v[-1] = 2.5
    found = []
    for own in (0.0, 1.0):
        probability = np.concatenate([np.full(2000, 0.9), [own]])
        found.append(Trait("lane", u, v, prior=0.2, strength=5.0).log_ratio(probability, group)[-1])
    assert found[0] == pytest.approx(found[1], abs=0.05)


def test_no_single_trait_rules_a_pair_out() -> None:
    found = Trait("size", np.array([8.0]), np.array([-8.0]), 0.9, 100.0).log_ratio(np.ones(1), np.zeros(1, np.int64))
    assert found[0] > -3.0


def label(a: list[int], b: list[int], probability: list[float], labels: list[int]) -> np.ndarray:
    return label_log_ratio(
        np.array(a, np.int16), np.array(b, np.int16), np.array(probability), np.array(labels, np.int16)
    )


def test_agreement_on_a_rare_class_is_stronger_evidence_than_on_a_frequent_one() -> None:
    labels = [2] * 90 + [7] * 10
    car, lorry, mixed, unknown = label([2, 7, 2, -1], [2, 7, 7, 7], [0.5] * 4, labels)
    assert lorry > car > 0.0 > mixed
    assert unknown == 0.0


def test_classes_that_true_pairs_do_not_agree_on_say_little() -> None:
    random = np.random.default_rng(0)
    labels = random.choice([2, 7], 400)
    a = labels[:200]
    steady = label(list(a), list(a), [0.95] * 200, list(labels))
    mixed = random.permutation(a)
    noisy = label(list(a), list(mixed), [0.95] * 200, list(labels))
    agree = np.flatnonzero(a == mixed)
    assert (noisy[agree] < steady[agree] - 0.3).all()


def test_a_single_class_is_no_evidence() -> None:
    assert label([2, 2], [2, 2], [0.9, 0.1], [2, 2, 2]).tolist() == [0.0, 0.0]
