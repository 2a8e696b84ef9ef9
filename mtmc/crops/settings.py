"""Settings of the choice of crops."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class CropSettings(Settings):
    """Which crops of a track are kept."""

    per_track: int = Field(
        12, ge=1, le=200, description="Crops kept per track. Raising it gives steadier features, more slowly."
    )
    margin: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the box size added on every side. Raising it keeps parts that tight boxes cut off, and "
        "more background.",
    )
    min_side: int = Field(
        12,
        ge=1,
        description="Minimum side of a box that gives a crop, in pixels. Raising it leaves distant vehicles out.",
    )
    max_side: int = Field(
        384, ge=16, description="Maximum side of a stored crop, in pixels. Raising it keeps detail and needs memory."
    )
    good_size: float = Field(
        128.0,
        gt=0,
        description="Box size (square root of the area, in pixels) above which size does not matter. Raising it "
        "favours the frames in which a vehicle is nearest.",
    )
    good_sharpness: float = Field(
        200.0,
        gt=0,
        description="Variance of the Laplacian at which sharpness is one half. Raising it penalises blur more.",
    )
    truncation: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Share of quality that a box at the image border loses. Raising it avoids truncated vehicles.",
    )
    jpeg_quality: int = Field(
        92, ge=1, le=100, description="JPEG quality of stored crops. Raising it needs more space."
    )
