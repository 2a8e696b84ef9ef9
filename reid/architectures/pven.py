"""PVEN: a feature of the whole vehicle and one of each of its parts, compared over the parts that both images show.

D. Meng et al., "Parsing-based View-aware Embedding Network for Vehicle Re-Identification", CVPR 2020. Two differences
from the authors' code: the parser runs inside the network, on the image (or augmented view) at hand, instead of once
before the training; so no mask files are needed, and any crop can be embedded.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import nn

from common.errors import InputError
from reid.architectures.body import Body, without_autocast
from reid.architectures.trunk import load_resnet, resnet_trunk
from reid.branches import Branch, ImageLabels, split_features
from reid.interface import Distance
from reid.parts.distance import PARTS, pack_parts, pack_vehicle
from reid.parts.parser import PartParser, load_parser
from reid.settings import IMAGENET_MEAN, IMAGENET_STD, ModelConfig


class Pven(Body):
    """A ResNet with one feature of the whole image and four of parts, and the parser that finds the parts.

    The parser is frozen. The neck of `ReidModel` serves the whole vehicle; the parts have a batch norm of their own,
    after which they are normalised and packed with their visibilities (`reid.parts.distance`).
    """

    distance: ClassVar[Distance] = "common_visible"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.pooling != "avg":
            raise InputError("model.pooling: pven averages over the whole map and over the parts; set it to avg")
        self.network = resnet_trunk(config, "pven")
        self.parser = PartParser(config.parser)
        self.parser.requires_grad_(False)
        dims = self.network.dims
        self.part_neck = nn.BatchNorm1d(PARTS * dims)
        self.branches = (
            Branch("whole", dims),
            Branch("parts", PARTS * dims, classification=0.0, center=0.0, distance="common_visible"),
        )
        self._name = config.backbone
        scale, offset = _between(config.mean, config.std)
        self.register_buffer("_parser_scale", scale, persistent=False)
        self.register_buffer("_parser_offset", offset, persistent=False)
        self._parser_is_trained = False

    _parser_scale: torch.Tensor
    _parser_offset: torch.Tensor

    @property
    def trunk(self) -> nn.Module:
        return self.network

    @property
    def neck_dims(self) -> int:
        return self.branches[0].dims

    def train(self, mode: bool = True) -> Pven:
        super().train(mode)
        self.parser.eval()
        return self

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        maps = self.network(images)
        with torch.no_grad():
            masks = self.parser.masks(self._parser_scale * images + self._parser_offset, maps.shape[-2:])
        maps = maps.float()
        local, visibility = part_features(maps, masks)
        with without_autocast(images.device):
            normed = self.part_neck(local.flatten(1)).unflatten(1, (PARTS, -1))
            return torch.cat((maps.mean(dim=(2, 3)), pack_parts(normed, visibility)), dim=1)

    def finish(self, features: torch.Tensor) -> torch.Tensor:
        whole, parts = split_features(features, self.branches)
        return pack_vehicle(whole, parts)

    def load_trunk(self, source: str) -> None:
        load_resnet(self.network, self._name, source)

    def load_part(self, path: str | Path) -> None:
        self.parser.load_state_dict(load_parser(path, self.parser.config).state_dict())
        self._parser_is_trained = True

    def paper_parameters(self, deployed: int, identities: int) -> int:
        """With the classifier of the whole vehicle."""
        return deployed + self.branches[0].dims * identities

    def _load_whole(self, source: str) -> bool:
        self._parser_is_trained = super()._load_whole(source)
        return self._parser_is_trained

    def require_parts(self) -> None:
        if not self._parser_is_trained:
            raise InputError(
                "pretrained_part: pven needs a trained parser; give model.safetensors of python -m reid.pretrain parser"
            )


def part_features(maps: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """v_i = 1 + sum_p mask_i(p) and f_i = sum_p mask_i(p) x(p) / v_i of each part i.

    Args:
        maps: (n, c, h, w) float32 features x.
        masks: (n, 4, h, w) of 0 and 1.

    Returns:
        Features (n, 4, c) and visibilities (n, 4).
    """
    visibility = 1.0 + masks.sum(dim=(2, 3))
    local = torch.einsum("nchw,nphw->npc", maps, masks) / visibility[:, :, None]
    return local, visibility


def _between(mean: tuple[float, float, float], std: tuple[float, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset (1, 3, 1, 1) that turn images normalised for the network into those of the parser."""
    m, s, pm, ps = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std, IMAGENET_MEAN, IMAGENET_STD))
    return s / ps, (m - pm) / ps
