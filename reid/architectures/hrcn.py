"""HRCN: two graph branches over the levels and the regions of one ResNet.

J. Zhao et al., "Heterogeneous Relational Complement for Vehicle Re-identification", ICCV 2021. Sizes follow the widths
of the backbone; with ResNet-50 they are the paper's (3584 dimensions). Ours, where the description leaves it open: the
gradient flows through the edges of the graphs, a pixel belongs to a disc if its centre does, and masks are applied
before a region's convolution.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from reid.architectures.body import Body, require_average_pooling, without_autocast
from reid.architectures.trunk import load_resnet, resnet_trunk
from reid.backbones.resnet import RESNETS
from reid.branches import Branch, ImageLabels
from reid.settings import ModelConfig

_LEVEL_BLOCKS = 3
DISCS = 4
"""Concentric discs of the regional branch."""
MIN_EDGE = 0.001
"""Edges of at most this weight are cut."""


class Hrcn(Body):
    """The cross-level and the regional branch of HRCN behind a ResNet, as one feature vector.

    Args:
        config: `backbone` is a ResNet of this project (the paper: `resnet50_ibn`), with its `last_stride`.

    Raises:
        InputError: the backbone is no such ResNet.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        require_average_pooling(config, "hrcn")
        self.name = config.backbone
        self.network = resnet_trunk(config, "hrcn")
        shape = RESNETS[config.backbone]
        channels = [shape.dims // 4, shape.dims // 2, shape.dims]
        levels = [min(_LEVEL_BLOCKS, count) for count in shape.blocks[1:]]
        widths = [c // 2 for c in channels]
        self.nodes = nn.ModuleList(
            nn.ModuleList(NodeOfMap(c, width) for _ in range(count))
            for c, width, count in zip(channels, widths, levels, strict=True)
        )
        # A stage's nodes: that of the stage below, if there is one, and one for each of its own blocks.
        counts = [count + (stage > 0) for stage, count in enumerate(levels)]
        self.between = nn.ModuleList(
            Projection(counts[stage] * widths[stage], widths[stage + 1]) for stage in range(len(widths) - 1)
        )
        self.graphs = nn.ModuleList(RelationGraph(n, width) for n, width in zip(counts, widths, strict=True))
        width = widths[-1]
        self.regions = nn.ModuleList(NodeOfMap(channels[-1], width) for _ in range(DISCS + 1))
        self.region_graph = RelationGraph(DISCS + 2, width)
        half, quarter = width // 2, width // 4
        # Levels: the stages below, the first blocks, the highest block. Regions: the discs, the whole map, the
        # highest block.
        self.level_output = nn.ModuleList(
            Projection(width, half if node in (0, levels[-1]) else quarter) for node in range(counts[-1])
        )
        self.region_output = nn.ModuleList(
            Projection(width, quarter if node < DISCS else half) for node in range(DISCS + 2)
        )
        outputs = (*self.level_output, *self.region_output)
        self.branches = (Branch("global", sum(output.width for output in outputs)),)

    @property
    def trunk(self) -> nn.Module:
        return self.network

    def load_trunk(self, source: str) -> None:
        load_resnet(self.network, self.name, source)

    def paper_parameters(self, deployed: int, identities: int) -> int:
        """With the classifier."""
        return deployed + self.dims * identities

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        stages = self._block_maps(images)
        below: torch.Tensor | None = None
        for stage, maps in enumerate(stages):
            nodes = [node(x) for node, x in zip(self.nodes[stage], maps, strict=True)]  # type: ignore[call-overload]
            if below is not None:
                nodes.insert(0, self.between[stage - 1](below.flatten(1)))
            below = self.graphs[stage](torch.stack(nodes, dim=1))
        assert below is not None
        last = stages[-1][-1]
        masks = concentric_discs(last.shape[2], last.shape[3], DISCS, last.device)
        parts = [last * mask for mask in masks] + [last]
        nodes = [region(part) for region, part in zip(self.regions, parts, strict=True)]
        nodes.append(below[:, -1])
        regions = self.region_graph(torch.stack(nodes, dim=1))
        outputs = [output(below[:, node]) for node, output in enumerate(self.level_output)]
        outputs += [output(regions[:, node]) for node, output in enumerate(self.region_output)]
        return torch.cat(outputs, dim=1)

    def _block_maps(self, images: torch.Tensor) -> list[list[torch.Tensor]]:
        """Outputs of the last three blocks of each of stages 2 to 4."""
        network = self.network
        x = network.layer1(network.maxpool(network.relu(network.bn1(network.conv1(images)))))
        stages = []
        for stage, nodes in zip((network.layer2, network.layer3, network.layer4), self.nodes, strict=True):
            maps = []
            for block in stage:
                x = block(x)
                maps.append(x)
            stages.append(maps[-len(nodes) :])  # type: ignore[arg-type]
        return stages


class NodeOfMap(nn.Module):
    """A node from a feature map: 1x1 convolution, BN, ReLU, average pooling, BN, ReLU. (n, c, h, w) to (n, width)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, width, 1)
        self.map_norm = nn.BatchNorm2d(width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.map_norm(self.convolution(x)))
        return F.relu(self.norm(x.mean(dim=(2, 3))))


class Projection(nn.Module):
    """A 1x1 convolution of vectors, that is a linear layer, with BN and ReLU. (n, c) to (n, width)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(channels, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.linear(x)))


class RelationGraph(nn.Module):
    """Two graph convolutions with residuals over a set of nodes. (n, nodes, width) in and out, float32.

    `X <- X + ReLU(BN(dropout(A X W + b)))`, twice, with A from the input (`relation_matrix`); the norm is over nodes.

    Args:
        nodes: number of nodes.
        width: length of a node.
        dropout: probability; raising it relies less on single relations.
    """

    def __init__(self, nodes: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(width, width)) for _ in range(2))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(nodes) for _ in range(2))
        self.dropout = dropout
        for weight in self.weights:
            nn.init.normal_(weight, std=0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with without_autocast(x.device):
            x = x.float()
            relations = relation_matrix(x)
            for weight, bias, norm in zip(self.weights, self.biases, self.norms, strict=True):
                update = F.dropout(relations @ x @ weight + bias, self.dropout, self.training)
                x = x + F.relu(norm(update))
        return x


def relation_matrix(x: torch.Tensor) -> torch.Tensor:
    """The normalised adjacency of nodes by their similarity, (n, nodes, nodes).

    E = X X^T / width with entries of at most 0.001 set to 0 and rows L1-normalised; A = D^-1/2 (E + I) D^-1/2, with D
    the row sums of E + I.

    Args:
        x: (n, nodes, width) float32.
    """
    edges = x @ x.transpose(1, 2) / x.shape[2]
    edges = edges * (edges > MIN_EDGE)
    # Written out, since OpenVINO takes ONNX's L1 normalisation for one by L2; what is left is positive.
    edges = edges / edges.sum(dim=2, keepdim=True).clamp(min=1e-12)
    edges = edges + torch.eye(x.shape[1], device=x.device)
    scale = edges.sum(dim=2).rsqrt()
    return scale[:, :, None] * edges * scale[:, None, :]


def concentric_discs(height: int, width: int, count: int, device: torch.device) -> torch.Tensor:
    """Masks of discs around the centre of a map, with radii of 1/count .. count/count of half its shorter side.

    Returns:
        (count, height, width) float32, 1 at pixels whose centres are inside.
    """
    rows = torch.arange(height, device=device) - (height - 1) / 2
    columns = torch.arange(width, device=device) - (width - 1) / 2
    squared = rows[:, None] ** 2 + columns[None, :] ** 2
    radii = torch.arange(1, count + 1, device=device) / count * min(height, width) / 2
    return (squared <= radii[:, None, None] ** 2).float()
