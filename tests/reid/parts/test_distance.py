"""The common-visible distance equals its definition, computed pair by pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from common.errors import InputError
from reid.parts.distance import (
    LOCAL_WEIGHT,
    common_visible_distances,
    local_distances,
    pack_parts,
    pack_vehicle,
    part_visibility,
)


def definition(a: list[list[float]], va: list[float], b: list[list[float]], vb: list[float]) -> float:
    """sum v v' sqrt(|f - f'|) / sum v v' with Python's floats, of parts with unit length."""
    above = below = 0.0
    for part, other, v, w in zip(a, b, va, vb, strict=True):
        la, lb = math.hypot(*part), math.hypot(*other)
        distance = math.sqrt(sum((x / la - y / lb) ** 2 for x, y in zip(part, other, strict=True)))
        above += v * w * math.sqrt(distance)
        below += v * w
    return above / below


def some(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    local = torch.randn(n, 4, 6, generator=random)
    visibility = 1 + torch.randint(0, 30, (n, 4), generator=random).float()
    return torch.randn(n, 6, generator=random), local, visibility


def test_local_distance_is_the_definition() -> None:
    _, a, va = some(3, 0)
    _, b, vb = some(4, 1)
    found = local_distances(pack_parts(a, va), pack_parts(b, vb))
    expected = [
        [definition(x.tolist(), v.tolist(), y.tolist(), w.tolist()) for y, w in zip(b, vb, strict=True)]
        for x, v in zip(a, va, strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_ranking_distance_is_the_definition_whatever_the_length_of_the_vectors() -> None:
    ga, a, va = some(3, 2)
    gb, b, vb = some(5, 3)
    query = pack_vehicle(ga, pack_parts(a, va)).numpy() * np.array([[0.2], [1.0], [7.0]], np.float32)
    gallery = pack_vehicle(gb, pack_parts(b, vb)).numpy()
    found = common_visible_distances(query, gallery)(slice(1, 3))
    for row, i in enumerate((1, 2)):
        for j in range(5):
            one = ga[i] / ga[i].norm() - gb[j] / gb[j].norm()
            local = definition(a[i].tolist(), va[i].tolist(), b[j].tolist(), vb[j].tolist())
            assert found[row, j] == pytest.approx(float(one.square().sum()) + LOCAL_WEIGHT * local**2, rel=1e-4)


def test_visibilities_can_be_read_from_the_packed_vector() -> None:
    _, local, visibility = some(4, 4)
    packed = pack_parts(local, visibility)
    np.testing.assert_allclose(packed.norm(dim=1), 1.0, rtol=1e-5)
    expected = visibility / visibility.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(part_visibility(3.0 * packed), expected, rtol=1e-4)


def test_parts_that_one_image_does_not_show_hardly_count() -> None:
    """Two images that agree on what both show are near, though their other parts differ."""
    a, b = torch.ones(1, 4, 6), torch.ones(1, 4, 6)
    a[0, 0], b[0, 1] = -1.0, -1.0  # a's front and b's back look different, but are seen in one image only
    front, back = torch.tensor([[1.0, 256, 1, 256]]), torch.tensor([[256.0, 1, 1, 256]])
    near = local_distances(pack_parts(a, front), pack_parts(b, back))
    far = local_distances(pack_parts(a, torch.full((1, 4), 64.0)), pack_parts(b, torch.full((1, 4), 64.0)))
    assert near < 0.1 < far


def test_equal_images_give_finite_gradients() -> None:
    local = torch.ones(3, 4, 6, requires_grad=True)
    packed = pack_parts(local, torch.ones(3, 4))
    local_distances(packed, packed).sum().backward()
    assert local.grad is not None
    assert torch.isfinite(local.grad).all()


def test_vectors_of_other_networks_are_refused() -> None:
    with pytest.raises(InputError, match="PVEN"):
        common_visible_distances(np.ones((1, 17), np.float32), np.ones((1, 17), np.float32))
    with pytest.raises(InputError, match="gallery row 1 is not finite"):
        common_visible_distances(np.ones((1, 20)), np.array([[1.0] * 20, [np.nan] * 20]))
