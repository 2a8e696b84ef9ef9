"""Pooling of a feature map to a vector."""

from __future__ import annotations

import torch
from torch import nn


class AveragePooling(nn.Module):
    """Global average pooling, (n, c, h, w) to (n, c)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(2, 3))


class GeneralisedMeanPooling(nn.Module):
    """Generalised-mean (GeM) pooling, (n, c, h, w) to (n, c) float32: `mean(x^p)^(1/p)` with one learned exponent p.

    F. Radenovic et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2019. p = 1 is
    average pooling; a larger p approaches max pooling. Computed in float32 even under autocast.
    """

    def __init__(self, power: float = 3.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(float(power)))
        self.floor = floor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(x.device.type, enabled=False):
            power = self.power.float()
            return x.float().clamp(min=self.floor).pow(power).mean(dim=(2, 3)).pow(1.0 / power)
