"""Baseline against SSBVER as re-id networks: several trainings of each on several test sets.

    python benchmarks/reid_pairs.py --runs runs/pairs --seeds 1 2 3 --data-root data/sim-veri data/sim-veri-13
    python benchmarks/reid_pairs.py --runs runs/pairs --seeds 1 2 3 --real data/real-reid

Reads runs/pairs/baseline-seed1/model.safetensors, runs/pairs/ssbver-seed1/model.safetensors and so on, which
`python -m reid.analyse sweep --point baseline ... --point ssbver ...` trains. Prints for each test set (in VeRi's
layout, or the two groups of --real) mean and standard deviation over the seeds of mAP, CMC and the mean distance of
positive and negative pairs (Figure 4 of the paper), and the paired difference with its 95 % interval and p-value
(t-test over the seeds).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy import stats

from reid.analyse.distances import pair_distances
from reid.datasets import Dataset, Split, load_dataset
from reid.embedding import embed_files
from reid.evaluate import evaluate_vectors, paths_of_tests
from reid.extractor import Extractor

REAL = {"real, four wheels": "kind=car|truck|bus", "real, motorcycles": "kind=motorcycle"}
FIGURES = ("mAP", "CMC@1", "CMC@5", "CMC@10", "mAP re-ranked", "positive distance", "negative distance")


def main() -> None:
    """Measure all trainings on all test sets and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="the folder that holds METHOD-seedN/")
    parser.add_argument(
        "--methods", nargs=2, default=["baseline", "ssbver"], help="the second is compared with the first"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--data-root", type=Path, nargs="+", default=[], help="test sets in VeRi-776's layout")
    parser.add_argument(
        "--real", type=Path, help="a CSV data set with the column `kind`; both directions, one table for each group"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=150)
    tests = {root.name: load_dataset("veri", root) for root in arguments.data_root}
    if arguments.real:
        tests |= {n: load_dataset("csv", arguments.real, where=w, both_directions=True) for n, w in REAL.items()}
    if not tests:
        parser.error("give a test set: --data-root, --real or both")
    kept = {}
    for name, dataset in tests.items():
        figures = np.array(
            [
                [
                    measure(arguments.runs / f"{m}-seed{s}" / "model.safetensors", dataset, arguments.threads)
                    for s in arguments.seeds
                ]
                for m in arguments.methods
            ]
        )
        vehicles = dataset.splits[0].gallery.identities
        console.print(table_of(f"{dataset.name}, {name}: {vehicles} vehicles", arguments.methods, figures))
        kept[name] = figures.tolist()
    if arguments.json:
        content = {"methods": arguments.methods, "seeds": arguments.seeds, "columns": FIGURES, "figures": kept}
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


def measure(weights: Path, dataset: Dataset, threads: int) -> list[float]:
    """`FIGURES` of one network on one test set; scores in percent, distances as they are."""
    paths = paths_of_tests(dataset)
    embedded = embed_files(Extractor.load(weights, "cpu", threads=threads), paths)
    evaluation = evaluate_vectors(
        dataset, embedded.vectors, embedded.readable, rerank=True, unreadable=embedded.unreadable
    )
    assert evaluation.reranked is not None
    plain, split = evaluation.plain, dataset.splits[0]
    row_of = {path: row for row, path in enumerate(paths)}
    query, gallery = (np.array([row_of[p] for p in part.path], np.int64) for part in (split.query, split.gallery))
    q, g = embedded.readable[query], embedded.readable[gallery]
    pairs = pair_distances(
        embedded.vectors[query[q]], embedded.vectors[gallery[g]], Split(split.query[q], split.gallery[g])
    )
    shares = [
        plain.mean_average_precision,
        *(plain.cmc[k] for k in (1, 5, 10)),
        evaluation.reranked.mean_average_precision,
    ]
    return [*(100 * mean for mean, _ in shares), pairs.positive_mean, pairs.negative_mean]


def table_of(title: str, methods: list[str], figures: npt.NDArray[np.float64]) -> Table:
    """A table of the mean and standard deviation of each method, and of the paired difference.

    Args:
        title: title of the table.
        methods: names of the two methods.
        figures: (2, seeds, len(FIGURES)).
    """
    table = Table(title=f"{title}, {figures.shape[1]} trainings of each", title_justify="left")
    for head in ("", *FIGURES):
        table.add_column(head, justify="right")
    several = figures.shape[1] > 1
    spread = figures.std(axis=1, ddof=1) if several else np.zeros_like(figures[:, 0])
    for name, means, deviations in zip(methods, figures.mean(axis=1), spread, strict=True):
        table.add_row(name, *(_with_error(m, d) for m, d in zip(means, deviations, strict=True)))
    difference = figures[1] - figures[0]
    half, p_value = np.zeros(len(FIGURES)), np.full(len(FIGURES), np.nan)
    if several:
        half = stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference, axis=0)
        varies = difference.std(axis=0) > 1e-9  # no test if all differences are equal
        p_value[varies] = stats.ttest_1samp(difference[:, varies], 0.0, axis=0).pvalue
    mean = difference.mean(axis=0)
    table.add_section()
    table.add_row("difference", *(f"{m:+.3f}" for m in mean))
    table.add_row("95 % interval", *(f"{m - h:+.2f} to {m + h:+.2f}" for m, h in zip(mean, half, strict=True)))
    table.add_row("p", *("-" if np.isnan(p) else f"{p:.3f}" for p in p_value))
    change = 100 * mean / figures[0].mean(axis=0)
    table.add_row("change, %", *(f"{c:+.1f}" for c in change))
    return table


def _with_error(mean: float, deviation: float) -> str:
    digits = _digits(mean)
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def _digits(value: float) -> int:
    return 2 if abs(value) >= 2 else 3


if __name__ == "__main__":
    main()
