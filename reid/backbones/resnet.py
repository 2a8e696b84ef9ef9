"""ResNets for re-identification: last stage with stride 1, optional instance-batch normalisation (IBN-a).

Parameter names are those of torchvision's ResNet and of the published IBN-Net files, so both load without renaming.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

STAGE_STRIDES = (1, 2, 2)
"""Strides of stages 1 to 3; that of the fourth is `last_stride`."""


@dataclass(frozen=True, slots=True)
class ResNetShape:
    """Architecture of a ResNet.

    Attributes:
        blocks: residual blocks in each of the four stages.
        width: channels of the stem and of stage 1's inner convolutions; doubles with every stage.
        bottleneck: three convolutions per block with four times the output channels (ResNet-50 and deeper), else two.
        ibn: IBN-a in stages 1 to 3.
    """

    blocks: tuple[int, int, int, int]
    width: int = 64
    bottleneck: bool = False
    ibn: bool = False

    @property
    def dims(self) -> int:
        """Channels of the last feature map."""
        return self.width * 8 * (4 if self.bottleneck else 1)


class InstanceBatchNorm(nn.Module):
    """IBN-a: instance norm on the first half of the channels, batch norm on the rest.

    X. Pan et al., "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net", ECCV 2018.
    Shape (n, channels, h, w) in and out; with an odd number of channels, batch norm gets the extra one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.instance_channels = channels // 2
        # IN and BN are the names in the published weights.
        self.IN = nn.InstanceNorm2d(self.instance_channels, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.instance_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        instance, batch = x[:, : self.instance_channels], x[:, self.instance_channels :]
        if instance.shape[2] * instance.shape[3] == 1:
            # A single pixel has zero variance: instance norm returns its bias (torch refuses to train on such a map).
            instance = self.IN.bias.view(1, -1, 1, 1).to(instance.dtype) + 0.0 * instance
        else:
            instance = self.IN(instance)
        return torch.cat((instance, self.BN(batch)), dim=1)


class ResidualBlock(nn.Module):
    """A basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) residual block; the stride sits on the first 3x3 convolution."""

    def __init__(self, channels: int, planes: int, stride: int, bottleneck: bool, ibn: bool) -> None:
        super().__init__()
        out_channels = planes * 4 if bottleneck else planes
        self.bottleneck = bottleneck
        if bottleneck:
            self.conv1 = nn.Conv2d(channels, planes, 1, bias=False)
            self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
            self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(out_channels)
        else:
            self.conv1 = nn.Conv2d(channels, planes, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn1 = InstanceBatchNorm(planes) if ibn else nn.BatchNorm2d(planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.bottleneck:
            out = self.bn3(self.conv3(self.relu(out)))
        skip = x if self.downsample is None else self.downsample(x)
        result: torch.Tensor = self.relu(out + skip)
        return result


class ResNet(nn.Module):
    """Maps images (n, 3, h, w) to feature maps of stride 16 (`last_stride` 1) or 32 (`last_stride` 2).

    Args:
        shape: depth and widths.
        last_stride: stride of the fourth stage.
        strides: strides of all four stages, in place of the usual ones.
    """

    def __init__(
        self, shape: ResNetShape, last_stride: int = 1, strides: tuple[int, int, int, int] | None = None
    ) -> None:
        super().__init__()
        self.dims = shape.dims
        self.conv1 = nn.Conv2d(3, shape.width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = shape.width
        stages: list[nn.Sequential] = []
        for stage, (count, stride) in enumerate(
            zip(shape.blocks, strides or (*STAGE_STRIDES, last_stride), strict=True)
        ):
            planes = shape.width * 2**stage
            ibn = shape.ibn and stage < 3
            blocks: list[nn.Module] = []
            for block in range(count):
                blocks.append(ResidualBlock(channels, planes, stride if block == 0 else 1, shape.bottleneck, ibn))
                channels = planes * 4 if shape.bottleneck else planes
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        initialise(self.modules())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        result: torch.Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return result


def initialise(modules: Iterable[nn.Module]) -> None:
    """Initialise convolutions after He et al. (fan-out), norms with ones and zeros."""
    for module in modules:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d)):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


RESNETS = {
    "resnet18": ResNetShape((2, 2, 2, 2)),
    "resnet34": ResNetShape((3, 4, 6, 3)),
    "resnet50": ResNetShape((3, 4, 6, 3), bottleneck=True),
    "resnet101": ResNetShape((3, 4, 23, 3), bottleneck=True),
    "resnet18_ibn": ResNetShape((2, 2, 2, 2), ibn=True),
    "resnet34_ibn": ResNetShape((3, 4, 6, 3), ibn=True),
    "resnet50_ibn": ResNetShape((3, 4, 6, 3), bottleneck=True, ibn=True),
    "resnet101_ibn": ResNetShape((3, 4, 23, 3), bottleneck=True, ibn=True),
    "resnet18_ibn_half": ResNetShape((2, 2, 2, 2), width=32, ibn=True),
    "resnet18_ibn_quarter": ResNetShape((2, 2, 2, 2), width=16, ibn=True),
}
"""This project's own ResNets by name. `half` and `quarter` scale the width; they are fast enough for a CPU."""
