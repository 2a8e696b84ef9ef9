"""Several branches in a ResNet's last stage, each with losses of its own: a head for SSBVER and for the baseline.

After E. Almeida, B. Silva, J. Batista, "Strength in Diversity: Multi-Branch Representation Learning for Vehicle
Re-Identification" (MBR), ITSC 2023: branches are copies of the last stage, groups of its channels (grouped
convolutions), or groups of copies; some attend to the whole map (`reid.architectures.attention`); cross entropy and
triplet loss take turns over the branches. The paper's names:

| | branches | groups | attention |
|---|---|---|---|
| 4B, 4B with BoT | 4 | 1 | 0, 2 |
| 2G, 2G with BoT | 2 | 2 | 0, 2 |
| 4G, 4G with BoT | 4 | 4 | 0, 2 |
| 2x2G, 2x2G with BoT | 4 | 2 | 0, 4 |

Ours: the weights of the losses; the start of grouped convolutions, the matching blocks of the pretrained ones; that
branches which attend also start from the pretrained 1x1 convolutions; the scale of the logits, which is BoTNet's. The
paper's embedding of camera and view is not part of it.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from common.errors import InputError
from reid.architectures.attention import HEADS, GroupedConvolution
from reid.architectures.body import Body, require_average_pooling
from reid.architectures.trunk import load_resnet, resnet_trunk
from reid.backbones import RESNETS
from reid.branches import Branch, ImageLabels
from reid.settings import ModelConfig

_STRIDE = 16
"""Pixels of the image between places of the last map, with stride 1 in the last stage."""


class MultiBranch(Body):
    """Branches `a`, `b`, ...; with split losses `a`, `c`, ... have cross entropy alone, the others the triplet loss.

    Args:
        config: `backbone` is a ResNet of this project; `multibranch` has the numbers of branches, groups and branches
            that attend.

    Raises:
        InputError: the backbone is no such ResNet, or the numbers do not fit together.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        require_average_pooling(config, "multibranch")
        self.config = config
        self.network = resnet_trunk(config, "multibranch")
        options = config.multibranch
        count, self.groups = options.branches, options.groups
        _check(config, RESNETS[config.backbone].width * 8)
        dims = self.network.dims // self.groups
        stages = [copy.deepcopy(self.network.layer4) for _ in range(count // self.groups)]
        size = (max(1, config.image_size[0] // _STRIDE), max(1, config.image_size[1] // _STRIDE))
        for number, stage in enumerate(stages):
            last = (number + 1) * self.groups  # the number of branches up to here
            _regroup(stage, self.groups, min(self.groups, max(0, last - (count - options.attention))), size)
        self.network.layer4 = stages[0]
        self.copies = nn.ModuleList(stages[1:])
        with_entropy = range(0, count, 2) if options.split_losses else range(count)
        with_triplet = range(1, count, 2) if options.split_losses else range(count)
        self.branches = tuple(
            Branch(
                chr(ord("a") + i),
                dims,
                classification=1 / len(with_entropy) if i in with_entropy else 0.0,
                triplet=1 / len(with_triplet) if i in with_triplet else 0.0,
            )
            for i in range(count)
        )

    @property
    def trunk(self) -> nn.Module:
        """Everything: all of it but the attention is pretrained."""
        return self

    def load_trunk(self, source: str) -> None:
        whole = resnet_trunk(self.config, "multibranch")
        load_resnet(whole, self.config.backbone, source)
        lower = {name: value for name, value in whole.state_dict().items() if not name.startswith("layer4.")}
        self.network.load_state_dict(lower, strict=False)
        for stage in (self.network.layer4, *self.copies):
            _take_over(stage, whole.layer4)

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        network = self.network
        x = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(images)))))
        x = network.layer3(network.layer2(x))
        shift = x.shape[1] // self.groups if self.groups > 1 else 0  # a group of each copy sees other channels
        return torch.cat(
            [
                stage(x.roll(number * shift, dims=1) if number and shift else x).mean(dim=(2, 3))
                for number, stage in enumerate((network.layer4, *self.copies))
            ],
            dim=1,
        )


def _check(config: ModelConfig, inner: int) -> None:
    """Check the numbers against each other and against the inner channels of the last stage."""
    options = config.multibranch
    if options.branches % options.groups:
        raise InputError(f"model.multibranch.groups: {options.groups} does not divide {options.branches} branches")
    if inner % (options.groups * (HEADS if options.attention else 1)):
        raise InputError(f"model.multibranch.groups: {options.groups} does not fit the {inner} channels of the network")
    if options.attention > options.branches:
        raise InputError(f"model.multibranch.attention: {options.attention}, but there are {options.branches} branches")
    if options.attention and config.last_stride != 1:
        raise InputError("model.multibranch.attention: needs model.last_stride=1")


def _regroup(stage: nn.Sequential, groups: int, attending: int, size: tuple[int, int]) -> None:
    """Turn a stage's convolutions into grouped ones, the 3x3 one before the end of a block into attention in some."""
    if groups == 1 and not attending:
        return
    for block in stage:
        for owner, name in ((block, "conv1"), (block, "conv2"), (block, "conv3"), (block.downsample, "0")):
            old = getattr(owner, name, None)
            if old is None:
                continue
            new: nn.Module
            if name == "conv2" and attending:
                new = GroupedConvolution(old.out_channels, groups, attending, size)
            else:
                new = nn.Conv2d(
                    old.in_channels,
                    old.out_channels,
                    old.kernel_size,
                    old.stride,
                    old.padding,
                    groups=groups,
                    bias=False,
                )
            for module in new.modules():
                if isinstance(module, nn.Conv2d) and module.bias is None:
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            setattr(owner, name, new)


def _take_over(stage: nn.Module, whole: nn.Module) -> None:
    """Take the weights of an ungrouped stage; a grouped convolution takes the blocks of its groups."""
    found = whole.state_dict()
    own = stage.state_dict()
    for name, value in own.items():
        source = found.get(name.replace(".convolution.", "."))
        if source is not None:  # the attention has nothing to take
            own[name] = source if source.shape == value.shape else _diagonal(source, value)
    stage.load_state_dict(own)


def _diagonal(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The blocks on the diagonal of a weight (out, in, h, w), as many as the shape of a grouped one has room for."""
    width = target.shape[1]
    step = source.shape[0] * width // source.shape[1]
    blocks = range(target.shape[0] // step)
    return torch.cat([source[g * step : (g + 1) * step, g * width : (g + 1) * width] for g in blocks])
