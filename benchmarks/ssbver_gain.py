"""What SSBVER's self-supervised term is worth: an experiment whose settings were named before it was run.

    python benchmarks/ssbver_gain.py --size cpu        # small pictures and few steps: five hours of one core
    python benchmarks/ssbver_gain.py --size small --real DIR --train-on-real --vehicles 224    # from ImageNet weights
    python benchmarks/ssbver_gain.py --size full --device cuda          # the experiment; hours on one GPU
    python benchmarks/ssbver_gain.py --size full --seeds 1 2 3 4 5 --vehicles 50 150 576 2400

Question: with the same start, data, steps and seed, does the term raise mAP on vehicles that were not trained on, with
50, 150, 576 and 2,400 training vehicles? Named beforehand: the arms below; five seeds; simulated vehicles, rendered
with `python -m mtmc.simulate --reid` (the commands are printed where a set is missing); tested on 150 vehicles of set
101, and on the real test vehicles if --real is given. The difference of an arm and the baseline is paired by seed and
by vehicle; its 95 % interval is a bootstrap over the vehicles of the difference averaged over the seeds. A gain counts
if it is at least one point and its interval excludes 0.

Arms: `image` pairs views of one image (equation 4). `devices` pairs as the authors' script does on four GPUs. `vehicle`
lets the teacher see another camera's picture. At full size also lambda_s .005, .5 and 1, the sum over pairs, and no
local views (L = 0) and one (L = 1). A finished training is not repeated: the command resumes where it stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from common.errors import InputError
from common.settings import validate
from evaluation.bootstrap import bootstrap_means, interval
from reid.datasets import Dataset, load_dataset
from reid.embedding import embed_files
from reid.evaluate import paths_of_tests
from reid.extractor import Extractor, find_weights
from reid.ranking_figures import query_figures, rank_split
from reid.settings import TrainSettings
from reid.train import train

SSL = {"loss.self_supervision": 0.05, "ssl.pairs": "mean"}
ARMS: dict[str, dict[str, Any]] = {
    "baseline": {"loss.self_supervision": 0.0},
    "image": SSL,
    "devices": {**SSL, "ssl.pairing": "devices"},
    "vehicle": {**SSL, "ssl.pairing": "vehicle"},
}
MORE_ARMS: dict[str, dict[str, Any]] = {
    "image, lambda .005": {**SSL, "loss.self_supervision": 0.005},
    "image, lambda .5": {**SSL, "loss.self_supervision": 0.5},
    "image, lambda 1": {**SSL, "loss.self_supervision": 1.0},
    "image, sum over pairs": {**SSL, "ssl.pairs": "sum"},
    "image, L = 0": {**SSL, "views.local": 0},
    "image, L = 1": {**SSL, "views.local": 1},
    "image, Table 6": {**SSL, "ssl.objective": "rmse"},
}


@dataclass(frozen=True)
class Size:
    """One size of the experiment."""

    vehicles: tuple[int, ...]
    seeds: tuple[int, ...]
    steps: int
    settings: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, Any]]
    pretrained: str


LITE: dict[str, Any] = {
    "backbone": "tf_efficientnet_lite0",
    "pooling": "gem",
    "mean": [127 / 255] * 3,
    "std": [128 / 255] * 3,
}
# The momentum of the teacher averages over a tenth of the steps.
SIZES = {
    "tiny": Size(  # a test of this script
        (8,),
        (1, 2),
        2,
        {
            "model": {"backbone": "resnet18_ibn_quarter", "image_size": [32, 32], "pooling": "gem"},
            "sampler": {"identities": 4, "images": 2},
            "views": {"local": 1, "local_size": [16, 16], "pad": 2},
            "ssl": {"hidden": [32, 16], "outputs": 16, "batch_norm": True},
        },
        ARMS,
        "none",
    ),
    "cpu": Size(  # from weights that know vehicles, to others: minutes a training
        (50, 150),
        (1, 2, 3, 4, 5),
        80,
        {
            "pretrained_neck": True,
            "model": {"backbone": "resnet18_ibn_half", "image_size": [96, 96], "pooling": "gem"},
            "sampler": {"identities": 12, "images": 2},
            "views": {
                "global_area": [0.6, 1.0],
                "local": 2,
                "local_size": [48, 48],
                "pad": 5,
                "tint": 0.1,
                "degrade": 0.3,
            },
            "ssl": {"hidden": [1024, 1024, 256], "outputs": 1024, "batch_norm": True},
            "optimiser": {"learning_rate": 2e-4},
        },
        {**ARMS, "image, lambda .5": MORE_ARMS["image, lambda .5"]},
        "baseline",
    ),
    "small": Size(  # from ImageNet weights, with as few pictures as the CPU can take: a quarter of an hour a pair
        (50, 150),
        (1, 2, 3),
        300,
        {
            "model": LITE | {"image_size": [96, 96]},
            "sampler": {"identities": 12, "images": 2},
            "views": {"local": 2, "local_size": [48, 48], "pad": 5},
            "ssl": {"hidden": [1024, 1024, 256], "outputs": 1024, "batch_norm": True},
            "optimiser": {"learning_rate": 3.5e-4},
        },
        {"baseline": ARMS["baseline"], "image": ARMS["image"]},
        "imagenet",
    ),
    "full": Size(
        (50, 150, 576, 2400),
        (1, 2, 3, 4, 5),
        6000,
        {
            "model": LITE | {"image_size": [256, 256]},
            "sampler": {"identities": 32, "images": 4},
            "views": {"local": 4, "local_size": [112, 112], "pad": 10},
            "ssl": {"hidden": [2048, 2048, 256], "outputs": 1024, "batch_norm": False},
            "optimiser": {"learning_rate": 3.5e-4},
        },
        {**ARMS, **MORE_ARMS},
        "imagenet",
    ),
}
TEST = 101
TRAINING = tuple(range(102, 108))
RENDER = "python -m mtmc.simulate --reid --seed {seed} --identities {identities} --output {folder}"


def settings_of(
    size: Size, arm: str, vehicles: int, seed: int, root: Path, options: argparse.Namespace
) -> TrainSettings:
    """The settings of one training."""
    content: dict[str, Any] = json.loads(json.dumps(size.settings))
    content["pretrained"] = str(options.pretrained or size.pretrained)
    content["data"] = {"name": "csv", "root": str(root), "workers": options.workers}
    content["teacher"] = {"momentum": 1 - 10 / size.steps if size.steps > 20 else 0.5}
    optimiser = {"schedule": "cosine", "every": "step", "final_learning_rate": 1e-6, "weight_decay": 1e-4}
    content["optimiser"] = {**optimiser, "warmup_epochs": 0.5, **content.get("optimiser", {})}
    content["run"] = {
        "epochs": 10 if size.steps >= 10 else 1,
        "steps_per_epoch": max(1, size.steps // 10) if size.steps >= 10 else size.steps,
        "seed": seed,
        "device": options.device,
        "tensorboard": False,
        "validate_every": 0,
        "output": str(options.output / f"{arm.replace(' ', '_')}-{vehicles}-seed{seed}"),
    }
    for key, value in size.arms[arm].items():
        part, name = key.split(".")
        content.setdefault(part, {})[name] = value
    return validate(TrainSettings, content, f"arm {arm}")


def training_list(sets: Sequence[tuple[str, Path]], vehicles: int, output: Path) -> Path:
    """A CSV data set of the first `vehicles` training vehicles of sets of a format, the same in all arms."""
    rows = ["path,identity,camera,split"]
    taken = 0
    for name, folder in sets:
        if taken >= vehicles:
            break
        train = load_dataset(name, folder).train
        for identity in np.unique(train.identity)[: vehicles - taken]:
            for row in np.flatnonzero(train.identity == identity):
                rows.append(f"{Path(train.path[row]).resolve()},v{taken},{train.camera[row]},train")
            taken += 1
    if taken < vehicles:
        raise InputError(f"the sets hold {taken} training vehicles, {vehicles} are asked for")
    path = output / f"train-{vehicles}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    return path


def average_precision(weights: Path, dataset: Dataset) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(q,) average precision of each query of all splits, and (q,) its vehicle."""
    paths = paths_of_tests(dataset)
    row = {path: place for place, path in enumerate(paths)}
    vectors = embed_files(Extractor.load(weights, precision="float32"), paths).vectors
    values, vehicles = [], []
    for split in dataset.splits:
        query, gallery = (vectors[[row[path] for path in part.path]] for part in (split.query, split.gallery))
        values.append(query_figures(rank_split(query, gallery, split))[:, 0])
        vehicles.append(split.query.identity)
    found, groups = np.concatenate(values), np.concatenate(vehicles)
    return found[np.isfinite(found)], groups[np.isfinite(found)]


def main(argv: Sequence[str] | None = None) -> None:
    """Train all arms and print one table for each number of vehicles and test set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), default="cpu")
    parser.add_argument("--data-root", type=Path, default=Path("data/ssbver-gain"), help="where the simulated sets are")
    parser.add_argument("--real", type=Path, help="a CSV data set of real vehicles to test on as well")
    parser.add_argument("--vehicles", type=int, nargs="+", help="numbers of training vehicles")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--arms", nargs="+", help="some of the arms; the baseline is always one")
    parser.add_argument("--steps", type=int, help="steps of each training")
    parser.add_argument("--pretrained", help="initial weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare batches")
    parser.add_argument("--output", type=Path, default=Path("runs/ssbver-gain"))
    parser.add_argument("--train-on-real", action="store_true", help="take the training vehicles from --real as well")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    base = SIZES[options.size]
    chosen = options.arms or list(base.arms)
    size = Size(
        tuple(options.vehicles or base.vehicles),
        tuple(options.seeds or base.seeds),
        options.steps or base.steps,
        base.settings,
        {name: {**base.arms, **ARMS, **MORE_ARMS}[name] for name in dict.fromkeys(["baseline", *chosen])},
        base.pretrained,
    )
    if size.pretrained not in ("none", "imagenet") and options.pretrained is None:
        options.pretrained = str(find_weights(size.pretrained))
    if options.train_on_real and not options.real:
        raise InputError("--train-on-real needs --real DIR")
    test, sets = options.data_root / f"set-{TEST}", [options.data_root / f"set-{seed}" for seed in TRAINING]
    sets = [folder for folder in sets if folder.is_dir()] or sets[:1]
    for seed, folder in ((TEST, test), (TRAINING[0], sets[0])):
        if seed != TEST and options.train_on_real:
            continue
        if not folder.is_dir():
            raise InputError(f"{folder} is missing: {RENDER.format(seed=seed, identities=600, folder=folder)}")
    tests = {"simulated": load_dataset("veri", test)}
    if options.real:
        tests["real"] = load_dataset("csv", options.real, both_directions=True)
    console = Console(highlight=False, width=120)
    for vehicles in size.vehicles:
        source = [("csv", options.real)] if options.train_on_real else [("veri", folder) for folder in sets]
        root = training_list(source, vehicles, options.output)
        found: dict[str, dict[str, list[npt.NDArray[np.float64]]]] = {arm: {} for arm in size.arms}
        groups: dict[str, npt.NDArray[np.int64]] = {}
        for seed in size.seeds:
            for arm in size.arms:
                settings = settings_of(size, arm, vehicles, seed, root, options)
                train(settings)
                for name, dataset in tests.items():
                    weights = Path(settings.run.output) / "model.safetensors"
                    values, groups[name] = average_precision(weights, dataset)
                    found[arm].setdefault(name, []).append(values)
        for name in tests:
            rows = {arm: np.array(by_test[name]) for arm, by_test in found.items()}
            console.print(table_of(f"{vehicles} training vehicles, {name} test", rows, groups[name]))


def table_of(title: str, rows: Mapping[str, npt.NDArray[np.float64]], groups: npt.NDArray[np.int64]) -> Table:
    """mAP of each arm, its spread over the seeds, and the paired difference from the first arm."""
    table = Table(title=f"{title}, % mAP")
    for column in ("arm", "mean", "deviation over seeds", "difference", "95 % interval", "a gain"):
        table.add_column(column, justify="left" if column == "arm" else "right")
    reference = next(iter(rows.values()))
    for arm, values in rows.items():
        means = 100 * values.mean(axis=1)
        spread = f"{means.std(ddof=1):.2f}" if len(means) > 1 else ""
        cells = [arm, f"{means.mean():.2f}", spread]
        if values is not reference:
            difference = 100 * (values - reference).mean(axis=0)
            low, high = interval(bootstrap_means(difference, groups))
            gain = "yes" if difference.mean() >= 1 and low > 0 else "no"
            cells += [f"{difference.mean():+.2f}", f"{low:+.2f} to {high:+.2f}", gain]
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
