"""Time and peak memory of re-identification ranking, on random features.

    python benchmarks/ranking.py --queries 10000 --gallery 138517 --dims 2048 [--rerank]

The matrix product alone is timed as well, as a lower bound. Peak memory is that of the whole process, including the
features. docs/reid.md has the figures for this size.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from evaluation.ranking import find_matches, rank, rank_blocks
from evaluation.reranking import reranked_distances

_ROWS = 256


def simulate(
    images: int, dims: int, vehicles: int, noise: float, generator: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Features scattered around one centre per vehicle, and the vehicle of each."""
    centres = np.random.default_rng(0).standard_normal((vehicles, dims), np.float32)
    identity = generator.integers(0, vehicles, images)
    features = np.empty((images, dims), np.float32)
    for start in range(0, images, 4096):  # in blocks: temporaries of the whole table would dominate the peak
        part = slice(start, start + 4096)
        features[part] = centres[identity[part]]
        features[part] += noise * generator.standard_normal(features[part].shape, np.float32)
    return features, identity


def product_alone(query: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32]) -> None:
    """Compute all similarities in blocks and discard them."""
    for start in range(0, len(query), _ROWS):
        _ = query[start : start + _ROWS] @ gallery.T


def main() -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1_678)
    parser.add_argument("--gallery", type=int, default=11_579)
    parser.add_argument("--dims", type=int, default=2_048)
    parser.add_argument("--noise", type=float, default=2.5, help="noise of the features; raising it lowers the scores")
    parser.add_argument("--rerank", action="store_true", help="also sparse k-reciprocal re-ranking")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    vehicles = max(2, arguments.gallery // 14)
    query, own = simulate(arguments.queries, arguments.dims, vehicles, arguments.noise, generator)
    gallery, others = simulate(arguments.gallery, arguments.dims, vehicles, arguments.noise, generator)
    matches = find_matches(own, others)

    table = Table(title=f"{arguments.queries} queries, gallery of {arguments.gallery}, {arguments.dims} dimensions")
    for head in ("", "wall s", "CPU s", "CPU ms per query", "mAP", "CMC@1", "peak GiB so far"):
        table.add_column(head, justify="right" if head else "left")

    def measured(name: str, run: str) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        quality = ["", ""]
        if run == "product":
            product_alone(query, gallery)
        else:
            ranking = (
                rank(query, gallery, matches)
                if run == "rank"
                else rank_blocks(reranked_distances(query, gallery), matches)
            )
            quality = [f"{ranking.mean_average_precision:.4f}", f"{ranking.cmc(1):.4f}"]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        per_query = f"{1e3 * cpu / arguments.queries:.3f}"
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", per_query, *quality, f"{peak:.2f}")

    measured("matrix product alone", "product")
    measured("ranking (mAP, CMC)", "rank")
    if arguments.rerank:
        measured("re-ranking and ranking", "rerank")
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
