"""Batch-hard triplets with a soft margin."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def batch_hard_triplet(features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Equation 1, averaged over the batch: `log(1 + exp(furthest positive - nearest negative))`.

    A. Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification" (2017). The paper writes a sum
    over anchors; the mean is the same loss with lambda_t times the batch size, and keeps lambda_t independent of it.

    Args:
        features: (n, dims); Euclidean distances are computed in float32 whatever the autocast.
        labels: (n,) integer classes.

    Returns:
        A scalar, float32. Anchors without a positive other than themselves, or without a negative, are left out;
        0 (with a gradient of 0) where that leaves none.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        same = labels[:, None] == labels[None, :]
        with torch.no_grad():
            # Which pair is hardest needs no gradient and no exact distance: one matrix product finds it.
            norms = features.square().sum(dim=1)
            squared = norms[:, None] + norms[None, :] - 2.0 * features @ features.T
            others = same.clone().fill_diagonal_(False)
            furthest = squared.masked_fill(~others, -torch.inf).argmax(dim=1)
            closest = squared.masked_fill(same, torch.inf).argmin(dim=1)
            usable = others.any(dim=1) & (~same).any(dim=1)
        # The chosen distances anew, from differences: no cancellation between near duplicates.
        positive = _distance(features, features[furthest])
        negative = _distance(features, features[closest])
        losses = F.softplus(positive - negative) * usable
        return losses.sum() / usable.sum().clamp(min=1)


def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(n,) Euclidean; the floor keeps the gradient of equal features finite."""
    return (a - b).square().sum(dim=1).clamp(min=1e-12).sqrt()
