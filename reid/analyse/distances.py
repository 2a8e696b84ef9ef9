"""Figure 4: distances between feature vectors of the same and of different vehicles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from common.errors import InputError
from reid.datasets import Split
from reid.ranking_figures import split_matches

BINS = 100
MAX_DISTANCE = 2.0
"""Maximum distance between unit vectors."""


@dataclass(frozen=True, slots=True)
class PairDistances:
    """Euclidean distances of all query-gallery pairs, without junk.

    Attributes:
        positive: (BINS,) int64, histogram of the pairs of one vehicle over BINS equal bins from 0 to 2.
        negative: (BINS,) int64, the same for pairs of two vehicles.
        positive_mean: exact mean distance of the positive pairs (not from the histogram).
        negative_mean: the same for the negative pairs.
    """

    positive: npt.NDArray[np.int64]
    negative: npt.NDArray[np.int64]
    positive_mean: float
    negative_mean: float


def pair_distances(
    query: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32], split: Split, chunk_bytes: int = 2**27
) -> PairDistances:
    """Compute the distances of all pairs of a split in chunks.

    Args:
        query: (q, d) unit vectors.
        gallery: (g, d) unit vectors.
        split: identities and cameras; gallery images with the query's identity and camera are junk.
        chunk_bytes: memory of one chunk of distances.

    Raises:
        InputError: there are no positive pairs, or no negative ones.
    """
    matches = split_matches(split)
    edges = np.linspace(0, MAX_DISTANCE, BINS + 1)
    positive, negative = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    sums = np.zeros(2)
    rows = max(1, chunk_bytes // (8 * max(len(gallery), 1)))
    for start in range(0, len(query), rows):
        stop = min(start + rows, len(query))
        # Clip rounding errors: no negative radicands, no pair beyond the last bin.
        squared = np.clip(2 - 2 * (query[start:stop] @ gallery.T), 0, MAX_DISTANCE**2)
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
        raise InputError(
            "the test split has no pair of the same vehicle in two cameras, or no pair of different vehicles"
        )
    return PairDistances(positive, negative, float(sums[0] / positive.sum()), float(sums[1] / negative.sum()))


def distance_means(names: Sequence[str], found: Sequence[PairDistances]) -> list[dict[str, str | float]]:
    """Return one row per network: mean distances, and their change from the first network in per cent."""
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
    """Return one row per network and bin: the fractions of the positive and negative pairs in the bin."""
    edges = np.linspace(0, MAX_DISTANCE, BINS + 1)
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
    """Plot one panel per network: both distributions, their means and the change from the first network."""
    figure = Figure(figsize=(4.5 * len(names), 3.4))
    axes = figure.subplots(1, len(names), squeeze=False, sharex=True, sharey=True)[0]
    edges = np.linspace(0, MAX_DISTANCE, BINS + 1)
    means = distance_means(names, found)
    for axis, name, pairs, row in zip(axes, names, found, means, strict=True):
        for kind, counts, mean, colour in (
            ("positive", pairs.positive, pairs.positive_mean, "tab:blue"),
            ("negative", pairs.negative, pairs.negative_mean, "tab:orange"),
        ):
            change = row[f"{kind}_change_percent"]
            label = f"{kind}, mean {mean:.3f}" + (f" ({change:+.1f} %)" if pairs is not found[0] else "")
            axis.stairs(
                counts / counts.sum() * BINS / MAX_DISTANCE, edges, fill=True, alpha=0.5, color=colour, label=label
            )
            axis.axvline(mean, color=colour, linestyle="--", linewidth=1)
        axis.set_title(name)
        axis.set_xlabel("Euclidean distance")
        axis.legend(fontsize=8, loc="upper left")
    axes[0].set_ylabel("density of pairs")
    axes[0].set_ylim(top=1.25 * axes[0].get_ylim()[1])  # leave room for the legends
    figure.suptitle(title)
    return figure
