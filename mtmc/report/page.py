"""The report as one HTML file that needs nothing else: no network, no files beside it, no script for reading."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import yaml
from markupsafe import Markup

from common.files import atomic
from mtmc.report.data import ReportData
from mtmc.report.errors import find_errors
from mtmc.report.link_map import draw_histogram, draw_map
from mtmc.report.panel import make_panel
from mtmc.report.pictures import PictureLimits, make_pictures
from mtmc.report.view import Panel, ViewLimits, clock_text, wanted_pictures
from mtmc.stage_log import StageInfo

_METRICS = ("idf1", "idp", "idr", "hota", "mota")
_HISTOGRAMS = 60


def write_report(
    path: Path,
    data: ReportData,
    *,
    view_limits: ViewLimits | None = None,
    picture_limits: PictureLimits | None = None,
) -> None:
    """Write the report to `path`; it appears whole or not at all.

    Args:
        path: the HTML file; its folder is made where it is missing.
        data: all that the page shows.
        view_limits: how many rows of each list; the defaults if None.
        picture_limits: how many pictures and how large; the defaults if None.
    """
    text = render_report(data, view_limits=view_limits, picture_limits=picture_limits)
    with atomic(path) as aside:
        aside.write_text(text, encoding="utf-8")


def render_report(
    data: ReportData,
    *,
    view_limits: ViewLimits | None = None,
    picture_limits: PictureLimits | None = None,
) -> str:
    """The text of the report; see `write_report`."""
    folder = Path(__file__).parent / "page"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    panels = [make_panel(data, i, view_limits or ViewLimits()) for i in range(len(data.extractors))]
    script = (folder / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    scores = _score_rows(data, panels)
    place = {camera.name: i for i, camera in enumerate(data.cameras)}
    busiest = sorted(data.links, key=lambda link: -link.count)[:_HISTOGRAMS]
    shown_links = sorted(busiest, key=lambda link: (place.get(link.source, -1), place.get(link.target, -1)))
    return environment.get_template("report.html.jinja").render(
        data=data,
        panels=panels,
        pictures=make_pictures(data.crops, wanted_pictures(panels), picture_limits),
        style=Markup((folder / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        clock_text=clock_text,
        score_rows=scores,
        camera_scores=_camera_scores(data),
        tiles=_tiles(data, scores),
        loose=", ".join(f"{panel.loose} ({panel.name})" for panel in panels if panel.loose),
        unseen=_unseen(data),
        link_map=draw_map([c for c in data.cameras if not c.missing], data.links) if data.links else None,
        histograms=[draw_histogram(link) for link in shown_links],
        losses=_losses(data),
        tracks_of=np.bincount(data.tracks.camera, minlength=len(data.cameras)).tolist(),
        stages=_stage_rows(data.stages),
        parts=[stage for stage in data.stages if stage.part],
        configuration=_as_yaml(data.configuration),
    )


@dataclass(frozen=True, slots=True)
class _ScoreRow:
    """One extractor in the table of scores; `scores` is None where there is no ground truth."""

    name: str
    panel: Panel
    scores: Mapping[str, float | None] | None
    difference: float | None
    merges: int
    splits: int


@dataclass(frozen=True, slots=True)
class _CameraScores:
    name: str
    cells: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class _Tile:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Passage:
    vehicle: int
    camera: str
    boxes: int


@dataclass(frozen=True, slots=True)
class _Unseen:
    """What no track follows: passages (a vehicle in a camera) and whole vehicles, out of `total` and `known`."""

    passages: tuple[_Passage, ...]
    vehicles: tuple[int, ...]
    total: int
    known: int


@dataclass(frozen=True, slots=True)
class _StageRow:
    name: str
    seconds: float
    share: float
    frames: int | None
    rate: float | None
    result: str


def _score_rows(data: ReportData, panels: Sequence[Panel]) -> list[_ScoreRow]:
    rows = []
    first = _finite((data.extractors[0].scores or {}).get("idf1"))
    for i, (result, panel) in enumerate(zip(data.extractors, panels, strict=True)):
        scores = None if result.scores is None else {name: _finite(result.scores.get(name)) for name in _METRICS}
        own = scores["idf1"] if scores else None
        difference = own - first if i and own is not None and first is not None else None
        errors = find_errors(result.identity, data.tracks.truth)
        rows.append(_ScoreRow(result.name, panel, scores, difference, len(errors.merges), len(errors.splits)))
    return rows


def _camera_scores(data: ReportData) -> list[_CameraScores]:
    return [
        _CameraScores(result.name, tuple(_finite(result.camera_idf1.get(camera.name)) for camera in data.cameras))
        for result in data.extractors
        if result.camera_idf1
    ]


def _finite(value: float | None) -> float | None:
    """None for a score that is not defined, such as that of a camera without vehicles."""
    return value if value is not None and np.isfinite(value) else None


def _tiles(data: ReportData, scores: Sequence[_ScoreRow]) -> list[_Tile]:
    tiles = []
    known = [(row.scores["idf1"], row) for row in scores if row.scores and row.scores["idf1"] is not None]
    if known:
        best = max(known, key=lambda pair: pair[0] or 0.0)[1]
        value = (best.scores or {}).get("idf1") or 0.0
        tiles.append(_Tile("IDF1", f"{100 * value:.2f} %", best.name if len(scores) > 1 else ""))
        lead = best
    else:
        lead = scores[0]
    tiles.append(_Tile("Identities", f"{lead.panel.identities:,}", f"{lead.panel.across:,} in 2 or more cameras"))
    if data.has_truth:
        known_vehicles = len(
            {v for v, _ in data.truth_lengths} | set(data.tracks.truth[data.tracks.truth >= 0].tolist())
        )
        tiles.append(_Tile("Vehicles in the ground truth", f"{known_vehicles:,}"))
    used = [camera for camera in data.cameras if not camera.missing]
    left_out = len(data.cameras) - len(used)
    tiles.append(_Tile("Cameras", f"{len(used)}", f"{left_out} left out" if left_out else ""))
    tiles.append(_Tile("Tracks", f"{len(data.tracks):,}", f"{int(data.tracks.boxes.sum()):,} boxes"))
    frames = sum(camera.frames for camera in used)
    if frames:
        tiles.append(_Tile("Frames", f"{frames:,}"))
    return tiles


def _unseen(data: ReportData) -> _Unseen:
    tracks = data.tracks
    seen = set(zip(tracks.truth.tolist(), tracks.camera.tolist(), strict=True))
    passages = [
        _Passage(vehicle, data.cameras[camera].name, boxes)
        for (vehicle, camera), boxes in data.truth_lengths.items()
        if (vehicle, camera) not in seen
    ]
    passages.sort(key=lambda passage: (-passage.boxes, passage.vehicle, passage.camera))
    known = {vehicle for vehicle, _ in data.truth_lengths}
    nowhere = tuple(sorted(known - {vehicle for vehicle, _ in seen}))
    return _Unseen(tuple(passages), nowhere, len(data.truth_lengths), len(known))


def _losses(data: ReportData) -> str:
    left_out = [camera.name for camera in data.cameras if camera.missing]
    broken = [camera for camera in data.cameras if camera.broken]
    parts = []
    if left_out:
        parts.append(f"{len(left_out)} left out: {', '.join(left_out[:8])}{' …' if len(left_out) > 8 else ''}")
    if broken:
        names = [camera.name for camera in broken[:8]] + ["…"] * (len(broken) > 8)
        parts.append(f"{sum(camera.broken for camera in broken):,} broken frames in {', '.join(names)}")
    return "; ".join(parts) or "nothing was lost"


def _stage_rows(stages: Sequence[StageInfo]) -> list[_StageRow]:
    groups: dict[str, list[StageInfo]] = {}
    for stage in stages:
        groups.setdefault(stage.name, []).append(stage)
    longest = max((sum(stage.seconds for stage in group) for group in groups.values()), default=0.0)
    rows = []
    for name, group in groups.items():
        seconds = sum(stage.seconds for stage in group)
        counted = [stage.frames for stage in group if stage.frames is not None]
        frames = sum(counted) if counted else None
        reused = sum(stage.reused for stage in group)
        result = (
            "made in this run"
            if not reused
            else "reused"
            if reused == len(group)
            else f"{reused} of {len(group)} reused"
        )
        rows.append(
            _StageRow(
                name,
                seconds,
                seconds / longest if longest > 0 else 0.0,
                frames,
                frames / seconds if frames and seconds > 0 else None,
                result,
            )
        )
    return rows


def _as_yaml(configuration: Mapping[str, object]) -> str:
    plain = json.loads(json.dumps(configuration, default=str))
    return str(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)) if plain else "(empty)"
