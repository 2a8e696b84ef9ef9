"""Branches of a network, which are parts of its feature vector with losses of their own; labels of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch

from common.errors import InputError
from common.nearest import nearest
from reid.settings import BranchLoss

UNKNOWN = -1
"""Camera or viewpoint of an image for which it is not known."""


class ImageLabels(NamedTuple):
    """What is known of images beside their pixels, for networks that use it.

    Attributes:
        camera: (n,) int64, camera number of the data set; `UNKNOWN` (-1) if not known.
        viewpoint: (n,) int64, side from which the vehicle is seen, 0..7 for VeRi; `UNKNOWN` (-1) if not known.
    """

    camera: torch.Tensor
    viewpoint: torch.Tensor

    def to(self, device: torch.device) -> ImageLabels:
        """The same labels on another device."""
        return ImageLabels(*(part.to(device, non_blocking=True) for part in self))

    def repeat(self, times: int) -> ImageLabels:
        """The labels of `times` views of each image, stacked view by view."""
        return ImageLabels(*(part.repeat(times) for part in self))


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the feature vector with its own classifier and metric loss.

    The losses of all branches are summed with these weights, times the weights of `loss`.

    Attributes:
        name: of the branch, in settings and checkpoints.
        dims: its length; the branches of a network follow one another in its feature vector.
        classification: weight of the cross entropy of its classifier (after the batch-norm neck); 0: no classifier.
        triplet: weight of the triplet loss (before the neck).
        center: weight of the centre loss (before the neck), relative to `loss.center`.
        scale: factor of the part in the feature that is ranked.
        distance: of the triplet loss: Euclidean, or over the parts that both images show (`reid.parts.distance`).
    """

    name: str
    dims: int
    classification: float = 1.0
    triplet: float = 1.0
    center: float = 1.0
    scale: float = 1.0
    distance: Literal["euclidean", "common_visible"] = "euclidean"


def with_weights(branches: Sequence[Branch], weights: Mapping[str, BranchLoss]) -> tuple[Branch, ...]:
    """Replace the weights of branches by those that the user set.

    >>> [b.triplet for b in with_weights([Branch("a", 4), Branch("b", 4)], {"b": BranchLoss(triplet=0.5)})]
    [1.0, 0.5]

    Raises:
        InputError: there is no branch of a given name.
    """
    names = [branch.name for branch in branches]
    for name in weights:
        if name not in names:
            raise InputError(f"loss.branches: no branch {name!r}{nearest(name, names)}")
    given = {name: loss.model_dump(exclude_none=True) for name, loss in weights.items()}
    return tuple(replace(branch, **given.get(branch.name, {})) for branch in branches)


def split_features(features: torch.Tensor, branches: Sequence[Branch]) -> tuple[torch.Tensor, ...]:
    """Split (n, dims) features into one (n, branch.dims) tensor for each branch."""
    return torch.split(features, [branch.dims for branch in branches], dim=1)
