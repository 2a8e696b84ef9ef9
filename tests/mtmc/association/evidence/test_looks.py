"""What the features of whole identities say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mtmc.association.evidence.looks import Looks, fit_looks, fit_looks_to_all
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


def test_the_sides_of_a_vehicle_are_held_against_it_once(make_summaries: Make) -> None:
    """Each vehicle is seen from the front and from the rear by three cameras each; these are less alike."""
    random = np.random.default_rng(5)
    vehicle, side = np.tile(np.arange(VEHICLES), 6), np.repeat([0, 1], 3 * VEHICLES)
    views, noise = 0.75 * random.normal(size=(2, VEHICLES, 64)), 1.8 * random.normal(size=(len(side), 64))
    vector = random.normal(size=(VEHICLES, 64))[vehicle] + views[side, vehicle] + noise
    vector = (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)
    camera = np.repeat(np.arange(6), VEHICLES)
    start = 10.0 * vehicle + 100.0 * camera
    found = fit_looks_to_all(make_summaries(camera, start, start + 5.0, vector=vector), vector)
    assert found is not None
    fronts = [[v + VEHICLES * c for c in range(3)] for v in range(VEHICLES)]
    rears = [[v + VEHICLES * c for c in range(3, 6)] for v in range(VEHICLES)]

    def gain(looks: Looks, shift: int) -> float:
        """Nats for the fronts and the rears of two vehicles, or of one, being one."""
        pairs = zip(fronts, rears[shift:] + rears[:shift], strict=True)
        return float(np.mean([looks.group(a + b) - looks.group(a) - looks.group(b) for a, b in pairs]))

    assert gain(found, 0) > 0 > gain(found, 1)
    assert gain(found, 0) > gain(replace(found, sides=False), 0)


def test_two_tracks_are_worth_what_the_pair_is(looks: Looks) -> None:
    assert looks.group([0, VEHICLES]) == pytest.approx(looks.pairs(np.array([0]), np.array([VEHICLES]))[0], abs=1e-5)


def test_a_track_without_features_says_nothing(make_summaries: Make, looks: Looks) -> None:
    blind = Looks(looks.vector, np.zeros_like(looks.known), looks.scale, looks.unlike, looks.correlation, looks.trust)
    assert blind.group([0, VEHICLES]) == 0
    assert blind.pairs(np.array([0]), np.array([VEHICLES])) == 0


def test_nothing_is_learned_from_nothing(make_summaries: Make) -> None:
    summaries = make_summaries([0], [0.0], [1.0], vector=np.ones((1, 4), np.float32) / 2.0)
    assert fit_looks(summaries, summaries.vector, np.zeros(1, np.int64), np.zeros(0)) is None
    assert fit_looks_to_all(summaries, summaries.vector) is None
