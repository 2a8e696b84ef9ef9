"""Time from crops to vectors: this project's extractor against the same network in plain PyTorch.

    python benchmarks/extraction.py                         # ResNet-50 at 256 x 256, last stride 2
    python benchmarks/extraction.py --weights baseline      # a trained network
    python benchmarks/extraction.py --backbone resnet50_ibn --last-stride 1

Every variant resizes the same crops of mixed sizes and runs the network. Variants are interleaved; medians over the
rounds without the first; CPU time is that of the whole process. With a GPU, its throughput and the share of its
bfloat16 peak (`--peak-tflops`) are printed as well; without one, that it was not measured.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from reid.analyse.budget import forward_flop
from reid.checkpoint import load_model
from reid.extractor import Extractor, find_weights
from reid.models import ReidModel, build_model, normalise
from reid.settings import ModelConfig
from reid.views import resize

Crops = Sequence[npt.NDArray[np.uint8]]
Vectors = npt.NDArray[np.float32]


def make_crops(count: int, seed: int) -> list[npt.NDArray[np.uint8]]:
    """Noise images with the sizes of vehicles in traffic cameras."""
    random = np.random.default_rng(seed)
    sizes = random.integers(60, 400, (count, 2))
    return [random.integers(0, 256, (h, w, 3), np.uint8) for h, w in sizes]


def plain_torch(model: ReidModel, one_by_one: bool, autocast: bool) -> Callable[[Crops], Vectors]:
    """The usual code: crops resized as the extractor does, stacked, and fed to the model as loaded."""

    def embed(crops: Crops) -> Vectors:
        batches = [[crop] for crop in crops] if one_by_one else [list(crops)]
        found = []
        for batch in batches:
            pictures = np.stack([resize(crop, model.config.image_size)[:, :, ::-1] for crop in batch])
            images = normalise(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()), model.config)
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                found.append(F.normalize(model.embed(images).float(), dim=1).numpy())
        return np.concatenate(found)

    return embed


def train_norms(model: ReidModel, crops: Crops) -> None:
    """Set the statistics of untrained batch norms from the crops; otherwise all vectors are nearly parallel."""
    pictures = np.stack([resize(crop, model.config.image_size) for crop in crops[:8]])
    images = normalise(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()), model.config)
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model.embed(images)
    model.eval()


def measure(
    variants: dict[str, Callable[[Crops], Vectors]], crops: Crops, rounds: int
) -> dict[str, tuple[float, float, Vectors]]:
    """Median wall and CPU milliseconds per crop, and the vectors, of each variant."""
    walls: dict[str, list[float]] = {name: [] for name in variants}
    cpus: dict[str, list[float]] = {name: [] for name in variants}
    vectors: dict[str, Vectors] = {}
    for round_number in range(rounds + 1):
        for name, embed in variants.items():
            wall, cpu = time.perf_counter(), time.process_time()
            vectors[name] = embed(crops)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if round_number:
                walls[name].append(1e3 * wall / len(crops))
                cpus[name].append(1e3 * cpu / len(crops))
    return {name: (statistics.median(walls[name]), statistics.median(cpus[name]), vectors[name]) for name in variants}


def measure_gpu(model: ReidModel, crops: Crops, rounds: int, peak_tflops: float, console: Console) -> None:
    """Print images per second on a GPU and the share of its peak."""
    if not torch.cuda.is_available():
        console.print("GPU: not measured, none available")
        return
    extractor = Extractor.of_model(model, "cuda", batch=256)
    images = extractor.prepare((list(crops) * (256 // len(crops) + 1))[:256])
    taken = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        extractor.embed_prepared(images)
        taken.append(time.perf_counter() - start)
    rate = len(images) / statistics.median(taken[2:])
    share = rate * forward_flop(model.config, model.config.image_size) / (peak_tflops * 1e12)
    name = torch.cuda.get_device_name()
    console.print(f"{name}: {rate:.0f} images/s, batch 256 with transfer, {100 * share:.0f} % of {peak_tflops} TFLOP/s")


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="a checkpoint or a shipped extractor (default: --backbone, untrained)")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--last-stride", type=int, choices=(1, 2), default=2, help="for --backbone")
    parser.add_argument("--image-size", type=int, nargs=2, default=(256, 256), help="for --backbone")
    parser.add_argument("--crops", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peak-tflops", type=float, default=989.0, help="the GPU's bfloat16 peak (H100: 989)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    cv2.setNumThreads(1)
    crops = make_crops(arguments.crops, arguments.seed)
    if arguments.weights:
        model = load_model(find_weights(arguments.weights))[0]
    else:
        size = (arguments.image_size[0], arguments.image_size[1])
        model = build_model(
            ModelConfig(backbone=arguments.backbone, last_stride=arguments.last_stride, image_size=size)
        )
        train_norms(model, crops)
    in_float32 = Extractor.of_model(model, precision="float32", threads=arguments.threads)
    as_loaded = Extractor.of_model(model, threads=arguments.threads)
    variants: dict[str, Callable[[Crops], Vectors]] = {
        "torch float32, one by one": plain_torch(model, one_by_one=True, autocast=False),
        "torch float32, one batch": plain_torch(model, one_by_one=False, autocast=False),
        "torch bfloat16 autocast, one batch": plain_torch(model, one_by_one=False, autocast=True),
        "Extractor, float32": in_float32.embed,
        f"Extractor, default precision ({as_loaded.precision})": as_loaded.embed,
        "  resizing only": lambda crops: as_loaded.prepare(crops)[:, 0, 0, :1].astype(np.float32),
    }
    found = measure(variants, crops, arguments.rounds)
    gflop = forward_flop(model.config, model.config.image_size) / 1e9
    height, width = model.config.image_size
    console = Console(highlight=False, width=120)
    console.print(
        f"{arguments.weights or arguments.backbone}, {height} x {width}, {gflop:.1f} GFLOP per image, "
        f"{len(crops)} crops, {arguments.threads} threads, medians of {arguments.rounds}",
        soft_wrap=True,
    )
    table = Table()
    for head in ("", "wall ms per crop", "CPU ms per crop", "CPU ratio", "GFLOP per CPU second", "min cosine"):
        table.add_column(head, justify="right" if head else "left")
    _, reference_cpu, reference = found["torch float32, one batch"]
    for name, (wall, cpu, vectors) in found.items():
        network = not name.startswith(" ")
        cosine = f"{(vectors * reference).sum(axis=1).min():.5f}" if network else ""
        speed = f"{gflop / cpu * 1e3:.0f}" if network else ""
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{cpu / reference_cpu:.2f}", speed, cosine)
    console.print(table)
    measure_gpu(model, crops, arguments.rounds, arguments.peak_tflops, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
