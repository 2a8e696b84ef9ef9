"""The re-id network: backbone, pooling and batch-norm neck. Inference is one forward pass."""

from __future__ import annotations

import torch
from torch import nn

from reid.backbones import build_backbone
from reid.backbones.pretrained import load_pretrained
from reid.pooling import AveragePooling, GeneralisedMeanPooling
from reid.settings import ModelConfig


class ReidModel(nn.Module):
    """Maps images to features x (`forward`) and to features x_bar after the batch-norm neck (`embed`).

    The neck (`bottleneck`) is the BatchNorm1d of H. Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person
    Re-Identification" (2019): the triplet loss uses x, the classifier and the test distances use x_bar.

    Attributes:
        config: the configuration that it was built from.
        dims: length of a feature vector.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)
        dims = self.backbone.dims
        assert isinstance(dims, int)
        self.dims = dims
        self.pooling = GeneralisedMeanPooling(config.gem_power) if config.pooling == "gem" else AveragePooling()
        self.bottleneck = nn.BatchNorm1d(dims)
        self.bottleneck.bias.requires_grad_(config.bottleneck_bias)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the features before the batch-norm neck.

        Args:
            images: (n, 3, h, w), RGB, normalised (`normalise`); h and w may differ from the configured size.

        Returns:
            (n, dims) float32.
        """
        features: torch.Tensor = self.backbone(images)
        if features.ndim == 4:
            features = self.pooling(features)
        return features.float()

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the features for ranking, (n, dims) float32, not L2-normalised; arguments as in `forward`."""
        result: torch.Tensor = self.bottleneck(self(images))
        return result


def build_model(config: ModelConfig, pretrained: str = "none") -> ReidModel:
    """Build the network of `config`, initialised from `pretrained` (`none`, `imagenet` or a file).

    Raises:
        InputError: unknown backbone, or weights that cannot be obtained or do not fit.
    """
    model = ReidModel(config)
    load_pretrained(model.backbone, config.backbone, pretrained)
    return model


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
