"""Time of a search and of the filters among many identities, on random features.

    python benchmarks/search.py --identities 100000 --passages 3 --dims 256

What the page does for each search: one exact product of all features with the query, the best passage of each identity,
the first 48. The time of making the index anew, which follows each answer, and of packing the timeline stand beside it.
The best of many repeats says what the machine can do while others use it, too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from mtmc.web.identity_index import Filters, IdentityIndex
from mtmc.web.passages import Passages
from mtmc.web.search import rank
from mtmc.web.timeline import pack


def made(identities: int, passages: int, cameras: int, dims: int) -> tuple[Passages, np.ndarray, np.ndarray]:
    """Passages, their identities and their features."""
    random = np.random.default_rng(0)
    identity = np.repeat(np.arange(1, identities + 1, dtype=np.int32), passages)
    n = len(identity)
    begin = np.repeat(random.uniform(0, 86_400, identities), passages)
    start = begin + np.tile(30.0 * np.arange(passages), identities) + random.uniform(0, 10, n)
    camera = random.integers(0, cameras, n)
    number = np.arange(1, n + 1)
    frame = (start * 10).astype(int) + 1
    boxes, label, height = random.integers(10, 90, n), random.choice([2, 5, 7], n), random.uniform(30, 200, n)
    table = Passages._of(camera, number, 0, number, frame, frame + 50, start, start + 5, boxes, label, height)
    vector = random.standard_normal((n, dims), np.float32)
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    return table, identity, vector


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=int, default=100_000)
    parser.add_argument("--passages", type=int, default=3, help="of each identity")
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args(argv)
    passages, identity, vector = made(arguments.identities, arguments.passages, arguments.cameras, arguments.dims)
    known = np.ones(len(passages), np.bool_)
    index = IdentityIndex(passages, identity)
    colour = np.random.default_rng(1).integers(0, 9, len(passages)).astype(np.int8)
    everybody = np.ones(len(index), np.bool_)
    narrow = Filters(since=3600.0, until=7200.0, camera=1, label=2, colour=3, link=(1, 2))
    query = vector[len(vector) // 2]
    tasks: dict[str, Callable[[], object]] = {
        "search": lambda: rank(index, everybody, query=query, vector=vector, known=known, limit=48),
        "six filters": lambda: index.matching(narrow, colour),
        "new index": lambda: IdentityIndex(passages, identity),
        "timeline": lambda: pack(index),
    }
    title = f"{arguments.identities} identities, {len(passages)} passages, {arguments.dims} dimensions"
    table = Table("", "best ms", "median ms", "best CPU ms", title=title)
    for name, task in tasks.items():
        task()  # the first time pays for memory
        wall, used = [], []
        for _ in range(arguments.repeats):
            start, processor = time.perf_counter(), time.process_time()
            task()
            wall.append(1000 * (time.perf_counter() - start))
            used.append(1000 * (time.process_time() - processor))
        table.add_row(name, f"{min(wall):.1f}", f"{np.median(wall):.1f}", f"{min(used):.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
