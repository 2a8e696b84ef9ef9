"""A finished run to the plain values that the report page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from evaluation.difference import idf1_difference_interval
from mtmc.appearance.splitting import Cuts
from mtmc.association.links_file import Links
from mtmc.identities import truth_of_camera
from mtmc.observation.stage import doubtful_boxes
from mtmc.pipeline import Outcome, RunResult
from mtmc.report.data import CameraInfo, CropImage, ExtractorResult, JoinInfo, LinkInfo, ReportData, TrackTable
from mtmc.report.join_table import joins_table
from mtmc.report.run_folder import own_tables_of, run_versions
from mtmc.report.tabulate import passage_lengths, tabulate_tracks
from mtmc.scenarios.scenario import Camera


def report_data(result: RunResult, configuration: Mapping[str, Any], command: str, detector: str) -> ReportData:
    """Everything that the page shows of a run.

    Args:
        result: the run.
        configuration: all settings, as plain values.
        command: the command line.
        detector: where the boxes came from, for the summary.
    """
    scenario = result.scenario
    tables: list[TrackTable] = []
    crops: dict[tuple[int, int], list[CropImage]] = {}
    lengths: dict[tuple[int, int], int] = {}
    cuts = [_cuts(result, index) for index in range(len(result.observations))]
    for index, observation in enumerate(result.observations):
        truth = truth_of_camera(result.truth, observation.camera) if result.truth is not None else None
        tables.append(tabulate_tracks(index, cuts[index].apply(observation.tracks), observation.camera.clock, truth))
        pictures = observation.crops()
        owner = cuts[index].part(pictures.track, pictures.frame)
        for row in range(len(pictures)):
            crop = CropImage(pictures.image[row], float(pictures.quality[row]), int(pictures.frame[row]))
            crops.setdefault((index, int(owner[row])), []).append(crop)
        if truth is not None:
            lengths |= passage_lengths(index, truth)
    table = TrackTable.concatenate(tables)
    doubt = doubtful_boxes(result.observations)
    return ReportData(
        scenario=scenario.name,
        simulated=scenario.simulated,
        created=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        cameras=_cameras(result),
        tracks=table,
        extractors=[_extractor(result, outcome, table, cuts) for outcome in result.outcomes],
        crops=crops,
        links=_links(result.outcomes[-1].links),
        links_origin="given" if result.links_given else "learned",
        overlapping_views=[view.cameras for view in result.outcomes[-1].links.overlapping_views or ()],
        truth_lengths=lengths,
        stages=result.log.entries,
        summary={
            "cameras": str(len(scenario.cameras)),
            "boxes from": detector,
            **({"doubtful boxes": doubt} if doubt else {}),
            **({"notes": "; ".join(result.notes)} if result.notes else {}),
            "extractors": ", ".join(outcome.extraction.name for outcome in result.outcomes),
            **_by_own_rule(result),
        },
        configuration=configuration,
        versions=run_versions() | {o.extraction.name: o.checksum for o in result.outcomes if o.checksum},
        command=command,
    )


def _by_own_rule(result: RunResult) -> dict[str, str]:
    """The figures by the rule of the data set, where it has one of its own, by the table's title."""
    lines = {}
    for table in own_tables_of(result):
        rows = [
            f"{row.name}: IDF1 {100 * row.identity.idf1:.2f}, IDP {100 * row.identity.idp:.2f}, "
            f"IDR {100 * row.identity.idr:.2f}"
            for row in table.rows
            if row.identity is not None
        ]
        lines[table.title] = "; ".join(rows)
    return lines


def _cameras(result: RunResult) -> list[CameraInfo]:
    """The cameras of the run, then those that were left out."""
    infos = []
    for observation in result.observations:
        camera = observation.camera
        frames, lost = observation.frames
        start, end = camera.span
        place = _position(camera)
        infos.append(
            CameraInfo(camera.name, camera.width, camera.height, camera.fps, start, end, frames, lost, position=place)
        )
    infos += [CameraInfo(name, 0, 0, 0.0, 0.0, 0.0, 0, 0, reason) for name, reason in result.scenario.missing.items()]
    return infos


def _position(camera: Camera) -> tuple[float, float] | None:
    """Where the camera looks: metres east and north of the origin, of the ground at its lower middle, or None."""
    if camera.ground is None:
        return None
    east, north = camera.ground.to_ground([[camera.width / 2, camera.height * 0.8]])[0]
    return (float(east), float(north)) if np.isfinite([east, north]).all() else None


def _cuts(result: RunResult, index: int) -> Cuts:
    """The cuts of all extractors in a camera's tracks, so that each part has one identity with every extractor."""
    parts = [
        np.stack([o.identities.track, o.identities.since], 1)[(o.identities.camera == index) & (o.identities.since > 0)]
        for o in result.outcomes
    ]
    track, since = np.unique(np.concatenate(parts), axis=0).T
    return Cuts(track, since, int(result.observations[index].tracks.track.max(initial=0)) + 1)


def _extractor(result: RunResult, outcome: Outcome, table: TrackTable, cuts: Sequence[Cuts]) -> ExtractorResult:
    identity = np.full(len(table), -1, np.int32)
    for index in range(len(result.observations)):
        rows = table.camera == index
        track, _ = cuts[index].whole(table.track[rows])
        identity[rows] = outcome.identities.of_boxes(index, track, table.first_frame[rows])
    joins = _joins(result, outcome, table, cuts)
    if outcome.score is None:
        return ExtractorResult(outcome.extraction.name, identity, joins=joins)
    figures = outcome.score.figures()
    names = {camera.number: camera.name for camera in result.scenario.cameras}
    cameras = {names[number]: score.idf1 for number, score in outcome.score.cameras.items() if number in names}
    first = result.outcomes[0].score
    interval = None
    if outcome is not result.outcomes[0] and first is not None and first.vehicles and outcome.score.vehicles:
        interval = idf1_difference_interval(first.vehicles, outcome.score.vehicles)
    return ExtractorResult(outcome.extraction.name, identity, figures, cameras, joins, interval)


def _joins(result: RunResult, outcome: Outcome, table: TrackTable, cuts: Sequence[Cuts]) -> list[JoinInfo]:
    rows = zip(table.camera.tolist(), table.track.tolist(), table.truth.tolist(), strict=True)
    vehicle = {(camera, track): truth for camera, track, truth in rows}
    names = {camera.name: index for index, camera in enumerate(result.scenario.cameras)}

    def truth_of(camera: str, track: int, since: int) -> int:
        part = cuts[names[camera]].part(np.array([track], np.int32), np.array([since], np.int32))
        return int(vehicle.get((names[camera], int(part[0])), -1))

    found = []
    for join in joins_table(result, outcome).iter_rows(named=True):
        first = (join["camera"], join["track"])
        second = (join["next_camera"], join["next_track"])
        a, b = truth_of(*first, join["since"]), truth_of(*second, join["next_since"])
        right = None if min(a, b) < 0 else a == b
        found.append(JoinInfo(join["identity"], join["probability"], first, second, right))
    return found


def _links(links: Links) -> list[LinkInfo]:
    camera = {zone.name: zone.camera for zone in links.zones}
    return [
        LinkInfo(
            camera[link.source],
            camera[link.target],
            link.vehicles,
            link.travel_time.edges,
            link.travel_time.mass * max(link.vehicles, 1.0),
            link.source,
            link.target,
        )
        for link in links.links
        if camera[link.source] != camera[link.target]
    ]
