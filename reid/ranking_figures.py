"""A data set's evaluation protocol: mAP and CMC, plain and re-ranked, over all of its splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.bootstrap import bootstrap_means, interval
from evaluation.expansion import expand_queries
from evaluation.ranking import Matches, Ranking, RepeatedRanking, find_matches, rank, rank_blocks
from evaluation.reranking import reranked_distances
from reid.datasets import Split
from reid.interface import Distance
from reid.parts.distance import common_visible_distances

CMC = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Figures:
    """mAP and CMC as fractions: mean and standard deviation over the splits (0 with one split).

    Attributes:
        mean_average_precision: mAP, mean and standard deviation.
        cmc: CMC@k, mean and standard deviation, for each k in `CMC`.
    """

    mean_average_precision: tuple[float, float]
    cmc: dict[int, tuple[float, float]]

    @classmethod
    def of(cls, rankings: Sequence[Ranking]) -> Figures:
        """Aggregate one ranking per split."""
        repeated = RepeatedRanking(tuple(rankings))
        return cls(repeated.mean_average_precision, {k: repeated.cmc(k) for k in CMC})

    def as_dict(self) -> dict[str, float]:
        """Keys `mAP`, `mAP_std`, `cmc1`, `cmc1_std`, ..."""
        figures = {"mAP": self.mean_average_precision, **{f"cmc{k}": value for k, value in self.cmc.items()}}
        result: dict[str, float] = {}
        for name, (mean, deviation) in figures.items():
            result |= {name: mean, f"{name}_std": deviation}
        return result


def query_figures(ranking: Ranking) -> npt.NDArray[np.float64]:
    """(q, 4) average precision and hits within each rank of `CMC` of each query; NaN for queries without a match."""
    hits = [np.where(ranking.first_rank > 0, ranking.first_rank <= k, np.nan) for k in CMC]
    return np.column_stack([ranking.average_precision, *hits])


def figure_intervals(
    rankings: Sequence[Ranking], identities: Sequence[npt.NDArray[np.int64]], draws: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals of mAP and CMC by bootstrap over identities.

    Args:
        rankings: one per split.
        identities: (q,) identity of each query, for each split; a vehicle is drawn with its queries of all splits.
        draws: number of resamples.
        seed: seed of the resampling.

    Returns:
        Lower and upper limit, as fractions, by `mAP`, `cmc1`, `cmc5`, `cmc10`.
    """
    figures, groups = np.concatenate([query_figures(r) for r in rankings]), np.concatenate(list(identities))
    counted = np.isfinite(figures[:, 0])
    samples = bootstrap_means(figures[counted], groups[counted], draws=draws, seed=seed)
    names = ("mAP", *(f"cmc{k}" for k in CMC))
    return {name: interval(samples[:, column]) for column, name in enumerate(names)}


def split_matches(split: Split) -> Matches:
    """The gallery images of each query's identity; the query's own file and images of its camera are junk."""
    return find_matches(
        split.query.identity,
        split.gallery.identity,
        split.query.camera,
        split.gallery.camera,
        itself=_own_rows(split),
    )


def _own_rows(split: Split) -> npt.NDArray[np.int64]:
    """(q,) the gallery's row that is the query's own file; -1: none."""
    row_of = {path: row for row, path in enumerate(split.gallery.path)}
    return np.array([row_of.get(path, -1) for path in split.query.path], np.int64)


def rank_split(
    query: npt.NDArray[np.float32],
    gallery: npt.NDArray[np.float32],
    split: Split,
    *,
    rerank: bool = False,
    expand: bool = False,
    distance: Distance = "cosine",
) -> Ranking:
    """Rank one split's gallery for its queries, exactly and in chunks, by the distance or by re-ranked distances.

    Gallery images with the query's identity and camera, and the query's own file, are junk (ignored).

    Args:
        query: (q, d) vectors of `split.query`.
        gallery: (g, d) vectors of `split.gallery`.
        split: identities and cameras.
        rerank: apply k-reciprocal re-ranking with the usual k1 = 20, k2 = 6, lambda = 0.3. Neighbourhoods are those of
            the cosine, whatever the distance.
        expand: average each query with its first results by the cosine before ranking.
        distance: how vectors are compared.
    """
    if expand:
        query = expand_queries(query, gallery, itself=_own_rows(split))
    matches = split_matches(split)
    if rerank:
        return rank_blocks(reranked_distances(query, gallery), matches)
    if distance == "common_visible":
        return rank_blocks(common_visible_distances(query, gallery), matches)
    return rank(query, gallery, matches)
