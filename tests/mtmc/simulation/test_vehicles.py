"""Which vehicles exist."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mtmc.simulation.assembly import assemble
from mtmc.simulation.bodies import KINDS, catalogue
from mtmc.simulation.vehicles import differences, population, vehicle_list


def test_a_seed_decides_everything() -> None:
    first, second, other = (population(40, np.random.default_rng(s)) for s in (5, 5, 6))
    assert vehicle_list(first) == vehicle_list(second)
    assert [v.details for v in first] == [v.details for v in second]
    assert vehicle_list(first) != vehicle_list(other)


@pytest.mark.parametrize("count", [2, 9, 150])
def test_at_least_a_third_have_a_look_alike_that_details_tell_apart(count: int) -> None:
    vehicles = population(count, np.random.default_rng(count))
    assert len(vehicles) == count
    kinds = Counter((v.model.number, v.paint) for v in vehicles)
    assert sum(kinds[v.model.number, v.paint] > 1 for v in vehicles) >= count / 3
    for group in {v.twin_of for v in vehicles} - {-1}:
        twins = [v for v in vehicles if v.twin_of == group]
        assert len({(v.model.number, v.paint, v.rgb) for v in twins}) == 1
        assert all(differences(a.details, b.details) >= 4 for a in twins for b in twins if a is not b)


def test_most_paints_are_grey() -> None:
    paints = Counter(v.paint for v in population(400, np.random.default_rng(1)))
    assert sum(paints[p] for p in ("white", "black", "grey", "silver")) > 0.6 * 400


def test_there_are_several_models_of_every_kind() -> None:
    kinds = Counter(m.kind for m in catalogue())
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 2


def test_every_model_gets_a_closed_body_of_its_size() -> None:
    for model in catalogue():
        vehicle = next(
            v for s in range(200) for v in population(60, np.random.default_rng(s)) if v.model.number == model.number
        )
        body = assemble(vehicle)
        low, high = body.mesh.position.min(0), body.mesh.position.max(0)
        assert low[2] == pytest.approx(0, abs=0.02)
        assert high[0] - low[0] == pytest.approx(model.length, rel=0.03)
        assert model.width - 0.05 <= high[1] - low[1] <= model.width + 0.5
        assert body.height - 0.05 <= high[2] <= body.height + 0.6
        unit = np.abs(np.linalg.norm(body.mesh.normal, axis=1) - 1) < 1e-3
        assert unit.mean() > 0.97  # corners below the bumpers, where the shell has no area, have no normal
        height, width = body.textures[0].shape[:2]
        assert (body.mesh.uv >= -0.5).all()
        assert (body.mesh.uv <= [width + 0.5, height + 0.5]).all()
        assert body.mesh.triangle.max() < len(body.mesh.position)
