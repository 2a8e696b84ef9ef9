"""Figure 4: how far apart the vectors of equal and of different vehicles are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from common.errors import InputError
from evaluation.ranking import find_matches
from reid.datasets import Split

BINS = 100
LARGEST = 2.0
"""Vectors of length 1 are at most this far apart."""


@dataclass(frozen=True, slots=True)
class PairDistances:
    """Euclidean distances of all pairs of a query and a gallery image, junk left out.

    Attributes:
        positive: (BINS,) int64, pairs of one vehicle in each of BINS equal steps of distance from 0 to 2.
        negative: (BINS,) int64, pairs of two vehicles.
        positive_mean: mean distance, exact, not from the histogram.
        negative_mean: likewise.
    """

    positive: npt.NDArray[np.int64]
    negative: npt.NDArray[np.int64]
    positive_mean: float
    negative_mean: float


def pair_distances(
    query: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32], split: Split, chunk_bytes: int = 2**27
) -> PairDistances:
    """Distances of every pair of a split, counted chunk by chunk.

    Args:
        query: (q, d) vectors of length 1.
        gallery: (g, d) vectors of length 1.
        split: their identities and cameras; a gallery image of the query's identity and camera is junk.
        chunk_bytes: memory of one block of distances.

    Raises:
        InputError: there is no pair of one vehicle, or none of two.
    """
    row_of = {path: row for row, path in enumerate(split.gallery.path)}
    itself = np.array([row_of.get(path, -1) for path in split.query.path], np.int64)
    matches = find_matches(
        split.query.identity, split.gallery.identity, split.query.camera, split.gallery.camera, itself=itself
    )
    edges = np.linspace(0, LARGEST, BINS + 1)
    positive, negative = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    sums = np.zeros(2)
    rows = max(1, chunk_bytes // (8 * max(len(gallery), 1)))
    for start in range(0, len(query), rows):
        stop = min(start + rows, len(query))
        # Rounding must not take the root of less than 0, nor a pair out of the last bin.
        squared = np.clip(2 - 2 * (query[start:stop] @ gallery.T), 0, LARGEST**2)
        distance = np.sqrt(squared, out=squared)
        pair = slice(*np.searchsorted(matches.query, (start, stop)))
        row, column, junk = matches.query[pair] - start, matches.gallery[pair], matches.junk[pair]
        true = distance[row[~junk], column[~junk]].astype(np.float64)
        other = np.ones(distance.shape, np.bool_)
        other[row, column] = False
        false = distance[other]
        positive += np.histogram(true, edges)[0]
        negative += np.histogram(false, edges)[0]
        sums += true.sum(), false.sum(dtype=np.float64)
    if not positive.sum() or not negative.sum():
        raise InputError("the test has no pair of one vehicle seen by two cameras, or no pair of two vehicles")
    return PairDistances(positive, negative, float(sums[0] / positive.sum()), float(sums[1] / negative.sum()))


def distance_means(names: Sequence[str], found: Sequence[PairDistances]) -> list[dict[str, str | float]]:
    """One row a network: mean distances, and their change against the first network in per cent."""
    first = found[0]
    return [
        {
            "weights": name,
            "positive_mean": pairs.positive_mean,
            "negative_mean": pairs.negative_mean,
            "positive_change_percent": 100 * (pairs.positive_mean / first.positive_mean - 1),
            "negative_change_percent": 100 * (pairs.negative_mean / first.negative_mean - 1),
        }
        for name, pairs in zip(names, found, strict=True)
    ]


def distance_histograms(names: Sequence[str], found: Sequence[PairDistances]) -> list[dict[str, str | float]]:
    """One row a network and step of distance: the share of the positive and of the negative pairs in it."""
    edges = np.linspace(0, LARGEST, BINS + 1)
    return [
        {
            "weights": name,
            "distance_from": float(edges[step]),
            "distance_to": float(edges[step + 1]),
            "positive": float(pairs.positive[step] / pairs.positive.sum()),
            "negative": float(pairs.negative[step] / pairs.negative.sum()),
        }
        for name, pairs in zip(names, found, strict=True)
        for step in range(BINS)
    ]


def draw_distances(names: Sequence[str], found: Sequence[PairDistances], title: str) -> Figure:
    """One panel a network: both distributions, their means and the change against the first."""
    figure = Figure(figsize=(4.5 * len(names), 3.4))
    axes = figure.subplots(1, len(names), squeeze=False, sharex=True, sharey=True)[0]
    edges = np.linspace(0, LARGEST, BINS + 1)
    means = distance_means(names, found)
    for axis, name, pairs, row in zip(axes, names, found, means, strict=True):
        for kind, counts, mean, colour in (
            ("positive", pairs.positive, pairs.positive_mean, "tab:blue"),
            ("negative", pairs.negative, pairs.negative_mean, "tab:orange"),
        ):
            change = row[f"{kind}_change_percent"]
            label = f"{kind}, mean {mean:.3f}" + (f" ({change:+.1f} %)" if pairs is not found[0] else "")
            axis.stairs(counts / counts.sum() * BINS / LARGEST, edges, fill=True, alpha=0.5, color=colour, label=label)
            axis.axvline(mean, color=colour, linestyle="--", linewidth=1)
        axis.set_title(name)
        axis.set_xlabel("Euclidean distance")
        axis.legend(fontsize=8, loc="upper left")
    axes[0].set_ylabel("density of pairs")
    axes[0].set_ylim(top=1.25 * axes[0].get_ylim()[1])  # room for the legends, in all panels
    figure.suptitle(title)
    return figure
