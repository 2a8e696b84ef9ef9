"""How the association scales: time and memory with 1,000, 10,000 and 100,000 tracks in 200 cameras.

    python benchmarks/association_scale.py [--tracks 1000 10000 100000] [--no-appearance] [--threads 1]

The cameras stand on a grid of streets, 20 by 10. Simulated vehicles reach a neighbouring camera every 15 to 25 seconds
and leave in each camera a track of four boxes, with a 256-dimensional feature of which two thirds of the energy is
noise. More tracks mean a longer recording, so the density of traffic is the same for all sizes. Each size runs in a
process of its own. Printed are wall and CPU seconds, the peak memory of the process including its
libraries, the number of candidate pairs, precision and recall of the pairs of tracks that share an identity, and the
exponent of growth from one size to the next (1.0: linear).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from mtmc.appearance.features import TrackFeatures
from mtmc.association.associate import associate
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks, summarise
from mtmc.scenarios.clock import Clock
from mtmc.tracking.tracks import Tracks

COLUMNS, ROWS = 20, 10
DIMENSIONS = 256
TRACKS_PER_SECOND = 10.0
WIDTH, HEIGHT = 1280, 720
# Left, right, up and down in the grid, and where in the image a vehicle with that heading enters and leaves.
WAYS = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
ENTRY = np.array([[0.9, 0.5], [0.1, 0.6], [0.5, 0.9], [0.6, 0.2]])
EXIT = np.array([[0.1, 0.45], [0.9, 0.65], [0.45, 0.2], [0.65, 0.9]])


def scenario(tracks: int, seed: int) -> tuple[list[CameraTracks], npt.NDArray[np.int64]]:
    """Cameras with about `tracks` tracks in total, and the vehicle of each row of their summaries."""
    random = np.random.default_rng(seed)
    cameras = COLUMNS * ROWS
    legs = 6
    vehicles = int(tracks / 3.3)
    length = max(tracks / TRACKS_PER_SECOND, 300.0)
    place = random.integers(0, [COLUMNS, ROWS], (vehicles, 2))
    way = random.integers(0, 4, vehicles)
    clock = random.uniform(0.0, length, vehicles)
    speed = random.normal(1.0, 0.08, vehicles)
    look = random.normal(size=(vehicles, DIMENSIONS)).astype(np.float32)
    parts = []
    inside = np.ones(vehicles, np.bool_)
    for _ in range(legs):
        rows = np.flatnonzero(inside & (clock < length))
        camera = place[rows, 1] * COLUMNS + place[rows, 0]
        turn = np.where(random.random(len(rows)) < 0.7, way[rows], random.integers(0, 4, len(rows)))
        turn = np.where((WAYS[turn] == -WAYS[way[rows]]).all(1), way[rows], turn)
        stay = random.uniform(5.0, 9.0, len(rows))
        parts.append(np.column_stack([camera, rows, clock[rows], stay, way[rows], turn]))
        way[rows] = turn
        place[rows] += WAYS[turn]
        clock[rows] += stay + random.normal(20.0 - 4.0 * (turn % 2), 1.5, len(rows)) / speed[rows]
        inside &= ((place >= 0) & (place < [COLUMNS, ROWS])).all(1) & (random.random(vehicles) < 0.85)
    visit = np.concatenate(parts)
    visit = visit[np.lexsort((visit[:, 2], visit[:, 0]))]
    fps = 10.0
    made, truth = [], []
    for camera in range(cameras):
        own = visit[visit[:, 0] == camera]
        vehicle = own[:, 1].astype(np.int64)
        n = len(own)
        first = np.floor(own[:, 2] * fps).astype(np.int64) + 1
        part = np.linspace(0.0, 1.0, 4)
        frame = first[:, None] + np.round(part * own[:, 3:4] * fps).astype(np.int64)
        a, b = ENTRY[own[:, 4].astype(int)], EXIT[own[:, 5].astype(int)]
        foot = a[:, None] + part[None, :, None] * (b - a)[:, None] + random.normal(0, 0.02, (n, 1, 2))
        foot = foot * [WIDTH, HEIGHT]
        box = np.concatenate([foot - [40.0, 60.0], np.broadcast_to([80.0, 60.0], (n, 4, 2))], axis=2)
        number = np.repeat(np.arange(1, n + 1), 4)
        vector = look[vehicle] + 1.4 * random.normal(size=(n, DIMENSIONS)).astype(np.float32)
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        features = TrackFeatures(np.arange(1, n + 1, dtype=np.int32), vector, np.ones(n, np.float32))
        tables = Tracks.of(number, frame.reshape(-1), box.reshape(-1, 4))
        last = int(length * fps) + 300
        made.append(CameraTracks(f"c{camera:03d}", tables, Clock.uniform(fps), WIDTH, HEIGHT, last, features=features))
        truth.append(vehicle)
    return made, np.concatenate(truth)


def pair_quality(identity: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Precision and recall of the pairs of tracks with the same identity, against pairs of the same vehicle."""

    def pairs(*groups: npt.NDArray[np.int64]) -> float:
        _, count = np.unique(np.stack(groups), axis=1, return_counts=True)
        return float((count * (count - 1.0) / 2.0).sum())

    both = pairs(identity, truth)
    return both / max(pairs(identity), 1.0), both / max(pairs(truth), 1.0)


def measure(tracks: int, appearance: bool) -> dict[str, float]:
    """Measure one size in this process."""
    associate(summarise(scenario(400, 1)[0]), None, AssociationSettings())  # compile first
    cameras, truth = scenario(tracks, 0)
    wall, cpu = time.perf_counter(), time.process_time()
    summaries = summarise(cameras)
    found = associate(summaries, None, AssociationSettings(appearance=appearance))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    precision, recall = pair_quality(found.identity, truth)
    return {
        "tracks": len(summaries),
        "wall": wall,
        "cpu": cpu,
        "gibibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "pairs": len(found.source),
        "precision": precision,
        "recall": recall,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run all sizes and print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="sizes to measure")
    parser.add_argument("--no-appearance", action="store_true", help="without features")
    parser.add_argument(
        "--threads", type=int, default=1, help="of linear algebra; more take more CPU time (default: 1)"
    )
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.one is not None:
        sys.stdout.write(json.dumps(measure(arguments.one, not arguments.no_appearance)) + "\n")
        return 0
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), str(arguments.threads))
    table = Table(title=f"simulated, {COLUMNS * ROWS} cameras", title_justify="left")
    for head in ("tracks", "wall s", "CPU s", "peak GiB", "pairs", "precision", "recall", "growth of CPU"):
        table.add_column(head, justify="right")
    before: dict[str, float] | None = None
    for tracks in arguments.tracks:
        command = [sys.executable, __file__, "--one", str(tracks)]
        if arguments.no_appearance:
            command.append("--no-appearance")
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | threads)
        now = json.loads(done.stdout.splitlines()[-1])
        growth = ""
        if before is not None:
            growth = f"{np.log(now['cpu'] / before['cpu']) / np.log(now['tracks'] / before['tracks']):.2f}"
        table.add_row(
            f"{now['tracks']:,}",
            f"{now['wall']:.1f}",
            f"{now['cpu']:.1f}",
            f"{now['gibibytes']:.2f}",
            f"{now['pairs']:,}",
            f"{now['precision']:.3f}",
            f"{now['recall']:.3f}",
            growth,
        )
        before = now
    Console(width=120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
