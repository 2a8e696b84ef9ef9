"""The auto-encoder of SAVER and EVER: a coarse reconstruction of a vehicle, and what is missing in it.

P. Khorramshahi et al., "The Devil is in the Details: Self-Supervised Attention for Vehicle Re-Identification" (SAVER),
ECCV 2020; N. Peri et al., "Towards Real-Time Systems for Vehicle Re-Identification, Multi-Camera Tracking, and Anomaly
Detection" (EVER), CVPR Workshops 2020. No code of either is published, and the papers leave the layers open: **the
architecture and the mean reductions of the loss are this project's**. It has 7.3 M parameters, which with ResNet-50
gives the 31 M that SSBVER's Table 5 lists for SAVER.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from common.errors import InputError
from common.settings import validate
from reid.settings import AutoEncoderConfig
from reid.tensor_files import read_tensors, require_same_tensors

FORMAT = "reid-auto-encoder-1"


class Reconstruction(NamedTuple):
    """Output of the auto-encoder for (n, 3, h, w) images.

    Attributes:
        images: (n, 3, h, w) the coarse reconstruction, in the units of the input.
        mean: (n, z, h', w') of the latent variables.
        log_variance: (n, z, h', w') likewise.
    """

    images: torch.Tensor
    mean: torch.Tensor
    log_variance: torch.Tensor


class AutoEncoder(nn.Module):
    """A convolutional variational auto-encoder, encoder and decoder of the same size.

    In training the latent variables are drawn, in evaluation they are their means.
    """

    def __init__(self, config: AutoEncoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = (3, *config.channels)
        self.stride = 2 ** len(config.channels)
        encoder: list[nn.Module] = []
        for before, after in pairwise(widths):
            encoder += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*encoder)
        self.to_latent = nn.Conv2d(widths[-1], 2 * config.latent, 3, padding=1)
        self.from_latent = nn.Conv2d(config.latent, widths[-1], 3, padding=1)
        decoder: list[nn.Module] = []
        for before, after in pairwise(widths[:1:-1] + widths[1:2]):
            layer = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            decoder += [nn.ReLU(), layer, nn.BatchNorm2d(after)]
        self.decoder = nn.Sequential(*decoder, nn.ReLU(), nn.ConvTranspose2d(widths[1], 3, 4, 2, 1))

    def forward(self, images: torch.Tensor) -> Reconstruction:
        """Reconstruct (n, 3, h, w) images of any size."""
        height, width = images.shape[-2:]
        padding = (0, -width % self.stride, 0, -height % self.stride)
        padded = F.pad(images, padding, mode="replicate") if any(padding) else images
        mean, log_variance = self.to_latent(self.encoder(padded)).chunk(2, dim=1)
        log_variance = log_variance.clamp(-20.0, 10.0)
        latent = mean
        if self.training:
            latent = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        drawn = self.decoder(self.from_latent(latent))
        return Reconstruction(drawn[:, :, :height, :width], mean, log_variance)


def generation_loss(found: Reconstruction, images: torch.Tensor, divergence: float) -> torch.Tensor:
    """L_gen = MSE(I, I_g) + lambda * KL, each a mean over all numbers, in float32.

    Args:
        found: output of the auto-encoder.
        images: its input.
        divergence: lambda, weight of the Kullback-Leibler divergence from N(0, 1).
    """
    mean, log_variance = found.mean.float(), found.log_variance.float()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).mean()
    return F.mse_loss(found.images.float(), images.float()) + divergence * kl


def load_auto_encoder(path: str | Path, wanted: AutoEncoderConfig | None = None) -> AutoEncoder:
    """Read an auto-encoder written by `python -m reid.pretrain auto-encoder`.

    Raises:
        InputError: the file is missing, damaged, not an auto-encoder, or not the one that is wanted.
    """
    path = Path(path).expanduser()
    tensors, description = read_tensors(path)
    if description.get("format") != FORMAT:
        raise InputError(f"{path}: not an auto-encoder (format {description.get('format')!r}, expected {FORMAT!r})")
    config = validate(AutoEncoderConfig, description["auto_encoder"], f"{path}: auto_encoder")
    if wanted is not None and config != wanted:
        raise InputError(f"{path}: has {config!r}, but model.auto_encoder is {wanted!r}; make them the same")
    network = AutoEncoder(config)
    require_same_tensors(network.state_dict(), tensors, path)
    network.load_state_dict(tensors)
    return network
