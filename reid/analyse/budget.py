"""Compute budget of a training run: its counted operations divided by an assumed sustained speed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from common.errors import InputError
from reid.datasets import PUBLISHED_TRAINING_IMAGES
from reid.models import ReidModel
from reid.settings import ModelConfig, TrainSettings

# A backward pass costs about two forward passes: gradients of the inputs and of the weights.
_FORWARD_AND_BACKWARD = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """Compute budget of one training run.

    Attributes:
        inference_gflop: forward pass of one image; a multiply-add counts as two operations.
        image_gflop: all forward and backward passes over one image's views in one step.
        steps: number of steps.
        total_pflop: whole run, in 10^15 operations.
    """

    inference_gflop: float
    image_gflop: float
    steps: int
    total_pflop: float

    def hours(self, peak_tflops: float, utilisation: float) -> float:
        """Estimate the hours from a device's peak and the sustained fraction of it. Data loading may be slower."""
        return self.total_pflop * 1e3 / (peak_tflops * utilisation) / 3600


def training_budget(settings: TrainSettings, images: int = 0) -> Budget:
    """Count the operations of a training run. Heads and optimiser, a few per cent, are neglected.

    Args:
        settings: settings of the run; the backbone is built on the meta device, nothing is computed.
        images: number of training images, which determines the steps per epoch; 0: the published number.

    Raises:
        InputError: `images` is 0 and the data set is not a published one.
    """
    images = images or PUBLISHED_TRAINING_IMAGES.get(settings.data.name, 0)
    if not images:
        raise InputError(f"data.name: the size of a {settings.data.name!r} data set is not known; give --images")
    whole = forward_flop(settings.model, settings.model.image_size)
    image = settings.views.global_views * _FORWARD_AND_BACKWARD * whole
    if settings.self_supervised:
        image += settings.views.global_views * whole  # the teacher
        if settings.views.local:
            part = forward_flop(settings.model, settings.views.local_size)
            image += settings.views.local * _FORWARD_AND_BACKWARD * part
    batch = settings.sampler.identities * settings.sampler.images
    steps = settings.run.epochs * (settings.run.steps_per_epoch or max(1, images // batch))
    return Budget(whole / 1e9, image / 1e9, steps, steps * batch * image / 1e15)


@cache
def forward_flop(config: ModelConfig, size: tuple[int, int]) -> float:
    """Count the floating-point operations of the forward pass of one image (a multiply-add counts as two)."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        # Pooling is negligible, and GeM's autocast block does not support the meta device.
        ReidModel(config.model_copy(update={"pooling": "avg"})).eval()(torch.empty(1, 3, *size))
    return float(counter.get_total_flops())
