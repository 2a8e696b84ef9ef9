"""Command-line arguments shared by several of this package's commands."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from common.errors import InputError
from reid.datasets import DATASETS, Dataset, load_dataset
from reid.extractor import Extractor
from reid.interface import PRECISIONS

_FIGURES = ("mAP", "cmc1", "cmc5", "cmc10")


def add_data_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the arguments that select a data set."""
    parser.add_argument("--dataset", required=required, help=", ".join(DATASETS))
    parser.add_argument("--data-root", required=required, type=Path, help="the data set's folder (csv: the file)")
    parser.add_argument("--size", help="vehicleid, veriwild: small, medium or large")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of the data set's reader, e.g. holdout=0.2",
    )
    parser.add_argument("--strict", action="store_true", help="refuse data that differs from the published data set")


def add_extractor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that select where and how a network runs."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--precision", default="auto", help=f"arithmetic of the network: {', '.join(PRECISIONS)}")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all cores")
    parser.add_argument("--batch", type=int, default=32, help="crops per forward pass (default: 32)")
    parser.add_argument("--cache-dir", type=Path, help="cache converted networks in this folder")


def dataset_of(arguments: argparse.Namespace) -> Dataset:
    """Load the data set selected by the arguments of `add_data_arguments`."""
    options = read_options(arguments.option)
    if arguments.size:
        options["size"] = arguments.size
    return load_dataset(arguments.dataset, arguments.data_root, strict=arguments.strict, **options)


def read_options(texts: Sequence[str]) -> dict[str, object]:
    """Options of a reader from `KEY=VALUE` texts; values are YAML.

    >>> read_options(["holdout=0.2", "both_directions=true"])
    {'holdout': 0.2, 'both_directions': True}

    Raises:
        InputError: a text is no such pair.
    """
    options: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text}: must be key=value, for example holdout=0.2")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--option {text}: the value is not valid YAML ({error})") from error
    return options


def extractor_of(weights: str | Path, arguments: argparse.Namespace) -> Extractor:
    """Load the extractor selected by the arguments of `add_extractor_arguments`; its notes go to standard error."""
    extractor = Extractor.load(
        weights,
        arguments.device,
        precision=arguments.precision,
        threads=arguments.threads,
        batch=arguments.batch,
        cache_dir=arguments.cache_dir,
    )
    for note in extractor.notes:
        sys.stderr.write(f"note: {note}\n")
    return extractor


def read_figures(path: Path) -> tuple[str, dict[str, float]]:
    """Read the data set's name and the plain metrics (`mAP`, `cmc1`, ..., as fractions) from a `reid.evaluate` JSON.

    Raises:
        InputError: the file does not exist or is not such a JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = {name: float(value) for name, value in content["plain"].items()}
        dataset = str(content["dataset"])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; write it with python -m reid.evaluate --output") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{path}: not a result of python -m reid.evaluate --output") from None
    missing = [name for name in _FIGURES if name not in figures]
    if missing:
        raise InputError(f"{path}: key 'plain' lacks {', '.join(missing)}; write it again with reid.evaluate --output")
    return dataset, figures
