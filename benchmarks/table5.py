"""The methods of Table 5 under one budget: same start, data, steps, batch and image size.

    python benchmarks/table5.py --small --start weights/baseline.safetensors --auto-encoder FILE --parser FILE \\
        --data simulated=veri:data/sim-veri-44 --data real=csv:data/real-reid --option real:both_directions=true \\
        --mix --seeds 1 2 3 --output runs/table5

Each method keeps its network and its losses; optimiser, schedule and batch are the same for all. SSBVER sees two
global and some local views of an image in a step, the others one view. `--small` replaces the backbones by a half-width
ResNet-18 (TransReID: by a tiny vision transformer, which starts from random weights) and the auto-encoder and parser by
small ones; without it, the recipes' own networks are trained, for which a GPU is needed. With `--mix` a method learns
on all data sets together, in equal shares of every batch, and tested on each; without it, on each alone.

Prints mAP and CMC@1 on each data set (plain, re-ranked and with query expansion; mean and standard deviation over the
seeds) and the cost on this machine, and writes the same as JSON and Markdown. Finished trainings are kept, and a
stopped one continues: repeat the command. `--report` prints what there is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import InputError
from common.files import write_json, write_text
from common.resources import resource
from reid import train
from reid.analyse.table5 import RECIPES, as_markdown, markdown_table, measure_together, size_of
from reid.arguments import read_options
from reid.checkpoint import load_model
from reid.datasets import load_dataset
from reid.evaluate import evaluate_extractor
from reid.extractor import Extractor
from reid.settings import IMAGENET_MEAN, IMAGENET_STD, TrainSettings

METHODS = {"baseline": "veri_resnet50_ibn_baseline", **RECIPES}
RESNET = "resnet18_ibn_half"
SMALL = {
    "baseline": [f"model.backbone={RESNET}"],
    "SSBVER": [
        f"model.backbone={RESNET}",
        "ssl.hidden=[512, 512, 128]",
        "ssl.outputs=512",
        "ssl.batch_norm=true",
        "views.local=2",
    ],
    "SAVER": [
        f"model.backbone={RESNET}",
        "model.auto_encoder.channels=[16, 32, 64, 128]",
        "model.auto_encoder.latent=32",
    ],
    "EVER": [f"model.backbone={RESNET}"],
    "PVEN": [
        f"model.backbone={RESNET}",
        "model.parser.encoder=mobilenetv3_small_050",
        "model.parser.decoder=[32, 16, 16, 8, 8]",
    ],
    "HRCN": [f"model.backbone={RESNET}"],
    "GFDIA": [f"model.backbone={RESNET}", f"model.gfdia.interest_backbone={RESNET}"],
    "TransReID": ["model.backbone=vit_tiny_patch16_224"],
}
"""What `--small` changes in each recipe."""
WITHOUT_LABELS = ["model.transreid.cameras=0", "model.transreid.viewpoints=0"]
EPOCHS = 10
BUDGET = (
    "small", "start", "mix", "steps", "identities", "images", "size", "learning_rate", "momentum", "auto_encoder",
    "parser", "set",
)  # fmt: skip
"""Arguments that must not change when a folder is continued."""


@dataclass(frozen=True)
class Source:
    """A data set with options of its reader for the test."""

    label: str
    kind: str
    root: str
    options: dict[str, Any] = field(default_factory=dict)


def overrides(method: str, arguments: argparse.Namespace) -> list[str]:
    """The settings that make a recipe fit the common budget."""
    side = arguments.size
    start = arguments.start
    if method == "GFDIA" and Path(start).is_file():
        start = f"{start},{start}"  # of both networks
    if method == "TransReID" and arguments.small:
        start = "none"
    settings = [
        f"pretrained={start}",
        f"model.image_size=[{side}, {side}]",
        f"model.mean={list(IMAGENET_MEAN)}",  # of the start, whatever the recipe
        f"model.std={list(IMAGENET_STD)}",
        f"views.local_size=[{max(32, side // 2)}, {max(32, side // 2)}]",
        f"sampler.identities={arguments.identities}",
        f"sampler.images={arguments.images}",
        "optimiser.name=adam",
        f"optimiser.learning_rate={arguments.learning_rate}",
        "optimiser.weight_decay=5.0e-4",
        "optimiser.bias_factor=1.0",
        "optimiser.frozen_epochs=0",
        "optimiser.schedule=cosine",
        "optimiser.plateau_epochs=0",
        "optimiser.final_learning_rate=1.0e-6",
        "optimiser.warmup_epochs=1",
        "optimiser.every=step",
        "optimiser.clip_gradient=5",
        f"run.epochs={EPOCHS}",
        f"run.steps_per_epoch={max(1, arguments.steps // EPOCHS)}",
        f"run.save_every={max(10, arguments.steps // 4)}",
        "run.validate_every=0",
        "run.tensorboard=false",
        "data.validation_queries=1",
        f"data.workers={arguments.workers}",
        f"run.threads={arguments.threads}",
        f"run.device={arguments.device}",
        *(SMALL[method] if arguments.small else []),
    ]
    if method in ("baseline", "SSBVER"):  # an average over a few steps, as the training is short
        settings.append(f"teacher.momentum={arguments.momentum if method == 'SSBVER' else 0}")
    if method == "baseline":
        settings += ["views.recipe=script", "views.global_views=1"]
    if method == "TransReID":
        settings += WITHOUT_LABELS
    if method in ("SAVER", "EVER"):
        settings.append(f"pretrained_part={arguments.auto_encoder}")
    if method == "PVEN":
        settings.append(f"pretrained_part={arguments.parser}")
    return [*settings, *arguments.set]


def settings_of(method: str, arguments: argparse.Namespace, more: Sequence[str] = ()) -> TrainSettings:
    """The recipe of a method under the common budget."""
    recipe = resource("configs", "reid") / f"{METHODS[method]}.yaml"
    return train.read_settings(recipe, [*overrides(method, arguments), *more])


def run_once(method: str, sets: Sequence[Source], folder: Path, seed: int, arguments: argparse.Namespace) -> None:
    """Train one method with one seed on these sets together, and test it on each; what is done is not repeated."""
    if all((folder / f"{part.label}.json").is_file() for part in sets):
        return
    share, first = arguments.identities // len(sets), sets[0]
    also = [{"name": s.kind, "root": s.root, "identities": share} for s in sets[1:]]
    more = [f"data.name={first.kind}", f"data.root={first.root}", "data.options={}", f"data.also={json.dumps(also)}"]
    train.train(settings_of(method, arguments, [*more, f"run.seed={seed}", f"run.output={folder}"]))
    model, _ = load_model(folder / "model.safetensors")
    extractor = Extractor.of_model(model, threads=arguments.threads, precision="float32", backend="torch")
    for part in sets:
        dataset = load_dataset(part.kind, part.root, **part.options)
        write_json(
            folder / f"{part.label}.json",
            evaluate_extractor(extractor, dataset, rerank=True, expand=True, threads=1).as_dict(),
        )
    (folder / "state.safetensors").unlink(missing_ok=True)
    print(f"{folder}: done", file=sys.stderr, flush=True)


def folder_of(method: str, part: Source, seed: int, arguments: argparse.Namespace) -> Path:
    """Where a training is kept, of one set or of all together."""
    return Path(arguments.output) / ("mix" if arguments.mix else part.label) / f"{method}-seed{seed}"


def cost_rows(methods: Sequence[str], arguments: argparse.Namespace) -> list[dict[str, str | float]]:
    """Counted and, unless `--seconds` is 0, measured cost of each method."""
    configs = {method: settings_of(method, arguments).model for method in methods}
    rows: list[dict[str, str | float]] = []
    for method in methods:
        size = size_of(configs[method])
        rows.append({"method": method, "M": size.deployed / 1e6, "dims": size.dims, "GFLOP": size.gflop})
    if arguments.seconds:
        costs = measure_together(
            configs,
            device=arguments.device,
            precision="float32" if arguments.device == "cpu" else "auto",
            threads=arguments.threads,
            seconds=arguments.seconds,
        )
        for row, cost in zip(rows, costs.values(), strict=True):
            row |= {"ms, batch 1": cost.ms_batch1, "ms, batch 32": cost.ms_batch32}
            row["MB, batch 32"] = cost.memory_mb_batch32
    return rows


def accuracy_rows(methods: Sequence[str], part: Source, arguments: argparse.Namespace) -> list[dict[str, str | float]]:
    """mAP and CMC@1 on one set in per cent, mean and standard deviation over the seeds, for each way of ranking."""
    rows: list[dict[str, str | float]] = []
    for method in methods:
        files = [folder_of(method, part, seed, arguments) / f"{part.label}.json" for seed in arguments.seeds]
        found = [json.loads(path.read_text()) for path in files if path.is_file()]
        row: dict[str, str | float] = {"method": method}
        for way, title in (("plain", "plain"), ("reranked", "re-ranked"), ("expanded", "expanded")):
            for key, name in (("mAP", "mAP"), ("cmc1", "CMC@1")):
                values = 100 * np.array([figures[way][key] for figures in found])
                deviation = f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else ""
                row[f"{name}, {title}"] = f"{values.mean():.1f}{deviation}" if len(values) else ""
        row["runs"] = len(found)
        rows.append(row)
    return rows


def read_sources(data: Sequence[str], options: Sequence[str]) -> list[Source]:
    """The data sets that the command line names, with their options.

    Raises:
        InputError: an option of a label that there is not.
    """
    found = {}
    for text in data:
        label, _, source = text.partition("=")
        kind, colon, root = source.partition(":")
        if not colon:
            raise InputError(f"--data {text}: must be LABEL=KIND:ROOT")
        own = [o.partition(":")[2] for o in options if o.startswith(f"{label}:")]
        found[label] = Source(label, kind, root, read_options(own))
    for option in options:
        if option.partition(":")[0] not in found:
            raise InputError(f"--option {option}: must begin with a label of --data: {', '.join(found)}")
    return list(found.values())


def same_budget(arguments: argparse.Namespace) -> None:
    """Refuse to continue a folder whose trainings had another budget.

    Raises:
        InputError: they had; the message names the first difference.
    """
    names = [*BUDGET, *(["data", "option"] if arguments.mix else [])]
    budget = {name: getattr(arguments, name) for name in names}
    path = arguments.output / "budget.json"
    before = json.loads(path.read_text()) if path.is_file() else budget
    for name, value in budget.items():
        if before.get(name) != value:
            raise InputError(f"{path}: --{name} was {before.get(name)}, now {value}; choose another --output")
    write_json(path, budget)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", default=[], metavar="LABEL=KIND:ROOT", required=True)
    parser.add_argument("--option", action="append", default=[], metavar="LABEL:KEY=VALUE", help="of a test's reader")
    parser.add_argument("--mix", action="store_true", help="train once on all data sets together")
    parser.add_argument("--methods", nargs="+", help=f"of {', '.join(METHODS)}; default: all whose recipe is there")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=60, help="a multiple of 10 (default: 60)")
    parser.add_argument("--identities", type=int, default=8, help="vehicles in a batch")
    parser.add_argument("--images", type=int, default=2, help="images of each")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels")
    parser.add_argument("--learning-rate", type=float, default=3.5e-4)
    parser.add_argument("--momentum", type=float, default=0.9, help="of SSBVER's teacher")
    parser.add_argument("--start", default="imagenet", help="weights of the backbone: imagenet, none or a file")
    parser.add_argument("--auto-encoder", default="runs/auto_encoder/model.safetensors")
    parser.add_argument("--parser", default="runs/parser/model.safetensors")
    parser.add_argument("--small", action="store_true", help="small networks for a CPU")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for all methods")
    parser.add_argument("--device", default="cpu", help="cpu, cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="time of the measurement per method and batch size; 0: do not measure",
    )
    parser.add_argument("--report", action="store_true", help="train nothing, print what there is")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    sets = read_sources(arguments.data, arguments.option)
    if arguments.mix and arguments.identities % len(sets):
        raise InputError(f"--identities {arguments.identities}: must be a multiple of the {len(sets)} sets of --mix")
    there = [m for m, stem in METHODS.items() if (resource("configs", "reid") / f"{stem}.yaml").is_file()]
    methods = arguments.methods or there
    for method in methods:
        if method not in there:
            raise InputError(f"--methods {method}: no such method; there are {', '.join(there)}")
    same_budget(arguments)
    if not arguments.report:
        for seed in arguments.seeds:
            for method in methods:
                for together in [sets] if arguments.mix else [[part] for part in sets]:
                    run_once(method, together, folder_of(method, together[0], seed, arguments), seed, arguments)
    costs = cost_rows(methods, arguments)
    accuracies = {part.label: accuracy_rows(methods, part, arguments) for part in sets}
    where = f"{arguments.device}, {arguments.threads} threads"
    text = as_markdown(costs, where) if arguments.seconds else markdown_table(costs)
    for label, rows in accuracies.items():
        text += f"\n{label}:\n\n" + markdown_table(rows)
    write_json(arguments.output / "table5.json", {"cost": costs, **accuracies})
    write_text(arguments.output / "table5.md", text)
    print(text)


if __name__ == "__main__":
    main()
