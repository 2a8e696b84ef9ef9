"""Any timm model as a backbone. Vision transformers and Swins take every size that their patches divide."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from common.errors import InputError
from common.nearest import nearest
from reid.backbones.resnet import RESNETS

ALIASES = {
    "vit_base": "vit_base_patch16_224",
    "swin_base": "swin_base_patch4_window7_224",
    "convnext_base": "convnext_base",
}
"""The paper's backbones that timm has."""

# Transformers need to be told their image's size and that others (local views) will come; networks without
# position embeddings refuse such arguments. The first set that a model takes is used.
_SIZE_ARGUMENTS: tuple[tuple[str, ...], ...] = (("img_size", "dynamic_img_size"), ("img_size", "strict_img_size"), ())


class TimmBackbone(nn.Module):
    """Images (n, 3, h, w) to timm's own pooled features (n, dims), or to maps (n, dims, h', w') with `as_map`.

    Args:
        name: a timm model or an alias of one.
        image_size: height and width of the global views.
        pretrained: fetch ImageNet weights (timm's cache or the internet).
        as_map: leave pooling to the caller; only for networks whose last features are a map.
    """

    def __init__(self, name: str, image_size: tuple[int, int], pretrained: bool = False, as_map: bool = False) -> None:
        super().__init__()
        self.network = _create(ALIASES.get(name, name), image_size, pretrained, {"global_pool": ""} if as_map else {})
        dims = self.network.num_features
        assert isinstance(dims, int)
        self.dims = dims
        # NHWC maps (Swin) are turned; where the network pools by itself there is nothing to turn.
        self.turn = as_map and getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        self.as_map = as_map
        self.name = name

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        try:
            features: torch.Tensor = self.network(images)
        except AssertionError as error:  # how timm refuses a size that its patches do not divide
            size = f"{images.shape[2]} x {images.shape[3]}"
            raise InputError(
                f"model.backbone: {self.name} takes no images of {size} ({error}); change model.image_size or "
                "views.local_size"
            ) from error
        if self.as_map and features.ndim != 4:
            raise InputError(f"model.pooling: {self.name} gives no feature map; use avg, which is its own pooling")
        return features.permute(0, 3, 1, 2) if self.turn else features


def _create(name: str, image_size: tuple[int, int], pretrained: bool, extra: dict[str, Any]) -> nn.Module:
    import timm  # brings two seconds of other imports along, which most runs do not need

    if not timm.is_model(name.split(".")[0]):
        known = [*RESNETS, *ALIASES, *timm.list_models()]
        raise InputError(f"model.backbone: no network is called {name}{nearest(name, known)}")
    values: dict[str, Any] = {"img_size": image_size, "dynamic_img_size": True, "strict_img_size": False}
    for keys in _SIZE_ARGUMENTS:
        arguments: dict[str, Any] = {key: values[key] for key in keys}
        try:
            model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, **arguments, **extra)
        except TypeError as error:
            if not any(key in str(error) for key in keys):
                raise
            continue
        return model
    raise AssertionError("the last set of arguments is empty: nothing in it can be refused")
