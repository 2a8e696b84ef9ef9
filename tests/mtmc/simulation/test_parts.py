"""Vehicles are divided into front, back, roof and side, and the masks fit the images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mtmc.simulation.assembly import assemble
from mtmc.simulation.parts import PARTS, part_of_triangles, split_parts
from mtmc.simulation.reid_set import simulate_reid
from mtmc.simulation.vehicles import Vehicle, population


@pytest.fixture(scope="module")
def vehicles() -> list[Vehicle]:
    return list(population(24, np.random.default_rng(5)))


@pytest.fixture(scope="module")
def with_parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parts") / "veri"
    simulate_reid(root, seed=3, identities=8, workers=1, cameras=2, parts=True)
    return root


def test_each_triangle_belongs_to_one_part(vehicles: list[Vehicle]) -> None:
    for vehicle in vehicles:
        body = assemble(vehicle)
        pieces = split_parts(body, vehicle.model)
        assert sum(len(piece.mesh.triangle) for piece in pieces) == len(body.mesh.triangle)
        assert all(len(piece.mesh.triangle) for piece in pieces), vehicle.model.kind


def test_parts_lie_where_their_names_say(vehicles: list[Vehicle]) -> None:
    for vehicle in vehicles:
        body = assemble(vehicle)
        part = part_of_triangles(body, vehicle.model)
        corners = body.mesh.position[body.mesh.triangle]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        centre = corners.mean(axis=1)
        mean = [np.average(centre[part == n], weights=area[part == n] + 1e-9, axis=0) for n in range(len(PARTS))]
        front, back, roof, side = mean
        assert front[0] > 0 > back[0]
        assert roof[2] > max(front[2], back[2], side[2])
        outward = np.abs(np.average(np.abs(centre[part == 3, 1]), weights=area[part == 3]))
        assert outward > 0.3 * vehicle.model.width


def test_masks_fit_the_images(with_parts: Path) -> None:
    seen = np.zeros(len(PARTS) + 1, np.int64)
    for subset in ("train", "test", "query"):
        images = sorted((with_parts / f"image_{subset}").iterdir())
        assert [p.stem for p in images] == sorted(p.stem for p in (with_parts / f"parts_{subset}").iterdir())
        for path in images:
            image = cv2.imread(str(path))
            mask = cv2.imread(str(with_parts / f"parts_{subset}" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert mask is not None
            assert mask.shape == image.shape[:2]
            seen += np.bincount(mask.ravel(), minlength=len(seen))
            assert 0.2 < (mask > 0).mean() < 0.98
    assert (seen > 0).all()


def test_images_are_the_same_without_masks(with_parts: Path, tmp_path: Path) -> None:
    simulate_reid(tmp_path / "veri", seed=3, identities=8, workers=1, cameras=2)
    assert not (tmp_path / "veri" / "parts_train").exists()
    for path in (tmp_path / "veri" / "image_train").iterdir():
        assert path.read_bytes() == (with_parts / "image_train" / path.name).read_bytes()
