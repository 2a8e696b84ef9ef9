"""The re-id network: backbone, pooling and batch-norm neck. Inference is one forward pass."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from common.errors import InputError
from reid.architectures import Body, build_body
from reid.backbones import build_backbone
from reid.backbones.pretrained import load_pretrained, read_weights
from reid.branches import Branch, ImageLabels
from reid.interface import Distance
from reid.pooling import AveragePooling, GeneralisedMeanPooling
from reid.settings import ModelConfig


class Neck(nn.BatchNorm1d):
    """Batch norm of the first `num_features` features; any others pass unchanged."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if features.shape[1] == self.num_features:
            return super().forward(features)
        first, others = features[:, : self.num_features], features[:, self.num_features :]
        return torch.cat((super().forward(first), others), dim=1)


class ReidModel(nn.Module):
    """Maps images to features x (`forward`) and to features for ranking (`embed`), as a rule x_bar, after the neck.

    The neck (`bottleneck`) is the BatchNorm1d of H. Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person
    Re-Identification" (2019): the triplet loss uses x, the classifier and the test distances use x_bar. Batch norm
    treats each dimension on its own, so one neck serves all branches.

    Attributes:
        config: the configuration that it was built from.
        dims: length of a feature vector.
        branches: parts of the feature vector with losses of their own; one for a plain network.
        takes_labels: whether cameras and viewpoints of the images are used.
        distance: how vectors are ranked.
    """

    _scale: torch.Tensor | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        body = build_body(config)
        self.backbone = build_backbone(config) if body is None else body
        dims = self.backbone.dims
        assert isinstance(dims, int)
        self.dims = dims
        self.branches = (Branch("global", dims),) if body is None else body.branches
        self.takes_labels = body is not None and body.takes_labels
        self.pooling = GeneralisedMeanPooling(config.gem_power) if config.pooling == "gem" else AveragePooling()
        self.distance: Distance = "cosine" if body is None else body.distance
        self.bottleneck = Neck(dims if body is None else body.neck_dims)
        self.bottleneck.bias.requires_grad_(config.bottleneck_bias)
        scaled = any(branch.scale != 1.0 for branch in self.branches)
        scales = [torch.full((branch.dims,), branch.scale) for branch in self.branches]
        self.register_buffer("_scale", torch.cat(scales) if scaled else None, persistent=False)

    @property
    def trunk(self) -> nn.Module:
        """The pretrained part of the network."""
        return self.backbone.trunk if isinstance(self.backbone, Body) else self.backbone

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        """Compute the features before the batch-norm neck.

        Args:
            images: (n, 3, h, w), RGB, normalised (`normalise`); h and w may differ from the configured size.
            labels: cameras and viewpoints of the images, for networks that take them; None: not known.

        Returns:
            (n, dims) float32.
        """
        features: torch.Tensor = self.backbone(images, labels) if self.takes_labels else self.backbone(images)
        if features.ndim == 4:
            features = self.pooling(features)
        return features.float()

    def embed(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        """Compute the features for ranking, (n, dims) float32, not L2-normalised; arguments as in `forward`."""
        result: torch.Tensor = self(images, labels)
        if self.config.test_feature == "after":
            result = self.bottleneck(result)
        result = result if self._scale is None else result * self._scale
        return self.backbone.finish(result) if isinstance(self.backbone, Body) else result


def build_model(config: ModelConfig, pretrained: str = "none", *, neck: bool = False) -> ReidModel:
    """Build the network of `config`, initialised from `pretrained` (`none`, `imagenet` or a file).

    Args:
        config: architecture and input.
        pretrained: initial weights of the backbone.
        neck: also take pooling and batch-norm neck, from a checkpoint of this project.

    Raises:
        InputError: unknown backbone, or weights that cannot be obtained or do not fit.
    """
    model = ReidModel(config)
    if isinstance(model.backbone, Body):
        model.backbone.load_pretrained(pretrained)
    else:
        load_pretrained(model.backbone, config.backbone, pretrained)
    if neck:
        _load_neck(model, pretrained)
    return model


def _load_neck(model: ReidModel, pretrained: str) -> None:
    if pretrained in ("none", "imagenet"):
        raise InputError(f"pretrained_neck: {pretrained} has no neck; give a checkpoint, or set it to false")
    weights = read_weights(Path(pretrained).expanduser())
    for part in ("pooling", "bottleneck"):
        module: nn.Module = getattr(model, part)
        own = module.state_dict()
        found = {name: weights[f"{part}.{name}"] for name in own if f"{part}.{name}" in weights}
        if len(found) < len(own) or any(value.shape != own[name].shape for name, value in found.items()):
            raise InputError(f"pretrained_neck: {pretrained} has no {part} of this network; set it to false")
        module.load_state_dict(found)


def normalise(images: torch.Tensor, config: ModelConfig) -> torch.Tensor:
    """Normalise images to network input: `(images / 255 - mean) / std` per channel.

    Args:
        images: (n, 3, h, w), RGB in 0..255, uint8 or float.
        config: provides mean and standard deviation.

    Returns:
        (n, 3, h, w) float32 in the memory layout of `images`.
    """
    mean = torch.tensor(config.mean, device=images.device).mul(255.0).view(1, 3, 1, 1)
    scale = torch.tensor(config.std, device=images.device).mul(255.0).reciprocal().view(1, 3, 1, 1)
    return (images.float() - mean) * scale
