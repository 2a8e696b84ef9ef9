"""Settings of the association across cameras."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class AssociationSettings(Settings):
    """What `associate` reads. The switches take single ingredients away; the defaults serve every scenario."""

    threshold: float = Field(
        0.3,
        gt=0.0,
        lt=1.0,
        description="Least probability of a pair that is joined. Raising it joins fewer tracks, more surely. An "
        "F-measure is best at about half of the value that it reaches, not at 0.5.",
    )
    longest_travel: float = Field(
        240.0,
        gt=0.0,
        description="Longest time in seconds from leaving one camera to entering another. Raising it considers more.",
    )
    longest_overlap: float = Field(
        15.0,
        ge=0.0,
        description="How many seconds before a track ends its successor in another camera may start. Raising it "
        "considers more pairs where views overlap.",
    )
    rounds: int = Field(
        12,
        ge=1,
        le=100,
        description="Rounds of learning links and evidence from the run itself. Raising it costs time.",
    )
    candidate_budget: int = Field(
        3_000_000,
        ge=1,
        description="Most pairs that are weighed. Above it only pairs that look alike, or, without features or with "
        "yet more pairs, links with a clear travel time. "
        "Raising it costs memory (about 500 bytes a pair).",
    )
    sure_parts: bool = Field(True, description="Read times and places off tracks without their doubtful ends.")
    appearance: bool = Field(True, description="Use the tracks' features where there are any.")
    camera_mean: bool = Field(True, description="Take each camera's (and each view's) mean feature off.")
    reranking: bool = Field(True, description="k-reciprocal re-ranking of similarities among gated candidates.")
    chain_features: bool = Field(
        True, description="Compare whole chains of joined tracks instead of their last and first track."
    )
    travel_time: bool = Field(True, description="Weigh a pair by its link's travel-time distribution.")
    transitions: bool = Field(True, description="Weigh a pair by how often its link is taken.")
    returns: bool = Field(True, description="Hold it to be rare that a vehicle goes back to where it came from.")
    zones: bool = Field(True, description="Tell the entry and exit regions of a camera apart (place and direction).")
    order: bool = Field(True, description="Expect a vehicle to travel as long as those just before and after it.")
    size: bool = Field(True, description="Use agreement of the vehicles' sizes.")
    label: bool = Field(True, description="Use agreement of the detector's classes.")
    lane: bool = Field(True, description="Use agreement of the places across the road where tracks end and start.")
    ground: bool = Field(True, description="Use positions on the ground where cameras are calibrated.")
    common_views: bool = Field(
        True, description="Find overlapping views of cameras without calibration by vehicles that look and move alike."
    )
    fragments: bool = Field(True, description="Join broken pieces of one vehicle in one camera.")
    local_moves: bool = Field(True, description="Improve the solution by merges, splits and swaps.")
