"""EVER's residual excitation: in training, feature maps are strengthened where a vehicle's details are.

N. Peri et al., "Towards Real-Time Systems for Vehicle Re-Identification, Multi-Camera Tracking, and Anomaly Detection",
CVPR Workshops 2020; the curriculum and the addition follow M. Derakhshani et al., "Assisted Excitation of Activations",
CVPR 2019. It is a plug-in of the training: what is deployed is the plain network.

Left open by the paper and decided here: the auto-encoder is frozen, and the intensity map is the mean over the colour
channels of the absolute residual, in the network's normalised units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from common.errors import InputError
from reid.auto_encoder.network import AutoEncoder
from reid.backbones import ResNet

STAGES = ("layer1", "layer2")
"""The residual stages after which maps are excited: the first two (the paper)."""


def excitation_strength(progress: float) -> float:
    """alpha(t) = (1 + cos(pi t / T)) / 2 at the fraction t / T of the training.

    >>> excitation_strength(0.0), round(excitation_strength(0.5), 6), excitation_strength(1.0)
    (1.0, 0.5, 0.0)
    """
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def excite(maps: torch.Tensor, intensity: torch.Tensor, strength: float) -> torch.Tensor:
    """F_c + alpha * I(r) * mean_c' F_c'.

    Args:
        maps: (n, c, h, w) features F.
        intensity: (n, 1, h', w'), resized to the maps.
        strength: alpha.
    """
    resized = F.interpolate(intensity, size=maps.shape[-2:], mode="bilinear", align_corners=False)
    return maps + strength * resized.to(maps.dtype) * maps.mean(dim=1, keepdim=True)


class ResidualExcitation(nn.Module):
    """Excites a ResNet's maps during one forward pass; it has no trained parameters.

    Args:
        auto_encoder: trained on vehicles; it is frozen.
    """

    def __init__(self, auto_encoder: AutoEncoder) -> None:
        super().__init__()
        self.auto_encoder = auto_encoder
        self.auto_encoder.requires_grad_(False).eval()

    @staticmethod
    def require_stages(trunk: nn.Module) -> None:
        """Check that a network has the stages that are excited.

        Raises:
            InputError: it is not a ResNet.
        """
        if not isinstance(trunk, ResNet):
            raise InputError("excitation: it needs the first two stages of a ResNet of this project as model.backbone")

    def train(self, mode: bool = True) -> ResidualExcitation:
        super().train(mode)
        self.auto_encoder.eval()
        return self

    @contextmanager
    def applied(self, trunk: nn.Module, images: torch.Tensor, progress: float) -> Iterator[None]:
        """Excite the maps of `trunk` while it runs on `images` (n, 3, h, w), normalised."""
        with torch.no_grad():
            intensity = (images - self.auto_encoder(images).images).float().abs().mean(dim=1, keepdim=True)
        strength = excitation_strength(progress)

        def hook(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
            return excite(output, intensity, strength)

        handles = [trunk.get_submodule(stage).register_forward_hook(hook) for stage in STAGES]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
