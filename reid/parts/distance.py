"""Common-visible distance: images are compared over the parts that both of them show. It is no cosine of one vector.

D. Meng et al. (PVEN), CVPR 2020; where the paper and its code differ, the code (the square root of the distances).
Several vectors and visibilities travel as one vector, so that every file, table and network output stays one row per
image: each part's unit vector is scaled by the square root of its share of the visible area, which its length thus
tells. The distance does not depend on the scale of the visibilities, so nothing is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from common.errors import InputError
from evaluation.ranking import Blocks

PARTS = 4
LOCAL_WEIGHT = 0.5
"""Weight of the squared local distance beside the squared global one (the authors' code)."""


def pack_parts(local: torch.Tensor, visibility: torch.Tensor) -> torch.Tensor:
    """Write the parts' features and visibilities as one unit vector.

    Args:
        local: (n, 4, c) features of the parts, of any length.
        visibility: (n, 4) at least 0, of any scale; not all 0.

    Returns:
        (n, 4 c), unit length: the parts' directions times the square root of their share of the visibility.
    """
    share = visibility / visibility.sum(dim=1, keepdim=True)
    # A feature of zeros gets some direction, as its length has to tell the visibility.
    return (F.normalize(local + 1e-12, dim=2) * share.sqrt()[:, :, None]).flatten(1)


def part_visibility(packed: torch.Tensor) -> torch.Tensor:
    """(n, 4) visible share of each part, summing to 1, from the output (n, 4 c) of `pack_parts`, of any length."""
    squared = _by_part(packed).square().sum(dim=2)
    return squared / squared.sum(dim=1, keepdim=True).clamp_min(torch.finfo(squared.dtype).tiny)


def _by_part(packed: torch.Tensor) -> torch.Tensor:
    """(n, 4 c) to (n, 4, c)."""
    result: torch.Tensor = packed.unflatten(1, (PARTS, -1))  # type: ignore[no-untyped-call]
    return result


def local_distances(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """D_local = sum_i v_i v'_i sqrt(|f_i - f'_i|) / sum_i v_i v'_i of all pairs, with gradient.

    Args:
        first: (n, 4 c) output of `pack_parts`.
        second: (m, 4 c).

    Returns:
        (n, m) float32.
    """
    shares = part_visibility(first)[:, None] * part_visibility(second)[None]
    a, b = (F.normalize(_by_part(x), dim=2).transpose(0, 1) for x in (first, second))
    squared = (2.0 - 2.0 * a @ b.transpose(1, 2)).clamp_min(1e-8)  # of unit vectors; the root needs a slope at 0
    roots = squared.pow(0.25).permute(1, 2, 0)
    result: torch.Tensor = (shares * roots).sum(dim=2) / shares.sum(dim=2).clamp_min(1e-12)
    return result


def pack_vehicle(whole: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """One vector from the feature of the whole vehicle and its packed parts.

    The cosine of two such vectors is an approximation of their distance: it has the same terms, but weighs a part by
    the root of the product of its shares and takes no root of its distance.

    Args:
        whole: (n, d) of any length.
        parts: (n, 4 c) from `pack_parts`.

    Returns:
        (n, d + 4 c): a unit vector, and the parts times the root of `LOCAL_WEIGHT`.
    """
    return torch.cat((F.normalize(whole, dim=1), LOCAL_WEIGHT**0.5 * parts), dim=1)


def common_visible_distances(
    query: npt.NDArray[np.floating], gallery: npt.NDArray[np.floating], whole: int = 0
) -> Blocks:
    """PVEN's distance for ranking: |g - g'|^2 + 0.5 * D_local^2, g of unit length.

    Args:
        query: (q, d + 4 c) vectors of `pack_vehicle`, of any length.
        gallery: (g, d + 4 c) likewise.
        whole: d; 0: a fifth of the vector, as the parts have the length of the whole.

    Raises:
        InputError: the vectors differ in length, cannot be divided, or are not finite.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise InputError(f"features: query {query.shape} and gallery {gallery.shape} must be tables of equal width")
    width = query.shape[1]
    whole = whole or width // (PARTS + 1)
    if whole >= width or (width - whole) % PARTS:
        raise InputError(
            f"features: {width} numbers are not a whole and {PARTS} parts of equal length; this distance belongs to "
            "networks with parts (PVEN)"
        )
    for name, table in (("query", query), ("gallery", gallery)):
        finite = np.isfinite(table).all(axis=1)
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            raise InputError(f"features: {name} row {row} is not finite; leave that image out or extract it again")
    (first, first_parts, first_share), (second, second_parts, second_share) = (
        _unpack(np.asarray(table, np.float32), whole) for table in (query, gallery)
    )

    def block(rows: slice) -> npt.NDArray[np.float32]:
        total = np.zeros((len(first[rows]), len(second)), np.float32)
        weight = np.zeros_like(total)
        for part in range(PARTS):
            shared = first_share[rows, part, None] * second_share[None, :, part]
            squared = 2.0 - 2.0 * (first_parts[rows, part] @ second_parts[:, part].T)
            total += shared * np.sqrt(np.sqrt(np.maximum(squared, 0.0)))
            weight += shared
        local = total / np.maximum(weight, 1e-12)
        whole_distance = 2.0 - 2.0 * (first[rows] @ second.T)
        return np.asarray(whole_distance + LOCAL_WEIGHT * np.square(local), np.float32)

    return block


def _unpack(
    table: npt.NDArray[np.float32], whole: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Unit vectors (n, d), unit vectors of the parts (n, 4, c) and visible shares (n, 4)."""
    parts = table[:, whole:].reshape(len(table), PARTS, -1)
    tiny = np.float32(np.finfo(np.float32).tiny)
    squared = np.einsum("npc,npc->np", parts, parts)
    length = np.sqrt(squared)
    share = squared / np.maximum(squared.sum(axis=1, keepdims=True), tiny)
    size = np.linalg.norm(table[:, :whole], axis=1, keepdims=True).astype(np.float32)
    return table[:, :whole] / np.maximum(size, tiny), parts / np.maximum(length, tiny)[:, :, None], share
