"""Settings of the built-in tracker."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from common.settings import Settings


class TrackingSettings(Settings):
    """How the built-in tracker links the boxes of one camera into tracks, frame by frame.

    Times are in seconds and lengths in box sizes (the square root of a box's area), so that the same values serve all
    frame rates and resolutions.
    """

    high_score: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Confidence from which boxes are matched first and may start tracks. Raising it leaves fewer false "
        "tracks and picks faint vehicles up later.",
    )
    start_score: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Minimum confidence of a box that starts a track; high_score if that is higher. Raising it leaves "
        "fewer false tracks and picks faint vehicles up later.",
    )
    nms_iou: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Of two boxes in one frame with more overlap (IoU) than this, only the one with the higher "
        "confidence is tracked. Raising it keeps vehicles that occlude each other apart, but also double boxes of one "
        "vehicle.",
    )
    low_score: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Boxes between this confidence and high_score only continue tracks that found no better box (the "
        "second association of ByteTrack). Raising it to high_score switches the second association off.",
    )
    min_iou: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Minimum overlap (IoU) of a track's predicted box with a detection. Raising it breaks tracks of "
        "fast vehicles at low frame rates; lowering it swaps neighbours.",
    )
    second_min_iou: float = Field(
        0.4,
        gt=0,
        lt=1,
        description="The same for the second association, whose boxes are less reliable. Raising it continues fewer "
        "tracks with faint boxes.",
    )
    first_buffer: float = Field(
        0.3,
        ge=0,
        le=2,
        description="A track with a single box has no speed yet. To find its second box, both boxes are enlarged by "
        "this share of their size on every side. Raising it follows faster vehicles at low frame rates, and confuses "
        "neighbours.",
    )
    lost_track_penalty: float = Field(
        0.4,
        ge=0,
        description="Overlap (IoU) subtracted for every second since a track's last box. Raising it prefers tracks "
        "that were seen recently.",
    )
    recovery: bool = Field(
        False,
        description="Match what is left once more with the last observed instead of the predicted box (the recovery of "
        "OC-SORT). It finds vehicles that braked while they were occluded, and in dense traffic confuses vehicles.",
    )
    recovery_buffer: float = Field(
        0.0,
        ge=0,
        le=2,
        description="In the recovery, both boxes are enlarged by this share of their size on every side. Raising it "
        "finds vehicles further from where they were lost, and swaps neighbours more often.",
    )
    direction_weight: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight, relative to overlap, of moving on in the observed direction (the momentum of OC-SORT). "
        "Raising it keeps the tracks of crossing vehicles apart, and relies more on jittering boxes. 0 switches it "
        "off.",
    )
    reupdate: bool = Field(
        True,
        description="When a lost track is found again, run its filter along a straight path across the gap (the "
        "re-update of OC-SORT). This removes the error that grew in the meantime.",
    )
    confirm_hits: int = Field(
        3,
        ge=1,
        le=30,
        description="Boxes from which a track is confirmed and returned. Raising it drops more false tracks, and more "
        "short true ones.",
    )
    backfill: bool = Field(
        True,
        description="Return the earlier boxes of a track when it is confirmed. Off: only boxes of the current frame "
        "are returned.",
    )
    tentative_misses: int = Field(
        1,
        ge=0,
        description="Consecutive frames without a box that a track survives before it is confirmed. Raising it keeps "
        "flickering vehicles, and more false boxes.",
    )
    max_lost: float = Field(
        0.7,
        ge=0,
        description="Seconds without a box after which a track ends. Raising it bridges longer occlusions, with a "
        "greater risk that a track continues on another vehicle.",
    )
    position_noise: float = Field(
        0.05,
        gt=0,
        description="Standard deviation of a detected centre, in box sizes. Raising it smooths more and responds more "
        "slowly.",
    )
    size_noise: float = Field(
        0.08,
        gt=0,
        description="Standard deviation of a detected width or height, in box sizes. Raising it smooths more and "
        "responds more slowly.",
    )
    acceleration: float = Field(
        0.6,
        gt=0,
        description="Standard deviation of the change of speed within one second, in box sizes per second. Raising it "
        "follows braking and turning sooner, and predicts worse across gaps.",
    )
    size_acceleration: float = Field(
        0.1,
        gt=0,
        description="The same for the growth of width and height. Raising it follows sudden changes of size sooner, "
        "and predicts worse across gaps.",
    )
    initial_speed: float = Field(
        5.0,
        gt=0,
        description="Standard deviation of a new track's speed, in box sizes per second. Raising it takes the "
        "difference of the first two boxes for the speed sooner.",
    )

    @model_validator(mode="after")
    def _scores_ordered(self) -> Self:
        if self.low_score > self.high_score:
            raise ValueError(f"low_score {self.low_score} must not be above high_score {self.high_score}")
        return self
