"""python -m mtmc.simulate: render simulated scenarios (CityFlow's layout), re-id sets (VeRi-776's) and detection sets
(YOLO's)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.command_line import run_command
from common.errors import InputError
from common.resources import resource
from mtmc.simulation.condition_names import CONDITIONS, Condition

if TYPE_CHECKING:
    from mtmc.simulation.settings import SimulationSettings

_OVERRIDES = ("layout", "seed", "seconds", "fps", "width", "height", "vehicles", "cameras", "two_wheelers")
_EXAMPLES = """examples:
  python -m mtmc.simulate --scenario sim-S06 --seed 7 --output DIR
  python -m mtmc.simulate --scenario sim-S05 --cameras 200 --seconds 300 --no-video --output DIR
  python -m mtmc.simulate --reid --seed 11 --identities 400 --output DIR
  python -m mtmc.simulate --reid --parts --seed 11 --identities 400 --output DIR
  python -m mtmc.simulate --reid --seed 11 --conditions night=0.3 rain night+rain=0.1 --output DIR
  python -m mtmc.simulate --detection --seed 21 --frames 900 --output DIR
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    arguments = _parser().parse_args(argv)
    # Imported in functions, so that --help and a wrong option do not wait for the packages that render.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from mtmc.simulation.conditions import parse_mix
    from mtmc.simulation.detection_set import simulate_detection
    from mtmc.simulation.reid_set import simulate_reid
    from mtmc.simulation.scenario import simulate_scenario

    columns = (TextColumn("cameras"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("cameras", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        seed = 0 if arguments.seed is None else arguments.seed
        mix = None if arguments.scenario or not arguments.conditions else parse_mix(arguments.conditions)
        if arguments.reid:
            simulate_reid(
                arguments.output,
                seed,
                arguments.identities,
                arguments.workers,
                advance,
                min_side=arguments.min_side,
                min_visible=arguments.min_visible,
                min_inside=arguments.min_inside,
                parts=arguments.parts,
                mix=mix,
                two_wheelers=arguments.two_wheelers or 0.0,
            )
        elif arguments.detection:
            simulate_detection(
                arguments.output,
                seed,
                arguments.frames,
                arguments.workers,
                advance,
                mix=mix,
                two_wheelers=arguments.two_wheelers or 0.0,
            )
        else:
            settings, name, split = _scenario(arguments)
            simulate_scenario(settings, arguments.output, arguments.workers, advance, name, split)
    sys.stdout.write(f"{arguments.output}\n")
    return 0


def _scenario(arguments: argparse.Namespace) -> tuple[SimulationSettings, str, str]:
    """The settings of the named scenario with the overrides of the command line."""
    from common.settings import validate
    from mtmc.scenarios.find import known_facts
    from mtmc.simulation.settings import SimulationSettings

    facts, source = known_facts(arguments.scenario, resource("configs", "scenarios"))
    if facts.simulation is None:
        raise InputError(f"--scenario {arguments.scenario}: not a simulated scenario; available: {_simulated()}")
    content: dict[str, Any] = facts.simulation.model_dump()
    content |= {key: getattr(arguments, key) for key in _OVERRIDES if getattr(arguments, key) is not None}
    if arguments.no_video:
        content["video"] = False
    if arguments.conditions:
        content |= {"conditions": _of_all_cameras(arguments.conditions), "camera_conditions": {}}
    return validate(SimulationSettings, content, f"{source}: simulation"), facts.name, facts.split or "validation"


def _of_all_cameras(items: Sequence[str]) -> tuple[Condition, ...]:
    """The conditions of a scenario, in which all hold together."""
    from mtmc.simulation.conditions import parse_conditions

    for item in items:
        if "=" in item:
            raise InputError(f"--conditions {item}: a scenario has no shares; name conditions that hold together")
    return tuple(name for item in items for name in parse_conditions(item, "--conditions"))


def _simulated() -> str:
    return ", ".join(sorted(path.stem for path in resource("configs", "scenarios").glob("sim-*.yaml")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.simulate",
        description="Render simulated data.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--scenario", metavar="NAME", help=f"a scenario in CityFlow's layout: {_simulated()}")
    what.add_argument("--reid", action="store_true", help="a re-id data set in VeRi-776's layout")
    what.add_argument("--detection", action="store_true", help="frames and boxes in YOLO's layout")
    parser.add_argument("--output", type=Path, required=True, help="folder to create")
    parser.add_argument("--seed", type=int, help="random seed (default: the scenario's, else 0)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="number of processes (default: one per core)"
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        metavar="NAME[=SHARE]",
        help="weather, time of day and lens faults (default: clear days): "
        + ", ".join(CONDITIONS)
        + ". In sets, each has its share of the images, equal ones if none is given, clear days (day) included, and "
        "night+rain means both; in a scenario, all hold together for all cameras",
    )
    parser.add_argument(
        "--two-wheelers",
        type=float,
        metavar="SHARE",
        help="share of motorcycles and scooters among the vehicles, from 0 to 1 (default: the scenario's, else 0)",
    )
    scenario = parser.add_argument_group("scenario (defaults from its YAML file)")
    scenario.add_argument("--layout", choices=("corridor", "crossing", "network"), help="layout of the roads")
    scenario.add_argument("--cameras", type=int, help="number of cameras; the road network grows with it")
    scenario.add_argument("--seconds", type=float, help="length of each clip in seconds")
    scenario.add_argument("--fps", type=float, help="frames per second")
    scenario.add_argument("--width", type=int, help="image width in pixels")
    scenario.add_argument("--height", type=int, help="image height in pixels")
    scenario.add_argument("--vehicles", type=int, help="number of vehicles that enter, including warm-up")
    scenario.add_argument("--no-video", action="store_true", help="skip the videos, which is many times faster")
    reid = parser.add_argument_group("re-id set")
    reid.add_argument(
        "--identities", type=int, default=400, help="number of vehicles, a quarter for testing (default: 400)"
    )
    reid.add_argument("--min-side", type=int, default=36, help="minimum shorter side of a box in pixels (default: 36)")
    reid.add_argument(
        "--min-visible", type=float, default=0.5, help="minimum unoccluded fraction of a vehicle (default: 0.5)"
    )
    reid.add_argument("--min-inside", type=float, default=0.8, help="minimum fraction inside the image (default: 0.8)")
    reid.add_argument(
        "--parts",
        action="store_true",
        help="also write masks of each vehicle's front, back, roof and side (reid.parsing trains on them)",
    )
    detection = parser.add_argument_group("detection set")
    detection.add_argument(
        "--frames", type=int, default=900, help="number of images, a tenth for validation (default: 900)"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(run_command(main))
