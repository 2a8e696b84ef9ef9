"""Simulated scenarios for benchmarks."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from common.cache import Cache
from common.resources import resource
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.find import find_scenario, known_facts
from mtmc.scenarios.scenario import Scenario
from mtmc.scenarios.simulated import render_scenario
from mtmc.simulation.settings import SimulationSettings


def scenario_like(name: str, seed: int, *, cache: Cache, workers: int, console: Console, **settings: Any) -> Scenario:
    """Another draw of a simulated scenario of `configs/scenarios`, rendered unless it is cached.

    Args:
        name: of the scenario whose layout, weather and vehicles are kept, for example "sim-S07".
        seed: decides roads, vehicles, traffic and cameras.
        cache: where renderings are kept.
        workers: processes that render.
        console: where progress is shown.
        settings: fields of `SimulationSettings` that are to be others.
    """
    facts, _ = known_facts(name, resource("configs", "scenarios"))
    if facts.simulation is None:
        raise SystemExit(f"--like {name}: not a simulated scenario; give for example sim-S07")
    simulation = facts.simulation.model_dump() | {"seed": seed, **settings}
    drawn = facts.model_copy(update={"simulation": SimulationSettings.model_validate(simulation)})
    root = render_scenario(drawn, cache, workers, console)
    return find_scenario(drawn.name, drawn, None, [root], resource("configs", "scenarios"))


def simulated_scenario(
    layout: str, seed: int, *, cache: Cache, workers: int, console: Console, **settings: Any
) -> Scenario:
    """A simulated scenario, rendered unless it is cached.

    Args:
        layout: of the roads: "corridor", "crossing" or "network".
        seed: decides roads, vehicles, traffic and cameras.
        cache: where renderings are kept.
        workers: processes that render.
        console: where progress is shown.
        settings: other fields of `SimulationSettings`.
    """
    simulation = SimulationSettings.model_validate({"layout": layout, "seed": seed, **settings})
    facts = ScenarioFacts(name=f"sim-{layout}-{seed}", split="validation", simulation=simulation)
    root = render_scenario(facts, cache, workers, console)
    return find_scenario(facts.name, facts, None, [root], resource("configs", "scenarios"))
