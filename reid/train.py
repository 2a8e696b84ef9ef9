"""`python -m reid.train`: train a baseline or SSBVER extractor.

One process: `python -m reid.train --config configs/reid/veri_resnet50_ibn_ssbver.yaml --set data.root=VERI`.
Several GPUs: `torchrun --nproc-per-node 4 -m reid.train --config ...`. A stopped run resumes when
the same command is given again.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from common.command_line import run_command
from common.devices import choose_device
from common.errors import InputError
from common.settings import apply_overrides, read_yaml, validate
from reid.datasets import load_dataset
from reid.datasets.holdout import hold_out
from reid.datasets.table import join_tables
from reid.models import ReidModel
from reid.settings import TrainSettings
from reid.training import batches
from reid.training.distributed import Processes, join_processes, leave_processes
from reid.training.trainer import Trainer
from reid.training.validation import Validation

log = logging.getLogger(__name__)


def read_settings(paths: Path | Sequence[Path], overrides: Sequence[str] = ()) -> TrainSettings:
    """Merge YAML files, later ones taking precedence, and apply `key=value` overrides.

    A file may inherit from another in the same folder with the key `extends: other.yaml`.

    Raises:
        InputError: missing file, unknown key, invalid value, or files that extend each other in a circle.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    content: dict[str, Any] = {}
    for path in files:
        content = _merge(content, _read_extending(path))
    return validate(TrainSettings, apply_overrides(content, overrides), " + ".join(map(str, files)))


def _read_extending(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path.resolve() in seen:
        raise InputError(f"{path}: key 'extends': the files extend each other in a circle")
    content = read_yaml(path)
    base = content.pop("extends", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise InputError(f"{path}: key 'extends': must name a file, not {base!r}")
    return _merge(_read_extending(path.parent / base, (*seen, path.resolve())), content)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def train(settings: TrainSettings, processes: Processes | None = None, until: int | None = None) -> dict[str, float]:
    """Train a network.

    Args:
        settings: settings of the run; files are written to `settings.run.output`.
        processes: this process's place among those started by `torchrun`.
        until: stop after this many steps (the run can be resumed).

    Returns:
        The metrics of the last validation, `mAP` and `cmc1` as fractions; empty without validation data.
    """
    processes = processes or Processes()
    run, data = settings.run, settings.data
    if run.threads:
        torch.set_num_threads(run.threads)
    try:
        device = torch.device(choose_device(run.device, local_rank=processes.local_rank))
    except InputError as error:
        raise InputError(f"run.device: {error}") from error
    if device.type == "cuda":
        torch.cuda.set_device(device)  # for code that uses the current device, such as the random state
    dataset = load_dataset(data.name, data.root, **cast(dict[str, Any], data.options))
    for note in dataset.notes:
        log.warning("%s", note)
    table, split = dataset.train, dataset.splits[0] if dataset.splits else None
    if data.validation:
        table, split = hold_out(table, data.validation, run.seed)
    tables = [table]
    for part in data.also:
        added = load_dataset(part.name, part.root, **cast(dict[str, Any], part.options))
        for note in added.notes:
            log.warning("%s", note)
        if not len(added.train):
            raise InputError(f"data.also: {part.root}: data set {part.name} has no training images")
        tables.append(added.train)
    table = join_tables(tables)
    trainer = Trainer(settings, table, device, processes, np.repeat(np.arange(len(tables)), list(map(len, tables))))
    log.info(
        "%s on %d images of %d identities, %d steps of %d images, %.2f M parameters, %s on %s",
        "SSBVER" if settings.self_supervised else "baseline",
        len(table),
        table.identities,
        trainer.steps,
        trainer.maker.share * processes.size,
        sum(p.numel() for p in trainer.teacher.model.parameters()) / 1e6,
        trainer.settings.run.precision,
        device,
    )
    if split is None or not len(split.query):
        return trainer.run(Path(run.output), None, until)
    # Every process checks the split, so that all of them stop if it is unusable; only the first one reads images.
    check = Validation(split, data.validation_queries, data.cache_gigabytes if processes.first else 0.0)

    def validate_model(model: ReidModel) -> dict[str, float]:
        return check(model, device, trainer.settings.run.precision == "bfloat16")

    return trainer.run(Path(run.output), validate_model, until)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reid.train", description="Train a re-identification extractor.")
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        nargs="+",
        help="YAML files, e.g. of configs/reid/; later files take precedence",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting, e.g. data.root=DIR"
    )
    parser.add_argument("--output", help="output folder (overrides run.output)")
    parser.add_argument("--pretrained", help="initial weights: imagenet, none, or a file")
    parser.add_argument("--until", type=int, help="stop after this many steps; repeat the command to continue")
    arguments = parser.parse_args(argv)
    if arguments.until is not None and arguments.until < 1:
        raise InputError(f"--until {arguments.until}: must be at least 1")
    settings = read_settings(arguments.config, arguments.set)
    if arguments.pretrained:
        settings = settings.model_copy(update={"pretrained": arguments.pretrained})
    if arguments.output:
        settings = settings.model_copy(update={"run": settings.run.model_copy(update={"output": arguments.output})})
    processes = join_processes()
    level = logging.INFO if processes.first else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    # Each process reads its own share of a batch and reports the files that it cannot read.
    logging.getLogger(batches.__name__).setLevel(logging.INFO)
    try:
        metrics = train(settings, processes, arguments.until)
    finally:
        leave_processes()
    if processes.first:
        shown = "  ".join(f"{key} {100 * value:.2f} %" for key, value in metrics.items())
        sys.stdout.write(f"{settings.run.output}/model.safetensors  {shown}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
