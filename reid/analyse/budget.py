"""How long a training will take: its floating-point operations, counted, over what a device sustains, assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from common.errors import InputError
from reid.datasets import PUBLISHED_TRAINING_IMAGES
from reid.models import ReidModel
from reid.settings import ModelConfig, TrainSettings
from reid.views import GLOBAL_VIEWS

# A backward pass costs about two forward passes: gradients of the inputs and of the weights.
_FORWARD_AND_BACKWARD = 3


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one training run.

    Attributes:
        inference_gflop: of one image's forward pass; a multiplication and an addition count as two.
        image_gflop: of all passes of student and teacher over one image's views in one step.
        steps: in the run.
        total_pflop: of the run, in 10^15 operations.
    """

    inference_gflop: float
    image_gflop: float
    steps: int
    total_pflop: float

    def hours(self, peak_tflops: float, utilisation: float) -> float:
        """At a device's peak and the share of it that is sustained. An estimate: data loading may be slower."""
        return self.total_pflop * 1e3 / (peak_tflops * utilisation) / 3600


def training_budget(settings: TrainSettings, images: int = 0) -> Budget:
    """Count what a training computes. Heads and the optimiser are left out: they are a few per cent.

    Args:
        settings: of the run; its backbone is built without memory, nothing is computed.
        images: training images, which decide the steps an epoch; 0: as many as the data set is published with.

    Raises:
        InputError: `images` is 0 and the data set is a person's own.
    """
    images = images or PUBLISHED_TRAINING_IMAGES.get(settings.data.name, 0)
    if not images:
        raise InputError(f"data.name: the size of a {settings.data.name!r} data set is not known; give --images")
    whole = forward_flop(settings.model, settings.model.image_size)
    image = GLOBAL_VIEWS * _FORWARD_AND_BACKWARD * whole
    if settings.self_supervised:
        image += GLOBAL_VIEWS * whole  # the teacher
        if settings.views.local:
            part = forward_flop(settings.model, settings.views.local_size)
            image += settings.views.local * _FORWARD_AND_BACKWARD * part
    batch = settings.sampler.identities * settings.sampler.images
    steps = settings.run.epochs * (settings.run.steps_per_epoch or max(1, images // batch))
    return Budget(whole / 1e9, image / 1e9, steps, steps * batch * image / 1e15)


@cache
def forward_flop(config: ModelConfig, size: tuple[int, int]) -> float:
    """Floating-point operations of one image's forward pass, a multiplication and an addition counted as two."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter, torch.no_grad():
        # Pooling costs next to nothing, and GeM's float32 island knows no device without memory.
        ReidModel(config.model_copy(update={"pooling": "avg"})).eval()(torch.empty(1, 3, *size))
    return float(counter.get_total_flops())
