"""Groups of parameters with learning rates of their own: biases, and layers by depth."""

from __future__ import annotations

from typing import Any

from torch import nn

from common.errors import InputError
from reid.backbones import TimmBackbone
from reid.settings import OptimiserSettings
from reid.training.objective import Student


def parameter_groups(settings: OptimiserSettings, student: Student) -> list[dict[str, Any]]:
    """Group the trained parameters by the factor of their learning rate.

    Args:
        settings: `layer_decay` and `bias_factor`.
        student: the network with its heads.

    Returns:
        Groups as torch's optimisers take them, each with its factor under `scale`; a single one if all factors are 1.

    Raises:
        InputError: `layer_decay` with a backbone that is not timm's.
    """
    depth = _depth_factors(settings.layer_decay, student) if settings.layer_decay < 1 else {}
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in student.named_parameters():
        if parameter.requires_grad:
            factor = depth.get(id(parameter), 1.0)
            factor *= settings.bias_factor if name.endswith("bias") else 1.0
            groups.setdefault(factor, []).append(parameter)
    return [{"params": parameters, "scale": factor} for factor, parameters in groups.items()]


def _depth_factors(decay: float, student: Student) -> dict[int, float]:
    """The factor of each parameter of the backbone, by identity: `decay` to the power of the layers above it.

    H. Bao et al., "BEiT", ICLR 2022; the layers and factors are those of timm (`param_groups_layer_decay`), in which
    the final norm counts as the last layer.
    """
    from timm.models import group_parameters  # slow to import, and most runs do not need it

    backbone = student.encoder.model.backbone
    if not isinstance(backbone, TimmBackbone):
        raise InputError("optimiser.layer_decay: only for networks of timm; set it to 1")
    network = backbone.network
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        raise InputError(f"optimiser.layer_decay: {backbone.name} has no order of layers; set it to 1")
    layers = group_parameters(network, matcher(coarse=False), reverse=True)
    last = max(layers.values())
    return {id(p): decay ** (last - layers[name]) for name, p in network.named_parameters()}
