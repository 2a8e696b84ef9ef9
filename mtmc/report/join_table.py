"""The joins of a run as a table."""

from __future__ import annotations

import polars as pl

from mtmc.pipeline import Outcome, RunResult


def joins_table(result: RunResult, outcome: Outcome) -> pl.DataFrame:
    """One row for each join of one extractor, the least sure ones first; see `ScenarioResult.joins_of`."""
    names = pl.Series([camera.name for camera in result.scenario.cameras], dtype=pl.String)
    rows, joins = outcome.identities, outcome.joins
    a, b = rows[joins.source], rows[joins.target]
    table = pl.DataFrame(
        {
            "identity": b.identity,
            "probability": joins.probability,
            "camera": names.gather(a.camera),
            "track": a.track,
            "since": a.since,
            "next_camera": names.gather(b.camera),
            "next_track": b.track,
            "next_since": b.since,
        }
    )
    return table.filter(pl.col("identity") >= 0).sort("probability", "identity", "next_camera", "next_track")
