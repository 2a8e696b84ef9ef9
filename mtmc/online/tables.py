"""Counts, travel times, and origin and destination, by link and by quarter of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from mtmc.online.correcting import NO_VEHICLE
from mtmc.online.store import Store

QUARTER = 900.0
"""Seconds of a row's period."""
MIN_VEHICLES = 10
"""Vehicles in each direction from which the clocks of two cameras are compared. Raising it says nothing of more pairs,
and errs less of the others."""
TABLES = ("counts", "links", "journeys", "clocks")
"""Names of the tables that `table` makes."""


def table(store: Store, name: str, first: float = float("-inf"), last: float = float("inf")) -> pl.DataFrame:
    """One of the tables over the tracks that ended in [first, last); all but the last with a row for each quarter of an
    hour.

    Args:
        store: of the site.
        name: one of `TABLES`:
            - counts: vehicles by camera;
            - links: vehicles from camera to camera, without another in between, with the median, 15 % and 85 % quantile
              of their travel time in seconds, from leaving the one to entering the other (negative where views
              overlap);
            - journeys: vehicles by the first and the last camera that saw them, with the same of the time in between;
            - clocks: pairs of cameras with traffic in both directions; `ahead_seconds` is half the difference of the
              median travel times there and back: that by which the clock of `other` is ahead of that of `camera`,
              provided that both ways take equally long. `error_seconds` is its standard error, without that of this
              assumption.
        first, last: on the site's time axis.

    Returns:
        The column `quarter` is the second in which the period begins: of a track's end for counts, of leaving the first
        camera otherwise.
    """
    rows = _tracks(store.tracks(first, last))
    if name == "counts":
        grouped = rows.with_columns(_quarter("last")).group_by("quarter", "camera")
        return grouped.agg(vehicles=pl.col("vehicle").n_unique()).sort("quarter", "camera")
    by_vehicle = rows.sort("first", "camera", "track").group_by("vehicle", maintain_order=True)
    if name in ("links", "clocks"):
        steps = by_vehicle.agg(
            origin=pl.col("camera").slice(0, pl.len() - 1),
            destination=pl.col("camera").slice(1),
            left=pl.col("last").slice(0, pl.len() - 1),
            entered=pl.col("first").slice(1),
        )
        steps = steps.drop("vehicle").explode("origin", "destination", "left", "entered").drop_nulls("origin")
    else:
        steps = by_vehicle.agg(
            origin=pl.col("camera").first(),
            destination=pl.col("camera").last(),
            left=pl.col("last").first(),
            entered=pl.col("first").last(),
            seen=pl.len(),
        ).filter(pl.col("seen") > 1)
    travel = pl.col("entered") - pl.col("left")
    if name == "clocks":
        return _clocks(steps.with_columns(seconds=travel).filter(pl.col("origin") != pl.col("destination")))
    grouped = steps.with_columns(_quarter("left")).group_by("quarter", "origin", "destination")
    return grouped.agg(
        vehicles=pl.len(),
        median_seconds=travel.median(),
        q15_seconds=travel.quantile(0.15, "linear"),
        q85_seconds=travel.quantile(0.85, "linear"),
    ).sort("quarter", "origin", "destination")


def _clocks(steps: pl.DataFrame) -> pl.DataFrame:
    by_way = steps.group_by("origin", "destination").agg(
        vehicles=pl.len(),
        median=pl.col("seconds").median(),
        # Of a median: 1.25 standard deviations over the root of the number, and 1.35 of them lie between the quartiles.
        variance=(
            (pl.col("seconds").quantile(0.75, "linear") - pl.col("seconds").quantile(0.25, "linear")) * 1.25 / 1.35
        ).pow(2)
        / pl.len(),
    )
    both = by_way.filter(pl.col("origin") < pl.col("destination")).join(
        by_way, left_on=["origin", "destination"], right_on=["destination", "origin"], suffix="_back"
    )
    both = both.filter(pl.min_horizontal("vehicles", "vehicles_back") >= MIN_VEHICLES)
    return both.select(
        camera="origin",
        other="destination",
        vehicles=pl.col("vehicles"),
        vehicles_back=pl.col("vehicles_back"),
        ahead_seconds=(pl.col("median") - pl.col("median_back")) / 2,
        error_seconds=(pl.col("variance") + pl.col("variance_back")).sqrt() / 2,
    ).sort("camera", "other")


def _tracks(rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """The tracks as a table; one without an identity is a vehicle of its own, unless a user says that it is none."""
    known = [row for row in rows if row[-2] != NO_VEHICLE]
    content = [(c, t, f, e, f"{i}" if i is not None else f"{c}/{t}") for c, t, f, e, *_, i, _ in known]
    schema = {"camera": pl.String, "track": pl.Int64, "first": pl.Float64, "last": pl.Float64, "vehicle": pl.String}
    return pl.DataFrame(content, schema=schema, orient="row")


def _quarter(column: str) -> pl.Expr:
    return ((pl.col(column) / QUARTER).floor() * QUARTER).alias("quarter")
