"""Re-identification scored by ranking: mean average precision and CMC, exactly, in chunks of queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.errors import InputError

Blocks = Callable[[slice], npt.NDArray[np.float32]]
"""Function from a slice of the queries to their distances to the whole gallery, (c, g) float32, smaller is nearer. The
caller may overwrite the result."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The gallery images that show a query's own vehicle, as a list of pairs sorted by (query, gallery).

    Attributes:
        queries: how many queries there are.
        gallery_size: how many gallery images there are.
        query: (p,) int64, row of the query.
        gallery: (p,) int64, row of the gallery image.
        junk: (p,) bool, whether the image neither helps nor hurts: it is removed from that query's ranking.
    """

    queries: int
    gallery_size: int
    query: npt.NDArray[np.int64]
    gallery: npt.NDArray[np.int64]
    junk: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The quality of each query's ranking.

    Attributes:
        average_precision: (q,) float64, mean over the query's matches of (matches so far) / (rank of the match);
            NaN for a query without a match.
        first_rank: (q,) int64, rank of the nearest match, from 1; 0 for a query without a match.
    """

    average_precision: npt.NDArray[np.float64]
    first_rank: npt.NDArray[np.int64]

    @property
    def queries(self) -> int:
        """How many queries have a match and therefore count."""
        return int((self.first_rank > 0).sum())

    @property
    def left_out(self) -> int:
        """How many queries have no match in the gallery."""
        return len(self.first_rank) - self.queries

    @property
    def mean_average_precision(self) -> float:
        """mAP over the queries that count, a fraction; 0 if none does."""
        return float(np.nansum(self.average_precision)) / self.queries if self.queries else 0.0

    def cmc(self, k: int) -> float:
        """Of the queries that count, the fraction with a match among the first `k` ranks; 0 if none counts."""
        return int(((self.first_rank > 0) & (self.first_rank <= k)).sum()) / self.queries if self.queries else 0.0


@dataclass(frozen=True, slots=True)
class RepeatedRanking:
    """Rankings of several random draws of the gallery: means, and standard deviations over the draws (n - 1)."""

    draws: tuple[Ranking, ...]

    @property
    def mean_average_precision(self) -> tuple[float, float]:
        """Mean and deviation of mAP."""
        return _mean_and_deviation([draw.mean_average_precision for draw in self.draws])

    def cmc(self, k: int) -> tuple[float, float]:
        """Mean and deviation of CMC@k."""
        return _mean_and_deviation([draw.cmc(k) for draw in self.draws])


def find_matches(
    query_identity: npt.NDArray[np.integer],
    gallery_identity: npt.NDArray[np.integer],
    query_camera: npt.NDArray[np.integer] | None = None,
    gallery_camera: npt.NDArray[np.integer] | None = None,
    itself: npt.NDArray[np.integer] | None = None,
) -> Matches:
    """Gallery images of each query's vehicle; those from the query's own camera are junk (the VeRi-776 rule).

    Args:
        query_identity: (q,) vehicle of each query.
        gallery_identity: (g,) vehicle of each gallery image.
        query_camera: (q,) camera of each query, below 0 where unknown; None: no junk by camera (VehicleID).
        gallery_camera: (g,) likewise. An unknown camera makes nothing junk.
        itself: (q,) row of the query's own image in the gallery, below 0 if it is not in there; it is junk as well.
    """
    order = np.argsort(gallery_identity, kind="stable")
    grouped = gallery_identity[order]
    first = np.searchsorted(grouped, query_identity, side="left")
    count = np.searchsorted(grouped, query_identity, side="right") - first
    query = np.repeat(np.arange(len(query_identity)), count)
    offset = np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count)
    gallery = order[first[query] + offset]
    junk = np.zeros(len(query), np.bool_)
    if query_camera is not None and gallery_camera is not None:
        junk |= (query_camera[query] == gallery_camera[gallery]) & (query_camera[query] >= 0)
    if itself is not None:
        junk |= itself[query] == gallery
    return Matches(len(query_identity), len(gallery_identity), query, gallery, junk)


def rank(
    query: npt.NDArray[np.floating],
    gallery: npt.NDArray[np.floating],
    matches: Matches,
    *,
    cosine: bool = True,
    chunk_bytes: int = 2**28,
) -> Ranking:
    """Rank the gallery for each query by the distance of the features.

    Args:
        query: (q, d) features.
        gallery: (g, d) features.
        matches: from `find_matches`.
        cosine: compare directions; False: Euclidean distance.
        chunk_bytes: size of one block of distances in bytes. Raising it costs memory and hardly saves time.

    Raises:
        InputError: a feature is not finite.
    """
    return rank_blocks(feature_distances(query, gallery, cosine=cosine), matches, chunk_bytes=chunk_bytes)


def rank_blocks(distances: Blocks, matches: Matches, *, chunk_bytes: int = 2**28) -> Ranking:
    """Rank the gallery for each query by distances that are computed block by block.

    Only the ranks of the matches are computed. A gallery image of another vehicle at exactly the distance of a match
    ranks before it: features that do not tell vehicles apart gain nothing, and the order of the rows does not matter.
    """
    average_precision = np.full(matches.queries, np.nan)
    first_rank = np.zeros(matches.queries, np.int64)
    rows = max(1, chunk_bytes // (4 * max(matches.gallery_size, 1)))
    for start in range(0, matches.queries, rows):
        stop = min(start + rows, matches.queries)
        pair = slice(*np.searchsorted(matches.query, (start, stop)))
        row, column, junk = matches.query[pair] - start, matches.gallery[pair], matches.junk[pair]
        if junk.all():
            continue
        block = distances(slice(start, stop))
        true = block[row[~junk], column[~junk]]
        block[row, column] = np.inf  # what is left is other vehicles
        counts = np.bincount(row[~junk], minlength=stop - start)
        ends = np.cumsum(counts)
        for i in np.flatnonzero(counts):
            ranks = _ranks(true[ends[i] - counts[i] : ends[i]], block[i])
            average_precision[start + i] = (np.arange(1, len(ranks) + 1) / ranks).mean()
            first_rank[start + i] = ranks[0]
    return Ranking(average_precision, first_rank)


def feature_distances(
    query: npt.NDArray[np.floating], gallery: npt.NDArray[np.floating], *, cosine: bool = True
) -> Blocks:
    """Distances between features, up to a constant per query, which no ranking depends on.

    Args:
        query: (q, d) features.
        gallery: (g, d) features; used without a copy when they are float32.
        cosine: compare directions (a vector of zeros is at right angles to all); False: Euclidean distance.

    Raises:
        InputError: a feature is not finite, or the two differ in dimensions.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise InputError(f"features: query {query.shape} and gallery {gallery.shape} must be tables of equal width")
    queries, columns = np.asarray(query, np.float32), np.asarray(gallery, np.float32)
    squared = np.einsum("ij,ij->i", columns, columns)
    for name, lengths in (("query", np.einsum("ij,ij->i", queries, queries)), ("gallery", squared)):
        if not np.isfinite(lengths).all():
            wrong = int(np.flatnonzero(~np.isfinite(lengths))[0])
            raise InputError(f"features: {name} row {wrong} is not finite; leave that image out or extract it again")
    scale = np.reciprocal(np.sqrt(squared), where=squared > 0, out=np.zeros_like(squared))

    def block(rows: slice) -> npt.NDArray[np.float32]:
        result: npt.NDArray[np.float32] = np.negative(queries[rows]) @ columns.T
        if cosine:
            result *= scale
        else:
            result += squared / 2
        return result

    return block


def _ranks(true: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """(p,) ranks, from 1, of the matches at distances `true` (p,) among `others` (g,), ascending."""
    nearest_first = np.sort(true)
    before = others[others <= nearest_first[-1]]
    before.sort()
    ranks: npt.NDArray[np.int64] = np.searchsorted(before, nearest_first, side="right") + np.arange(1, len(true) + 1)
    return ranks


def _mean_and_deviation(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
