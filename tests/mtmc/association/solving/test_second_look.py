"""Identities that hold two vehicles of one model, and vehicles with two identities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from mtmc.association.links.candidates import PairKind, Pairs
from mtmc.association.solving.bonds import Bonds
from mtmc.association.solving.second_look import look_again
from mtmc.association.solving.solve import Ties, tie
from mtmc.association.track_summaries import TrackSummaries

Make = Callable[..., TrackSummaries]
VEHICLES, VIEWS = 96, 6
VEHICLE = np.tile(np.arange(VEHICLES), VIEWS)
TWINS = np.where(VEHICLE == 1, 0, VEHICLE)
"""Vehicles 0 and 1 under one identity."""


def scene(make_summaries: Make, nats: float) -> tuple[TrackSummaries, Ties]:
    """Vehicles that six cameras see, four pairs of them of one model, and ties of this worth between all tracks of a
    pair."""
    random = np.random.default_rng(3)
    model = random.normal(size=(VEHICLES // 2, 64)).repeat(2, axis=0)
    own = random.normal(size=(VEHICLES, 64))
    latent = np.where(np.arange(VEHICLES)[:, None] < 8, np.sqrt(0.7) * model + np.sqrt(0.3) * own, own)
    vector = latent[VEHICLE] + 0.35 * random.normal(size=(len(VEHICLE), 64))
    vector = (vector / np.linalg.norm(vector, axis=1, keepdims=True)).astype(np.float32)
    start = random.permutation(len(VEHICLE)) * 10.0
    summaries = make_summaries(np.repeat(np.arange(VIEWS), VEHICLES), start, start + 5.0, vector=vector)
    first, second = np.nonzero(np.triu(VEHICLE[:, None] // 2 == VEHICLE // 2, 1))
    swap = start[first] > start[second]
    source, target = np.where(swap, second, first), np.where(swap, first, second)
    pairs = Pairs.of(source, target, np.zeros(len(source), np.int64), np.zeros(len(source)), kind=PairKind.RESEMBLANCE)
    return summaries, tie(pairs, np.full(len(source), nats), np.zeros(len(source)), len(VEHICLE), 0.5)


def look(
    summaries: TrackSummaries, ties: Ties, identity: npt.NDArray[np.int64], bonds: Bonds | None = None
) -> npt.NDArray[np.int64]:
    first, second = np.nonzero(np.triu(VEHICLE[:, None] != VEHICLE, 1))
    return look_again(
        summaries, summaries.vector, ties=ties, identity=identity, strangers=(first[::9], second[::9]), bonds=bonds
    )


def groups(identity: npt.NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(identity == each).tolist()) for each in np.unique(identity)}


@pytest.mark.parametrize("nats", [0.0, 2.0])
def test_two_vehicles_of_one_model_are_told_apart(make_summaries: Make, nats: float) -> None:
    """Also where times suggest that one is the other."""
    assert groups(look(*scene(make_summaries, nats), TWINS)) == groups(VEHICLE)


def test_strong_ties_hold_an_identity_together(make_summaries: Make) -> None:
    assert groups(look(*scene(make_summaries, 20.0), TWINS)) == groups(TWINS)


def test_tracks_that_must_be_linked_stay_together(make_summaries: Make) -> None:
    summaries, ties = scene(make_summaries, 0.0)
    here = np.flatnonzero(VEHICLE < 2)
    here = here[np.argsort(summaries.start[here])]
    vehicle = np.arange(len(VEHICLE))
    vehicle[here] = here[0]
    bonds = Bonds(vehicle, here[:-1], here[1:], np.zeros((0, 2), np.int64), np.zeros(len(VEHICLE), np.bool_))
    assert groups(look(summaries, ties, TWINS, bonds)) == groups(TWINS)


def halved(summaries: TrackSummaries) -> npt.NDArray[np.int64]:
    """True vehicles, of which five have one identity for early tracks and one for late ones."""
    late = np.zeros(len(VEHICLE), np.bool_)
    for vehicle in range(8, 13):
        tracks = np.flatnonzero(vehicle == VEHICLE)
        late[tracks[np.argsort(summaries.start[tracks])][VIEWS // 2 :]] = True
    return np.where(late, VEHICLES + VEHICLE, VEHICLE)


def test_a_vehicle_with_two_identities_gets_one_though_no_link_ties_them(make_summaries: Make) -> None:
    summaries, ties = scene(make_summaries, 2.0)
    identity = halved(summaries)
    within = ties[identity[ties.source] == identity[ties.target]]
    assert groups(look(summaries, within, identity)) == groups(VEHICLE)


def test_identities_that_cannot_be_one_vehicle_stay_apart(make_summaries: Make) -> None:
    summaries, ties = scene(make_summaries, 2.0)
    identity = halved(summaries)
    early, late = (np.flatnonzero(identity == number) for number in (8, VEHICLES + 8))
    apart = np.stack(np.meshgrid(early, late), axis=-1).reshape(-1, 2)
    bonds = replace(Bonds.none(len(VEHICLE)), apart=apart)
    found = look(summaries, ties, identity, bonds)
    assert not np.isin(found[early], found[late]).any()


def test_too_few_identities_teach_nothing(make_summaries: Make) -> None:
    summaries, ties = scene(make_summaries, 0.0)
    everything = np.zeros(len(VEHICLE), np.int64)
    assert groups(look(summaries, ties, everything)) == groups(everything)


def test_nothing_has_to_be_seen_at_once(make_summaries: Make) -> None:
    summaries, ties = scene(make_summaries, 2.0)
    nothing = np.zeros(0, np.int64)
    found = look_again(summaries, summaries.vector, ties=ties, identity=TWINS, strangers=(nothing, nothing))
    assert groups(found) == groups(VEHICLE)
