"""Do probabilities of joins and identities mean what they say?

    python benchmarks/reliability.py --layouts site --seeds 801 --vehicles 12   # a smoke test of under a minute
    python benchmarks/reliability.py --fit                                      # fits the constants of confidence.py
    python benchmarks/reliability.py --picture docs/images/reliability.png      # tests them on other seeds

Simulated traffic as arrays, tracks degraded as by a detector, with and without calibration, features of several
qualities and none. Printed are the expected calibration error, which is the mean over ten bins of probability, weighted
by their sizes, of the difference between the mean probability and the share that is right; and the bins. Identities of
one track, which are one vehicle for certain, do not count.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from association_quality import Looks, with_features
from scipy.optimize import minimize
from synthetic_tracks import LAYOUTS

from mtmc.association import confidence
from mtmc.association.associate import associate
from mtmc.association.confidence import JoinEvidence, Joins, identity_probability, join_probability
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import summarise

DEVELOPMENT = (701, 702, 703, 704)
HELD_OUT = (801, 802, 803)
QUALITIES = (95.0, 80.0, None)
"""mAP in per cent of the features; None: there are none."""
BINS = 10
RIDGE = 1e-3
"""Strength that draws fitted factors towards 0. Raising it fits less closely."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """The joins of one result: evidence, whether each is right, and the identities and vehicles of the tracks."""

    evidence: JoinEvidence
    right: npt.NDArray[np.bool_]
    identity: npt.NDArray[np.int64]
    vehicle: npt.NDArray[np.int64]


def sample(job: tuple[str, int, bool, float | None, int]) -> Sample:
    """One problem, associated."""
    layout, seed, calibrated, quality, vehicles = job
    problem = LAYOUTS[layout](seed, degraded=True, calibrated=calibrated, vehicles=vehicles)
    cameras = problem.cameras
    if quality is not None:
        cameras = with_features(problem, Looks(problem, seed).of_quality(quality))
    summaries = summarise(cameras)
    found = associate(summaries, None, AssociationSettings())
    evidence = found.join_evidence
    assert evidence is not None
    vehicle = problem.vehicle
    right = (vehicle[evidence.source] == vehicle[evidence.target]) & (vehicle[evidence.target] >= 0)
    return Sample(evidence, right, found.identity, vehicle)


def of_identities(one: Sample, joins: Joins) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of each identity of several tracks, and whether it is one vehicle."""
    probability = identity_probability(one.identity, joins)
    numbers, first, count = np.unique(one.identity, return_index=True, return_counts=True)
    several = numbers[count > 1]
    pure = [len(set(v.tolist())) == 1 and v[0] >= 0 for v in (one.vehicle[one.identity == k] for k in several)]
    return probability[first[count > 1]], np.array(pure, np.bool_)


def fit(columns: Floats, right: npt.NDArray[np.bool_]) -> Floats:
    """Constant and factors (k + 1,) of a logistic regression on columns (n, k)."""
    design = np.column_stack([np.ones(len(columns)), columns])
    sign = np.where(right, -1.0, 1.0)

    def loss(weights: Floats) -> float:
        return float(np.logaddexp(0.0, sign * (design @ weights)).mean() + RIDGE * (weights[1:] ** 2).sum())

    return np.asarray(minimize(loss, np.zeros(design.shape[1]), method="BFGS").x, np.float64)


def bins_of(probability: Floats, right: npt.NDArray[np.bool_]) -> list[tuple[float, float, int]]:
    """Mean probability, share that is right, and number of each bin that is not empty."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    rows = [np.flatnonzero(place == k) for k in range(BINS)]
    return [(float(probability[r].mean()), float(right[r].mean()), len(r)) for r in rows if len(r)]


def calibration_error(probability: Floats, right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error."""
    return sum(n * abs(p - share) for p, share, n in bins_of(probability, right)) / max(len(right), 1)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--seeds", type=int, nargs="+", help="default: 701 to 704 with --fit, else 801 802 803")
    parser.add_argument("--vehicles", type=int, default=40)
    parser.add_argument("--fit", action="store_true", help="fit the constants, and print them")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the reliability diagram")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args(argv)
    seeds = arguments.seeds or (DEVELOPMENT if arguments.fit else HELD_OUT)
    jobs = [
        (layout, seed, (seed + place) % 2 == 0, quality, arguments.vehicles)
        for seed in seeds
        for place, layout in enumerate(arguments.layouts)
        for quality in QUALITIES
    ]
    with ProcessPoolExecutor(arguments.workers) as pool:
        samples = list(pool.map(sample, jobs))
    columns = np.concatenate([np.column_stack([s.evidence.nats, s.evidence.log_odds]) for s in samples])
    right = np.concatenate([s.right for s in samples])
    if arguments.fit:
        confidence.JOIN = tuple(fit(columns, right).round(3).tolist())
    joins = [join_probability(s.evidence) for s in samples]
    if arguments.fit:
        confidence.IDENTITY = (0.0, 1.0)
        found = [of_identities(s, j) for s, j in zip(samples, joins, strict=True)]
        raw = np.clip(np.concatenate([p for p, _ in found]), 1e-6, 1 - 1e-6)
        pure = np.concatenate([ok for _, ok in found])
        confidence.IDENTITY = tuple(fit(np.log(raw / (1 - raw))[:, None], pure).round(3).tolist())
        print(f"JOIN = {confidence.JOIN}\nIDENTITY = {confidence.IDENTITY}")
    found = [of_identities(s, j) for s, j in zip(samples, joins, strict=True)]
    tables = {
        "joins": (np.concatenate([j.probability for j in joins]), right),
        "identities": (np.concatenate([p for p, _ in found]), np.concatenate([ok for _, ok in found])),
    }
    kind = "development" if arguments.fit else "held-out"
    for name, (probability, ok) in tables.items():
        error = calibration_error(probability, ok)
        print(f"{name} (simulated, {kind} seeds): {len(ok)}, {ok.mean():.3f} right, calibration error {error:.3f}")
        for p, share, count in bins_of(probability, ok):
            print(f"  {p:.3f} {share:.3f} {count}")
    odds = np.clip(columns[:, 1], -9, 9)
    error = calibration_error(1 / (1 + np.exp(-odds)), right)
    print(f"learning's own probabilities as those of joins: calibration error {error:.3f}")
    if arguments.picture:
        draw(tables, arguments.picture)
    return 0


def draw(tables: dict[str, tuple[Floats, npt.NDArray[np.bool_]]], path: Path) -> None:
    """The reliability diagram: share that is right over probability."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(tables), figsize=(8, 4), layout="constrained")
    for axis, (name, (probability, right)) in zip(axes, tables.items(), strict=True):
        bins = bins_of(probability, right)
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.scatter([p for p, _, _ in bins], [s for _, s, _ in bins], [10 + 3 * n**0.5 for _, _, n in bins])
        axis.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_title(f"{name}: calibration error {calibration_error(probability, right):.3f}", fontsize=10)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
