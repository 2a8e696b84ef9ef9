"""TransReID: a vision transformer with a jigsaw branch and embeddings of camera and viewpoint.

S. He et al., "TransReID: Transformer-based Object Re-Identification", ICCV 2021, as the authors' code has it (which
shifts by one patch less than the paper's formula, and leaves the patches over that do not fill the four runs).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional as F

from common.errors import InputError
from reid.architectures.body import Body, require_average_pooling
from reid.backbones import TimmBackbone
from reid.backbones.pretrained import load_pretrained
from reid.branches import UNKNOWN, Branch, ImageLabels
from reid.settings import ModelConfig

_GROUPS = 2
_RUNS = 4
_TIMM_HEAD = 1000  # classes of the ImageNet head that the authors' module keeps
_EMBEDDING_DEVIATION = 0.02
_PRETRAINED_SIZE = (224, 224)


class TransReid(Body):
    """Global feature and four jigsaw features of a vision transformer, five branches.

    The last block and norm exist twice: copy A sees all patches and gives the global feature, copy B sees each run of
    the rearranged patches. Without jigsaw there is copy A alone, and a single branch.

    Args:
        config: `backbone` is a vision transformer of timm (the paper: `vit_base`); `transreid` has the other choices.

    Raises:
        InputError: the backbone is no vision transformer with a class token, or the image is smaller than a patch.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        require_average_pooling(config, "transreid")
        self.name = config.backbone
        options = config.transreid
        self.options = options
        network = _vision_transformer(config)
        width = int(network.embed_dim)
        convolution = network.patch_embed.proj
        convolution.stride = (options.stride, options.stride)
        self.grid = self._grid(config.image_size, convolution.kernel_size)
        self.patches = convolution
        self.norm_pre = network.norm_pre
        self.class_token = network.cls_token
        self.positions = nn.Parameter(torch.empty(1, 1 + self.grid[0] * self.grid[1], width))
        nn.init.trunc_normal_(self.positions, std=_EMBEDDING_DEVIATION)
        *lower, last = network.blocks
        self.blocks = nn.ModuleList(lower)
        self.global_head = nn.Sequential(last, network.norm)
        self.jigsaw_head = copy.deepcopy(self.global_head) if options.jigsaw else None
        self.places = None
        self.takes_labels = bool(options.cameras or options.viewpoints)
        if self.takes_labels:
            rows = max(options.cameras, 1) * max(options.viewpoints, 1)
            self.places = nn.Parameter(torch.empty(rows, width))
            nn.init.trunc_normal_(self.places, std=_EMBEDDING_DEVIATION)
        if options.jigsaw:
            local = [Branch(f"part{i + 1}", width, 0.5 / _RUNS, 0.5 / _RUNS, scale=1 / _RUNS) for i in range(_RUNS)]
            self.branches = (Branch("global", width, 0.5, 0.5), *local)
        else:
            self.branches = (Branch("global", width),)

    @property
    def trunk(self) -> nn.Module:
        """Everything: all but the embeddings of camera and viewpoint is pretrained."""
        return self

    def load_trunk(self, source: str) -> None:
        plain = TimmBackbone(self.name, _PRETRAINED_SIZE)
        load_pretrained(plain, self.name, source)
        network: Any = plain.network
        self.patches.load_state_dict(network.patch_embed.proj.state_dict())
        *lower, last = network.blocks
        self.norm_pre.load_state_dict(network.norm_pre.state_dict())
        for own, pretrained in zip(self.blocks, lower, strict=True):
            own.load_state_dict(pretrained.state_dict())
        for head in filter(None, (self.global_head, self.jigsaw_head)):
            head[0].load_state_dict(last.state_dict())
            head[1].load_state_dict(network.norm.state_dict())
        with torch.no_grad():
            self.class_token.copy_(network.cls_token)
            self.positions.copy_(resize_positions(network.pos_embed, network.patch_embed.grid_size, self.grid))

    def unused_parameters(self) -> int:
        """The trunk's own last block and norm, from which both copies are made, and its ImageNet head."""
        if self.jigsaw_head is None:
            return 0
        width = self.branches[0].dims
        return sum(p.numel() for p in self.jigsaw_head.parameters()) + (width + 1) * _TIMM_HEAD

    def check_labels(self, camera: npt.NDArray[np.int64], viewpoint: npt.NDArray[np.int64]) -> tuple[str, ...]:
        options = self.options
        notes: list[str] = []
        for name, first, count, values in (
            ("cameras", options.first_camera, options.cameras, camera),
            ("viewpoints", 0, options.viewpoints, viewpoint),
        ):
            outside = (values != UNKNOWN) & ((values < first) | (values >= first + count))
            if not count:
                continue
            if outside.any():
                raise InputError(
                    f"model.transreid.{name}: {count}, numbered from {first}, but the data has {values[outside][0]}; "
                    "set it to the number of the data set, or to 0"
                )
            unknown = int((values == UNKNOWN).sum())
            if unknown == len(values):
                raise InputError(
                    f"model.transreid.{name}: the data has no {name}; set it to 0, or give them (docs/reid.md)"
                )
            if unknown:
                notes.append(f"{unknown} of {len(values)} images without known {name}: the mean embedding is used")
        return tuple(notes)

    def forward(self, images: torch.Tensor, labels: ImageLabels | None = None) -> torch.Tensor:
        grid = self._grid(images.shape[2:], self.patches.kernel_size)
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_token.expand(x.shape[0], -1, -1), x), dim=1)
        x = x + resize_positions(self.positions, self.grid, grid)
        if self.places is not None:
            x = x + self.options.embedding_weight * self._place(labels)
        x = self.norm_pre(x)
        for block in self.blocks:
            x = block(x)
        features = [self.global_head(x)[:, 0]]
        if self.jigsaw_head is not None:
            token, patches = x[:, :1], rearrange_patches(x[:, 1:], self.options.shift)
            length = grid[0] * grid[1] // _RUNS
            for run in range(_RUNS):
                part = patches[:, run * length : (run + 1) * length]
                features.append(self.jigsaw_head(torch.cat((token, part), dim=1))[:, 0])
        return torch.cat(features, dim=1)

    def _place(self, labels: ImageLabels | None) -> torch.Tensor:
        """Embedding of camera and viewpoint, (n or 1, 1, width); the mean over all that fit if one is not known."""
        assert self.places is not None
        options = self.options
        cameras, views = max(options.cameras, 1), max(options.viewpoints, 1)
        table = self.places.view(cameras, views, -1)
        table = torch.cat((table, table.mean(dim=0, keepdim=True)))
        table = torch.cat((table, table.mean(dim=1, keepdim=True)), dim=1)
        if labels is None:
            return table[-1, -1].view(1, 1, -1)
        camera, view = labels.camera - options.first_camera, labels.viewpoint
        camera = torch.where((camera >= 0) & (camera < options.cameras), camera, cameras)
        view = torch.where((view >= 0) & (view < options.viewpoints), view, views)
        return table[camera, view][:, None]

    def _grid(self, size: Any, patch: Any) -> tuple[int, int]:
        if min(size[0] - patch[0], size[1] - patch[1]) < 0:
            raise InputError(
                f"model.image_size: {size[0]} x {size[1]} is smaller than a patch of {patch[0]} x {patch[1]}"
            )
        stride = self.options.stride
        return (size[0] - patch[0]) // stride + 1, (size[1] - patch[1]) // stride + 1


def _vision_transformer(config: ModelConfig) -> Any:
    from timm.models.vision_transformer import VisionTransformer  # slow to import, and most runs do not need it

    network = TimmBackbone(config.backbone, _PRETRAINED_SIZE, drop_path=config.transreid.drop_path).network
    if not isinstance(network, VisionTransformer) or network.cls_token is None or network.num_prefix_tokens != 1:
        raise InputError(
            f"model.backbone: transreid needs a vision transformer of timm with one class token, such as vit_base, not "
            f"{config.backbone}"
        )
    return network


def rearrange_patches(patches: torch.Tensor, shift: int, groups: int = _GROUPS) -> torch.Tensor:
    """The order of the jigsaw branch: shifted, then shuffled. (n, patches, width) to the same, or one patch more.

    Shift: patches `shift` .. N, then 1 .. `shift` - 1 (counted from 1). Shuffle: written as `groups` rows and read by
    columns, which interleaves the halves. Of an odd number, the last but one is repeated at the end before the shuffle.

    >>> rearrange_patches(torch.arange(1, 7).view(1, 6, 1), shift=3).flatten().tolist()
    [3, 6, 4, 1, 5, 2]
    """
    shifted = torch.cat((patches[:, shift - 1 :], patches[:, : shift - 1]), dim=1)
    if shifted.shape[1] % groups:
        shifted = torch.cat((shifted, shifted[:, -2:-1]), dim=1)
    n, count, width = shifted.shape
    return shifted.reshape(n, groups, count // groups, width).transpose(1, 2).reshape(n, count, width)


def resize_positions(positions: torch.Tensor, old: tuple[int, int], new: tuple[int, int]) -> torch.Tensor:
    """Resize a position embedding (1, 1 + h*w, width) bilinearly as a grid; that of the class token is kept."""
    if tuple(old) == tuple(new):
        return positions
    grid = positions[:, 1:].reshape(1, *old, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, new, mode="bilinear", align_corners=False)
    return torch.cat((positions[:, :1], grid.flatten(2).transpose(1, 2)), dim=1)
