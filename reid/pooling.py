"""From a feature map to a vector."""

from __future__ import annotations

import torch
from torch import nn


class AveragePooling(nn.Module):
    """(n, c, h, w) to (n, c): the mean over all places."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class GeneralisedMeanPooling(nn.Module):
    """(n, c, h, w) to (n, c) float32: `mean(x^p)^(1/p)` with one learned power p.

    F. Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019. Raising p moves from
    the average (p = 1) towards the maximum. Powers are taken in float32 whatever the autocast.
    """

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(float(power)))
        self.floor = floor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            power = self.power.float()
            return x.float().clamp(min=self.floor).pow(power).mean(dim=(2, 3)).pow(1.0 / power)
