"""Settings of the repair of tracks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class RepairSettings(Settings):
    """What is mended in the tracks of one camera before cameras are compared.

    Lengths are in box sizes (square root of the area), times in seconds.
    """

    merge_duplicates: bool = Field(True, description="Make one track of two that follow the same vehicle.")
    duplicate_iou: float = Field(
        0.7, gt=0, le=1, description="Overlap that counts as the same place. Raising it merges fewer tracks."
    )
    duplicate_share: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Share of the shorter track's boxes that must be at the same place as the other's. Raising it "
        "merges fewer tracks.",
    )

    drop_parts: bool = Field(True, description="Drop tracks of parts of a vehicle that another track follows whole.")
    part_inside: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Share of a part's box that lies within the whole vehicle's. Raising it drops fewer tracks.",
    )
    part_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a track's boxes that must lie so. Raising it drops fewer tracks.",
    )
    part_score: float = Field(
        0.9,
        ge=0,
        description="Most mean score of a part, as a share of the whole vehicle's. Raising it drops more tracks, also "
        "vehicles in front of larger ones.",
    )

    drop_slivers: bool = Field(True, description="Drop boxes of which the picture's border hides most.")
    min_visible: float = Field(
        0.35, ge=0, le=1, description="Least visible share of a box at the border. Raising it drops more boxes."
    )

    relink: bool = Field(True, description="Join fragments of one vehicle that was hidden for a while.")
    max_gap: float = Field(
        2.0, ge=0, description="Longest time that a moving vehicle may be hidden. Raising it joins more, also wrongly."
    )
    gap_tolerance: float = Field(
        0.5,
        gt=0,
        description="How far a fragment may begin from where the one before leads. Raising it joins more, also "
        "wrongly.",
    )
    gap_drift: float = Field(
        0.3, ge=0, description="By how much that distance grows with each second of the gap. Raising it joins more."
    )
    max_size_ratio: float = Field(
        2.0, gt=1, description="Largest ratio of the sizes before and after. Raising it joins more, also wrongly."
    )
    parked_gap: float = Field(
        120.0,
        ge=0,
        description="Longest time that a standing vehicle may be hidden or missed. Raising it joins more, also two "
        "vehicles that stood in the same place.",
    )
    parked_iou: float = Field(
        0.5, gt=0, le=1, description="Overlap of the boxes of a standing vehicle. Raising it joins less."
    )

    handover: float = Field(
        0.7,
        ge=0,
        description="Longest time for which a vehicle's old track and its next one may both last. Raising it joins "
        "more, also vehicles that pass each other.",
    )
    handover_iou: float = Field(
        0.3, gt=0, le=1, description="Mean overlap of their boxes meanwhile. Raising it joins less."
    )

    min_side: float = Field(
        18.0,
        ge=0,
        description="Boxes that are narrower or lower than this many pixels are dropped: too little is seen to tell "
        "vehicles apart, and annotators leave them out. Raising it drops more of what is far away; 0 drops none.",
    )
    min_boxes: int = Field(
        6,
        ge=1,
        description="Tracks with fewer boxes are dropped. Raising it drops more false tracks, and short true ones.",
    )

    interpolate: float = Field(
        2.0,
        ge=0,
        description="Gaps up to this long are filled with boxes of score 0. Raising it fills longer ones; 0 fills "
        "none.",
    )
    smooth: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of the Gaussian over time that smooths boxes; 0 switches it off. Raising it "
        "calms boxes and lags where vehicles brake.",
    )

    roi: Literal["keep", "drop", "shrink"] = Field(
        "drop",
        description="Boxes with a corner outside the region of interest: keep them, drop them (they do not count in "
        "the official scoring), or shrink them to fit where little is lost.",
    )
    max_shrink: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of a side that shrinking may cost. Raising it saves more boxes, looser ones.",
    )

    enlarge: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of its width and height by which each box is enlarged, for ground truth with loose boxes "
        "(0.2 in CityFlow); 0 switches it off.",
    )
    enlarge_limit: float = Field(40.0, ge=0, description="Pixels that enlarging may add at most to a side's length.")

    parked_seconds: float = Field(
        10.0, ge=0, description="Least time a vehicle stands to count as parked. Raising it flags fewer."
    )
    parked_extent: float = Field(
        0.5, gt=0, description="How far a parked vehicle's boxes may wander. Raising it flags slow vehicles too."
    )
