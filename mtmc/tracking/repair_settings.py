"""Settings of the repair of tracks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class RepairSettings(Settings):
    """How the tracks of one camera are repaired before cameras are compared.

    Lengths are in box sizes (the square root of a box's area) unless they are said to be in pixels, times in seconds.
    """

    merge_duplicates: bool = Field(True, description="Merge two tracks that follow the same vehicle.")
    duplicate_iou: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Overlap (IoU) from which two boxes are at the same place. Raising it merges fewer tracks.",
    )
    duplicate_share: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Share of the shorter track's boxes that must be at the same place as the other track's. Raising "
        "it merges fewer tracks.",
    )

    drop_parts: bool = Field(
        True, description="Drop tracks of a part of a vehicle (a truck's cab) whose whole has a track of its own."
    )
    part_inside: float = Field(
        0.7,
        gt=0,
        le=1,
        description="Share of the part's box that lies within the box of the whole. Raising it drops fewer tracks.",
    )
    part_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a track's boxes for which this must hold. Raising it drops fewer tracks.",
    )
    part_score: float = Field(
        0.9,
        ge=0,
        description="Maximum mean confidence of the part, as a share of that of the whole. Raising it drops more "
        "tracks, including vehicles in front of larger ones.",
    )

    drop_slivers: bool = Field(True, description="Drop boxes of which the frame's border cuts most off.")
    min_visible: float = Field(
        0.35, ge=0, le=1, description="Minimum visible share of a box at the border. Raising it drops more boxes."
    )

    relink: bool = Field(True, description="Join fragments of a vehicle's track across an occlusion.")
    max_gap: float = Field(
        2.0,
        ge=0,
        description="Longest occlusion of a moving vehicle. Raising it joins more fragments, more of them wrongly.",
    )
    gap_tolerance: float = Field(
        0.5,
        gt=0,
        description="Maximum distance of a fragment's start from where the previous one leads. Raising it joins more "
        "fragments, more of them wrongly.",
    )
    gap_drift: float = Field(
        0.3,
        ge=0,
        description="Growth of that distance per second of the gap. Raising it joins more fragments across long gaps.",
    )
    max_size_ratio: float = Field(
        2.0,
        gt=1,
        description="Maximum ratio of the box sizes before and after the gap. Raising it joins more fragments, more of "
        "them wrongly.",
    )
    parked_gap: float = Field(
        120.0,
        ge=0,
        description="Longest time for which a standing vehicle may be occluded or undetected. Raising it joins more "
        "fragments, including two vehicles that stood at the same place.",
    )
    parked_iou: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Minimum overlap (IoU) of a standing vehicle's boxes across the gap. Raising it joins fewer "
        "fragments.",
    )

    handover: float = Field(
        0.7,
        ge=0,
        description="Longest time for which the old and the new track of one vehicle may coexist. Raising it joins "
        "more tracks, including vehicles that pass each other.",
    )
    handover_iou: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Minimum mean overlap (IoU) of their boxes during that time. Raising it joins fewer tracks.",
    )

    min_side: float = Field(
        18.0,
        ge=0,
        description="Minimum width and height of a box in pixels. Smaller boxes show too little to tell vehicles "
        "apart, and annotators skip them. Raising it drops more distant vehicles; 0 keeps all boxes.",
    )
    min_boxes: int = Field(
        6,
        ge=1,
        description="Minimum number of boxes of a track. Raising it drops more false tracks, and more short true ones.",
    )

    interpolate: float = Field(
        2.0,
        ge=0,
        description="Longest gap that is filled with interpolated boxes, whose confidence is 0. Raising it fills "
        "longer gaps; 0 fills none.",
    )
    smooth: float = Field(
        0.0,
        ge=0,
        description="Standard deviation of the Gaussian over time that smooths boxes; 0 switches it off. Raising it "
        "reduces jitter, and lags behind vehicles that brake.",
    )

    roi: Literal["keep", "drop", "shrink"] = Field(
        "drop",
        description="Boxes with a corner outside the region of interest: keep them, drop them (the official scoring "
        "ignores them), or shrink them to fit, where that costs little.",
    )
    max_shrink: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Maximum share of a side that shrinking removes at either end. Raising it saves more boxes, which "
        "fit more loosely.",
    )

    enlarge: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of width and height by which boxes are enlarged, for ground truth with loose boxes (0.2 in "
        "CityFlow); 0 switches it off. Raising it makes boxes looser.",
    )
    enlarge_limit: float = Field(
        40.0,
        ge=0,
        description="Maximum pixels that a side gains by it. Raising it enlarges the boxes of near vehicles more.",
    )

    parked_seconds: float = Field(
        10.0, ge=0, description="Minimum duration of a parked vehicle's track. Raising it flags fewer tracks as parked."
    )
    parked_extent: float = Field(
        0.5,
        gt=0,
        description="Maximum movement of a parked vehicle's boxes. Raising it also flags slow vehicles as parked.",
    )
