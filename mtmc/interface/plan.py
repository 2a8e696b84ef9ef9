"""The plan of a run: what `--dry-run` prints."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from common.cache import Cache
from mtmc.appearance.extraction import Extraction
from mtmc.association.constraints import check_cameras
from mtmc.association.constraints_file import read_constraints
from mtmc.config import PipelineSettings
from mtmc.observation.preflight import check_given_boxes
from mtmc.observation.stage import Source, plan_observation
from mtmc.scenarios.scenario import Scenario


def describe_plan(
    scenario: Scenario,
    source: Source,
    extractions: Sequence[Extraction],
    settings: PipelineSettings,
    *,
    cache: Path,
    output: Path,
    association: str,
    constraints: Path | None = None,
) -> str:
    """What a run would do, line by line, after the checks that it makes before its first frame.

    Raises:
        InputError: the run could not start.
    """
    check_given_boxes(scenario, source)
    given = f" with the constraints of {constraints}" if constraints is not None else ""
    if constraints is not None:
        cameras = [*(camera.name for camera in scenario.cameras), *scenario.missing]
        check_cameras(read_constraints(constraints), cameras, str(constraints))
    plan = plan_observation(scenario, source, settings=settings, cache=Cache(cache))
    simulated = " (simulated)" if scenario.simulated else ""
    lines = [f"scenario     {scenario.name}{simulated}: {len(plan.jobs)} cameras"]
    for camera in scenario.cameras:
        if camera.name in plan.missing:
            continue
        first, last = camera.span
        state = "to observe" if camera.name in plan.due else "in the cache"
        known = (("calibrated", camera.ground), ("ground truth", camera.ground_truth))
        extras = [word for word, there in known if there is not None]
        facts = [
            f"{camera.frame_count} frames of {camera.width} x {camera.height}",
            f"{first:.2f} to {last:.2f} s",
            f"{camera.fps:.4g} frames per second",
            *extras,
        ]
        lines.append(f"  {camera.name}: {', '.join(facts)}; {state}")
    lines += [f"  left out: {name}: {reason}" for name, reason in plan.missing.items()]
    lines += [f"note         {note}" for note in (*scenario.notes, *plan.notes)]
    lines.append(f"boxes        {source.describe()}{f' ({plan.description})' if plan.description else ''}")
    if source.tracks is None:
        lines.append(f"tracker      {source.tracker}")
    for extraction in extractions:
        lines.append(f"extractor    {extraction.name}{f' ({extraction.weights})' if extraction.weights else ''}")
        lines += [f"  {note}" for note in extraction.notes]
    lines.append(f"association  {association}{given}")
    lines.append(f"output       {output}")
    there = next(p for p in (cache.absolute(), *cache.absolute().parents) if p.exists())
    lines.append(f"cache        {cache} ({shutil.disk_usage(there).free / 1e9:.1f} GB free)")
    return "\n".join(lines) + "\n"
