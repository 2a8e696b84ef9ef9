"""Render simulated data: scenarios in CityFlow's layout, re-id sets in VeRi-776's, detection sets in YOLO's.

python -m mtmc.simulate --scenario sim-S06 --seed 7 --output DIR
python -m mtmc.simulate --reid --seed 11 --identities 400 --output DIR
python -m mtmc.simulate --detection --seed 21 --frames 900 --output DIR
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evaluation.cli import run_command
from mtmc.simulation.reid_set import simulate_reid


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    arguments = _parser().parse_args(argv)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("cameras")
        if arguments.reid:
            simulate_reid(
                arguments.output,
                arguments.seed,
                arguments.identities,
                arguments.workers,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    sys.stdout.write(f"{arguments.output}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reid", action="store_true", help="a re-id data set in VeRi-776's layout")
    parser.add_argument("--seed", type=int, default=0, help="decides everything random (default 0)")
    parser.add_argument(
        "--identities",
        type=int,
        default=400,
        help="vehicles of a re-id set, a quarter of them for testing (default 400)",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    return parser


if __name__ == "__main__":
    raise SystemExit(run_command(main))
