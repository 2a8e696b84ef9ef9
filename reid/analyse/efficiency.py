"""Figure 7 and Table 5: cost of feature extraction, measured on this device, versus accuracy."""

from __future__ import annotations

import dataclasses
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from common.devices import choose_device
from common.errors import InputError
from common.settings import validate
from reid.checkpoint import load_model, save_model
from reid.deploy import save_openvino, to_openvino
from reid.extractor import Extractor, find_weights
from reid.models import build_model
from reid.settings import ModelConfig

BATCHES = (1, 32)
_WARM_UP = 2
_REPEATS = (3, 200)


@dataclass(frozen=True, slots=True)
class Cost:
    """Inference cost of one network on one device.

    Attributes:
        method: the network's name.
        source: device of the measurement.
        parameters: parameters of the deployed network in millions.
        dims: length of a feature vector.
        ms_batch1: milliseconds per image at batch size 1.
        ms_batch32: milliseconds per image at batch size 32.
        memory_mb_batch1: peak memory of weights and activations in MB at batch size 1: on a GPU as allocated by
            PyTorch, on the CPU the growth of the resident set since before the network was loaded.
        memory_mb_batch32: the same at batch size 32.
        mean_average_precision: mAP in per cent, NaN if not given.
        data: data set of the mAP.
    """

    method: str
    source: str
    parameters: float
    dims: int
    ms_batch1: float
    ms_batch32: float
    memory_mb_batch1: float
    memory_mb_batch32: float
    mean_average_precision: float = float("nan")
    data: str = ""

    def as_row(self) -> dict[str, str | float]:
        """The attributes by name for CSV, with the accuracy as `mAP`."""
        row = dataclasses.asdict(self)
        return {("mAP" if key == "mean_average_precision" else key): value for key, value in row.items()}


def _published(method: str, accuracy: float, parameters: float, dims: int, ms: float, memory: float) -> Cost:
    nothing = float("nan")
    return Cost(method, "paper, RTX 2080", parameters, dims, ms, nothing, memory, nothing, accuracy, "veri")


PUBLISHED = (
    _published("TransReID", 81.4, 101, 3840, 5.51, 423),
    _published("GFDIA", 81.0, 34.7, 4096, 5.74, 173),
    _published("SAVER", 79.6, 31, 2048, 5.06, 178),
    _published("EVER", 80.4, 23.5, 2048, 4.55, 122),
    _published("PVEN", 79.5, 59.2, 10240, 11.79, 603),
    _published("HRCN", 83.1, 55.4, 3584, 10.84, 260),
    _published("SSBVER", 82.1, 23.5, 2048, 4.55, 122),
)
"""Table 5 of the paper. Its times are not comparable with those of other devices."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What to measure: a checkpoint, or an untrained backbone (the cost is the same).

    Attributes:
        weights: a file or the name of a shipped checkpoint; empty for a backbone.
        backbone: name of the backbone; empty for a checkpoint.
        image_size: height and width in pixels, for a backbone.
    """

    weights: str = ""
    backbone: str = ""
    image_size: tuple[int, int] = (256, 256)


def measure(
    subject: Subject, name: str, device: str = "auto", precision: str = "auto", threads: int = 0, seconds: float = 2.0
) -> Cost:
    """Measure one network in a separate process, so that the memory of other networks is not counted.

    Args:
        subject: what to measure.
        name: name of the row.
        device: as in `Extractor.load`.
        precision: as in `Extractor.load`.
        threads: CPU threads, 0 for all cores.
        seconds: measurement time per batch size (at least 3 and at most 200 repetitions); the median is reported.

    Raises:
        InputError: unknown weights, backbone or device.
    """
    device = choose_device(device)
    model = (
        load_model(find_weights(subject.weights))[0]
        if subject.weights
        else build_model(
            validate(ModelConfig, {"backbone": subject.backbone, "image_size": subject.image_size}, "efficiency")
        )
    )
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        # Convert here: the conversion takes memory that inference does not.
        path = Path(folder) / ("network.xml" if device == "cpu" else "network.safetensors")
        if device == "cpu":
            save_openvino(to_openvino(model), path)
        else:
            save_model(path, model, {})
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            times, memory, source = pool.apply(_measure_here, (path, device, precision, threads, seconds))
    return Cost(name, source, parameters, model.dims, times[0], times[1], memory[0], memory[1])


def _measure_here(
    path: Path, device: str, precision: str, threads: int, seconds: float
) -> tuple[list[float], list[float], str]:
    """Measure milliseconds per image and peak memory in MB for each batch size; also return the device."""
    before = peak_memory(device)
    extractor = Extractor.load(path, device, precision=precision, threads=threads, batch=max(BATCHES))
    times, memory = [], []
    for batch in BATCHES:
        images = np.random.default_rng(0).integers(0, 256, (batch, 3, *extractor.image_size), np.uint8)
        for _ in range(_WARM_UP):
            extractor.embed_prepared(images)
        taken: list[float] = []
        while len(taken) < _REPEATS[0] or (sum(taken) < seconds and len(taken) < _REPEATS[1]):
            start = time.perf_counter()
            extractor.embed_prepared(images)  # returns after the GPU has finished
            taken.append(time.perf_counter() - start)
        times.append(1e3 * statistics.median(taken) / batch)
        memory.append(peak_memory(device) - before)
    return times, memory, device_name(device, threads, extractor.precision)


def device_name(device: str, threads: int, precision: str) -> str:
    """What was measured on, for the reader of a table."""
    where = f"CPU, {threads or 'all'} threads" if device == "cpu" else torch.cuda.get_device_name(device)
    return f"{where}, {precision}"


def peak_memory(device: str) -> float:
    """Peak memory of this process in MB: allocated on the GPU, or resident."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would include the peak inherited from the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def with_accuracy(costs: Sequence[Cost], accuracies: Mapping[str, tuple[str, float]]) -> list[Cost]:
    """Fill in data set and mAP (given as a fraction) of each method by name.

    Raises:
        InputError: a name is not among the costs.
    """
    unknown = accuracies.keys() - {cost.method for cost in costs}
    if unknown:
        raise InputError(f"--figures {sorted(unknown)[0]}: no network of that name is measured")
    return [
        dataclasses.replace(c, data=accuracies[c.method][0], mean_average_precision=100 * accuracies[c.method][1])
        if c.method in accuracies
        else c
        for c in costs
    ]


def draw_efficiency(costs: Sequence[Cost]) -> Figure:
    """Plot four panels with one bar per method: time per image, parameters, memory, dimensions; mAP above the bars."""
    figure = Figure(figsize=(3 + 1.3 * len(costs), 7))
    names = [cost.method for cost in costs]
    measured = ["tab:gray" if cost.source.startswith("paper") else "tab:blue" for cost in costs]
    panels = (
        ("inference time, batch 1 (ms/image)", [c.ms_batch1 for c in costs]),
        ("parameters (M)", [c.parameters for c in costs]),
        ("peak memory, batch 1 (MB)", [c.memory_mb_batch1 for c in costs]),
        ("embedding size", [float(c.dims) for c in costs]),
    )
    for axis, (title, values) in zip(figure.subplots(2, 2).flat, panels, strict=True):
        bars = axis.bar(range(len(costs)), values, color=measured)
        labels = [
            (f"{v:.0f}" if v >= 1000 else f"{v:.3g}")
            + ("" if np.isnan(c.mean_average_precision) else f"\nmAP {c.mean_average_precision:.1f}\n({c.data})")
            for v, c in zip(values, costs, strict=True)
        ]
        axis.bar_label(bars, labels, fontsize=7)
        axis.set_xticks(range(len(costs)), names, rotation=30, ha="right", fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.margins(y=0.3)
    figure.suptitle("blue: measured here; grey: published, on an RTX 2080" if "tab:gray" in measured else "")
    figure.tight_layout()
    return figure
