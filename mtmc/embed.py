"""Crops to one feature a track."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from mtmc.association.summaries import TrackFeatures
from mtmc.crops import Crops
from mtmc.settings import Settings


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


class CropExtractor(Protocol):
    """What turns crops into vectors; `reid.Extractor` does."""

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """(n, d) L2-normalised vectors of n BGR pictures."""


def embed_tracks(crops: Crops, extractor: CropExtractor, settings: EmbeddingSettings) -> TrackFeatures:
    """The feature of every track that has crops: the weighted mean of its crops' vectors, L2-normalised.

    Returns:
        One row a track, by track number; `weight` is the sum of the weights of the crops that were used, at most 1.
    """
    used = crops[_usable(crops, settings.max_occlusion)]
    tracks, owner = np.unique(used.track, return_inverse=True)
    if not len(tracks):
        return TrackFeatures(np.zeros(0, np.int32), np.zeros((0, 0), np.float32), np.zeros(0, np.float32))
    vectors = extractor.embed(used.pictures())
    # A vector that is not finite would spread through the mean; its crop then counts for nothing.
    finite = np.asarray(np.isfinite(vectors).all(axis=1), np.bool_)
    weight = np.where(finite, np.maximum(used.quality * (1 - used.occlusion), 1e-3) ** settings.quality_power, 0.0)
    total = np.zeros((len(tracks), vectors.shape[1]))
    np.add.at(total, owner, np.where(finite[:, None], vectors, 0.0) * weight[:, None])
    length = np.linalg.norm(total, axis=1)
    kept = length > 0
    mean = total[kept] / length[kept, None]
    trust = np.clip(np.bincount(owner, weight, len(tracks)), 1e-3, 1.0)
    return TrackFeatures(tracks[kept].astype(np.int32), mean.astype(np.float32), trust[kept].astype(np.float32))


def _usable(crops: Crops, max_occlusion: float) -> npt.NDArray[np.bool_]:
    """(n,) the crops that are hidden little enough, and the least hidden one of a track that has none such."""
    if not len(crops.track):
        return np.zeros(0, np.bool_)
    usable = np.zeros(len(crops), np.bool_)
    usable[np.flatnonzero(crops.occlusion <= max_occlusion)] = True
    order = np.lexsort((-crops.quality, crops.occlusion, crops.track))
    first = order[np.flatnonzero(np.diff(crops.track[order], prepend=crops.track.min() - 1))]
    has_usable = np.isin(crops.track[first], crops.track[usable])
    usable[first[~has_usable]] = True
    return usable
