"""What every architecture beyond a single backbone with pooling has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from common.errors import InputError
from reid.backbones.pretrained import read_weights
from reid.branches import Branch, ImageLabels
from reid.interface import Distance
from reid.settings import ModelConfig


class Body(nn.Module, ABC):
    """Everything between the images and the batch-norm neck; subclasses set `branches` and implement the rest.

    `ReidModel` takes it in the place of a backbone with pooling, adds the neck, and ranks by its features.

    Attributes:
        branches: the parts of the feature vector, in order.
        takes_labels: whether `forward` uses cameras and viewpoints.
        distance: how vectors are ranked.
    """

    takes_labels = False
    distance: ClassVar[Distance] = "cosine"
    branches: tuple[Branch, ...]

    @property
    def dims(self) -> int:
        """Length of the feature vector."""
        return sum(branch.dims for branch in self.branches)

    @property
    def neck_dims(self) -> int:
        """Number of features, from the first on, that pass through the batch-norm neck; the others pass it by."""
        return self.dims

    @property
    @abstractmethod
    def trunk(self) -> nn.Module:
        """The pretrained part, which `optimiser.frozen_epochs` freezes."""

    @abstractmethod
    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        """Map normalised images (n, 3, h, w) to the features of all branches side by side, (n, dims)."""

    def finish(self, features: torch.Tensor) -> torch.Tensor:
        """Make the vectors for ranking, (n, dims), from the features after the neck."""
        return features

    def load_part(self, path: str | Path) -> None:
        """Load a part that was trained before (`python -m reid.pretrain`).

        Raises:
            InputError: this architecture has none, or the file holds another one.
        """
        raise InputError(f"pretrained_part: this architecture has no part to load; remove {path}")

    def require_parts(self) -> None:
        """Check that all parts that this training does not train have been loaded.

        Raises:
            InputError: one is missing; the message names the command that makes it.
        """

    @abstractmethod
    def load_trunk(self, source: str) -> None:
        """Initialise from weights of the trunk alone: `imagenet` or a file.

        Raises:
            InputError: the weights cannot be obtained or do not fit.
        """

    def make_auxiliary(self) -> nn.Module | None:
        """A loss that trains with this network and is not part of it: None, or a module called as
        `auxiliary(model, images, progress)` with the `ReidModel`, the normalised global views (m, 3, h, w) and the
        fraction of the epochs that are done; it returns a scalar. Its parameters are trained and saved with the state.
        """
        return None

    def check_labels(self, camera: npt.NDArray[np.int64], viewpoint: npt.NDArray[np.int64]) -> tuple[str, ...]:
        """Check that the labels of the training images, both (n,), can be used; return notes about them.

        Raises:
            InputError: they do not fit the network; the message names the setting.
        """
        return ()

    def unused_parameters(self) -> int:
        """Parameters that the authors' module holds and never runs; the paper's Table 5 counts them."""
        return 0

    def paper_parameters(self, deployed: int, identities: int) -> int:
        """Parameters as the paper's Table 5 counts them, whose conventions differ from row to row.

        Args:
            deployed: parameters of the deployed network, necks included.
            identities: classes of a classifier.
        """
        return deployed + self.unused_parameters()

    def load_pretrained(self, source: str) -> None:
        """Initialise from `source`: `none` (leave it random), `imagenet`, or a file.

        A checkpoint of the same architecture is loaded as a whole; any other file must hold the trunk's weights.

        Raises:
            InputError: the weights cannot be obtained or do not fit.
        """
        if source != "none" and not (Path(source).expanduser().is_file() and self._load_whole(source)):
            self.load_trunk(source)

    def _load_whole(self, source: str) -> bool:
        weights = read_weights(Path(source).expanduser())
        own = self.state_dict()
        found = {name: weights.get(f"backbone.{name}") for name in own}
        usable = {name: value for name, value in found.items() if value is not None and value.shape == own[name].shape}
        if len(usable) < len(own):
            return False
        self.load_state_dict(usable)
        return True


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context that computes in the precision of the tensors; on the meta device, which knows no autocast, nothing."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def require_average_pooling(config: ModelConfig, architecture: str) -> None:
    """Check that no other pooling is asked for, which an architecture with its own would ignore.

    Raises:
        InputError: it is; the message names the setting.
    """
    if config.pooling != "avg":
        raise InputError(f"model.pooling: {architecture} does not pool by {config.pooling}; set it to avg")


def require_square(size: tuple[int, int], what: str) -> None:
    """Check that images are square.

    Raises:
        InputError: they are not; the message names the setting.
    """
    if size[0] != size[1]:
        raise InputError(f"model.image_size: {what} needs square images, not {size[0]} x {size[1]}")
