"""Constraints in the result of both of our methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.association.associate import Association
from mtmc.association.constraints import Constraints, TrackName, known_vehicles
from mtmc.association.interface import rows_of, takes_constraints
from mtmc.association.learned import LearnedAssociation
from mtmc.association.linkage import AverageLinkage
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks
from mtmc.scenarios.scenario import Camera, Scenario

Make = Callable[..., Any]
METHODS = {
    "learned": LearnedAssociation(),
    "chains": LearnedAssociation(AssociationSettings(local_search=False)),
    "linkage": AverageLinkage(),
}


def scenario_of(cameras: list[CameraTracks]) -> Scenario:
    made = [Camera(c.camera, k, 10.0, c.width, c.height, 0, c.clock) for k, c in enumerate(cameras)]
    return Scenario("road", "", tuple(made))


def run(method: str, cameras: list[CameraTracks], constraints: Constraints | None) -> Association:
    tracks, features = [c.tracks for c in cameras], [c.features for c in cameras]
    found: Association = METHODS[method].associate(tracks, features, scenario_of(cameras), None, constraints)
    return found


def random_constraints(cameras: list[CameraTracks], truth: npt.NDArray[np.int64], count: int, seed: int) -> Constraints:
    """Constraints, true and false ones, that do not contradict each other."""
    random = np.random.default_rng(seed)
    camera, number = rows_of([c.tracks for c in cameras])
    names = [TrackName(cameras[c].camera, int(t)) for c, t in zip(camera, number, strict=True)]
    chosen = Constraints.empty()
    while len(chosen) < count:
        a, b = random.choice(len(truth), 2, replace=False).tolist()
        kind = random.integers(4)
        new = (
            Constraints.must_link(names[a], names[b])
            if kind < 2
            else Constraints.cannot_link(names[a], names[b])
            if kind == 2
            else Constraints.not_a_vehicle(names[a])
        )
        both = Constraints.concatenate([chosen, new])
        try:
            known_vehicles(both, [c.camera for c in cameras], [c.tracks for c in cameras])
        except InputError:
            continue
        chosen = both
    return chosen


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pixels", [True, False])
def test_constraints_hold_whatever_the_evidence_says(make_road: Make, method: str, pixels: bool) -> None:
    road = make_road(seed=3, vehicles=20, pixels=pixels)
    for seed in range(2):
        given = random_constraints(road.cameras, road.truth, 12, seed)
        names = [c.camera for c in road.cameras]
        known = known_vehicles(given, names, [c.tracks for c in road.cameras])
        found = run(method, road.cameras, given)
        assert found.dropped[known.left_out].all()
        for row in np.flatnonzero(~known.left_out):
            assert found.identity[row] == found.identity[known.vehicle[row]]
        for a, b in known.apart:
            assert found.identity[a] != found.identity[b]
        assert not np.isin(found.identity[known.left_out], found.identity[~known.left_out]).any()
        assert not known.left_out[found.source].any() and not known.left_out[found.target].any()


@pytest.mark.parametrize("method", METHODS)
def test_constraints_that_the_result_fulfils_change_nothing_and_none_are_the_same_as_an_empty_table(
    make_road: Make, method: str
) -> None:
    road = make_road(seed=3, vehicles=20, pixels=True)
    free = run(method, road.cameras, None).identity
    assert np.array_equal(run(method, road.cameras, Constraints.empty()).identity, free)


def test_a_cannot_link_takes_one_track_off_and_leaves_the_others(make_road: Make) -> None:
    road = make_road(seed=1, vehicles=30, scatter=0.5, both_ways=False)
    rows = np.flatnonzero(road.truth == 4)
    camera, number = rows_of([c.tracks for c in road.cameras])
    names = [TrackName(road.cameras[camera[r]].camera, int(number[r])) for r in rows]
    assert len(set(run("learned", road.cameras, None).identity[rows].tolist())) == 1
    cut = run("learned", road.cameras, Constraints.cannot_link(names[0], names[1])).identity
    assert cut[rows[0]] != cut[rows[1]] and cut[rows[1]] == cut[rows[2]]


def test_a_must_link_gives_the_track_that_it_frees_to_the_other_vehicle(make_road: Make) -> None:
    road = make_road(seed=1, vehicles=30, cameras=2, scatter=1.0, both_ways=False)
    first = [c.clock.at(c.tracks.frame[np.diff(c.tracks.track, prepend=0) > 0]) for c in road.cameras]
    near = int(np.argmin(np.diff(first[0])))  # this vehicle and the next one follow each other most closely
    a, b = (np.flatnonzero(road.truth == v) for v in (near, near + 1))
    free = run("learned", road.cameras, None).identity
    assert free[a[0]] == free[a[1]] != free[b[0]] == free[b[1]]
    crossed = Constraints.must_link(TrackName("c001", near + 1), TrackName("c002", near + 2))
    found = run("learned", road.cameras, crossed).identity
    assert found[a[0]] == found[b[1]] != found[b[0]] == found[a[1]]


def test_a_contradiction_is_refused_by_the_methods_themselves(make_road: Make) -> None:
    road = make_road(seed=3, vehicles=5)
    a, b = TrackName("c001", 1), TrackName("c002", 1)
    given = Constraints.concatenate([Constraints.must_link(a, b), Constraints.cannot_link(a, b)])
    for method in METHODS:
        with pytest.raises(InputError, match="cannot-link: track 1 of c001 and track 1 of c002 are must-linked"):
            run(method, road.cameras, given)


def test_whether_a_method_takes_constraints_is_read_from_its_parameters() -> None:
    class Without:
        def associate(self, tracks: Any, features: Any, scenario: Any, links: Any = None) -> None:
            pass

    class Any_:
        def associate(self, tracks: Any, features: Any, scenario: Any, links: Any = None, **more: Any) -> None:
            pass

    assert not takes_constraints(Without())  # type: ignore[arg-type]
    assert takes_constraints(Any_())  # type: ignore[arg-type]
    assert takes_constraints(AverageLinkage())
