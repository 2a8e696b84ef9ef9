"""Settings of the association in shards."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class ShardingSettings(Settings):
    """When and how the association is solved in shards."""

    max_tracks: int = Field(
        100_000,
        ge=1,
        description="Number of tracks that are associated at once. Scenarios with more are split into shards by time "
        "and, where links are given, by cameras that none of them connects. Raising it needs more memory, about 2 GB "
        "at the default, and leaves fewer seams.",
    )
    overlap: float | None = Field(
        None,
        ge=0,
        description="Seconds that a shard sees before and after its own part of the time. Raising it costs time and "
        "sees more of what reaches over a seam. Default: the longest travel time of the given links, else "
        "association.longest_travel.",
    )
