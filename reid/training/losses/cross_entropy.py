"""Identity classification loss with label smoothing."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def smoothed_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.2) -> torch.Tensor:
    """Equation 2: cross entropy with targets `1 - (k-1)/k * eps` for the true class and `eps/k` for the others.

    C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.

    Args:
        logits: (n, k); converted to float32.
        labels: (n,) integer classes below k.
        smoothing: eps in [0, 1); larger values trust the labels less.

    Returns:
        A float32 scalar, the mean over the batch.
    """
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
