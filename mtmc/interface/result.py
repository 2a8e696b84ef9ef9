"""The result of a run: tables in memory, files on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from common.errors import InputError
from common.nearest import nearest
from detection.vehicle_classes import class_names
from evaluation.tables import ResultTable
from mtmc.config import PipelineSettings
from mtmc.interface.consoles import progress_console
from mtmc.observation.stage import Source
from mtmc.pipeline import Outcome, RunResult
from mtmc.report.collect import report_data
from mtmc.report.join_table import joins_table
from mtmc.report.page import write_report
from mtmc.report.run_folder import own_tables_of, table_of, write_run
from mtmc.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True, repr=False)
class ScenarioResult:
    """What `mtmc.run_scenario` returns.

    Attributes:
        run: everything that the stages produced: observations, identities, links, scores, seconds.
        settings: the settings of all stages.
        source: where the boxes came from.
    """

    run: RunResult
    settings: PipelineSettings
    source: Source

    def __repr__(self) -> str:
        cameras = len(self.scenario.cameras)
        return f"<ScenarioResult {self.scenario.name}: {cameras} cameras, extractors {', '.join(self.extractors)}>"

    @property
    def scenario(self) -> Scenario:
        """The scenario with the cameras that took part; `missing` names the others, with the reason."""
        return self.run.scenario

    @property
    def extractors(self) -> tuple[str, ...]:
        """Names of the extractors that were compared."""
        return tuple(outcome.extraction.name for outcome in self.run.outcomes)

    def table(self) -> ResultTable:
        """IDF1, IDP and IDR, a row for each extractor; `print` it, or use `to_markdown()`, `to_csv()`, `to_json()`."""
        return table_of(self.run)

    def own_tables(self) -> list[ResultTable]:
        """The figures by the rule that the data set has of its own (RoundaboutHD): of every identity, and of
        track1.txt, which holds those that at least two cameras see. Empty where there is no such rule.
        """
        return own_tables_of(self.run)

    @property
    def tracks(self) -> pl.DataFrame:
        """`tracks_of` the first extractor."""
        return self.tracks_of()

    @property
    def joins(self) -> pl.DataFrame:
        """`joins_of` the first extractor."""
        return self.joins_of()

    @property
    def identities(self) -> pl.DataFrame:
        """`identities_of` the first extractor."""
        return self.identities_of()

    def tracks_of(self, extractor: str | None = None) -> pl.DataFrame:
        """One row per box.

        Args:
            extractor: one of `extractors`; None: the first.

        Returns:
            Columns camera (name), frame (counted from 1), seconds (on the time axis of all cameras), track (number in
            its camera), identity (number across cameras; null where the box has none), left, top, width, height
            (pixels), score (0: interpolated) and class (null where unknown), by camera, track and frame.

        Raises:
            InputError: no such extractor took part.
        """
        outcome = self._outcome(extractor)
        tables = []
        for index, observation in enumerate(self.run.observations):
            rows = observation.tracks.sorted()
            identity = outcome.identities.of_tracks(index, rows)
            left, top, width, height = np.ascontiguousarray(rows.box.T)
            table = pl.DataFrame(
                {
                    "camera": pl.Series([observation.camera.name] * len(rows), dtype=pl.String),
                    "frame": rows.frame,
                    "seconds": observation.camera.clock.at(rows.frame),
                    "track": rows.track,
                    "identity": identity,
                    "left": left,
                    "top": top,
                    "width": width,
                    "height": height,
                    "score": rows.score,
                    "class": pl.Series(class_names(rows.label), dtype=pl.String),
                }
            )
            tables.append(table.with_columns(identity=pl.when(pl.col("identity") >= 0).then("identity")))
        return pl.concat(tables)

    def identities_of(self, extractor: str | None = None) -> pl.DataFrame:
        """One row per identity.

        Args:
            extractor: one of `extractors`; None: the first.

        Returns:
            Columns identity, probability (that it is one vehicle; null where the method of association does not tell),
            cameras (names, in the order of arrival), first_seconds, last_seconds, boxes, class (the
            most frequent; null where unknown) and tracks (a list of camera, track, first_seconds, last_seconds, in the
            order of arrival), by identity.

        Raises:
            InputError: no such extractor took part.
        """
        outcome = self._outcome(extractor)
        known = np.flatnonzero(np.isfinite(outcome.sure))
        sure = dict(zip(outcome.identities.identity[known].tolist(), outcome.sure[known].tolist(), strict=True))
        boxes = self.tracks_of(extractor).filter(pl.col("identity").is_not_null())
        by_time = ("first_seconds", "camera", "track")
        vehicles = (
            boxes.group_by("identity", "camera", "track")
            .agg(
                first_seconds=pl.col("seconds").min(),
                last_seconds=pl.col("seconds").max(),
                boxes=pl.len(),
                classes=pl.col("class").drop_nulls(),
            )
            .sort("identity", *by_time)
            .group_by("identity", maintain_order=True)
            .agg(
                cameras=pl.col("camera").unique(maintain_order=True),
                first_seconds=pl.col("first_seconds").min(),
                last_seconds=pl.col("last_seconds").max(),
                boxes=pl.col("boxes").sum(),
                **{"class": pl.col("classes").explode().mode().sort().first()},
                tracks=pl.struct("camera", "track", "first_seconds", "last_seconds"),
            )
        )
        probability = [sure.get(number) for number in vehicles["identity"].to_list()]
        return vehicles.insert_column(1, pl.Series("probability", probability, dtype=pl.Float64))

    def joins_of(self, extractor: str | None = None) -> pl.DataFrame:
        """One row per join of two tracks: each track of an identity but its first, with the one that it follows.

        Args:
            extractor: one of `extractors`; None: the first.

        Returns:
            Columns identity, probability (that both tracks are one vehicle), camera, track, since, next_camera,
            next_track and next_since, by ascending probability; since is the first frame of the part, where a track was
            split, else 0. Empty where the method of association does not tell.

        Raises:
            InputError: no such extractor took part.
        """
        return joins_table(self.run, self._outcome(extractor))

    def write(
        self,
        folder: str | Path,
        *,
        videos: bool = False,
        mosaic: bool = False,
        crops: bool = False,
        command: str = "",
        progress: bool | Console = False,
    ) -> Path:
        """Write the folder: report.html, track1.txt, tracks/, identities.parquet, joins.csv, links.yaml, JSON files.

        Args:
            folder: created if missing; files of an earlier run are replaced.
            videos: also write an annotated video of each camera.
            mosaic: also write a video of all cameras side by side.
            crops: also write the crops of all tracks, for `python -m reid.adapt`.
            command: the command line to record in the report and in run.json.
            progress: show the progress of the videos on standard error, or on this console.

        Returns:
            The path of the report.
        """
        target = Path(folder)
        configuration = self.settings.model_dump(mode="json")
        write_run(self.run, target, configuration, command)
        report = target / "report.html"
        with self.run.log.timed("report"):
            write_report(report, report_data(self.run, configuration, command, self.source.describe()))
        if videos or mosaic:
            from mtmc.report.videos import write_videos  # decoders, which other runs do not need

            write_videos(self.run, target, videos=videos, mosaic=mosaic, console=progress_console(progress))
        if crops:
            from mtmc.report.crop_files import write_crop_files  # imports torch

            write_crop_files(self.run, target)
        return report

    def _outcome(self, extractor: str | None) -> Outcome:
        for outcome in self.run.outcomes:
            if extractor in (None, outcome.extraction.name):
                return outcome
        raise InputError(f"extractor {extractor}: took no part in this run{nearest(str(extractor), self.extractors)}")
