"""Any timm model as a backbone. Vision and Swin transformers take any size divisible by their patch size."""

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
"""The paper's backbones that are timm models."""

# Transformers need to know the image size and that other sizes (local views) will follow; networks without position
# embeddings reject such arguments. The first set of arguments that a model accepts is used.
_SIZE_ARGUMENTS: tuple[tuple[str, ...], ...] = (("img_size", "dynamic_img_size"), ("img_size", "strict_img_size"), ())


class TimmBackbone(nn.Module):
    """Maps images (n, 3, h, w) to timm's pooled features (n, dims), or with `as_map` to maps (n, dims, h', w').

    Args:
        name: a timm model or an alias.
        image_size: height and width of the global views.
        pretrained: load ImageNet weights (from timm's cache or the internet).
        as_map: return the feature map without pooling; only for networks that have one.
        drop_path: probability of stochastic depth in the last block, for networks that have it.
    """

    def __init__(
        self,
        name: str,
        image_size: tuple[int, int],
        pretrained: bool = False,
        as_map: bool = False,
        *,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        extra: dict[str, Any] = {"global_pool": ""} if as_map else {}
        if drop_path:
            extra["drop_path_rate"] = drop_path
        self.network = _create(ALIASES.get(name, name), image_size, pretrained, extra)
        dims = self.network.num_features
        assert isinstance(dims, int)
        self.dims = dims
        # NHWC maps (Swin) are permuted; pooled features need no permutation.
        self.permute = as_map and getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        self.as_map = as_map
        self.name = name

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        try:
            features: torch.Tensor = self.network(images)
        except AssertionError as error:  # timm's error for a size that is not divisible by the patch size
            size = f"{images.shape[2]} x {images.shape[3]}"
            raise InputError(
                f"model.backbone: {self.name} does not accept images of {size} ({error}); change model.image_size or "
                "views.local_size"
            ) from error
        if self.as_map and features.ndim != 4:
            raise InputError(f"model.pooling: {self.name} has no feature map; use avg, its built-in pooling")
        return features.permute(0, 3, 1, 2) if self.permute else features


def _create(name: str, image_size: tuple[int, int], pretrained: bool, extra: dict[str, Any]) -> nn.Module:
    import timm  # takes two seconds to import, and most runs do not need it

    if not timm.is_model(name.split(".")[0]):
        known = [*RESNETS, *ALIASES, *timm.list_models()]
        raise InputError(f"model.backbone: unknown network {name}{nearest(name, known)}")
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
    raise AssertionError("unreachable: the last set of arguments is empty")
