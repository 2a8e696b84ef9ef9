"""Merges and splits of one extractor, its differences to the first one, and passages that no track follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mtmc.report.data import ReportData
from mtmc.report.sections.section import Page, Section


@dataclass(frozen=True, slots=True)
class Passage:
    vehicle: int
    camera: str
    boxes: int


@dataclass(frozen=True, slots=True)
class Unseen:
    """Passages (a vehicle in a camera) and whole vehicles that no track follows, out of `total` and `known`."""

    passages: tuple[Passage, ...]
    vehicles: tuple[int, ...]
    total: int
    known: int


def _unseen(data: ReportData) -> Unseen:
    tracks = data.tracks
    seen = set(zip(tracks.truth.tolist(), tracks.camera.tolist(), strict=True))
    passages = [
        Passage(vehicle, data.cameras[camera].name, boxes)
        for (vehicle, camera), boxes in data.truth_lengths.items()
        if (vehicle, camera) not in seen
    ]
    passages.sort(key=lambda passage: (-passage.boxes, passage.vehicle, passage.camera))
    known = {vehicle for vehicle, _ in data.truth_lengths}
    nowhere = tuple(sorted(known - {vehicle for vehicle, _ in seen}))
    return Unseen(tuple(passages), nowhere, len(data.truth_lengths), len(known))


def _values(page: Page) -> Mapping[str, object] | None:
    return {"unseen": _unseen(page.data)} if page.data.has_truth else None


SECTION = Section("errors", "Merges and splits", _values)
