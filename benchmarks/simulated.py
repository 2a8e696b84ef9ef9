"""Simulated scenarios for benchmarks."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from common.cache import Cache
from common.resources import resource
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.find import find_scenario
from mtmc.scenarios.scenario import Scenario
from mtmc.scenarios.simulated import render_scenario
from mtmc.simulation.settings import SimulationSettings


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
