"""The loss terms of a training step, one module each."""

from reid.training.losses.center import CenterLoss
from reid.training.losses.cross_entropy import smoothed_cross_entropy
from reid.training.losses.distillation import SelfDistillation
from reid.training.losses.triplet import batch_hard_triplet, batch_hard_triplet_of

__all__ = ["CenterLoss", "SelfDistillation", "batch_hard_triplet", "batch_hard_triplet_of", "smoothed_cross_entropy"]
