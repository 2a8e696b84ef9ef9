"""Scores: the table of extractors, and the IDF1 of each camera alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtmc.report.data import ReportData
from mtmc.report.scores import finite
from mtmc.report.sections.section import Page, Section


@dataclass(frozen=True, slots=True)
class CameraScores:
    name: str
    cells: tuple[float | None, ...]


def _camera_scores(data: ReportData) -> list[CameraScores]:
    return [
        CameraScores(result.name, tuple(finite(result.camera_idf1.get(camera.name)) for camera in data.cameras))
        for result in data.extractors
        if result.camera_idf1
    ]


def _values(page: Page) -> Mapping[str, object]:
    loose = ", ".join(f"{panel.loose} ({panel.name})" for panel in page.panels if panel.loose)
    return {"camera_scores": _camera_scores(page.data), "loose": loose}


SECTION = Section("scores", "Scores", _values)
