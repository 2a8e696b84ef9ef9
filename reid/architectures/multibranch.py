"""Several copies of a ResNet's last stage, each with losses of its own: a head for SSBVER and for the baseline.

After the idea of E. Almeida, B. Silva, J. Batista, "Strength in Diversity: Multi-Branch Representation Learning for
Vehicle Re-Identification" (MBR), ITSC 2023: branches that share the lower stages, with cross entropy on some and the
triplet loss on others. The paper's attention blocks and grouped convolutions are not part of it; that all branches are
alike but for their losses, and that these take turns, is ours.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from reid.architectures.body import Body, require_average_pooling
from reid.architectures.trunk import load_resnet, resnet_trunk
from reid.branches import Branch, ImageLabels
from reid.settings import ModelConfig


class MultiBranch(Body):
    """Branches `a`, `b`, ... with a last stage each; with split losses `a`, `c`, ... have the cross entropy alone.

    Args:
        config: `backbone` is a ResNet of this project; `multibranch` has the number of branches.

    Raises:
        InputError: the backbone is no such ResNet.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        require_average_pooling(config, "multibranch")
        self.name = config.backbone
        self.network = resnet_trunk(config, "multibranch")
        options = config.multibranch
        self.copies = nn.ModuleList(copy.deepcopy(self.network.layer4) for _ in range(options.branches - 1))
        count = options.branches
        with_entropy = range(0, count, 2) if options.split_losses else range(count)
        with_triplet = range(1, count, 2) if options.split_losses else range(count)
        self.branches = tuple(
            Branch(
                chr(ord("a") + i),
                self.network.dims,
                classification=1 / len(with_entropy) if i in with_entropy else 0.0,
                triplet=1 / len(with_triplet) if i in with_triplet else 0.0,
            )
            for i in range(count)
        )

    @property
    def trunk(self) -> nn.Module:
        """Everything: all of it is pretrained."""
        return self

    def load_trunk(self, source: str) -> None:
        load_resnet(self.network, self.name, source)
        for stage in self.copies:
            stage.load_state_dict(self.network.layer4.state_dict())

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        network = self.network
        x = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(images)))))
        x = network.layer3(network.layer2(x))
        return torch.cat([stage(x).mean(dim=(2, 3)) for stage in (network.layer4, *self.copies)], dim=1)
