"""Analyse trained networks: `python -m reid.analyse {saliency,distances,curves,efficiency,table5,sweep,hours} ...`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from common.command_line import run_command
from common.devices import choose_device
from common.errors import InputError
from common.files import write_json, write_text
from common.nearest import nearest
from common.resources import resource
from reid import train
from reid.analyse.budget import training_budget
from reid.analyse.curves import curve_rows, draw_curves, read_curves
from reid.analyse.distances import distance_histograms, distance_means, draw_distances, pair_distances
from reid.analyse.efficiency import BATCHES, PUBLISHED, Cost, Subject, draw_efficiency, measure, with_accuracy
from reid.analyse.results import save_figure, save_table, short_names
from reid.analyse.saliency import draw_saliency, pair_saliency
from reid.analyse.sweep import Point, Variation, draw_sweep, read_points, run_sweep
from reid.analyse.table5 import RECIPES, as_markdown, measure_together, size_of, table_rows
from reid.arguments import (
    add_data_arguments,
    add_extractor_arguments,
    dataset_of,
    extractor_of,
    read_figures,
)
from reid.checkpoint import load_model
from reid.datasets import Split
from reid.embedding import embed_files
from reid.evaluate import evaluate_extractor, paths_of_tests
from reid.extractor import find_weights
from reid.images import read_image


def _saliency(arguments: argparse.Namespace) -> None:
    query, gallery = read_image(arguments.query), read_image(arguments.gallery)
    names = short_names(arguments.weights)
    device = choose_device(arguments.device)
    models = [load_model(find_weights(weights), device)[0] for weights in arguments.weights]
    found = [pair_saliency(model, query, gallery) for model in models]
    save_figure(draw_saliency(query, gallery, names, found), arguments.output / "saliency.png")
    rows = [
        {"weights": name, "image": image, "row": row, "column": column, "saliency": float(values[row, column])}
        for name, saliency in zip(names, found, strict=True)
        for image, values in (("query", saliency.query), ("gallery", saliency.gallery))
        for row, column in np.ndindex(*values.shape)
    ]
    save_table(rows, arguments.output / "saliency.csv")
    similarities = [{"weights": n, "similarity": s.similarity} for n, s in zip(names, found, strict=True)]
    save_table(similarities, arguments.output / "similarity.csv")
    _print(similarities)


def _distances(arguments: argparse.Namespace) -> None:
    dataset = dataset_of(arguments)
    paths = paths_of_tests(dataset)
    split = dataset.splits[0]
    row_of = {path: row for row, path in enumerate(paths)}
    query = np.array([row_of[path] for path in split.query.path], np.int64)
    gallery = np.array([row_of[path] for path in split.gallery.path], np.int64)
    found = []
    for weights in arguments.weights:
        embedded = embed_files(extractor_of(weights, arguments), paths)
        q, g = embedded.readable[query], embedded.readable[gallery]
        seen = Split(split.query[q], split.gallery[g])
        found.append(pair_distances(embedded.vectors[query[q]], embedded.vectors[gallery[g]], seen))
    names = short_names(arguments.weights)
    means = distance_means(names, found)
    save_figure(draw_distances(names, found, dataset.name), arguments.output / "distances.png")
    save_table(distance_histograms(names, found), arguments.output / "distances.csv")
    save_table(means, arguments.output / "distance_means.csv")
    _print(means)


def _curves(arguments: argparse.Namespace) -> None:
    if arguments.smooth < 1:
        raise InputError(f"--smooth {arguments.smooth}: must be at least 1 (no smoothing)")
    names = short_names(arguments.runs)
    curves = [read_curves(run) for run in arguments.runs]
    save_figure(draw_curves(names, curves, arguments.smooth), arguments.output / "curves.png")
    save_table(curve_rows(names, curves), arguments.output / "curves.csv")
    _print(
        [
            {"run": n, "rows": len(c["step"]), "last step": int(c["step"][-1])}
            for n, c in zip(names, curves, strict=True)
        ]
    )


def _efficiency(arguments: argparse.Namespace) -> None:
    subjects = [Subject(weights=weights) for weights in arguments.weights]
    subjects += [Subject(backbone=name, image_size=tuple(arguments.image_size)) for name in arguments.backbone]
    if not subjects:
        raise InputError("efficiency: nothing to measure; give --weights or --backbone")
    names = short_names(arguments.weights) + list(arguments.backbone)
    costs = [
        measure(subject, name, arguments.device, arguments.precision, arguments.threads, arguments.seconds)
        for subject, name in zip(subjects, names, strict=True)
    ]
    accuracies: dict[str, tuple[str, float]] = {}
    for text in arguments.figures:
        name, equals, path = text.partition("=")
        if not equals:
            raise InputError(f"--figures {text}: must be NAME=FILE.json")
        dataset, figures = read_figures(Path(path))
        accuracies[name] = (dataset, figures["mAP"])
    costs = with_accuracy(costs, accuracies) + (list(PUBLISHED) if arguments.published else [])
    rows = [cost.as_row() for cost in costs]
    save_figure(draw_efficiency(costs), arguments.output / "efficiency.png")
    save_table(rows, arguments.output / "efficiency.csv")
    _print(rows)


def _table5(arguments: argparse.Namespace) -> None:
    folder = resource("configs", "reid")
    recipes = {method: folder / f"{stem}.yaml" for method, stem in RECIPES.items()}
    recipes = {method: path for method, path in recipes.items() if path.is_file()}
    for text in arguments.recipe:
        method, equals, path = text.partition("=")
        if not equals:
            raise InputError(f"--recipe {text}: must be NAME=FILE.yaml")
        recipes[method] = Path(path)
    for method in arguments.only:
        if method not in recipes:
            raise InputError(f"--only {method}: unknown method{nearest(method, recipes, limit=len(recipes))}")
    wanted = arguments.only or list(recipes)
    configs = {method: train.read_settings(recipes[method], arguments.set).model for method in wanted}
    accuracies: dict[str, dict[str, float]] = {}
    for text in arguments.figures:
        method, equals, path = text.partition("=")
        if not equals or method not in configs:
            raise InputError(f"--figures {text}: must be METHOD=FILE.json, with a method that is measured")
        accuracies[method] = read_figures(Path(path))[1]
    sizes = {method: size_of(config) for method, config in configs.items()}
    costs = {m: Cost(m, "", s.deployed / 1e6, s.dims, *4 * (math.nan,)) for m, s in sizes.items()}
    if arguments.seconds:
        costs = measure_together(
            configs,
            device=arguments.device,
            precision=arguments.precision,
            threads=arguments.threads,
            seconds=arguments.seconds,
            batches=sorted(set(arguments.batches)),
        )
    rows = table_rows(sizes, costs, accuracies)
    save_table(rows, arguments.output / "table5.csv")
    write_text(arguments.output / "table5.md", as_markdown(rows, next(iter(costs.values())).source))
    measured = with_accuracy(list(costs.values()), {m: ("", f["mAP"]) for m, f in accuracies.items()})
    published = [cost for cost in PUBLISHED if cost.method in configs]
    save_figure(draw_efficiency([*published, *measured]), arguments.output / "figure7.png")
    _print([{key: row[key] for key in row if not key.startswith("paper")} for row in rows])


def _sweep(arguments: argparse.Namespace) -> None:
    points = []
    for label, *results in arguments.results:
        if not results:
            raise InputError(f"--results {label}: name at least one JSON file of reid.evaluate after the label")
        points.append(Point(label, tuple(map(Path, results))))
    if arguments.point:
        if not arguments.config or not arguments.dataset or not arguments.data_root:
            raise InputError("sweep: --point trains, which needs --config, --dataset and --data-root")
        points += _train_points(arguments)
    if not points:
        raise InputError("sweep: no points; give --results LABEL FILE ... or --point LABEL KEY=VALUE ...")
    rows = read_points(points)
    save_figure(draw_sweep(rows, arguments.title), arguments.output / "sweep.png")
    save_table(rows, arguments.output / "sweep.csv")
    _print(rows)


def _train_points(arguments: argparse.Namespace) -> list[Point]:
    dataset = dataset_of(arguments)

    def train_run(overrides: Sequence[str], folder: Path) -> Path:
        changes = [f"data.root={arguments.data_root}", *arguments.set, *overrides]
        settings = [text for change in changes for text in ("--set", change)]
        train.main(["--config", *map(str, arguments.config), *settings, "--output", str(folder)])
        return folder / "model.safetensors"

    def evaluate_run(weights: Path, result: Path) -> None:
        write_json(result, evaluate_extractor(extractor_of(weights, arguments), dataset).as_dict())

    variations = [Variation(label, tuple(settings)) for label, *settings in arguments.point]
    return run_sweep(variations, arguments.seeds, arguments.output, train_run, evaluate_run)


def _hours(arguments: argparse.Namespace) -> None:
    if not (arguments.peak_tflops > 0 and arguments.utilisation > 0):
        raise InputError("--peak-tflops and --utilisation must be above 0")
    rows = []
    for config in arguments.config:
        settings = train.read_settings(config, arguments.set)
        budget = training_budget(settings, arguments.images)
        rows.append(
            {
                "config": config.stem,
                "backbone": settings.model.backbone,
                "deployed GFLOP": budget.inference_gflop,
                "training GFLOP": budget.image_gflop,
                "steps": budget.steps,
                "PFLOP": budget.total_pflop,
                "hours": budget.hours(arguments.peak_tflops, arguments.utilisation),
            }
        )
    save_table(rows, arguments.output / "hours.csv")
    _print(rows)


def _print(rows: Sequence[dict[str, str | float]] | Sequence[dict[str, object]]) -> None:
    table = Table()
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160  # do not wrap in files and pipes
    console.print(table)


def _shown(value: object) -> str:
    """Format a table cell: four significant digits, empty for NaN."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reid.analyse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    saliency = commands.add_parser("saliency", help="Figure 6: saliency of the similarity of two images")
    saliency.add_argument(
        "--weights", nargs="+", required=True, help="checkpoints or names of shipped extractors, shown side by side"
    )
    saliency.add_argument("--query", type=Path, required=True, help="query image")
    saliency.add_argument("--gallery", type=Path, required=True, help="gallery image")
    saliency.add_argument("--device", default="auto")
    saliency.set_defaults(run=_saliency)

    distances = commands.add_parser(
        "distances", help="Figure 4: distances of positive and negative pairs, relative to the first network"
    )
    distances.add_argument("--weights", nargs="+", required=True)
    add_data_arguments(distances)
    add_extractor_arguments(distances)
    distances.set_defaults(run=_distances)

    curves = commands.add_parser("curves", help="Figure 5: losses during training")
    curves.add_argument("--runs", nargs="+", type=Path, required=True, help="training run folders")
    curves.add_argument(
        "--smooth", type=int, default=1, help="window of the moving average in the plot, in logged rows"
    )
    curves.set_defaults(run=_curves)

    efficiency = commands.add_parser("efficiency", help="Figure 7, Table 5: cost on this device versus accuracy")
    efficiency.add_argument("--weights", nargs="+", default=[], help="checkpoints (.safetensors) or names")
    efficiency.add_argument(
        "--backbone", nargs="+", default=[], help="architectures to measure without trained weights"
    )
    efficiency.add_argument(
        "--image-size", nargs=2, type=int, default=[256, 256], metavar=("H", "W"), help="input size for --backbone"
    )
    efficiency.add_argument(
        "--figures",
        nargs="+",
        default=[],
        metavar="NAME=FILE",
        help="accuracy of a network from a JSON of reid.evaluate --output",
    )
    efficiency.add_argument("--published", action="store_true", help="add the values published in the paper (RTX 2080)")
    efficiency.add_argument("--seconds", type=float, default=2.0, help="measurement time per batch size")
    add_extractor_arguments(efficiency)
    efficiency.set_defaults(run=_efficiency)

    table5 = commands.add_parser(
        "table5", help="Table 5, Figure 7: the paper's methods side by side, measured in turns"
    )
    table5.add_argument(
        "--only", nargs="+", default=[], metavar="METHOD", help=f"of {', '.join(RECIPES)}; default: all"
    )
    table5.add_argument(
        "--recipe", nargs="+", default=[], metavar="NAME=FILE", help="training configurations of further methods"
    )
    table5.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting for all of them"
    )
    table5.add_argument(
        "--figures", nargs="+", default=[], metavar="METHOD=FILE", help="accuracy from a JSON of reid.evaluate --output"
    )
    table5.add_argument(
        "--seconds", type=float, default=2.0, help="measurement time per method and batch size; 0: count only"
    )
    table5.add_argument(
        "--batches",
        nargs="+",
        type=int,
        choices=BATCHES,
        default=list(BATCHES),
        help="batch sizes to measure (default: both; 32 pictures of full size take minutes on a CPU)",
    )
    table5.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    table5.add_argument("--precision", default="auto", help="arithmetic of the networks: auto, float32, bfloat16")
    table5.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all cores")
    table5.set_defaults(run=_table5)

    sweep = commands.add_parser("sweep", help="Figure 8, Table 6: vary one setting")
    sweep.add_argument(
        "--results",
        nargs="+",
        action="append",
        default=[],
        metavar=("LABEL", "FILE"),
        help="a point from evaluated runs",
    )
    sweep.add_argument(
        "--point",
        nargs="+",
        action="append",
        default=[],
        metavar=("LABEL", "KEY=VALUE"),
        help="a point to train and evaluate",
    )
    sweep.add_argument("--config", nargs="+", type=Path, help="training configuration that the points modify")
    sweep.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting for all points"
    )
    sweep.add_argument("--seeds", nargs="+", type=int, default=[0])
    sweep.add_argument("--title", default="", help="name of the varied setting")
    add_data_arguments(sweep, required=False)
    add_extractor_arguments(sweep)
    sweep.set_defaults(run=_sweep)

    hours = commands.add_parser(
        "hours", help="compute budget of training runs: operations, and hours at an assumed speed"
    )
    hours.add_argument("--config", nargs="+", type=Path, required=True, help="training configurations, one row each")
    hours.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting for all of them"
    )
    hours.add_argument("--images", type=int, default=0, help="number of training images; 0: as published")
    hours.add_argument("--peak-tflops", type=float, default=312.0, help="peak of the GPU in bfloat16 (A100: 312)")
    hours.add_argument("--utilisation", type=float, default=0.3, help="sustained fraction of the peak")
    hours.set_defaults(run=_hours)

    for command in commands.choices.values():
        command.add_argument("--output", type=Path, required=True, help="output folder for PNG and CSV files")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    arguments = _parser().parse_args(argv)
    arguments.run(arguments)
    sys.stdout.write(f"written to {arguments.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
