"""Scenarios by name, folder or YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from common.cache import Cache
from common.errors import InputError, path_not_found
from common.nearest import nearest
from common.processes import available_processors
from common.resources import resource
from mtmc.interface.consoles import progress_console
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.find import find_scenario, is_scenario_file, known_facts
from mtmc.scenarios.scenario import Scenario
from mtmc.scenarios.simulated import render_scenario

DATA_ROOT = Path("data")
"""Where scenarios are looked for unless the caller says otherwise."""


def load_scenario(
    name: str | Path,
    data_root: str | Path | None = None,
    *,
    cache: str | Path = "cache",
    workers: int | None = None,
    progress: bool | Console = False,
) -> Scenario:
    """Find a scenario and read its cameras.

    Args:
        name: one of
            - "sim-S06" or another simulated scenario: rendered on first use, then kept in `cache`;
            - "S01" to "S06" of CityFlowV2, or another folder in its layout, below `data_root`;
            - "RoundaboutHD", as distributed, below `data_root`;
            - a folder of videos, one per camera;
            - a YAML file with the facts of a scenario below `data_root` (frame rates, clocks, links).
        data_root: the folder that holds scenarios, as `<data_root>/<split>/<name>/<camera>/` or `<data_root>/<name>/`;
            None: "data". For a simulated scenario: the folder of an existing rendering.
        cache: the folder for renderings, and for RoundaboutHD's boxes in the form that the stages read.
        workers: processes that render; None: one per CPU.
        progress: show the progress of rendering on standard error, or on this console.

    Returns:
        The scenario. Cameras that cannot be read are named in its `missing`, with the reason.

    Raises:
        InputError: nothing was found (the message says where it looked and how to get the data), or no camera can be
            used.

    Examples:
        >>> import mtmc
        >>> scenario = mtmc.load_scenario("S02", data_root="/data/cityflow")  # doctest: +SKIP
        >>> [camera.name for camera in scenario.cameras]  # doctest: +SKIP
        ['c006', 'c007', 'c008', 'c009']
    """
    known = resource("configs", "scenarios")
    roots = [Path(data_root) if data_root is not None else DATA_ROOT]
    # "." and ".." are folders with names of their own.
    folder = Path(name) if Path(name).name not in ("", "..") else Path(name).resolve()
    wanted = str(folder)
    if not is_scenario_file(folder):
        if len(folder.parts) > 1:
            if not folder.is_dir():
                raise path_not_found(folder, "scenario folder")
            wanted, roots = folder.name, [folder.parent]
        elif folder.is_dir():
            roots.append(Path())
    facts, file = known_facts(wanted, known)
    if facts.simulation is not None and data_root is None and roots == [DATA_ROOT]:
        roots = [_rendered(facts, Path(cache), workers, progress)]
    return find_scenario(wanted, facts, file, roots, known, Path(cache))


def only_cameras(scenario: Scenario, names: Sequence[str]) -> Scenario:
    """The scenario with these cameras alone, in its own order; the others are not counted as missing.

    Raises:
        InputError: the scenario has no camera of one of the names.
    """
    known = [*(camera.name for camera in scenario.cameras), *scenario.missing]
    for name in names:
        if name not in known:
            raise InputError(f"--only-camera {name}: {scenario.name} has no such camera{nearest(name, known)}")
    cameras = tuple(camera for camera in scenario.cameras if camera.name in names)
    missing = {name: reason for name, reason in scenario.missing.items() if name in names}
    return replace(scenario, cameras=cameras, missing=missing)


def is_simulated(name: str | Path) -> bool:
    """Whether `name` is a scenario that can be rendered here, so that no data has to be found.

    >>> is_simulated("sim-S06"), is_simulated("S06")
    (True, False)
    """
    return known_facts(str(name), resource("configs", "scenarios"))[0].simulation is not None


def _rendered(facts: ScenarioFacts, cache: Path, workers: int | None, progress: bool | Console) -> Path:
    return render_scenario(facts, Cache(cache), workers or available_processors(), progress_console(progress))
