"""Table 4 of the SSBVER paper on simulated scenarios: two extractors, everything else equal.

    python benchmarks/table4.py --seeds 101 102 103 104 105
    python benchmarks/table4.py --like sim-S07 --seeds 301 302 303 304 305

Each seed is a corridor like S06 with its own road, vehicles, traffic and cameras, used in no training; with --like, one
with the layout, weather and vehicles of that scenario. Detection and tracking run once per seed. Prints IDF1, IDP and
IDR of each seed and extractor, mean and standard deviation over the seeds, the paired difference with its 95 % interval
and p-values (t-test, Wilcoxon), and the figures of the paper.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from simulated import scenario_like, simulated_scenario

from common.cache import Cache
from common.resources import resource
from mtmc.config import load_config
from mtmc.execution.choice import make_executor
from mtmc.interface.running import choose_extractors
from mtmc.observation.stage import Source
from mtmc.pipeline import run

FIGURES = ("idf1", "idp", "idr")
PAPER = {"baseline": (0.6903, 0.6852, 0.6956), "ssbver": (0.7288, 0.7208, 0.7369)}


def main() -> None:
    """Run all seeds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--layout", default="corridor", choices=["corridor", "crossing", "network"])
    parser.add_argument("--like", metavar="SCENARIO", help="draw scenarios like this simulated one, not a bare layout")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--reid", nargs=2, default=["baseline", "ssbver"], help="shipped extractors or weights files")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    console, quiet = Console(highlight=False), Console(stderr=True)
    if not console.is_terminal:
        console.width = 120  # files and pipes are not limited to 80 columns
    extractions = choose_extractors(arguments.reid)
    settings, cache = load_config(None, arguments.set), Cache(arguments.cache)
    executor = make_executor(workers=arguments.workers)
    figures = np.zeros((len(arguments.seeds), 2, len(FIGURES)))
    for row, seed in enumerate(arguments.seeds):
        kind = partial(scenario_like, arguments.like)
        draw = kind if arguments.like else partial(simulated_scenario, arguments.layout)
        scenario = draw(seed, cache=cache, workers=arguments.workers, console=quiet, seconds=arguments.seconds)
        source = Source(str(resource("weights", "detector.onnx")))
        result = run(
            scenario,
            source=source,
            extractions=extractions,
            settings=settings,
            cache=cache,
            links=None,
            executor=executor,
            console=quiet,
        )
        for column, outcome in enumerate(result.outcomes):
            score = outcome.score
            if score is not None:
                figures[row, column] = [score.identity.idf1, score.identity.idp, score.identity.idr]
    _print(console, arguments.seeds, arguments.like or arguments.layout, [e.name for e in extractions], figures)
    if arguments.json:
        content = {
            "seeds": arguments.seeds,
            "extractors": arguments.reid,
            "figures": figures.tolist(),
            "data": "simulated",
        }
        arguments.json.write_text(json.dumps(content, indent=2) + "\n")


def _print(console: Console, seeds: list[int], kind: str, names: list[str], figures: np.ndarray) -> None:
    table = Table(title=f"simulated, {kind}: IDF1 / IDP / IDR in percent", title_justify="left")
    for head in ("seed", *names, "difference of IDF1"):
        table.add_column(head, justify="right")
    for seed, pair in zip(seeds, figures, strict=True):
        table.add_row(str(seed), *map(_figures, pair), f"{100 * (pair[1, 0] - pair[0, 0]):+.2f}")
    table.add_section()
    spread = figures.std(axis=0, ddof=1) if len(seeds) > 1 else np.zeros_like(figures[0])
    means = figures.mean(axis=0)
    table.add_row("mean", *map(_figures, means), f"{100 * (means[1, 0] - means[0, 0]):+.2f}")
    table.add_row("deviation", *map(_figures, spread), "")
    console.print(table)
    difference = 100 * (figures[:, 1, 0] - figures[:, 0, 0])
    if len(seeds) > 2 and difference.std() > 0:
        half = stats.t.ppf(0.975, len(seeds) - 1) * difference.std(ddof=1) / np.sqrt(len(seeds))
        t, w = stats.ttest_1samp(difference, 0.0), stats.wilcoxon(difference)
        console.print(
            f"difference of IDF1: {difference.mean():+.2f} points, 95 % interval {difference.mean() - half:+.2f} to "
            f"{difference.mean() + half:+.2f}; paired t-test p = {t.pvalue:.3f}, Wilcoxon p = {w.pvalue:.3f}"
        )
    paper = ", ".join(f"{name} {_figures(np.array(values))}" for name, values in PAPER.items())
    console.print(f"the paper, on CityFlow (real video, ResNet50-IBN): {paper}; difference of IDF1 +3.85")


def _figures(values: np.ndarray) -> str:
    return " / ".join(f"{100 * value:.2f}" for value in values)


if __name__ == "__main__":
    main()
