"""Cameras: size, rate and clip of each, and what was lost of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtmc.report.data import ReportData
from mtmc.report.sections.section import Page, Section


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


def _values(page: Page) -> Mapping[str, object]:
    data = page.data
    tracks = np.bincount(data.tracks.camera, minlength=len(data.cameras)).tolist()
    return {"losses": _losses(data), "tracks_of": tracks}


SECTION = Section("cameras", "Cameras", _values)
