"""Learning rate and temperature schedules as pure functions of the epoch."""

from __future__ import annotations

import math

from reid.settings import OptimiserSettings

WARMUP_START = 0.01


def learning_rate(settings: OptimiserSettings, epoch: float, epochs: int) -> float:
    """Return the learning rate at `epoch` (0 at the start, fractional within an epoch).

    Warm-up is linear from 1 % of the rate; with the paper's ten epochs it increases by 0.099 of the rate per epoch.
    """
    if settings.every == "epoch":
        epoch = math.floor(epoch)
    rate = settings.learning_rate
    if settings.schedule == "step":
        rate *= settings.gamma ** sum(epoch >= milestone for milestone in settings.milestones)
    else:
        end = settings.final_learning_rate
        rate = end + (rate - end) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, epoch / epochs)))
    if epoch < settings.warmup_epochs:
        rate *= WARMUP_START + (1.0 - WARMUP_START) * epoch / settings.warmup_epochs
    return rate


def teacher_temperature(bounds: tuple[float, float], warmup_epochs: float, epoch: float) -> float:
    """Return tau_t at `epoch`: linear from the first to the second bound during the warm-up, then constant."""
    done = 1.0 if warmup_epochs == 0 else min(1.0, epoch / warmup_epochs)
    return bounds[0] + (bounds[1] - bounds[0]) * done
