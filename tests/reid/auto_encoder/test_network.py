"""The auto-encoder: size, shapes and loss."""

from __future__ import annotations

import math

import pytest
import torch

from reid.auto_encoder.network import AutoEncoder, Reconstruction, generation_loss
from reid.settings import AutoEncoderConfig

SMALL = AutoEncoderConfig(channels=(4, 8, 8), latent=2)


def test_with_resnet50_it_has_the_size_that_table_5_lists_for_saver() -> None:
    with torch.device("meta"):
        network = AutoEncoder(AutoEncoderConfig())
    count = sum(p.numel() for p in network.parameters())
    assert count == 7_346_819
    assert round((23_508_032 + count) / 1e6) == 31


@pytest.mark.parametrize("size", [(32, 32), (27, 45)])
def test_reconstructions_have_the_size_of_the_images(size: tuple[int, int]) -> None:
    found = AutoEncoder(SMALL).eval()(torch.randn(2, 3, *size))
    assert found.images.shape == (2, 3, *size)
    assert found.mean.shape[1] == 2


def test_it_is_deterministic_in_evaluation_only() -> None:
    network, images = AutoEncoder(SMALL), torch.randn(2, 3, 16, 16)
    network.eval()
    assert torch.equal(network(images).images, network(images).images)
    network.train()
    assert not torch.equal(network(images).images, network(images).images)


def test_loss_is_the_definition() -> None:
    images = torch.tensor([[[[0.0, 1.0]]]])
    found = Reconstruction(torch.tensor([[[[0.5, 3.0]]]]), torch.tensor([[[[0.3]]]]), torch.tensor([[[[-0.7]]]]))
    kl = 0.5 * (0.3**2 + math.exp(-0.7) - 1 + 0.7)
    assert float(generation_loss(found, images, 0.2)) == pytest.approx((0.25 + 4.0) / 2 + 0.2 * kl)
