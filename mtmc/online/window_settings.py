"""Settings of the sliding window."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class WindowSettings(Settings):
    """What `SlidingWindow` reads besides the settings of the association."""

    min_seconds: float = Field(
        1.0,
        ge=0.0,
        description="Seconds for which a track without a feature must be in view before it gets an identity; with a "
        "feature it gets one at once. Raising it says less about false tracks, and later.",
    )
    settle_seconds: float = Field(
        5.0,
        ge=0.0,
        description="Seconds that a track waits beyond the time in which its successor comes, until that has shown "
        "what it looks like. Raising it gives later final answers from more evidence.",
    )
    rounds: int = Field(
        4,
        ge=1,
        le=100,
        description="Rounds of expectation-maximisation in a solve with known links. Raising it costs time at each "
        "solve.",
    )
    context_tracks: int = Field(
        150,
        ge=0,
        description="Largest number of the latest tracks beyond the window that take part in a solve, as known "
        "vehicles: evidence is learned from them. Raising it learns more steadily and costs time at each solve.",
    )
    unknown_links: float = Field(
        0.1,
        ge=0.0,
        le=1.0,
        description="Share of a camera's vehicles that may leave by a link that is not known yet, estimated from the "
        "links that only one vehicle took, for its answers to become final after the travel times of its links; above "
        "it they wait for the longest travel time. Raising it gives final answers sooner after a start, on weaker "
        "grounds.",
    )
    history_seconds: float = Field(
        1800.0,
        gt=0.0,
        description="Seconds for which ended tracks are kept to learn links from. Raising it learns rare links and "
        "costs memory, about 1 kB per track.",
    )
    max_tracks: int = Field(
        2000,
        ge=1,
        description="Largest number of tracks that are associated at once. Above it the oldest ended ones become final "
        "early. Raising it costs time at each solve. Safety bound.",
    )
    max_history: int = Field(
        5000,
        ge=1,
        description="Largest number of ended tracks to learn from. Raising it costs memory and time in the background. "
        "Safety bound.",
    )
    max_boxes: int = Field(
        256,
        ge=8,
        description="Boxes that are kept of a track; above it every second one in the middle is dropped. Raising it "
        "costs memory and time, and follows long tracks more finely.",
    )
