"""Simulated scenarios, rendered on first use."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from common.cache import Cache, key_of
from common.code_version import code_version
from mtmc.scenarios.facts import ScenarioFacts


def render_scenario(facts: ScenarioFacts, cache: Cache, workers: int, console: Console) -> Path:
    """The data root of a simulated scenario in CityFlow's layout; rendered now unless it is cached.

    Args:
        facts: of a scenario with a `simulation` section.
        cache: where it is kept; the key is made from its settings and the simulator's code.
        workers: number of processes.
        console: where progress is shown.
    """
    settings = facts.simulation
    if settings is None:
        raise ValueError(f"{facts.name} is not simulated")
    split = facts.split or "validation"
    code = code_version("mtmc.simulation.scenario")
    key = key_of({"code": code, "settings": settings.model_dump(), "name": facts.name, "split": split})
    root = cache.folder("simulated", key)
    if root.is_dir():
        return root
    from mtmc.simulation.scenario import simulate_scenario  # slow to import, and needed once

    console.print(f"{facts.name} is simulated: rendering it once into {root}", highlight=False)
    columns = (TextColumn("render"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn())
    with cache.write("simulated", key) as folder, Progress(*columns, console=console) as progress:
        task = progress.add_task("render", total=None)
        simulate_scenario(
            settings,
            folder,
            workers,
            lambda done, total: progress.update(task, completed=done, total=total),
            name=facts.name,
            split=split,
        )
    return root
