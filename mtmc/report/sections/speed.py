"""Speed: seconds and frames per second of each stage and of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtmc.report.sections.section import Page, Section
from mtmc.stage_log import StageInfo


@dataclass(frozen=True, slots=True)
class StageRow:
    name: str
    seconds: float
    share: float
    frames: int | None
    rate: float | None
    result: str


def _stage_rows(stages: Sequence[StageInfo]) -> list[StageRow]:
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
            StageRow(
                name,
                seconds,
                seconds / longest if longest > 0 else 0.0,
                frames,
                frames / seconds if frames and seconds > 0 else None,
                result,
            )
        )
    return rows


def _values(page: Page) -> Mapping[str, object] | None:
    stages = page.data.stages
    if not stages:
        return None
    return {"stages": _stage_rows(stages), "parts": [stage for stage in stages if stage.part]}


SECTION = Section("speed", "Speed", _values)
