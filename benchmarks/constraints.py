"""What must-links teach about other vehicles: a share of the vehicles is given, the rest is scored.

    python benchmarks/constraints.py --vehicles 10 --seeds 11   # a smoke test of under a minute
    python benchmarks/constraints.py

Simulated traffic as arrays, tracks degraded as by a detector, without calibration and without appearance. All tracks
of a share of the vehicles are must-linked, as a user would who has looked at them. Printed is F1 of the pairs of tracks
of the other vehicles alone, with and without the must-links, and the change with its standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from synthetic_tracks import LAYOUTS, Problem

from mtmc.association.associate import Association, associate
from mtmc.association.constraints import KnownVehicles
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import summarise


def must_links(problem: Problem, told: npt.NDArray[np.bool_]) -> KnownVehicles:
    """The vehicles of `told` (vehicles,), each of them one group."""
    n = len(problem.vehicle)
    vehicle = np.arange(n)
    for number in np.flatnonzero(told):
        rows = np.flatnonzero(problem.vehicle == number)
        vehicle[rows] = rows.min(initial=n)
    return replace(KnownVehicles.none(n), vehicle=vehicle)


def pair_f1(problem: Problem, found: Association, rows: npt.NDArray[np.bool_]) -> float:
    """F1 of the pairs of these tracks (n,) that are one vehicle, in [0, 1]."""
    vehicle, identity = problem.vehicle[rows], found.identity[rows]
    true = (vehicle[:, None] == vehicle) & (vehicle >= 0)
    joined = identity[:, None] == identity
    for table in (true, joined):
        np.fill_diagonal(table, False)
    return float(2 * (true & joined).sum() / max(true.sum() + joined.sum(), 1))


def main(argv: Sequence[str] | None = None) -> int:
    """Run all and print a line for each layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=["corridor", "network", "site"], choices=list(LAYOUTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(11, 21)))
    parser.add_argument("--share", type=float, default=0.3, help="of the vehicles that are given (default: 0.3)")
    parser.add_argument("--vehicles", type=int, default=40)
    arguments = parser.parse_args(argv)
    settings = AssociationSettings()
    for layout in arguments.layouts:
        found = []
        for seed in arguments.seeds:
            problem = LAYOUTS[layout](seed, degraded=True, vehicles=arguments.vehicles)
            told = np.random.default_rng(seed).random(len(problem.visible)) < arguments.share
            rest = (problem.vehicle < 0) | ~told[problem.vehicle]
            summaries = summarise(problem.cameras)
            results = [associate(summaries, None, settings, k) for k in (None, must_links(problem, told))]
            found.append([pair_f1(problem, result, rest) for result in results])
        before, after = np.array(found).T
        change = after - before
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
        print(
            f"{layout} (simulated): pair F1 of the others {before.mean():.2f}, with must-links {after.mean():.2f}, "
            f"change {change.mean():+.2f} ± {error:.2f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
