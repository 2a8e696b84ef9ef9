"""SAVER: a ResNet on images whose coarse content is partly taken out.

P. Khorramshahi et al., "The Devil is in the Details: Self-Supervised Attention for Vehicle Re-Identification" (SAVER),
ECCV 2020.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from reid.architectures.body import Body
from reid.architectures.trunk import load_resnet, resnet_trunk
from reid.auto_encoder.network import AutoEncoder, generation_loss, load_auto_encoder
from reid.branches import Branch, ImageLabels
from reid.settings import ModelConfig

DIVERGENCE = 1e-3
"""lambda of L_gen, the weight of the KL divergence. Raising it blurs the reconstructions; the paper's value."""


class Saver(Body):
    """I_in = alpha (I - I_g) + (1 - alpha) I, with the auto-encoder's reconstruction I_g, then a ResNet.

    alpha is one trained number; a sigmoid keeps the combination convex, as the paper requires (it does not say how;
    the sigmoid and its start at one half are this project's, as is the auto-encoder).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.network = resnet_trunk(config, "saver")
        self.auto_encoder = AutoEncoder(config.auto_encoder)
        self.mixture = nn.Parameter(torch.zeros(()))
        self.branches = (Branch("global", self.network.dims),)
        self._name = config.backbone

    @property
    def trunk(self) -> nn.Module:
        return self.network

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        """The feature map (n, dims, h', w'), which `ReidModel` pools."""
        # alpha (I - I_g) + (1 - alpha) I = I - alpha I_g
        mixed = images - self.mixture.sigmoid() * self.auto_encoder(images).images
        maps: torch.Tensor = self.network(mixed)
        return maps

    def load_trunk(self, source: str) -> None:
        load_resnet(self.network, self._name, source)

    def load_part(self, path: str | Path) -> None:
        self.auto_encoder.load_state_dict(load_auto_encoder(path, self.auto_encoder.config).state_dict())

    def make_auxiliary(self) -> nn.Module:
        return GenerationLoss()


class GenerationLoss(nn.Module):
    """L_gen, whose weight (the paper's eta, 100) is `loss.auxiliary`."""

    def forward(self, model: nn.Module, images: torch.Tensor, progress: float) -> torch.Tensor:
        body = model.get_submodule("backbone")
        assert isinstance(body, Saver)
        return generation_loss(body.auto_encoder(images), images, DIVERGENCE)
