"""From a scenario's name to the scenario on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from common.cache import Cache
from common.errors import InputError
from common.nearest import nearest
from mtmc.scenarios.cityflow import SPLITS, camera_folders, read_scenario, scenario_folders
from mtmc.scenarios.facts import ScenarioFacts, read_scenario_file
from mtmc.scenarios.roundabouthd import NAME as ROUNDABOUTHD
from mtmc.scenarios.roundabouthd import read_roundabouthd, roundabout_folders
from mtmc.scenarios.scenario import Scenario
from mtmc.scenarios.video_folder import read_video_folder, videos_in

CITYFLOW = ("S01", "S02", "S03", "S04", "S05", "S06")
_LAYOUTS = (roundabout_folders, camera_folders, videos_in)
"""What a scenario's folder holds, by layout."""


def is_scenario_file(path: Path) -> bool:
    """Whether a path names a scenario's YAML file rather than a scenario or a folder."""
    return path.suffix in (".yaml", ".yml")


def known_facts(name: str, scenario_dir: Path) -> tuple[ScenarioFacts, Path | None]:
    """The facts of a scenario: from the YAML file `name`, or from `<scenario_dir>/<name>.yaml`, else none.

    Returns:
        The facts, and their file.
    """
    given = Path(name)
    path = given if is_scenario_file(given) else scenario_dir / f"{name}.yaml"
    if path.is_file() or path == given:
        return read_scenario_file(path), path
    return ScenarioFacts(name=name), None


def find_scenario(
    name: str,
    facts: ScenarioFacts,
    source: Path | None,
    roots: Sequence[Path],
    known: Path,
    cache: Path = Path("cache"),
) -> Scenario:
    """Find and read the scenario `facts.name` below the first root that contains it.

    Args:
        name: what the user typed.
        facts: of `known_facts`.
        source: the YAML file of the facts; its `links` is relative to it.
        roots: data roots, in search order.
        known: the folder of scenario YAML files, for the names in the error.
        cache: where RoundaboutHD's boxes are kept in a form that the stages read.

    Raises:
        InputError: it was not found; the message says where it was looked for and how to get it.
    """
    for root in roots:
        folder = _folder_of(root, facts.name)
        if folder is None:
            continue
        scenario_root = folder.parent.parent if folder.parent.name in SPLITS else folder.parent
        if roundabout_folders(folder):
            scenario = read_roundabouthd(folder, facts, Cache(cache))
        elif camera_folders(folder):
            scenario = read_scenario(scenario_root, folder, facts)
        else:
            scenario = read_video_folder(folder, facts)
        if facts.links is not None and source is not None:
            scenario = replace(scenario, links=source.parent / facts.links)
        return replace(scenario, name=facts.name)
    raise InputError(_not_found(name, facts.name, roots, known))


def _folder_of(root: Path, name: str) -> Path | None:
    """The scenario's folder below `root`, or `root` itself if it has that name; None if there is none."""
    candidates = [*(root / split / name for split in SPLITS), root / name]
    if root.resolve().name == name:
        candidates.append(root.resolve())
    return next((c for c in candidates if c.is_dir() and any(find(c) for find in _LAYOUTS)), None)


def _not_found(typed: str, name: str, roots: Sequence[Path], known: Path) -> str:
    looked = ", ".join(str(root) for root in roots)
    there = [scenario for root in roots if root.is_dir() for scenario in scenario_folders(root)]
    shipped = [path.stem for path in known.glob("*.yaml")]
    simulated = "sim-S06 is simulated and needs no data"
    if name in CITYFLOW:
        have = f" (found there: {', '.join(sorted(set(there)))})" if there else ""
        return (
            f"scenario {name} is not under {looked}{have}: request CityFlowV2 at www.aicitychallenge.org, unpack it so "
            f"that <root>/<split>/{name}/<camera>/vdo.avi exists, and name <root> with --data-root; {simulated}"
        )
    if name == ROUNDABOUTHD:
        return (
            f"scenario {name} is not under {looked}: download it from huggingface.co/datasets/yl4300/RoundaboutHD, "
            f"unpack it so that <root>/{name}/imagesc001/video.mp4 exists, and name <root> with "
            f"--data-root; {simulated}"
        )
    return f"scenario '{typed}' is not under {looked}{nearest(name, [*there, *shipped])}; {simulated}"
