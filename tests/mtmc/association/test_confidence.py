"""Probabilities of joins and identities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mtmc.association.associate import associate
from mtmc.association.confidence import Joins, identity_probability, join_evidence, join_probability
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import summarise

I64 = np.int64


def test_every_track_but_the_first_of_an_identity_has_one_join_with_its_best_earlier_track() -> None:
    identity, start = np.array([1, 1, 2, 1, 2]), np.array([0.0, 10.0, 1.0, 20.0, 2.0])
    source, target = np.array([0, 1, 0, 0, 1]), np.array([1, 3, 3, 3, 2])
    nats, share = np.array([3.0, 1.0, 0.0, 2.0, 9.0]), np.array([0.9, 0.3, 0.2, 0.4, 0.9])
    found = join_evidence(identity, start, source, target, log_ratio=nats, probability=share)
    # Track 3 has two parallel pairs with track 0, which together say more than track 1; tracks 2 and 4 have no pair.
    assert found.source.tolist() == [0, 0, 2] and found.target.tolist() == [1, 3, 4]
    assert np.allclose(found.nats, [3.0, np.log(1 + np.exp(2)), -6.0])
    assert np.allclose(found.log_odds[:2], [np.log(9), np.log(0.6 / 0.4)])


def test_probabilities_rise_with_the_evidence_and_an_identity_is_less_sure_than_its_joins() -> None:
    identity = np.array([1, 1, 1, 2, 2, 3])
    source, target = np.array([0, 1, 3]), np.array([1, 2, 4])
    nats, share = np.array([2.0, 3.0, 8.0]), np.array([0.6, 0.8, 0.99])
    joins = join_probability(join_evidence(identity, np.arange(6.0), source, target, log_ratio=nats, probability=share))
    assert (np.diff(joins.probability) > 0).all()
    assert (joins.probability > 0).all() and (joins.probability < 1).all()
    sure = identity_probability(identity, joins)
    assert sure[0] == sure[1] == sure[2] < joins.probability[0]
    assert sure[0] < sure[3] and sure[5] == 1.0


def test_nothing_has_no_probabilities() -> None:
    none = np.zeros(0, I64)
    joins = join_probability(
        join_evidence(none, np.zeros(0), none, none, log_ratio=np.zeros(0), probability=np.zeros(0))
    )
    assert len(joins) == 0 and len(identity_probability(none, joins)) == 0
    assert identity_probability(np.array([4]), Joins.empty()).tolist() == [1.0]


def test_wrong_joins_are_less_sure_than_right_ones(make_road: Callable[..., Any]) -> None:
    road = make_road(seed=3, vehicles=40, scatter=3.0, headway=6.0)
    found = associate(summarise(road.cameras), None, AssociationSettings())
    right = road.truth[found.joins.source] == road.truth[found.joins.target]
    assert 0.5 < right.mean() < 1.0
    assert found.joins.probability[right].mean() > found.joins.probability[~right].mean() + 0.05
    assert len(found.joins) == len(found.identity) - len(set(found.identity.tolist()))
