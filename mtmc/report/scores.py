"""Scores and figures of a run as rows and tiles, for the header, the tabs and the section of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtmc.report.data import ReportData
from mtmc.report.errors import find_errors
from mtmc.report.view import Panel

METRICS = ("idf1", "idp", "idr", "hota", "mota")


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One extractor in the table of scores; `scores` is None where there is no ground truth."""

    name: str
    panel: Panel
    scores: Mapping[str, float | None] | None
    difference: float | None
    interval: tuple[float, float] | None
    merges: int
    splits: int


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    note: str = ""


def score_rows(data: ReportData, panels: Sequence[Panel]) -> list[ScoreRow]:
    rows = []
    first = finite((data.extractors[0].scores or {}).get("idf1"))
    for i, (result, panel) in enumerate(zip(data.extractors, panels, strict=True)):
        scores = None if result.scores is None else {name: finite(result.scores.get(name)) for name in METRICS}
        own = scores["idf1"] if scores else None
        difference = own - first if i and own is not None and first is not None else None
        errors = find_errors(result.identity, data.tracks.truth)
        rows.append(
            ScoreRow(result.name, panel, scores, difference, result.interval, len(errors.merges), len(errors.splits))
        )
    return rows


def tiles(data: ReportData, scores: Sequence[ScoreRow]) -> list[Tile]:
    tiles = []
    known = [(row.scores["idf1"], row) for row in scores if row.scores and row.scores["idf1"] is not None]
    if known:
        best = max(known, key=lambda pair: pair[0] or 0.0)[1]
        value = (best.scores or {}).get("idf1") or 0.0
        tiles.append(Tile("IDF1", f"{100 * value:.2f} %", best.name if len(scores) > 1 else ""))
        lead = best
    else:
        lead = scores[0]
    tiles.append(Tile("Identities", f"{lead.panel.identities:,}", f"{lead.panel.across:,} in 2 or more cameras"))
    if data.has_truth:
        known_vehicles = len(
            {v for v, _ in data.truth_lengths} | set(data.tracks.truth[data.tracks.truth >= 0].tolist())
        )
        tiles.append(Tile("Vehicles in the ground truth", f"{known_vehicles:,}"))
    used = [camera for camera in data.cameras if not camera.missing]
    left_out = len(data.cameras) - len(used)
    tiles.append(Tile("Cameras", f"{len(used)}", f"{left_out} left out" if left_out else ""))
    tiles.append(Tile("Tracks", f"{len(data.tracks):,}", f"{int(data.tracks.boxes.sum()):,} boxes"))
    frames = sum(camera.frames for camera in used)
    if frames:
        tiles.append(Tile("Frames", f"{frames:,}"))
    return tiles


def finite(value: float | None) -> float | None:
    """None for a score that is not defined, such as that of a camera without vehicles."""
    return value if value is not None and np.isfinite(value) else None
