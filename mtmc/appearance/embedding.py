"""From crops to vectors, and from these to one feature per track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mtmc.appearance.features import CropVectors
from mtmc.appearance.settings import EmbeddingSettings
from mtmc.crops.table import Crops


class CropExtractor(Protocol):
    """Turns crops into vectors, as `reid.Extractor` does."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """(n, d) L2-normalised vectors of n BGR images."""


def embed_crops(crops: Crops, extractor: CropExtractor, settings: EmbeddingSettings) -> CropVectors:
    """The vectors of the usable crops: those with little occlusion, or a track's least occluded one if it has none.

    A crop whose vector is not finite is left out: it would spoil the mean of its track.
    """
    usable, clear = _usable(crops, settings.max_occlusion)
    used = crops[usable]
    if not len(used):
        return CropVectors.empty()
    vectors = extractor.embed(used.pictures())
    weight = np.maximum(used.quality * (1 - used.occlusion), 1e-3) ** settings.quality_power
    found = CropVectors(used.track, used.frame, vectors, weight.astype(np.float32), clear[usable])
    return found[np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)]


def _usable(crops: Crops, max_occlusion: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Two masks (n,): the usable crops, including each track's fallback; and those with little occlusion alone."""
    clear = np.asarray(crops.occlusion <= max_occlusion, np.bool_)
    usable = clear.copy()
    if len(crops):
        order = np.lexsort((-crops.quality, crops.occlusion, crops.track))
        first = order[np.flatnonzero(np.diff(crops.track[order], prepend=crops.track.min() - 1))]
        usable[first[~np.isin(crops.track[first], crops.track[clear])]] = True
    return usable, clear
