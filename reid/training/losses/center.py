"""Centre loss: features are drawn to a learned centre of their class."""

from __future__ import annotations

import torch
from torch import nn


class CenterLoss(nn.Module):
    """Mean squared Euclidean distance of features to their class's centre.

    Y. Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition", ECCV 2016, in the form that
    re-identification uses (H. Luo et al., "Bag of Tricks", 2019): the centres follow a gradient descent of their own on
    the unweighted loss, whatever the weight of the loss in the network's training.

    Args:
        classes: k.
        dims: length of a feature vector.
        learning_rate: of the centres; raising it makes them follow the features faster.

    The buffer `centers` (k, dims) float32, at first standard normal, is part of a training state.
    """

    centers: torch.Tensor

    def __init__(self, classes: int, dims: int, learning_rate: float = 0.5) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.register_buffer("centers", torch.randn(classes, dims))

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Compute the loss, then move the centres by one step of gradient descent.

        Args:
            features: (n, dims), of all processes, so that all have the same centres.
            labels: (n,) integer classes below k.
        """
        with torch.autocast(features.device.type, enabled=False):
            difference = features.float() - self.centers[labels]
            loss = difference.square().sum(dim=1).mean()
            with torch.no_grad():
                step = 2.0 * self.learning_rate / len(features)
                self.centers.index_add_(0, labels, difference.detach(), alpha=step)
        return loss
