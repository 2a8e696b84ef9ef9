"""Evaluate re-identification: `python -m reid.evaluate --weights FILE --dataset veri --data-root DIR`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from common.command_line import run_command
from common.errors import InputError
from common.files import write_json
from evaluation.expansion import NEIGHBOURS
from reid.arguments import add_data_arguments, add_extractor_arguments, dataset_of, extractor_of
from reid.branches import ImageLabels
from reid.datasets import Dataset, ImageTable, Split
from reid.embedding import embed_files
from reid.extractor import Extractor
from reid.interface import Distance
from reid.models import ReidModel
from reid.ranking_figures import CMC, Figures, figure_intervals, rank_split


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Retrieval metrics of one network on one data set.

    Attributes:
        dataset: the data set's name.
        splits: number of query/gallery splits that the metrics are averaged over.
        queries: queries of the first split that have a match in the gallery.
        gallery: images in the first split's gallery.
        without_match: queries of the first split without a match in its gallery; they are excluded.
        unreadable: image files that could not be read and were skipped, one line each.
        notes: deviations from the published data set.
        plain: metrics of the ranking by the network's distance, as a rule the cosine.
        reranked: metrics after k-reciprocal re-ranking, None if not requested.
        expanded: metrics after average query expansion, None if not requested.
        intervals: 95 % interval of each plain metric (`mAP`, `cmc1`, ...), by bootstrap over identities, over all
            splits; empty if not requested.
    """

    dataset: str
    splits: int
    queries: int
    gallery: int
    without_match: int
    unreadable: tuple[str, ...]
    notes: tuple[str, ...]
    plain: Figures
    reranked: Figures | None
    expanded: Figures | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """A JSON-serialisable dictionary; metrics are fractions."""
        return {
            "dataset": self.dataset,
            "splits": self.splits,
            "queries": self.queries,
            "gallery": self.gallery,
            "queries_without_match": self.without_match,
            "unreadable": list(self.unreadable),
            "notes": list(self.notes),
            "plain": self.plain.as_dict(),
            "reranked": self.reranked.as_dict() if self.reranked else None,
            "expanded": self.expanded.as_dict() if self.expanded else None,
            **(
                {"intervals": {name: list(limits) for name, limits in self.intervals.items()}} if self.intervals else {}
            ),
        }

    def to_rich(self) -> Table:
        """A table in per cent for the terminal: one row per metric, the ways of ranking side by side."""
        table = Table()
        table.add_column("%")
        ways = {"plain": self.plain, "re-ranked": self.reranked, "query expansion": self.expanded}
        columns = [figures for figures in ways.values() if figures]
        for name in (name for name, figures in ways.items() if figures):
            table.add_column(name, justify="right")
        if self.intervals:
            table.add_column("95 % interval, plain", justify="right")
        table.add_row("mAP", *(self._per_cent(c.mean_average_precision) for c in columns), *self._interval("mAP"))
        for k in CMC:
            table.add_row(f"CMC@{k}", *(self._per_cent(c.cmc[k]) for c in columns), *self._interval(f"cmc{k}"))
        return table

    def _interval(self, name: str) -> list[str]:
        if name not in self.intervals:
            return []
        low, high = self.intervals[name]
        return [f"{100 * low:.2f} to {100 * high:.2f}"]

    def _per_cent(self, figure: tuple[float, float]) -> str:
        mean, deviation = figure
        return f"{100 * mean:.2f}" + (f" ± {100 * deviation:.2f}" if self.splits > 1 else "")


def evaluate_extractor(
    extractor: Extractor,
    dataset: Dataset,
    *,
    rerank: bool = False,
    bootstrap: int = 0,
    expand: bool = False,
    threads: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Embed each test image once and rank every split of a data set.

    Args:
        extractor: makes the vectors.
        dataset: whose `splits` are ranked.
        rerank: also evaluate with re-ranking.
        bootstrap: number of resamples of the identities for intervals; 0 for none.
        expand: also evaluate with average query expansion.
        threads: threads that decode images.
        progress: told after each batch how many files it held.

    Raises:
        InputError: the data set has no test images, none can be read, or no query has a match in its gallery.
    """
    paths = paths_of_tests(dataset)
    embedded = embed_files(extractor, paths, threads, progress, labels_of_tests(dataset))
    return evaluate_vectors(
        dataset,
        embedded.vectors,
        embedded.readable,
        rerank=rerank,
        bootstrap=bootstrap,
        expand=expand,
        unreadable=embedded.unreadable,
        distance=extractor.distance,
    )


def evaluate_model(
    model: ReidModel, dataset: Dataset, device: str = "cpu", *, precision: str = "auto", threads: int = 2
) -> Evaluation:
    """Evaluate a network in memory, for example during training; the network is left unchanged."""
    return evaluate_extractor(Extractor.of_model(model, device, precision=precision), dataset, threads=threads)


def evaluate_vectors(
    dataset: Dataset,
    vectors: npt.NDArray[np.float32],
    readable: npt.NDArray[np.bool_] | None = None,
    *,
    rerank: bool = False,
    bootstrap: int = 0,
    expand: bool = False,
    unreadable: tuple[str, ...] = (),
    distance: Distance = "cosine",
) -> Evaluation:
    """Rank every split of a data set by precomputed vectors.

    Args:
        dataset: whose `splits` are ranked.
        vectors: (n, d), one row for each of `paths_of_tests(dataset)`.
        readable: (n,) mask of the rows to use; None uses all.
        rerank: also evaluate with re-ranking.
        bootstrap: number of resamples of the identities for intervals; 0 for none.
        expand: also evaluate with average query expansion.
        unreadable: passed through to the result.
        distance: how vectors are compared; re-ranking and query expansion use the cosine.
    """
    row_of = {path: row for row, path in enumerate(paths_of_tests(dataset))}
    kept = np.ones(len(vectors), np.bool_) if readable is None else readable
    if not kept.any():
        raise InputError(f"{dataset.name}: none of its {len(kept)} test images can be read")
    plain, reranked, expanded, identities = [], [], [], []
    first: Split | None = None
    for split in dataset.splits:
        query = np.array([row_of[path] for path in split.query.path], np.int64)
        gallery = np.array([row_of[path] for path in split.gallery.path], np.int64)
        seen = Split(split.query[kept[query]], split.gallery[kept[gallery]])
        query_vectors, gallery_vectors = _rows(vectors, query[kept[query]]), _rows(vectors, gallery[kept[gallery]])
        plain.append(rank_split(query_vectors, gallery_vectors, seen, distance=distance))
        identities.append(seen.query.identity)
        if rerank:
            reranked.append(rank_split(query_vectors, gallery_vectors, seen, rerank=True))
        if expand:
            expanded.append(rank_split(query_vectors, gallery_vectors, seen, expand=True))
        first = first or seen
    assert first is not None
    if not all(ranking.queries for ranking in plain):
        raise InputError(
            f"{dataset.name}: none of its {len(first.query)} queries has a match in the gallery: no image of the same "
            "identity from another camera; check how identities and cameras are read from the file names"
        )
    return Evaluation(
        dataset.name,
        len(plain),
        plain[0].queries,
        len(first.gallery),
        plain[0].left_out,
        unreadable,
        dataset.notes,
        Figures.of(plain),
        Figures.of(reranked) if rerank else None,
        Figures.of(expanded) if expand else None,
        figure_intervals(plain, identities, bootstrap) if bootstrap else {},
    )


def paths_of_tests(dataset: Dataset) -> list[str]:
    """All image files of the data set's splits without duplicates, in order of first appearance.

    Raises:
        InputError: the data set has no test images.
    """
    if not any(len(split.query) and len(split.gallery) for split in dataset.splits):
        raise InputError(f"{dataset.name}: no test images; raise holdout or give query and gallery images")
    return list(dict.fromkeys(path for s in dataset.splits for table in (s.query, s.gallery) for path in table.path))


def labels_of_tests(dataset: Dataset) -> ImageLabels:
    """Cameras and viewpoints of `paths_of_tests(dataset)`."""
    tables = [table for split in dataset.splits for table in (split.query, split.gallery)]
    table = ImageTable.concatenate(tables)
    first = np.sort(np.unique(table.path.astype(str), return_index=True)[1])
    return ImageLabels(torch.from_numpy(table.camera[first]), torch.from_numpy(table.viewpoint[first]))


def _rows(vectors: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """`vectors[rows]`, without a copy where the rows are consecutive (a large gallery is a gigabyte)."""
    if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return vectors[rows[0] : rows[0] + len(rows)]
    return vectors[rows]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m reid.evaluate", description=__doc__)
    parser.add_argument("--weights", required=True, help="a file (.safetensors, .onnx, .xml) or a name in weights/")
    add_data_arguments(parser)
    add_extractor_arguments(parser)
    parser.add_argument(
        "--rerank", action="store_true", help="also evaluate with k-reciprocal re-ranking (k1 20, k2 6, lambda 0.3)"
    )
    parser.add_argument(
        "--bootstrap",
        type=int,
        default=0,
        metavar="N",
        help="add 95 %% intervals of the plain figures, from N resamples of the test identities (0: none)",
    )
    parser.add_argument(
        "--expand",
        action="store_true",
        help=f"also evaluate with average query expansion (each query averaged with its first {NEIGHBOURS} results)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--output", type=Path, help="also write the JSON to this file")
    arguments = parser.parse_args(argv)
    if arguments.bootstrap < 0:
        raise InputError(f"--bootstrap {arguments.bootstrap}: must be at least 0")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    messages = Console(stderr=True, highlight=False)
    dataset = dataset_of(arguments)
    for note in dataset.notes:
        messages.print(f"note: {note}", soft_wrap=True)
    extractor = extractor_of(arguments.weights, arguments)
    with Progress(console=messages, transient=True) as bar:
        task = bar.add_task("embedding", total=len(paths_of_tests(dataset)))
        result = evaluate_extractor(
            extractor,
            dataset,
            rerank=arguments.rerank,
            bootstrap=arguments.bootstrap,
            expand=arguments.expand,
            progress=lambda files: bar.advance(task, files),
        )
    if result.without_match:
        messages.print(f"note: {result.without_match} queries have no match in the gallery and are excluded")
    if result.unreadable:
        messages.print(f"note: {len(result.unreadable)} images could not be read and were skipped")
    content = {"weights": str(arguments.weights), "extractor": extractor.key, **result.as_dict()}
    if arguments.output:
        write_json(arguments.output, content)
    if arguments.json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        console = Console(highlight=False)
        console.print(f"{result.dataset}: {result.queries} queries, {result.gallery} gallery images", soft_wrap=True)
        console.print(result.to_rich())
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
