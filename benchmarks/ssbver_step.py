"""Seconds per SSBVER training step, compared with the bare network and with a naive step.

    python benchmarks/ssbver_step.py --backbone resnet50_ibn --batch 8 --repeats 3

Three variants run in turn on the same views (2 global and L local views per image), so that other load affects them
equally:

    bare    forward and backward passes of backbone and heads, student and teacher, in plain PyTorch, with a trivial
            loss and without averaging or optimiser: the lower bound.
    step    this project's whole step, from bytes in memory to the averaged teacher.
    naive   the same mathematics written directly: one forward pass per view, a loop over pairs of views, the average as
            a loop over a state dict, one optimiser kernel per parameter.

Wall and CPU time are medians over the rounds without the first. The overhead is (step - bare) / bare. Throughput counts
images, not views; the share of the peak refers to `--peak-tflops` and to the operations that `reid.analyse hours`
counts. Nothing has been measured on a GPU so far; without one, the last line says so.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F

from common.devices import choose_device
from common.errors import InputError
from reid.analyse.budget import training_budget
from reid.models import normalise
from reid.settings import TrainSettings
from reid.training.batches import Batch
from reid.training.objective import Objective, build_student
from reid.training.teacher import MovingAverage, make_teacher
from reid.training.trainer import make_optimiser


def make_batch(settings: TrainSettings, pictures: int, device: torch.device) -> Batch:
    random = torch.Generator().manual_seed(0)

    def views(count: int, size: tuple[int, int]) -> torch.Tensor:
        pixels = torch.randint(0, 256, (count * pictures, *size, 3), dtype=torch.uint8, generator=random)
        return pixels.permute(0, 3, 1, 2).to(device)

    labels = torch.arange(pictures // settings.sampler.images).repeat_interleave(settings.sampler.images)
    whole, part = views(2, settings.model.image_size), views(settings.views.local, settings.views.local_size)
    return Batch(whole, part, labels.to(device))


class Ways:
    """The three variants of the step, on one student and one teacher."""

    def __init__(self, settings: TrainSettings, batch: Batch, device: torch.device, identities: int) -> None:
        self.settings, self.batch, self.device = settings, batch, device
        layout = torch.channels_last if settings.run.channels_last else torch.contiguous_format
        torch.manual_seed(0)
        self.student = build_student(settings, identities).to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.teacher = make_teacher(self.student.encoder)
        self.objective = Objective(settings).to(device)
        running = [part for part in (self.teacher.model.backbone, self.teacher.projection) if part is not None]
        self.average = MovingAverage(self.student.encoder, self.teacher, settings.teacher.momentum, observers=running)
        self.parameters = [p for p in self.student.parameters() if p.requires_grad]
        self.optimiser = make_optimiser(settings.optimiser, self.parameters)
        self.plain_optimiser = torch.optim.Adam(self.parameters, lr=settings.optimiser.learning_rate, foreach=False)
        self.center = torch.zeros(settings.ssl.outputs, device=device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.run.precision == "bfloat16")

    def bare(self) -> None:
        whole = normalise(self.batch.global_views, self.settings.model)
        part = normalise(self.batch.local_views, self.settings.model)
        encoder = self.student.encoder
        with self._autocast():
            own = encoder.model(whole)
            classes = self.student.classifier(encoder.model.bottleneck(own))
            logits = encoder.project(torch.cat((own, encoder.model(part))))
            with torch.no_grad():
                self.teacher.project(self.teacher.model(whole))
        self.student.zero_grad(set_to_none=True)
        (own.mean() + classes.mean() + logits.mean()).backward()

    def step(self) -> None:
        losses = self.objective(self.student, self.teacher, self.batch, 0.001)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, math.inf)
        self.optimiser.step()
        self.average.update()

    def naive(self) -> None:
        settings, n = self.settings, len(self.batch.labels)
        encoder = self.student.encoder
        views = [
            normalise(v, settings.model) for v in (*self.batch.global_views.split(n), *self.batch.local_views.split(n))
        ]
        with self._autocast():
            features = [encoder.model(view) for view in views]
            said = [encoder.project(x).float() for x in features]
            with torch.no_grad():
                taught = [self.teacher.project(self.teacher.model(view)).float() for view in views[:2]]
            own = torch.cat(features[:2])
            classes = self.student.classifier(encoder.model.bottleneck(own))
        labels = self.batch.labels.repeat(2)
        supervision = torch.zeros((), device=self.device)
        for g, target in enumerate(taught):
            p = F.softmax((target - self.center) / 0.001, dim=1)
            for v, logits in enumerate(said):
                if v != g:
                    supervision = supervision - (p * F.log_softmax(logits / 0.1, dim=1)).sum(dim=1).mean()
        self.center = 0.9 * self.center + 0.1 * torch.cat(taught).mean(dim=0)
        distances = torch.cdist(own, own)
        same = labels[:, None] == labels[None]
        triplet = F.softplus(
            distances.masked_fill(~same, 0).amax(dim=1) - distances.masked_fill(same, 1e9).amin(dim=1)
        ).mean()
        total = F.cross_entropy(classes, labels, label_smoothing=0.2) + triplet + 0.005 * supervision
        self.plain_optimiser.zero_grad()
        total.backward()
        self.plain_optimiser.step()
        with torch.no_grad():
            state = encoder.state_dict()
            for name, value in self.teacher.state_dict().items():
                if value.is_floating_point():
                    value.copy_(0.9995 * value + 0.0005 * state[name])


def measure(work: Callable[[], None], device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50_ibn")
    parser.add_argument("--batch", type=int, default=8, help="images per step, a multiple of 4 (default: 8)")
    parser.add_argument("--size", type=int, default=256, help="side of a global view in pixels (default: 256)")
    parser.add_argument("--local-size", type=int, default=112, help="side of a local view in pixels (default: 112)")
    parser.add_argument("--local", type=int, default=4, help="L, local views per image (default: 4)")
    parser.add_argument("--outputs", type=int, default=1024, help="E, outputs of the head (default: 1024)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="the GPU's bfloat16 peak (H100: 989)")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    settings = TrainSettings.model_validate(
        {
            "pretrained": "none",
            "model": {"backbone": arguments.backbone, "image_size": [arguments.size] * 2},
            "views": {"local": arguments.local, "local_size": [arguments.local_size] * 2},
            "ssl": {"outputs": arguments.outputs},
            "run": {"precision": arguments.precision},
        }
    )
    device = torch.device(choose_device(arguments.device))
    ways = Ways(settings, make_batch(settings, arguments.batch, device), device, identities=576)
    work = {"bare": ways.bare, "step": ways.step, "naive": ways.naive}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(arguments.repeats + 1):
        for name, run in work.items():
            times[name].append(measure(run, device))
    medians = {
        name: tuple(statistics.median(t[kind] for t in rows[1:]) for kind in (0, 1)) for name, rows in times.items()
    }
    floor = medians["bare"]
    print(
        f"{arguments.backbone}, {arguments.batch} images, 2 x {arguments.size} + {arguments.local} x "
        f"{arguments.local_size}, {arguments.precision}, {device}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
    for name, (wall, cpu) in medians.items():
        print(f"{name:6s} {wall:8.3f} s wall  {cpu:8.3f} s CPU  {cpu / floor[1]:6.2f} x bare in CPU time")
    index = 0 if device.type == "cuda" else 1
    print(f"overhead of the step: {100 * (medians['step'][index] / floor[index] - 1):.1f} %")
    rate = arguments.batch / medians["step"][index]
    tflops = rate * training_budget(settings, arguments.batch).image_gflop / 1e3
    unit = "second" if device.type == "cuda" else "CPU second"
    print(f"training: {rate:.2f} images per {unit}, {tflops:.3f} TFLOP/s", end="")
    if device.type == "cuda":
        share = 100 * tflops / arguments.peak_tflops
        print(f", {share:.1f} % of {arguments.peak_tflops:g} TFLOP/s on {torch.cuda.get_device_name(device)}")
    else:
        print("\nGPU: not measured, none available")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
