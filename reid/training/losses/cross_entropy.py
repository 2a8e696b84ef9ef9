"""Identity classification loss with label smoothing."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F


def smoothed_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.2, over: Literal["all", "others"] = "all"
) -> torch.Tensor:
    """Equation 2: cross entropy with targets `1 - (k-1)/k * eps` for the true class and `eps/k` for the others.

    C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.

    Args:
        logits: (n, k); converted to float32.
        labels: (n,) integer classes below k.
        smoothing: eps in [0, 1); larger values trust the labels less.
        over: `all` as above; with `others` the true class has `1 - eps` and each other one `eps/(k-1)`.

    Returns:
        A float32 scalar, the mean over the batch.
    """
    classes = logits.shape[1]
    if over == "others" and classes > 1:
        # eps/(k-1) for each other class is (eps k/(k-1))/k: the same formula with a slightly larger eps.
        smoothing = min(1.0, smoothing * classes / (classes - 1))
    return F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
