"""The training loop with logging, checkpoints and validation."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from common.errors import InputError
from reid.architectures import Body
from reid.branches import ImageLabels
from reid.checkpoint import save_model
from reid.datasets import UNKNOWN_VIEWPOINT, ImageTable
from reid.models import ReidModel
from reid.settings import OptimiserSettings, TrainSettings
from reid.train_log import TrainLog
from reid.training.batches import Batch, BatchMaker, DamageReport, ImageStore, iterate_batches
from reid.training.compilation import compile_modules
from reid.training.distributed import Processes, mean_over_processes, require_same_data, union_over_processes
from reid.training.groups import parameter_groups
from reid.training.objective import Losses, Objective, build_student
from reid.training.precision import training_precision
from reid.training.progress import Progress
from reid.training.sampler import IdentityBatches, MixedBatches
from reid.training.schedules import learning_rate, teacher_temperature
from reid.training.state import load_state, save_state
from reid.training.teacher import MovingAverage, make_teacher

log = logging.getLogger(__name__)

Validate = Callable[[ReidModel], dict[str, float]]

# Settings that may change when a run is resumed because they do not affect the result (beyond rounding).
_RESUMABLE_CHANGES = (
    "output",
    "log_every",
    "save_every",
    "validate_every",
    "tensorboard",
    "storage",
    "device",
    "threads",
    "compile",
)


class Trainer:
    """A training run that can be driven step by step.

    Args:
        settings: settings of the run.
        train: the training images.
        device: device to train on.
        processes: this process's place in the process group.
        source: (n,) data set of each training image, ascending: 0 for `data.root`, 1, ... for `data.also`.

    Attributes:
        step: number of completed steps.
        student: the trained network with its heads.
        teacher: the moving average; `teacher.model` is evaluated and shipped.

    Raises:
        InputError: no training images, fewer identities than a batch needs, processes with different data, weights
            that do not fit, or a missing compiler.
    """

    def __init__(
        self,
        settings: TrainSettings,
        train: ImageTable,
        device: torch.device,
        processes: Processes | None = None,
        source: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.settings, self.device, self.processes = settings, device, processes or Processes()
        run = settings.run
        if not len(train):
            raise InputError(f"data.root: {settings.data.root}: data set {settings.data.name} has no training images")
        self.data = describe_data(settings, train)
        require_same_data(bytes.fromhex(self.data["fingerprint"]), "data.root", device)
        torch.manual_seed(run.seed)
        labels = train.classes()
        batches = make_batches(settings, labels, source)
        self.maker = BatchMaker(
            ImageStore(train.path.tolist(), 0.0 if settings.data.workers else settings.data.cache_gigabytes),
            labels,
            batches,
            settings.views if settings.self_supervised else settings.views.model_copy(update={"local": 0}),
            settings.model.image_size,
            self.processes.rank,
            self.processes.size,
            mean=settings.model.mean,
            std=settings.model.std,
            image_labels=ImageLabels(torch.from_numpy(train.camera), torch.from_numpy(train.viewpoint)),
        )
        self.steps_per_epoch = run.steps_per_epoch or len(batches)
        self.steps = run.epochs * self.steps_per_epoch
        self.step = 0
        layout = torch.channels_last if run.channels_last else torch.contiguous_format
        self.student = build_student(settings, train.identities).to(device, memory_format=layout).train()  # type: ignore[call-overload]
        body = self.student.encoder.model.backbone
        for note in body.check_labels(train.camera, train.viewpoint) if isinstance(body, Body) else ():
            log.warning("%s", note)
        precision = training_precision(run.precision, self.student.encoder.model.backbone, device)
        # Resolved once and stored with the state: a resumed run must not change its arithmetic silently.
        self.settings = settings = settings.model_copy(update={"run": run.model_copy(update={"precision": precision})})
        self.teacher = make_teacher(self.student.encoder)
        if run.sync_batch_norm and self.processes.size > 1:
            if device.type != "cuda":
                raise InputError("run.sync_batch_norm: only available on GPUs; set it to false on the CPU")
            nn.SyncBatchNorm.convert_sync_batchnorm(self.student.encoder.model.backbone)  # type: ignore[no-untyped-call]
            nn.SyncBatchNorm.convert_sync_batchnorm(self.teacher.model.backbone)  # type: ignore[no-untyped-call]
        self.objective = Objective(settings, self.student.branches, train.identities).to(device)
        running = [p for p in (self.teacher.model.backbone, self.teacher.projection) if p is not None]
        self.average = MovingAverage(
            self.student.encoder,
            self.teacher,
            settings.teacher.momentum,
            observers=running if settings.self_supervised else (),
        )
        self.parameters = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = make_optimiser(settings.optimiser, parameter_groups(settings.optimiser, self.student))
        self._trunk = self.student.encoder.model.trunk
        self._trunk_parameters = [p for p in self._trunk.parameters() if p.requires_grad]
        self._frozen = False
        if run.compile:
            compile_modules(self.student.encoder.model.backbone, self.teacher.model.backbone, device=device)
        self._forward: nn.Module = self.student
        if self.processes.size > 1:
            # Buffers are equal in all processes, except backbone norm statistics, of which those of rank 0 are saved.
            self._forward = DistributedDataParallel(
                self.student, device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False
            )
        self.damage = DamageReport()

    @property
    def epoch(self) -> float:
        """Completed epochs, including the fraction of the current one."""
        return self.step / self.steps_per_epoch

    def train_step(self, batch: Batch) -> tuple[Losses, torch.Tensor]:
        """Run one step: forward, backward, optimiser, moving average.

        Returns:
            The losses before the step, and the gradient norm before clipping, as tensors on the device (no sync).
        """
        settings = self.settings
        batch = batch._replace(
            global_views=batch.global_views.to(self.device, non_blocking=True),
            local_views=batch.local_views.to(self.device, non_blocking=True),
            labels=batch.labels.to(self.device, non_blocking=True),
            image_labels=None if batch.image_labels is None else batch.image_labels.to(self.device),
        )
        self._rate = learning_rate(settings.optimiser, self.epoch, settings.run.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate * group.get("scale", 1.0)
        self._freeze(self.epoch < settings.optimiser.frozen_epochs)
        progress = self.step / self.steps
        losses: Losses = self.objective(self._forward, self.teacher, batch, self.temperature, progress)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        if self._frozen:
            for parameter in self._trunk_parameters:
                parameter.grad = None  # the optimiser skips it: no weight decay, no momentum
        limit = settings.optimiser.clip_gradient
        norm = nn.utils.clip_grad_norm_(self.parameters, limit if limit > 0 else math.inf)
        self.optimiser.step()
        self.average.update()
        self.step += 1
        return losses, norm

    def _freeze(self, frozen: bool) -> None:
        """Freeze or release the pretrained backbone; its batch norms then use their running statistics."""
        if frozen == self._frozen:
            return
        self._frozen = frozen
        self._trunk.train(not frozen)
        if self.processes.size == 1:  # with several, DistributedDataParallel expects a gradient of every parameter
            for parameter in self._trunk_parameters:
                parameter.requires_grad_(not frozen)

    @property
    def temperature(self) -> float:
        """tau_t of the next step."""
        ssl = self.settings.ssl
        return teacher_temperature(ssl.teacher_temperature, ssl.teacher_warmup_epochs, self.epoch)

    def save(self, path: Path) -> None:
        """Save the training state for `resume`."""
        save_state(path, self._modules(), self.optimiser, self.step, self._identity())

    def resume(self, path: Path) -> None:
        """Restore the state written by `save`.

        Raises:
            InputError: the file is damaged, or belongs to a run with different settings or data.
        """
        defaults = TrainSettings().model_dump(mode="json")
        self.step = load_state(path, self._modules(), self.optimiser, self._identity(), defaults)

    def run(self, output: Path, validate: Validate | None = None, until: int | None = None) -> dict[str, float]:
        """Train to the end or to step `until`, resuming from a training state in `output` if there is one.

        Args:
            output: folder of the run. Rank 0 writes `log.csv`, `state.safetensors`, `model.safetensors` (each with
                a JSON next to it) and TensorBoard events.
            validate: called with the averaged network every `validate_every` epochs and at the end.
            until: save the training state and stop after this many steps.

        Returns:
            The metrics of the last validation.

        Raises:
            InputError: the loss is not finite.
        """
        state = output / "state.safetensors"
        if state.is_file():
            self.resume(state)
            done = self.step == self.steps
            log.info("%s at step %d of %d from %s", "complete" if done else "resumed", self.step, self.steps, state)
        last = min(self.steps, until or self.steps)
        metrics: dict[str, float] = {}
        run = self.settings.run
        loader = iterate_batches(
            self.maker, self.step, last, self.settings.data.workers, pin=self.device.type == "cuda"
        )
        with _RankZeroLog(self.processes, output, self.step, run.tensorboard) as record:
            clock, since = time.perf_counter(), self.step
            progress = Progress(self.step, last)
            for batch in loader:
                self.damage.add(batch.unreadable)
                temperature = self.temperature
                losses, norm = self.train_step(batch)
                stores = self.step % run.save_every == 0 or self.step == last
                if stores or self.step % run.log_every == 0:
                    seconds = time.perf_counter() - clock
                    row = self._row(losses, norm, temperature, seconds, self.step - since)
                    if record is not None:
                        record.write(self.step, row)
                    progress.update(self.step, row)
                    clock, since = time.perf_counter(), self.step
                elif self.processes.size == 1 and progress.is_due():
                    # Between two rows of the log; not with several processes, whose clocks differ.
                    seconds = time.perf_counter() - clock
                    progress.update(self.step, self._row(losses, norm, temperature, seconds, self.step - since))
                due = run.validate_every and self.step % (run.validate_every * self.steps_per_epoch) == 0
                if validate is not None and (due or self.step == self.steps):
                    metrics = validate(self.teacher.model) if self.processes.first else {}
                    log.info("step %d: %s", self.step, ", ".join(f"{k} {v:.4f}" for k, v in metrics.items()))
                    if record is not None:
                        record.write(self.step, {"epoch": self.epoch, **metrics})
                    clock, since = time.perf_counter(), self.step
                if stores:
                    self.damage.files = union_over_processes(self.damage.files)
                if stores and self.processes.first:
                    self.save(state)
                    self.export(output / "model.safetensors", metrics)
        return metrics

    def export(self, path: Path, metrics: dict[str, float]) -> None:
        """Save the averaged network with its description."""
        description = {
            "method": "ssbver" if self.settings.self_supervised else "baseline",
            "data": {**self.data, "unreadable": len(self.damage.files)},
            "seed": self.settings.run.seed,
            "steps": self.step,
            "settings": self.settings.model_dump(mode="json"),
            "metrics": metrics,
        }
        save_model(path, self.teacher.model, description, self.settings.run.storage)

    def _modules(self) -> dict[str, nn.Module]:
        return {"student": self.student, "teacher": self.teacher, "objective": self.objective}

    def _identity(self) -> dict[str, Any]:
        """The settings that must not change when a run is resumed."""
        settings = self.settings.model_dump(mode="json")
        settings["run"] = {k: v for k, v in settings["run"].items() if k not in _RESUMABLE_CHANGES}
        settings["data"] = {"fingerprint": self.data["fingerprint"]}
        return {**settings, "processes": self.processes.size}

    def _row(
        self, losses: Losses, norm: torch.Tensor, temperature: float, seconds: float, steps: int
    ) -> dict[str, float]:
        values = mean_over_processes(torch.stack([value.detach().float() for value in losses])).tolist()
        if not (math.isfinite(values[0]) and math.isfinite(norm)):
            raise InputError(
                f"the loss is {values[0]} and the gradient norm {float(norm)} at step {self.step}: lower "
                "optimiser.learning_rate, set optimiser.clip_gradient=5 or run.precision=float32, and restart with "
                "a new run.output"
            )
        images = steps * self.maker.share * self.processes.size
        return {
            "epoch": self.epoch,
            **dict(zip(Losses._fields, values, strict=True)),
            "learning_rate": self._rate,
            "teacher_temperature": temperature,
            "gradient_norm": float(norm),
            "images_per_second": images / seconds,
            "seconds": seconds,
        }


def make_batches(
    settings: TrainSettings, labels: npt.NDArray[np.int64], source: npt.NDArray[np.int64] | None
) -> IdentityBatches | MixedBatches:
    """Create the sampler: all identities alike, or a fixed number of each data set's in a batch."""
    sampler, also = settings.sampler, settings.data.also
    if source is None or not also:
        return IdentityBatches(labels, sampler.identities, sampler.images, settings.run.seed)
    rest = sampler.identities - sum(part.identities for part in also)
    if rest < 1:
        raise InputError(f"data.also: takes all {sampler.identities} vehicles of a batch; raise sampler.identities")
    return MixedBatches(labels, source, [rest, *(p.identities for p in also)], sampler.images, settings.run.seed)


def make_optimiser(
    settings: OptimiserSettings, parameters: list[nn.Parameter] | list[dict[str, Any]]
) -> torch.optim.Optimizer:
    """Create a fused Adam, AdamW or SGD optimiser of parameters or of groups of them."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.name == "sgd":
        # The fused kernel cannot mix parameters with and without momentum, as a frozen backbone leaves them.
        fused = not settings.frozen_epochs
        return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay, fused=fused)
    kind = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay, fused=True)


def describe_data(settings: TrainSettings, train: ImageTable) -> dict[str, Any]:
    """Describe the training data: name, counts, and a fingerprint of file names, identities and labels."""
    names = "\n".join(Path(path).name for path in train.path)
    digest = hashlib.sha256(names.encode())
    digest.update(np.ascontiguousarray(train.identity).tobytes())
    digest.update(np.ascontiguousarray(train.camera).tobytes())
    if (train.viewpoint != UNKNOWN_VIEWPOINT).any():
        digest.update(np.ascontiguousarray(train.viewpoint).tobytes())
    return {
        "name": settings.data.name,
        "options": dict(settings.data.options),
        "images": len(train),
        "identities": train.identities,
        "cameras": train.cameras,
        "fingerprint": digest.hexdigest(),
    }


class _RankZeroLog:
    """The training log in rank 0; None in the other processes."""

    def __init__(self, processes: Processes, output: Path, step: int, tensorboard: bool) -> None:
        self._log = TrainLog(output, step, tensorboard) if processes.first else None

    def __enter__(self) -> TrainLog | None:
        return self._log

    def __exit__(self, *details: object) -> None:
        if self._log is not None:
            self._log.close()
