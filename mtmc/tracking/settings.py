"""Settings of the tracker of one camera, and of the repair of its tracks."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from common.settings import Settings


class TrackingSettings(Settings):
    """How boxes of one camera are linked into tracks, frame by frame.

    Times are in seconds and lengths in box sizes (the square root of a box's area), so that one setting serves every
    frame rate and picture size.
    """

    high_score: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Boxes of at least this score are associated first, and may start tracks. Raising it leaves fewer"
        " false tracks and starts faint vehicles later.",
    )
    start_score: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Least score of a box that starts a track; at least high_score. Raising it leaves fewer false "
        "tracks and starts faint vehicles later.",
    )
    nms_iou: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Of two boxes in one frame that overlap by more only the better is tracked. Raising it keeps "
        "vehicles that hide each other apart, and doubled boxes of one vehicle.",
    )
    low_score: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Boxes between this and high_score only continue a track that no better box continued (the second"
        " association of ByteTrack). Raising it to high_score switches that association off.",
    )
    min_iou: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Least overlap of a track's predicted box with a detection. Raising it breaks tracks of fast "
        "vehicles at low frame rates; lowering it swaps neighbours.",
    )
    second_min_iou: float = Field(
        0.4, gt=0, lt=1, description="The same for the second, low-score association; its boxes deserve less trust."
    )
    first_grow: float = Field(
        0.3,
        ge=0,
        le=2,
        description="A track of a single box, whose speed is not known, may find its second one with both boxes "
        "enlarged by this share of their size on every side. Raising it follows faster vehicles at low frame rates.",
    )
    lost_handicap: float = Field(
        0.4,
        ge=0,
        description="Overlap that a track must have more than its rivals for each second that it was not seen. Raising "
        "it prefers tracks seen lately.",
    )
    recovery: bool = Field(
        False,
        description="Associate what is left once more, with the last observed box instead of the predicted one "
        "(OC-SORT's recovery). On, it finds vehicles that braked while they were hidden, and where they are "
        "dense it takes others for them.",
    )
    recovery_grow: float = Field(
        0.0,
        ge=0,
        le=2,
        description="Both boxes are enlarged by this share of their size on every side in the recovery. Raising it "
        "finds vehicles further from where they were lost, and swaps neighbours more often.",
    )
    direction_weight: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of going on in the observed direction against overlap (OC-SORT's momentum). Raising it "
        "lets vehicles that cross keep their tracks, and trusts jittering boxes more. 0 switches it off.",
    )
    reupdate: bool = Field(
        True,
        description="When a track is found again, its filter is run anew over a straight path across the gap "
        "(OC-SORT's re-update), which wipes out the error that grew meanwhile.",
    )
    confirm_hits: int = Field(
        3,
        ge=1,
        le=30,
        description="Boxes that a track needs before it is given out. Raising it drops more false tracks, and short "
        "true ones.",
    )
    backfill: bool = Field(
        True,
        description="A track that is confirmed brings the boxes it had before along. Off: strictly the present frame.",
    )
    tentative_misses: int = Field(
        1,
        ge=0,
        description="Frames in a row that a track not yet confirmed may be missed. Raising it keeps flickering "
        "vehicles, and false boxes.",
    )
    max_lost: float = Field(
        0.7,
        ge=0,
        description="Seconds that a track lives on without a box. Raising it bridges longer occlusions, and risks "
        "handing a track to another vehicle.",
    )
    position_noise: float = Field(
        0.05,
        gt=0,
        description="Standard deviation of a detected centre, in box sizes. Raising it smooths more and follows less.",
    )
    size_noise: float = Field(0.08, gt=0, description="The same for width and height.")
    acceleration: float = Field(
        0.6,
        gt=0,
        description="Spread of the change of a vehicle's speed over one second, in box sizes per second. Raising it "
        "follows braking and turning sooner and predicts worse over gaps.",
    )
    size_acceleration: float = Field(0.1, gt=0, description="The same for width and height.")
    initial_speed: float = Field(
        5.0,
        gt=0,
        description="Spread of a new track's speed, in box sizes per second. Raising it takes the first two boxes' "
        "difference for the speed sooner.",
    )

    @model_validator(mode="after")
    def _scores_ordered(self) -> Self:
        if self.low_score > self.high_score:
            raise ValueError(f"low_score {self.low_score} must not be above high_score {self.high_score}")
        return self
