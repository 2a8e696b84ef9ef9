"""Batch-hard triplet loss with a soft or a fixed margin."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def batch_hard_triplet(
    features: torch.Tensor,
    labels: torch.Tensor,
    margin: float | None = None,
    *,
    different: torch.Tensor | None = None,
) -> torch.Tensor:
    """Equation 1, averaged over the batch: `log(1 + exp(furthest positive - nearest negative))`.

    A. Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification" (2017). The paper sums
    over anchors; the mean is that sum divided by the batch size, so that lambda_t does not depend on the batch size.

    Args:
        features: (n, dims); Euclidean distances are computed in float32 even under autocast.
        labels: (n,) integer classes.
        margin: None is the soft margin above; a number replaces the logarithm by
            `max(0, furthest positive - nearest negative + margin)`, and a larger one pushes classes further apart.
        different: (n, n) bool, the pairs known to be different; None: all of different classes are.

    Returns:
        A float32 scalar. Anchors without another positive or without a negative are ignored; 0 (with zero gradient)
        if there are no other anchors.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        same = labels[:, None] == labels[None, :]
        with torch.no_grad():
            # Selecting the hardest pairs needs neither gradients nor exact distances: one matrix product suffices.
            norms = features.square().sum(dim=1)
            squared = norms[:, None] + norms[None, :] - 2.0 * features @ features.T
            others = same.clone().fill_diagonal_(False)
            furthest = squared.masked_fill(~others, -torch.inf).argmax(dim=1)
            negative_pairs = ~same if different is None else different & ~same
            closest = squared.masked_fill(~negative_pairs, torch.inf).argmin(dim=1)
            usable = others.any(dim=1) & negative_pairs.any(dim=1)
        # Recompute the selected distances from differences, which avoids cancellation between near duplicates.
        positive = _distance(features, features[furthest])
        negative = _distance(features, features[closest])
        return _mean_loss(positive - negative, margin, usable)


def batch_hard_triplet_of(distances: torch.Tensor, labels: torch.Tensor, margin: float | None = None) -> torch.Tensor:
    """`batch_hard_triplet` for any distance.

    Args:
        distances: (n, n) of all pairs, with gradient.
        labels: (n,) integer classes.
        margin: as in `batch_hard_triplet`.
    """
    same = labels[:, None] == labels[None, :]
    others = same.clone().fill_diagonal_(False)
    usable = others.any(dim=1) & (~same).any(dim=1)
    positive = distances.masked_fill(~others, -torch.inf).amax(dim=1).masked_fill(~usable, 0.0)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1).masked_fill(~usable, 0.0)
    return _mean_loss(positive - negative, margin, usable)


def _mean_loss(gap: torch.Tensor, margin: float | None, usable: torch.Tensor) -> torch.Tensor:
    losses = (F.softplus(gap) if margin is None else F.relu(gap + margin)) * usable
    return losses.sum() / usable.sum().clamp(min=1)


def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(n,) Euclidean distances; clamped so that the gradient is finite for equal features."""
    return (a - b).square().sum(dim=1).clamp(min=1e-12).sqrt()
