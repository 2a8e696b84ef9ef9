"""Motorcycles and scooters: their share, their shape, and what tells them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pytest

from common.errors import InputError
from mtmc.simulation import raster
from mtmc.simulation.assembly import Body, assemble
from mtmc.simulation.detection_set import simulate_detection
from mtmc.simulation.difficulty import read_visible
from mtmc.simulation.lens import Lens
from mtmc.simulation.reid_set import simulate_reid
from mtmc.simulation.scenario import simulate_scenario
from mtmc.simulation.settings import SimulationSettings
from mtmc.simulation.two_wheelers import rider_differences
from mtmc.simulation.vehicles import Vehicle, population


@pytest.fixture(scope="module")
def riders() -> list[Vehicle]:
    return population(60, np.random.default_rng(3), two_wheelers=1.0)


def picture(body: Body, heading: float) -> npt.NDArray[np.uint8]:
    """(240, 240, 3): the vehicle alone, from behind and above at heading 0."""
    lens = Lens(np.array([-6.0, 0, 3.5]), 0.0, 0.42, 0.0, 260.0, 120, 120)
    colour, label = np.zeros((240, 240, 3), np.uint8), np.zeros((240, 240), np.int16)
    optics = np.array([520.0, 120, 120, 0, 0])
    light = np.array([0.0, 0.0, 1.0, 0.4, 0.7, 0.9, 0.3, 0.5])
    buffers = np.zeros((240, 240), np.float32), label, np.zeros((240, 240), np.int32)
    mesh, pose = body.mesh, np.array([0, 0, 0, heading])
    shape = mesh.position, mesh.normal, mesh.uv, mesh.triangle, body.textures[0], 1.0, pose
    raster.draw(*shape, lens.rotation, lens.centre, optics, light, True, False, 1, colour, *buffers, 1)
    return colour


def test_a_share_of_the_vehicles_has_riders() -> None:
    vehicles = population(50, np.random.default_rng(1), two_wheelers=0.3)
    assert sum(v.rider is not None for v in vehicles) == 15
    assert {v.model.kind for v in vehicles if v.rider} == {"motorcycle", "scooter"}
    assert not any(v.rider for v in population(50, np.random.default_rng(1)))


def test_half_of_them_have_a_look_alike_that_details_tell_apart(riders: list[Vehicle]) -> None:
    groups: dict[int, list[Vehicle]] = {}
    for vehicle in riders:
        groups.setdefault(vehicle.twin_of, []).append(vehicle)
    groups.pop(-1)
    assert sum(map(len, groups.values())) >= 30
    for members in groups.values():
        assert len({(v.model.number, v.paint) for v in members}) == 1
        for other in members[1:]:
            assert members[0].rider
            assert other.rider
            assert rider_differences(members[0].rider, other.rider) >= 3


def test_they_are_narrow_and_as_high_as_a_rider(riders: list[Vehicle]) -> None:
    for vehicle in riders[:12]:
        body = assemble(vehicle)
        length, width, height = np.ptp(body.mesh.position, axis=0)
        assert 1.6 < length < 2.6
        assert 0.6 < width < 1.0
        assert 1.5 < height < 2.0
        assert body.mesh.position[:, 2].min() > -0.02
        np.testing.assert_allclose(body.outline.min(0), body.mesh.position.min(0), atol=0.06)
        np.testing.assert_allclose(body.outline.max(0), body.mesh.position.max(0), atol=0.06)


def test_surfaces_face_outwards(riders: list[Vehicle]) -> None:
    """The order of a triangle's corners, which decides whether it is drawn, agrees with its normals."""
    for vehicle in riders[:6]:
        mesh = assemble(vehicle).mesh
        corners = mesh.position[mesh.triangle].astype(float)
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(facing, axis=1)
        agree = (facing * mesh.normal[mesh.triangle].mean(1)).sum(1) > 0
        assert agree[area > 1e-6].mean() > 0.99


@pytest.mark.parametrize("heading", [0.0, np.pi / 2, np.pi])
@pytest.mark.parametrize("what", ["paint", "jacket", "helmet"])
def test_colours_show_from_behind_the_side_and_the_front(riders: list[Vehicle], heading: float, what: str) -> None:
    vehicle = next(v for v in riders if v.rider and v.rider.case == "none" and v.rider.pattern == 0)
    assert vehicle.rider
    plain = replace(vehicle, rider=replace(vehicle.rider, two_tone=False))
    assert plain.rider
    red = (200, 20, 20)
    changed = (
        replace(plain, rgb=red) if what == "paint" else replace(plain, rider=replace(plain.rider, **{what: red}))  # type: ignore[arg-type]
    )
    other = replace(changed, rgb=(20, 20, 200)) if what == "paint" else plain
    one, two = (picture(assemble(v), heading).astype(int) for v in (changed, other))
    assert (np.abs(one - two).max(2) > 25).sum() > 25


def test_sets_and_scenarios_name_their_class(tmp_path: Path) -> None:
    simulate_detection(tmp_path / "yolo", 1, 6, 1, width=480, height=270, frames_per_camera=1, two_wheelers=0.6)
    assert (tmp_path / "yolo" / "data.yaml").read_text().splitlines()[-2:] == ["  0: car", "  1: motorcycle"]
    lines = [line for path in (tmp_path / "yolo").rglob("labels/*/*.txt") for line in path.read_text().splitlines()]
    assert {line.split()[0] for line in lines} == {"0", "1"}
    settings = SimulationSettings(
        layout="crossing", seed=3, seconds=2, cameras=2, width=480, height=270, video=False, two_wheelers=0.5
    )
    simulate_scenario(settings, tmp_path / "root", 1, name="sim-tiny")
    labels = {int(n) for c in ("c041", "c042") for n in read_visible(tmp_path / "root/validation/sim-tiny" / c)[:, 8]}
    assert 3 in labels
    assert 2 in labels


def test_a_re_id_set_lists_their_type(tmp_path: Path) -> None:
    simulate_reid(tmp_path / "veri", seed=2, identities=8, workers=1, cameras=2, two_wheelers=1.0)
    text = (tmp_path / "veri" / "train_label.xml").read_text(encoding="gb2312").split("\n", 1)[1]
    kinds = {item.get("typeID") for item in ElementTree.fromstring(text).iter("Item")}
    assert kinds <= {"10", "11"}
    assert kinds


def test_a_share_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--two-wheelers: must be from 0 to 1"):
        simulate_reid(tmp_path / "x", seed=0, identities=8, workers=1, two_wheelers=1.5)
