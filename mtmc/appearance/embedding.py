"""Crops to vectors, and these to one feature a track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from common.settings import Settings
from mtmc.appearance.features import CropVectors
from mtmc.crops import Crops


class EmbeddingSettings(Settings):
    """How the vectors of a track's crops become its feature."""

    max_occlusion: float = Field(
        0.35,
        ge=0,
        le=1,
        description="crops of which other boxes hide more than this share are left out, unless a track has no better "
        "one; raising it keeps more crops, with more of other vehicles in them",
    )
    quality_power: float = Field(
        1.0, ge=0, description="crops are weighed by quality to this power; 0 weighs all alike, more favours the best"
    )
    split: bool = Field(
        True,
        description="cut a track where its crops before and after look like two vehicles and it was hidden or unseen "
        "in between",
    )


class CropExtractor(Protocol):
    """What turns crops into vectors; `reid.Extractor` does."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """(n, d) L2-normalised vectors of n BGR pictures."""


def embed_crops(crops: Crops, extractor: CropExtractor, settings: EmbeddingSettings) -> CropVectors:
    """The vectors of the crops that are hidden little enough, and of a track's least hidden one where none is.

    A vector that is not finite would spread through a mean: its crop is left out.
    """
    usable, clear = _usable(crops, settings.max_occlusion)
    used = crops[usable]
    if not len(used):
        nothing = np.zeros(0, np.int32)
        return CropVectors(nothing, nothing, np.zeros((0, 0), np.float32), np.zeros(0, np.float32), clear[usable])
    vectors = extractor.embed(used.pictures())
    weight = np.maximum(used.quality * (1 - used.occlusion), 1e-3) ** settings.quality_power
    found = CropVectors(used.track, used.frame, vectors, weight.astype(np.float32), clear[usable])
    return found[np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)]


def _usable(crops: Crops, max_occlusion: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(n,) the crops that are hidden little enough or the least hidden of a track that has none such; and the former
    alone."""
    clear = np.asarray(crops.occlusion <= max_occlusion, np.bool_)
    usable = clear.copy()
    if len(crops):
        order = np.lexsort((-crops.quality, crops.occlusion, crops.track))
        first = order[np.flatnonzero(np.diff(crops.track[order], prepend=crops.track.min() - 1))]
        usable[first[~np.isin(crops.track[first], crops.track[clear])]] = True
    return usable, clear
