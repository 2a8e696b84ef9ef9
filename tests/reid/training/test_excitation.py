"""EVER's excitation: the formula, where it acts, and that nothing of it is deployed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from reid.auto_encoder.network import AutoEncoder
from reid.backbones.resnet import RESNETS, ResNet
from reid.settings import AutoEncoderConfig, TrainSettings
from reid.training.excitation import ResidualExcitation, excitation_strength, excite

SMALL = AutoEncoderConfig(channels=(4, 8), latent=2)


def test_strength_falls_as_a_cosine() -> None:
    for t in (0, 1, 37, 120):
        assert excitation_strength(t / 120) == pytest.approx((1 + math.cos(math.pi * t / 120)) / 2)


def test_maps_are_excited_by_the_formula() -> None:
    maps = torch.randn(2, 3, 4, 4)
    intensity = torch.rand(2, 1, 4, 4)
    found = excite(maps, intensity, 0.7)
    for n, c, y, x in ((0, 0, 0, 0), (1, 2, 3, 1)):
        mean = float(maps[n, :, y, x].mean())
        expected = float(maps[n, c, y, x]) + 0.7 * float(intensity[n, 0, y, x]) * mean
        assert float(found[n, c, y, x]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_it_acts_after_the_first_two_stages_only_and_only_within_its_context() -> None:
    trunk, images = ResNet(RESNETS["resnet18_ibn_quarter"]).eval(), torch.randn(2, 3, 32, 32)
    excitation = ResidualExcitation(AutoEncoder(SMALL))
    plain = trunk(images)
    with torch.no_grad(), excitation.applied(trunk, images, 0.25):
        found = trunk(images)
    intensity = (images - excitation.auto_encoder(images).images).abs().mean(dim=1, keepdim=True)
    alpha = (1 + math.cos(math.pi * 0.25)) / 2
    x = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1(images))))
    x = trunk.layer2(excite(trunk.layer1(x), intensity, alpha))
    expected = trunk.layer4(trunk.layer3(excite(x, intensity, alpha)))
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, plain)
    torch.testing.assert_close(trunk(images), plain)
    with excitation.applied(trunk, images, 1.0):
        torch.testing.assert_close(trunk(images), plain)


def test_the_auto_encoder_is_frozen() -> None:
    excitation = ResidualExcitation(AutoEncoder(SMALL)).train()
    assert not excitation.auto_encoder.training
    assert not any(p.requires_grad for p in excitation.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"excitation": True}, "needs pretrained_part"),
        ({"pretrained_part": "x"}, "nothing uses it"),
        ({"excitation": True, "pretrained_part": "x", "run": {"compile": True}}, "cannot be compiled"),
        ({"excitation": True, "pretrained_part": "x", "model": {"architecture": "saver"}}, "plain architecture"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainSettings.model_validate(settings)


def test_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="ResNet"):
        ResidualExcitation.require_stages(nn.Linear(2, 2))
