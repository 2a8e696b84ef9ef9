"""Training-only heads: the identity classifier and the projection head for self-distillation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from reid.branches import Branch, split_features


class IdentityClassifier(nn.Linear):
    """z = W x_bar + B, in float32 even under autocast. (n, dims) to (n, identities).

    Weights are initialised small (standard deviation 0.001) so that the triplet loss dominates the first steps.
    """

    def __init__(self, dims: int, identities: int, bias: bool = True) -> None:
        super().__init__(dims, identities, bias=bias)
        nn.init.normal_(self.weight, std=0.001)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


class BranchClassifiers(nn.ModuleDict):
    """A classifier for each branch whose cross entropy has a weight. (n, dims) to a dict of (n, identities) by branch.

    Args:
        branches: of the network, in the order of its feature vector.
        identities: k.
        bias: as in `IdentityClassifier`.
    """

    def __init__(self, branches: Sequence[Branch], identities: int, bias: bool = True) -> None:
        super().__init__({b.name: IdentityClassifier(b.dims, identities, bias) for b in branches if b.classification})
        self.branches = tuple(branches)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = split_features(features, self.branches)
        return {b.name: self[b.name](part) for b, part in zip(self.branches, parts, strict=True) if b.name in self}


class SelfDistillationHead(nn.Module):
    """Projection head g: features (n, dims) to logits (n, outputs), float32.

    A multi-layer perceptron with GELU, L2 normalisation of its last hidden layer, and a linear layer with unit-norm
    rows (weight normalisation with the gain fixed at 1), so that logits are cosines. M. Caron et al., "Emerging
    Properties in Self-Supervised Vision Transformers" (DINO), ICCV 2021. The last layer runs in float32 even under
    autocast, because the teacher's temperature of 0.001 amplifies rounding errors a thousandfold.

    Args:
        dims: length of a feature vector.
        hidden: widths of the hidden layers; the last one is L2-normalised instead of followed by a GELU.
        outputs: E, number of outputs.
        batch_norm: put a BatchNorm1d before each GELU.
    """

    def __init__(self, dims: int, hidden: Sequence[int], outputs: int, batch_norm: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = dims
        for index, following in enumerate(hidden):
            if index:
                if batch_norm:
                    layers.append(nn.BatchNorm1d(width))
                layers.append(nn.GELU())
            layers.append(nn.Linear(width, following))
            width = following
        self.mlp = nn.Sequential(*layers)
        self.prototypes = nn.Parameter(torch.empty(outputs, width))
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.prototypes, std=0.02)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        hidden = self.mlp(features)
        with torch.autocast(features.device.type, enabled=False):
            return F.linear(F.normalize(hidden.float(), dim=-1), F.normalize(self.prototypes.float(), dim=-1))
