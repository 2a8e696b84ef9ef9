"""Re-id data sets in their distributed layouts: one module per data set, one function to load any of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from common.errors import InputError
from common.nearest import nearest
from reid.datasets import cityflow, vehicleid, veri, veriwild, vric
from reid.datasets.cityflow import load_cityflow
from reid.datasets.dataset import Dataset, Split
from reid.datasets.own import load_csv, load_folder
from reid.datasets.roundabouthd import load_roundabouthd
from reid.datasets.table import UNKNOWN_CAMERA, UNKNOWN_VIEWPOINT, ImageTable
from reid.datasets.vehicleid import load_vehicleid
from reid.datasets.veri import load_veri
from reid.datasets.veriwild import load_veriwild
from reid.datasets.vric import load_vric

__all__ = [
    "DATASETS",
    "PUBLISHED_TRAINING_IMAGES",
    "UNKNOWN_CAMERA",
    "UNKNOWN_VIEWPOINT",
    "Dataset",
    "ImageTable",
    "Split",
    "dataset_options",
    "load_dataset",
]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "veri": load_veri,
    "vehicleid": load_vehicleid,
    "veriwild": load_veriwild,
    "cityflow": load_cityflow,
    "vric": load_vric,
    "roundabouthd": load_roundabouthd,
    "folder": load_folder,
    "csv": load_csv,
}

PUBLISHED_TRAINING_IMAGES = {
    "veri": veri.PUBLISHED["train"][0],
    "vehicleid": vehicleid.PUBLISHED_TRAIN["train"][0],
    "veriwild": veriwild.PUBLISHED_TRAIN["train"][0],
    "cityflow": cityflow.PUBLISHED_TRAIN["train"][0],
    "vric": vric.PUBLISHED["train"][0],
}


def load_dataset(name: str, root: str | Path, *, strict: bool = False, **options: object) -> Dataset:
    """Read a data set in its distributed layout and check it.

    Args:
        name: `veri`, `vehicleid`, `veriwild`, `cityflow`, `vric`, `roundabouthd`, `folder` or `csv`.
        root: its folder (for `csv` the file).
        strict: turn every deviation from the published data set into an error instead of a note.
        options: options of the data set's reader: `size` (`vehicleid`, `veriwild`), `draws` (`vehicleid`),
            `seed`, `holdout` (`cityflow`, `folder`, `csv`), `synthetic` (`cityflow`), `also` (`veri`),
            `cache` (`roundabouthd`), `where` and `both_directions` (`csv`).

    Raises:
        InputError: unknown name or option, missing file, or malformed list.
    """
    if name not in DATASETS:
        raise InputError(f"data set {name!r} is unknown{nearest(name, DATASETS, limit=len(DATASETS))}")
    allowed = dataset_options(name)
    for option in options:
        if option not in allowed:
            raise InputError(f"data set {name!r} has no option {option!r}{nearest(option, allowed) or '; it has none'}")
        _require_kind(name, option, options[option], allowed[option])
    dataset = DATASETS[name](Path(root).expanduser(), **options)
    if strict and dataset.notes:
        raise InputError(f"{root} is not {name} as published: {'; '.join(dataset.notes)}")
    return dataset


def dataset_options(name: str) -> dict[str, object]:
    """The options that `load_dataset(name, root, ...)` takes, with their defaults."""
    parameters = inspect.signature(DATASETS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _require_kind(name: str, option: str, value: object, default: object) -> None:
    """Reject a value whose type differs from that of the option's default, and negative numbers."""
    if isinstance(default, bool) or isinstance(value, bool):
        right = isinstance(default, bool) and isinstance(value, bool)
    elif isinstance(default, int | float):
        right = isinstance(value, int if isinstance(default, int) else int | float) and value >= 0
    else:
        right = isinstance(value, type(default))
    if not right:
        raise InputError(f"data set {name!r}: option {option!r} is {value!r}; give a value like {default!r}")
