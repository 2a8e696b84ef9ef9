"""The training loop of a part of a network: batches by number, Adam, and a state to resume from."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from common.errors import InputError
from reid.pretraining.settings import PretrainSettings
from reid.training.state import load_state, save_state

log = logging.getLogger(__name__)

Tensors = tuple[torch.Tensor, ...]
# Settings that may change when a run is resumed because they do not affect the result (beyond rounding).
_RESUMABLE_CHANGES = {"output", "device", "threads", "workers", "log_every", "save_every"}


class Subject(Protocol):
    """What is trained, and on what.

    Attributes:
        network: the module.
        data: batches by number, each a pure function of the seed and the number.
        images: number of training images.
    """

    @property
    def network(self) -> nn.Module: ...

    @property
    def data(self) -> Dataset[Tensors]: ...

    @property
    def images(self) -> int: ...

    def groups(self) -> list[dict[str, Any]]:
        """Groups of parameters for the optimiser, each with the factor of its learning rate under `scale`."""

    def losses(self, batch: Tensors) -> dict[str, torch.Tensor]:
        """The terms of the loss for a batch on the device; `total` is minimised."""

    def validate(self, device: torch.device) -> dict[str, float]:
        """Figures of the network on other images; the first one, if any, decides which weights are kept: larger is
        better."""

    def save(self, path: Path, description: Mapping[str, Any]) -> None:
        """Write the network."""


def pretrain(
    subject: Subject, settings: PretrainSettings, device: torch.device, until: int | None = None
) -> dict[str, float]:
    """Train to the end or to step `until`, resuming from a state in `settings.output` if there is one.

    Writes `model.safetensors`: the best network so far if the subject has a validation figure, else the last.

    Raises:
        InputError: the loss is not finite, or the state belongs to other settings.
    """
    output = Path(settings.output)
    steps_per_epoch = settings.steps_per_epoch or max(1, subject.images // settings.batch)
    steps = settings.epochs * steps_per_epoch
    network = subject.network.to(device).train()
    optimiser = torch.optim.Adam(subject.groups(), lr=settings.learning_rate)
    best = _Best()
    modules = {"network": network, "best": best}
    content = settings.model_dump(mode="json")
    identity = {key: value for key, value in content.items() if key not in _RESUMABLE_CHANGES}
    state = output / "state.safetensors"
    defaults = type(settings)().model_dump(mode="json")
    step = load_state(state, modules, optimiser, identity, defaults) if state.is_file() else 0
    last = min(steps, until or steps)
    figures: dict[str, float] = {}
    for batch in _batches(subject.data, step, last, settings.workers):
        epoch = step // steps_per_epoch
        rate = settings.learning_rate * settings.gamma ** sum(epoch >= m for m in settings.milestones)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        losses = subject.losses(tuple(part.to(device) for part in batch))
        optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        step += 1
        if step % settings.log_every == 0 or step == last:
            shown = {name: float(value.detach()) for name, value in losses.items()}
            if not math.isfinite(shown["total"]):
                raise InputError(f"the loss is {shown['total']} at step {step}: lower learning_rate and start again")
            log.info("step %d of %d: %s", step, last, ", ".join(f"{k} {v:.4g}" for k, v in shown.items()))
        if step % steps_per_epoch == 0:
            figures = subject.validate(device)
            network.train()
            if figures:
                log.info("epoch %d: %s", step // steps_per_epoch, ", ".join(f"{k} {v:.4f}" for k, v in figures.items()))
        score = next(iter(figures.values()), None) if step % steps_per_epoch == 0 else None
        if (score is not None and score > float(best.score)) or (score is None and not figures and step == last):
            if score is not None:
                best.score.fill_(score)
            description = {"settings": content, "seed": settings.seed, "images": subject.images, "steps": step}
            subject.save(output / "model.safetensors", {**description, "figures": figures})
        if step % settings.save_every == 0 or step == last:
            save_state(state, modules, optimiser, step, identity)
    return figures


class _Best(nn.Module):
    """The best validation figure so far, as part of the state."""

    score: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("score", torch.tensor(-math.inf, dtype=torch.float64))


def _batches(data: Dataset[Tensors], first: int, last: int, workers: int) -> DataLoader[Tensors]:
    cv2.setNumThreads(0 if workers else 1)  # OpenCV threads in every worker would oversubscribe the cores
    return DataLoader(
        data,
        batch_size=None,
        sampler=range(first, last),
        generator=torch.Generator(),  # else each (re)start of a run would draw from the network's random numbers
        num_workers=workers,
        multiprocessing_context="forkserver" if workers else None,
        prefetch_factor=4 if workers else None,
    )
