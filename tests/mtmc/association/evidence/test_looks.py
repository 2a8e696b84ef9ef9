"""What the features of whole identities say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mtmc.association.evidence.looks import Looks, fit_looks
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
VEHICLES, VIEWS = 30, 4


@pytest.fixture
def looks(make_summaries: Make) -> Looks:
    """Thirty vehicles that four cameras see one after the other, with noisy features; one in ten is in a wrong
    identity."""
    random = np.random.default_rng(4)
    vehicle = np.tile(np.arange(VEHICLES), VIEWS)
    vector = random.normal(size=(VEHICLES, 64))[vehicle] + 1.2 * random.normal(size=(len(vehicle), 64))
    vector = (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)
    camera = np.repeat(np.arange(VIEWS), VEHICLES)
    start = 10.0 * vehicle + 100.0 * camera
    summaries = make_summaries(camera, start, start + 5.0, vector=vector)
    identity = vehicle.copy()
    identity[::10] = np.roll(identity[::10], 1)
    found = fit_looks(summaries, vector, identity, np.zeros(0))
    assert found is not None
    return found


def tracks(vehicle: int) -> list[int]:
    return [vehicle + VEHICLES * camera for camera in range(VIEWS)]


def test_tracks_of_one_vehicle_belong_together_and_those_of_several_do_not(looks: Looks) -> None:
    same = [looks.group(tracks(vehicle)) for vehicle in range(VEHICLES)]
    mixed = [looks.group([*tracks(v)[:2], *tracks((v + 1) % VEHICLES)[2:]]) for v in range(VEHICLES)]
    apart = [looks.group(tracks(v)[:2]) + looks.group(tracks((v + 1) % VEHICLES)[2:]) for v in range(VEHICLES)]
    assert np.mean(np.array(same) > 0) > 0.95
    assert np.mean(np.array(mixed) < np.array(apart)) > 0.95


def test_a_group_says_more_than_any_of_its_pairs(looks: Looks) -> None:
    """The last track against the three before it, beside the most similar one of these."""
    rows = np.array([tracks(vehicle) for vehicle in range(VEHICLES)])
    joint = np.array([looks.group(r.tolist()) - looks.group(r[:-1].tolist()) for r in rows])
    single = np.max([looks.pairs(rows[:, k], rows[:, -1]) for k in range(VIEWS - 1)], axis=0)
    assert joint.mean() > single.mean()


def test_two_tracks_are_worth_what_the_pair_is(looks: Looks) -> None:
    assert looks.group([0, VEHICLES]) == pytest.approx(looks.pairs(np.array([0]), np.array([VEHICLES]))[0], abs=1e-5)


def test_a_track_without_features_says_nothing(make_summaries: Make, looks: Looks) -> None:
    blind = Looks(looks.vector, np.zeros_like(looks.known), looks.scale, looks.unlike, looks.correlation, looks.trust)
    assert blind.group([0, VEHICLES]) == 0
    assert blind.pairs(np.array([0]), np.array([VEHICLES])) == 0


def test_nothing_is_learned_from_nothing(make_summaries: Make) -> None:
    summaries = make_summaries([0], [0.0], [1.0], vector=np.ones((1, 4), np.float32) / 2.0)
    assert fit_looks(summaries, summaries.vector, np.zeros(1, np.int64), np.zeros(0)) is None
