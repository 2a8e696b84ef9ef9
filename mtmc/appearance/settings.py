"""Settings of the features of tracks."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class EmbeddingSettings(Settings):
    """How crops become the feature of their track."""

    max_occlusion: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Crops occluded by more than this share are left out, unless a track has no better one. Raising it "
        "keeps more crops, which show more of other vehicles.",
    )
    quality_power: float = Field(
        1.0,
        ge=0,
        description="A crop's weight is its quality to this power; 0 weighs all alike. Raising it favours the best.",
    )
    split: bool = Field(
        True,
        description="Cut a track where the crops before and after look like two vehicles and it was occluded or missed "
        "in between.",
    )
