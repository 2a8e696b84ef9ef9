"""The parser: a U-Net that finds a vehicle's front, back, roof and side in its image.

D. Meng et al., "Parsing-based View-aware Embedding Network for Vehicle Re-Identification" (PVEN), CVPR 2020, use the
U-Net of segmentation_models_pytorch with a SE-ResNeXt-50 (32x4d) as encoder: 34,524,549 parameters, as here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from common.errors import InputError
from common.nearest import nearest
from common.settings import validate
from reid.settings import ParserConfig
from reid.tensor_files import read_tensors, require_same_tensors

PARTS = ("front", "back", "roof", "side")
CLASSES = ("background", *PARTS)
"""The parser's maps, in order; a mask file holds the number of the class."""
FORMAT = "reid-parser-1"
_LEVELS = 5


class PartParser(nn.Module):
    """Map images to one map of logits for each of `CLASSES`.

    Args:
        config: encoder, a timm network with feature maps of strides 2, 4, 8, 16, 32; widths of the decoder.

    Raises:
        InputError: there is no such network, or it has other strides.
    """

    def __init__(self, config: ParserConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config.encoder)
        info = cast(Any, self.encoder).feature_info
        channels: list[int] = info.channels()
        if list(info.reduction()) != [2, 4, 8, 16, 32]:
            raise InputError(
                f"parser encoder {config.encoder}: its feature maps have strides {list(info.reduction())}; a parser "
                "needs 2, 4, 8, 16 and 32, as ResNets have"
            )
        blocks = []
        width = channels[-1]
        for skip, out in zip((*channels[-2::-1], 0), config.decoder, strict=True):
            blocks.append(_DecoderBlock(width + skip, out))
            width = out
        self.decoder = nn.ModuleList(blocks)
        self.head = nn.Conv2d(width, len(CLASSES), 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the maps.

        Args:
            images: (n, 3, h, w), normalised with ImageNet's mean and standard deviation, any size.

        Returns:
            (n, 5, h, w) logits.
        """
        maps: list[torch.Tensor] = self.encoder(images)
        x = maps[-1]
        for block, skip in zip(self.decoder, (*maps[-2::-1], None), strict=True):
            size = images.shape[-2:] if skip is None else skip.shape[-2:]
            x = F.interpolate(x, size=size, mode="nearest")
            x = block(x if skip is None else torch.cat((x, skip), dim=1))
        result: torch.Tensor = self.head(x)
        return result

    def masks(self, images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Masks of the four parts at the resolution of a feature map.

        A pixel belongs to the first of the classes whose probability is at least one half, if any; shrinking takes the
        nearest pixel. Both as in the authors' code.

        Args:
            images: as in `forward`.
            size: height and width of the masks.

        Returns:
            (n, 4, height, width) of 0 and 1, in the order of `PARTS`.
        """
        found = (self(images).float() >= 0).float()
        first = found * (found.cumsum(dim=1) == 1)
        return F.interpolate(first[:, 1:], size=size, mode="nearest")


class _DecoderBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and ReLU."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for width in (channels, out):
            layers += [nn.Conv2d(width, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(x)
        return result


def _encoder(name: str, pretrained: bool = False) -> nn.Module:
    import timm  # takes two seconds to import, and most runs do not need it

    if not timm.is_model(name.split(".")[0]):
        raise InputError(f"parser encoder: unknown network {name}{nearest(name, timm.list_models())}")
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=pretrained, features_only=True, out_indices=tuple(range(_LEVELS))
        )
    except (RuntimeError, AssertionError, IndexError, ValueError, TypeError) as error:
        raise InputError(f"parser encoder {name}: has no five feature maps ({str(error)[:100]})") from error
    return model


def load_imagenet_encoder(parser: PartParser) -> None:
    """Start the encoder from ImageNet weights (downloaded by timm).

    Raises:
        InputError: they cannot be had.
    """
    name = parser.config.encoder
    try:
        parser.encoder.load_state_dict(_encoder(name, pretrained=True).state_dict())
    except (OSError, InputError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"pretrained: ImageNet weights of {name} cannot be fetched ({reason:.100}); pretrained=none trains from "
            "random weights"
        ) from error


def load_parser(path: str | Path, wanted: ParserConfig | None = None) -> PartParser:
    """Read a parser written by `python -m reid.pretrain parser`.

    Raises:
        InputError: the file is missing, damaged, not a parser, or not the one that is wanted.
    """
    path = Path(path).expanduser()
    tensors, description = read_tensors(path)
    if description.get("format") != FORMAT:
        raise InputError(f"{path}: not a parser (format {description.get('format')!r}, expected {FORMAT!r})")
    config = validate(ParserConfig, description["parser"], f"{path}: parser")
    if wanted is not None and config != wanted:
        raise InputError(f"{path}: has {config!r}, but model.parser is {wanted!r}; make them the same")
    parser = PartParser(config)
    require_same_tensors(parser.state_dict(), tensors, path)
    parser.load_state_dict(tensors)
    return parser
