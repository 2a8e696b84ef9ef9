"""Table 5 and Figure 7: parameters, dimensions, operations and cost of each recipe, beside the paper's row.

The paper's column of parameters follows four conventions (trunk alone, with a classifier, with parts that never run,
with shared stages), so both its count and that of the deployed network are given.
"""

from __future__ import annotations

import math
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from common.devices import choose_device
from common.errors import InputError
from reid.analyse.budget import forward_flop
from reid.analyse.efficiency import BATCHES, PUBLISHED, Cost, device_name, peak_memory
from reid.architectures import Body
from reid.checkpoint import save_model
from reid.deploy import save_openvino, to_openvino
from reid.extractor import Extractor
from reid.models import ReidModel
from reid.settings import ModelConfig

RECIPES = {
    "TransReID": "veri_transreid",
    "GFDIA": "veri_gfdia",
    "SAVER": "veri_saver",
    "EVER": "veri_ever",
    "PVEN": "veri_pven",
    "HRCN": "veri_hrcn",
    "SSBVER": "veri_resnet50_ibn_ssbver",
}
"""The methods of Table 5, in its order, and the names of their recipes in configs/reid."""
VERI_IDENTITIES = 576
_WARM_UP = 2
_ROUNDS = (3, 100)
# Accuracy on VeRi as published, in per cent: CMC@1 (the mAP is in `efficiency.PUBLISHED`).
_PUBLISHED_CMC1 = {
    "TransReID": 96.8,
    "GFDIA": 96.7,
    "SAVER": 96.4,
    "EVER": 95.8,
    "PVEN": 95.6,
    "HRCN": 97.3,
    "SSBVER": 97.1,
}


@dataclass(frozen=True, slots=True)
class Size:
    """What can be counted without running a network.

    Attributes:
        as_paper: parameters as the paper's Table 5 counts those of this architecture.
        deployed: parameters of the network that runs at inference.
        dims: length of its vector.
        gflop: operations of one forward pass in 10^9; a multiply-add counts as two.
    """

    as_paper: int
    deployed: int
    dims: int
    gflop: float


def size_of(config: ModelConfig) -> Size:
    """Count a network on the meta device: nothing is computed."""
    with torch.device("meta"):
        model = ReidModel(config)
    return Size(paper_parameters(model), _count(model), model.dims, forward_flop(config, config.image_size) / 1e9)


def paper_parameters(model: ReidModel, identities: int = VERI_IDENTITIES) -> int:
    """Parameters as the paper's Table 5 counts them.

    Args:
        model: the network; on the meta device is enough.
        identities: of the training set whose classifier some rows include.
    """
    body = model.backbone
    return body.paper_parameters(_count(model), identities) if isinstance(body, Body) else _count(body)


def _count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def measure_together(
    networks: Mapping[str, ModelConfig | Path],
    *,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    seconds: float = 2.0,
    batches: Sequence[int] = BATCHES,
) -> dict[str, Cost]:
    """Measure networks in turns, so that other load on the machine affects all of them alike.

    Each network runs in a process of its own, which makes its memory its own.

    Args:
        networks: by name, a configuration (with random weights: the cost is the same) or an exported network or
            checkpoint.
        device: as in `Extractor.load`.
        precision: as in `Extractor.load`.
        threads: CPU threads, 0 for all cores.
        seconds: measurement time per network and batch size (at least 3 and at most 100 rounds).
        batches: which of `BATCHES` to measure; costs of the others are NaN.

    Returns:
        Costs by name; times are medians over the rounds, `parameters` those of the deployed network in millions.

    Raises:
        InputError: unknown device or precision.
    """
    device = choose_device(device)
    context = multiprocessing.get_context("spawn")
    runners: dict[str, _Runner] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number, (name, network) in enumerate(networks.items()):
                path = network if isinstance(network, Path) else _prepared(network, Path(folder) / str(number), device)
                runners[name] = _Runner(context, path, device, precision, threads, batches)
        rounds = 0
        start = time.perf_counter()
        while rounds < _ROUNDS[0] or (
            rounds < _ROUNDS[1] and time.perf_counter() - start < seconds * len(runners) * len(batches)
        ):
            for runner in runners.values():
                for batch in batches:
                    runner.run(batch)
            rounds += 1
        return {name: runner.cost(name, _parameters(networks[name])) for name, runner in runners.items()}
    finally:
        for runner in runners.values():
            runner.close()


def _parameters(network: ModelConfig | Path) -> float:
    if isinstance(network, Path):
        return float("nan")
    with torch.device("meta"):
        return _count(ReidModel(network)) / 1e6


def _prepared(config: ModelConfig, path: Path, device: str) -> Path:
    """Write a network with random weights for `Extractor.load`; the conversion takes memory that inference does not."""
    torch.manual_seed(0)
    model = ReidModel(config).eval()
    if device == "cpu":
        path = path.with_suffix(".xml")
        save_openvino(to_openvino(model), path)
    else:
        path = path.with_suffix(".safetensors")
        save_model(path, model, {})
    return path


class _Loaded(NamedTuple):
    """What a process tells of its network: length of a vector, device, peak memory in MB by batch size."""

    dims: int
    source: str
    memory: dict[int, float]


class _Runner:
    """A process that holds one network and runs it on request."""

    def __init__(
        self,
        context: multiprocessing.context.SpawnContext,
        path: Path,
        device: str,
        precision: str,
        threads: int,
        batches: Sequence[int],
    ) -> None:
        self._ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, path, device, precision, threads, batches), daemon=True
        )
        self._process.start()
        theirs.close()
        loaded: _Loaded | str = self._receive()
        if isinstance(loaded, str):
            raise InputError(loaded)
        self._loaded = loaded
        self._times: dict[int, list[float]] = {batch: [] for batch in batches}

    def run(self, batch: int) -> None:
        """Run one batch in the process and keep its seconds."""
        self._ours.send(batch)
        self._times[batch].append(self._receive())

    def cost(self, name: str, parameters: float) -> Cost:
        times = {batch: 1e3 * statistics.median(taken) / batch for batch, taken in self._times.items()}
        loaded = self._loaded
        first, second = (times.get(batch, math.nan) for batch in BATCHES)
        memory1, memory32 = (loaded.memory.get(batch, math.nan) for batch in BATCHES)
        return Cost(name, loaded.source, parameters, loaded.dims, first, second, memory1, memory32)

    def close(self) -> None:
        self._ours.close()  # ends the loop of `_serve`
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()

    def _receive(self) -> Any:
        try:
            return self._ours.recv()
        except EOFError as error:
            raise InputError(
                "a network could not be measured: its process ended, perhaps for lack of memory"
            ) from error


def _serve(pipe: Connection, path: Path, device: str, precision: str, threads: int, batches: Sequence[int]) -> None:
    """Load a network, send what is known of it, then answer each batch size with the seconds of one run."""
    before = peak_memory(device)
    try:
        extractor = Extractor.load(path, device, precision=precision, threads=threads, batch=max(BATCHES))
    except InputError as error:
        pipe.send(str(error))
        return
    size = extractor.image_size
    images = {batch: np.random.default_rng(0).integers(0, 256, (batch, 3, *size), np.uint8) for batch in batches}
    memory: dict[int, float] = {}
    for batch in sorted(batches):
        for _ in range(_WARM_UP):
            extractor.embed_prepared(images[batch])
        memory[batch] = peak_memory(device) - before
    source = device_name(device, threads, extractor.precision)
    pipe.send(_Loaded(extractor.dims, source, memory))
    while True:
        try:
            batch = pipe.recv()
        except EOFError:
            return
        start = time.perf_counter()
        extractor.embed_prepared(images[batch])  # returns after the GPU has finished
        pipe.send(time.perf_counter() - start)


def table_rows(
    sizes: Mapping[str, Size], costs: Mapping[str, Cost], accuracies: Mapping[str, Mapping[str, float]]
) -> list[dict[str, str | float]]:
    """One row per method: the paper's figures beside ours.

    Args:
        sizes: by method.
        costs: measured, by method; NaN where they were not.
        accuracies: `mAP` and `cmc1` as fractions by method, of networks that were trained; may lack any.
    """
    published = {cost.method: cost for cost in PUBLISHED}
    nothing = float("nan")
    rows: list[dict[str, str | float]] = []
    for method, size in sizes.items():
        paper, cost = published.get(method), costs[method]
        found = accuracies.get(method, {})
        rows.append(
            {
                "method": method,
                "paper mAP": paper.mean_average_precision if paper else nothing,
                "paper CMC@1": _PUBLISHED_CMC1.get(method, nothing),
                "paper M": paper.parameters if paper else nothing,
                "paper dims": paper.dims if paper else nothing,
                "paper ms": paper.ms_batch1 if paper else nothing,
                "paper MB": paper.memory_mb_batch1 if paper else nothing,
                "M as in the paper": size.as_paper / 1e6,
                "M deployed": size.deployed / 1e6,
                "dims": size.dims,
                "GFLOP": size.gflop,
                "ms, batch 1": cost.ms_batch1,
                "ms, batch 32": cost.ms_batch32,
                "MB, batch 1": cost.memory_mb_batch1,
                "MB, batch 32": cost.memory_mb_batch32,
                "mAP": 100 * found["mAP"] if found else nothing,
                "CMC@1": 100 * found["cmc1"] if found else nothing,
            }
        )
    return rows


def as_markdown(rows: Sequence[Mapping[str, str | float]], source: str) -> str:
    """The rows as a table in Markdown, below the device of the measurement ("" if nothing was measured)."""
    published = 'Columns that begin with "paper" are the paper\'s (an RTX 2080).' if "paper M" in rows[0] else ""
    measured = f"Measured on: {source}." if source else ""
    return f"{' '.join(filter(None, (measured, published)))}\n\n{markdown_table(rows)}"


def markdown_table(rows: Sequence[Mapping[str, str | float]]) -> str:
    """The rows as a table in Markdown; columns without a number are left out."""
    columns = [c for c in rows[0] if any(isinstance(r[c], str) or r[c] == r[c] for r in rows)]
    lines = [f"| {' | '.join(columns)} |", "|" + "|".join("---" if c == "method" else "---:" for c in columns) + "|"]
    lines += [f"| {' | '.join(_shown(row[c]) for c in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _shown(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if value != value:
        return ""
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
