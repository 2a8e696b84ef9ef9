"""SAVER's size, its mixture of image and residual, and its loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from common.errors import InputError
from reid.architectures.saver import DIVERGENCE, Saver
from reid.auto_encoder.network import Reconstruction, generation_loss
from reid.models import ReidModel
from reid.settings import AutoEncoderConfig, ModelConfig
from reid.train import read_settings

SMALL = ModelConfig(
    architecture="saver",
    backbone="resnet18_ibn_quarter",
    image_size=(32, 32),
    auto_encoder=AutoEncoderConfig(channels=(4, 8), latent=2),
)


class Grey(nn.Module):
    """Stands in for the auto-encoder: every image becomes 0.25."""

    def forward(self, images: torch.Tensor) -> Reconstruction:
        return Reconstruction(torch.full_like(images, 0.25), torch.zeros(1), torch.zeros(1))


def test_the_recipe_has_the_size_of_table_5(repository: Path) -> None:
    with torch.device("meta"):
        model = ReidModel(read_settings(repository / "configs/reid/veri_saver.yaml").model)
    count = sum(p.numel() for p in model.parameters())
    assert count == 23_508_032 + 7_346_819 + 1 + 4_096
    assert round(count / 1e6) == 31
    assert model.dims == 2048


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_network_sees_a_convex_combination_of_image_and_residual(alpha: float) -> None:
    body = Saver(SMALL).eval()
    body.auto_encoder = Grey()  # type: ignore[assignment]
    body.mixture.data.fill_(float(torch.tensor(alpha).logit()))
    images = torch.randn(2, 3, 32, 32)
    mixed = alpha * (images - 0.25) + (1 - alpha) * images
    with torch.no_grad():
        torch.testing.assert_close(body(images), body.network(mixed), rtol=1e-3, atol=1e-4)


def test_its_auxiliary_loss_is_that_of_the_auto_encoder() -> None:
    model = ReidModel(SMALL).eval()
    body = model.backbone
    assert isinstance(body, Saver)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = generation_loss(body.auto_encoder(images), images, DIVERGENCE)
        assert float(body.make_auxiliary()(model, images, 0.5)) == pytest.approx(float(expected))


def test_another_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="saver is built around a ResNet"):
        ReidModel(SMALL.model_copy(update={"backbone": "vit_base"}))
