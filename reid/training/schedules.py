"""Learning rate and temperature schedules as pure functions of the epoch."""

from __future__ import annotations

import math

from reid.settings import OptimiserSettings


def learning_rate(settings: OptimiserSettings, epoch: float, epochs: int) -> float:
    """Return the learning rate at `epoch` (0 at the start, fractional within an epoch).

    Warm-up is linear from `warmup_start` of the rate; with the paper's ten epochs from 1 %, it increases by 0.099 of
    the rate per epoch. The cosine's clock starts at the end of the plateau; the warm-up does not shift it.
    """
    if settings.every == "epoch":
        epoch = math.floor(epoch)
    rate = settings.learning_rate
    if settings.schedule == "step":
        rate *= settings.gamma ** sum(epoch >= milestone for milestone in settings.milestones)
    else:
        plateau = settings.plateau_epochs
        if epoch >= plateau:
            end = settings.final_learning_rate
            rate *= settings.plateau_drop
            done = min(1.0, (epoch - plateau) / (epochs - plateau)) if epochs > plateau else 1.0
            rate = end + (rate - end) * 0.5 * (1.0 + math.cos(math.pi * done))
    if epoch < settings.warmup_epochs:
        rate *= settings.warmup_start + (1.0 - settings.warmup_start) * epoch / settings.warmup_epochs
    return rate


def teacher_temperature(bounds: tuple[float, float], warmup_epochs: float, epoch: float) -> float:
    """Return tau_t at `epoch`: linear from the first to the second bound during the warm-up, then constant."""
    done = 1.0 if warmup_epochs == 0 else min(1.0, epoch / warmup_epochs)
    return bounds[0] + (bounds[1] - bounds[0]) * done
