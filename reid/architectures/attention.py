"""Self-attention over the places of a feature map, in the place of a 3x3 convolution."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

HEADS = 4


class MapAttention(nn.Module):
    """Multi-head self-attention with learned positions: (n, channels, h, w) in and out.

    A. Srinivas et al., "Bottleneck Transformers for Visual Recognition" (BoTNet), CVPR 2021: the logits are
    q (k + r_row + r_column)^T / sqrt(channels of a head). Positions are resized to maps of another size.

    Args:
        channels: divisible by `HEADS`.
        size: height and width of the map that has a position for each row and column.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Conv2d(channels, channels, 1) for _ in range(3))
        deviation = (channels // HEADS) ** -0.5
        self.rows = nn.Parameter(deviation * torch.randn(channels, size[0], 1))
        self.columns = nn.Parameter(deviation * torch.randn(channels, 1, size[1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2:]
        positions = self.rows + self.columns
        if positions.shape[1:] != (height, width):
            positions = F.interpolate(positions[None], (height, width), mode="bilinear", align_corners=False)[0]
        query, key, value = (
            y.flatten(2).unflatten(1, (HEADS, -1)).transpose(2, 3)  # (n, heads, places, channels of a head)
            for y in (self.query(x), self.key(x) + positions, self.value(x))
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return attended.transpose(2, 3).reshape(x.shape)


class GroupedConvolution(nn.Module):
    """A 3x3 convolution in groups of channels, of which the last attend to the whole map instead.

    Args:
        channels: in and out, divisible by `groups`.
        groups: number of groups.
        attending: how many of them attend.
        size: height and width of the map.
    """

    def __init__(self, channels: int, groups: int, attending: int, size: tuple[int, int]) -> None:
        super().__init__()
        width = channels // groups
        self.convolved = width * (groups - attending)
        if self.convolved:
            self.convolution = nn.Conv2d(
                self.convolved, self.convolved, 3, padding=1, groups=groups - attending, bias=False
            )
        self.attention = nn.ModuleList(MapAttention(width, size) for _ in range(attending))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [self.convolution(x[:, : self.convolved])] if self.convolved else []
        rest = x[:, self.convolved :].chunk(max(1, len(self.attention)), dim=1)
        return torch.cat([*parts, *(attend(part) for attend, part in zip(self.attention, rest, strict=False))], dim=1)
