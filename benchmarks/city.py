"""A city: what each way of working on clips costs, many cameras end to end, and the association in shards.

    python benchmarks/city.py overhead [--clips 64]
    python benchmarks/city.py clips [--cameras 200] [--ways in-turn processes ray ray-two-nodes]
    python benchmarks/city.py seams [--seeds 611 612 613] [--shards 1 2 4 8]
    python benchmarks/city.py association [--tracks 100000] [--cameras 1000] [--max-tracks 100000] [--learn-links]
                                         [--resume DIR]
    python benchmarks/city.py paper [--detect 0.02 --embed 0.03 ...]

`overhead` gives clips that do nothing to each way: seconds until the first result, and milliseconds per clip after it.

`clips` makes videos of rectangles that drive from camera to camera, 2 seconds of 10 frames per second and 160 x 96
pixels each, and runs a detector of rectangles, tracker, extractor and association on all of them, each way with a cache
of its own. It fails unless all ways give the same identities.

`seams` associates simulated traffic (`synthetic_tracks.py`, a network of streets) whole and in shards, and prints IDF1
of both in per cent: what the seams cost.

`association` associates simulated tracks in cameras on a grid of streets (as `association_scale.py`, at the same
density of traffic) in shards, in one process, and prints time, peak memory of the process with its libraries and all
tracks, and precision and recall of the pairs of tracks that share an identity. The links are given: which street leads
where, and that a vehicle takes 5 to 40 seconds. With `--learn-links` each shard learns them. `--resume DIR` keeps the
solved shards there, and the same command goes on after the last; CPU seconds and peak are then those of all attempts,
wall seconds those of the last.

`paper` computes cores, GPUs, disk and network for 1,000 and 10,000 cameras from unit costs: nothing is measured.
All traffic is simulated.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import association_scale
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from common.files import write_json
from mtmc.association.confidence import Joins
from mtmc.association.learned import LearnedAssociation
from mtmc.association.links_file import Link, Links, TravelTime, Zone
from mtmc.association.settings import AssociationSettings
from mtmc.association.track_summaries import CameraTracks
from mtmc.execution.choice import make_executor
from mtmc.execution.in_turn import InTurn
from mtmc.execution.interface import Executor
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.sharding.settings import ShardingSettings
from mtmc.sharding.sharded import ShardedAssociation
from mtmc.sharding.stitch import Solved

WAYS = ("in-turn", "processes", "ray", "ray-two-nodes")
WIDTH, HEIGHT, FPS, FRAMES = 160, 96, 10, 20


@contextmanager
def opened(way: str, workers: int) -> Iterator[Executor]:
    """The executor of one way; a cluster of two nodes on the loopback for `ray-two-nodes`."""
    if way != "ray-two-nodes":
        executor = make_executor(way, workers=workers)
        try:
            yield executor
        finally:
            executor.close()
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    executor = make_executor("ray", address=cluster.address)
    try:
        yield executor
    finally:
        executor.close()
        cluster.shutdown()


def overhead(arguments: argparse.Namespace) -> Table:
    """Start-up, and the cost of a clip that does nothing."""
    table = Table(title=f"{arguments.clips} clips that do nothing", title_justify="left")
    for head in ("way", "first result s", "ms per clip"):
        table.add_column(head, justify="left" if head == "way" else "right")
    jobs = {f"c{number}": f"c{number}" for number in range(arguments.clips)}
    for way in arguments.ways:
        start = time.perf_counter()
        with opened(way, arguments.workers) as executor:
            results = executor.map(
                len, dict.fromkeys(map(str, range(arguments.workers)), "first")
            )  # workers import nothing of this file
            assert set(dict(results).values()) == {5}
            began = time.perf_counter()
            assert len(dict(executor.map(len, jobs))) == len(jobs)
            ended = time.perf_counter()
        table.add_row(way, f"{began - start:.2f}", f"{1000 * (ended - began) / len(jobs):.2f}")
    return table


def make_clips(folder: Path, cameras: int) -> None:
    """One clip per camera: a rectangle that comes into view of each camera a second after the one before."""
    import av

    random = np.random.default_rng(0)
    for camera in range(cameras):
        place = folder / f"c{camera:04d}"
        place.mkdir(parents=True)
        with av.open(str(place / "video.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for number in range(FRAMES):
                picture = random.integers(80, 100, (HEIGHT, WIDTH, 3)).astype(np.uint8)
                left = 6 * number - 10 + 3 * (camera % 5)
                picture[40:64, max(left, 0) : max(left + 40, 0)] = (30, 30 + camera % 7 * 25, 200)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode(None))


def clips(arguments: argparse.Namespace) -> Table:
    """All cameras end to end, each way, with equal identities."""
    table = Table(title=f"{arguments.cameras} simulated cameras of {FRAMES} frames", title_justify="left")
    for head in ("way", "wall s", "CPU s", "tracks", "identities"):
        table.add_column(head, justify="left" if head == "way" else "right")
    found: dict[str, list[list[int]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_clips(folder / "videos", arguments.cameras)
        for way in arguments.ways:
            before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, __file__, "one-way", way, str(folder), "--workers", str(arguments.workers)]
            command += ["--reid", arguments.reid]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            found[way] = json.loads(done.stdout.splitlines()[-1])
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            count = len({row[-1] for row in found[way]})
            # Ray's processes are nobody's children.
            spent = "" if way.startswith("ray") else f"{cpu:.0f}"
            table.add_row(way, f"{wall:.0f}", spent, str(len(found[way])), str(count))
    first, *others = found.values()
    if not first or any(other != first for other in others):
        raise SystemExit("the ways give different identities")
    return table


def one_way(arguments: argparse.Namespace) -> str:
    """Run the clips of `clips` one way, in a process of its own; JSON rows of camera, track and identity."""
    import mtmc

    folder: Path = arguments.folder
    with opened(arguments.way, arguments.workers) as executor:
        scenario = mtmc.load_scenario(str(folder / "videos"), cache=folder / arguments.way)
        result = mtmc.run_scenario(
            scenario,
            reid=arguments.reid,
            detector=f"{Path(__file__).with_name('rectangles.py')}:Rectangles",
            settings={"repair.min_side": 0},
            cache=folder / arguments.way,
            executor=executor,
        )
    identities = result.run.outcomes[0].identities
    rows = np.stack([identities.camera, identities.track, identities.since, identities.identity], 1)
    return json.dumps(rows.tolist())


def scenario_of(cameras: Sequence[CameraTracks]) -> Scenario:
    """The cameras of an array problem as a scenario."""
    known = (
        Camera(each.camera, number, 10.0, each.width, each.height, each.last_frame, each.clock, ground=each.ground)
        for number, each in enumerate(cameras)
    )
    return Scenario("simulated", "", tuple(known), simulated=True)


def seams(arguments: argparse.Namespace) -> Table:
    """IDF1 whole and in shards."""
    from association_quality import Looks, idf1, with_features
    from synthetic_tracks import network

    table = Table(title="IDF1 in per cent, simulated network of streets", title_justify="left")
    for head in ("seed", "tracks", "shards", "IDF1 whole", "in shards", "joins that differ"):
        table.add_column(head, justify="right")
    method = LearnedAssociation(AssociationSettings())
    for seed in arguments.seeds:
        problem = network(seed, vehicles=arguments.vehicles, seconds=arguments.seconds, degraded=True)
        cameras = with_features(problem, Looks(problem, seed).at(1.0))
        given = [c.tracks for c in cameras], [c.features for c in cameras], scenario_of(cameras)
        whole = method.associate(*given)
        n = len(problem.vehicle)
        scores = idf1(problem, np.where(whole.dropped, -1, whole.identity))
        for wanted in arguments.shards:
            settings = ShardingSettings(max_tracks=-(-n // wanted) if wanted > 1 else n, overlap=arguments.overlap)
            counted = Counting(method)
            found = ShardedAssociation(counted, settings).associate(*given)
            ours = idf1(problem, np.where(found.dropped, -1, found.identity))
            differ = differing_pairs(whole.identity, found.identity)
            shards = max(counted.calls - (wanted > 1), 1)
            table.add_row(str(seed), str(n), str(shards), f"{scores:.2f}", f"{ours:.2f}", f"{differ:.1%}")
    return table


class Counting:
    """A method that counts how often it is asked."""

    def __init__(self, method: LearnedAssociation) -> None:
        self._method = method
        self.calls = 0

    def associate(self, *arguments: object, **more: object) -> object:
        """See `mtmc.association.interface.AssociationMethod`."""
        self.calls += 1
        return self._method.associate(*arguments, **more)  # type: ignore[arg-type]


def differing_pairs(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> float:
    """The share of the pairs of tracks with one identity in a or in b that do not have one in both."""

    def pairs(*groups: npt.NDArray[np.int64]) -> float:
        _, count = np.unique(np.stack(groups), axis=1, return_counts=True)
        return float((count * (count - 1.0) / 2.0).sum())

    both = pairs(a, b)
    return 1.0 - both / max(pairs(a) + pairs(b) - both, 1.0)


def streets(columns: int, rows: int) -> Links:
    """The links of `association_scale.scenario`, as somebody with a map would write them down."""
    zones, links = [], []
    size = np.array([association_scale.WIDTH, association_scale.HEIGHT])
    corners = np.array([[-0.12, -0.12], [0.12, -0.12], [0.12, 0.12], [-0.12, 0.12]])
    ends = {"entry": association_scale.ENTRY, "exit": association_scale.EXIT}
    for camera in range(columns * rows):
        for way, (x, y) in enumerate(association_scale.WAYS.tolist()):
            for kind, places in ends.items():
                polygon = tuple((float(a), float(b)) for a, b in (places[way] + corners) * size)
                name = f"c{camera:03d} {kind} {way}"
                zones.append(
                    Zone.model_validate({"name": name, "camera": f"c{camera:03d}", "kind": kind, "polygon": polygon})
                )
            column, row = camera % columns + x, camera // columns + y
            if 0 <= column < columns and 0 <= row < rows:
                target = f"c{row * columns + column:03d} entry {way}"
                taken = TravelTime.model_validate({"min": 5.0, "max": 40.0})
                links.append(
                    Link.model_validate({"source": name, "target": target, "share": 0.85, "travel_time": taken})
                )
    return Links(zones=tuple(zones), links=tuple(links), overlapping_views=())


class Resumed(InTurn):
    """Solves shards in turn and keeps what they give in a folder, so that a long measurement can be interrupted.

    Attributes:
        now: CPU seconds of the shards that this attempt solved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.now = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def map(
        self, function: Callable[[Any], Any], jobs: Mapping[str, Any], *, expected: tuple[type[Exception], ...] = ()
    ) -> Iterator[tuple[str, Any]]:
        """See `mtmc.execution.interface.Executor`."""
        for name, job in jobs.items():
            place = self._folder / f"{name.replace(' ', '-')}.npz"
            if not place.is_file():
                start, wall = time.process_time(), time.perf_counter()
                solved, _ = function(job)
                arrays = {"identity": solved.identity, "dropped": solved.dropped, "sure": solved.sure}
                joins = solved.joins
                arrays |= {"source": joins.source, "target": joins.target, "probability": joins.probability}
                np.savez(place.with_suffix(".part.npz"), **arrays)
                place.with_suffix(".part.npz").rename(place)
                figures = {"cpu": time.process_time() - start, "wall": time.perf_counter() - wall}
                self.now += figures["cpu"]
                figures |= {"tracks": len(solved.identity), "peak": peak_memory()}
                write_json(place.with_suffix(".json"), figures)
                sys.stderr.write(f"{name}: {json.dumps(figures)}\n")
            with np.load(place) as kept:
                if len(kept["identity"]) != sum(len(np.unique(each.track)) for each in job.tracks):
                    raise SystemExit(f"--resume {self._folder}: {place.name} is of another problem; give a new folder")
                joins = Joins(kept["source"], kept["target"], kept["probability"])
                yield name, (Solved(kept["identity"], kept["dropped"], joins, kept["sure"]), Links())

    def figures(self) -> list[dict[str, float]]:
        """CPU and wall seconds, tracks and the peak memory until then in GiB of each shard of all attempts."""
        return [json.loads(place.read_text(encoding="utf-8")) for place in sorted(self._folder.glob("shard-*.json"))]


def peak_memory() -> float:
    """The largest memory of this process so far in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def association(arguments: argparse.Namespace) -> Table:
    """Many tracks of many cameras in shards."""
    columns = max(int(np.sqrt(2 * arguments.cameras)), 1)
    rows = max(arguments.cameras // columns, 1)
    association_scale.COLUMNS, association_scale.ROWS = columns, rows
    association_scale.TRACKS_PER_SECOND = columns * rows / 20.0
    cameras, truth = association_scale.scenario(arguments.tracks, 0)
    scenario = scenario_of(cameras)
    tracks, features = [c.tracks for c in cameras], [c.features for c in cameras]
    held = peak_memory()
    counted = Counting(LearnedAssociation(AssociationSettings()))
    kept = Resumed(arguments.resume) if arguments.resume else None
    settings = ShardingSettings(max_tracks=arguments.max_tracks)
    method = ShardedAssociation(counted, settings, executor=kept)
    wall, cpu = time.perf_counter(), time.process_time()
    found = method.associate(tracks, features, scenario, None if arguments.learn_links else streets(columns, rows))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    precision, recall = association_scale.pair_quality(found.identity, truth)
    peak, solves = peak_memory(), counted.calls
    if kept:
        figures = kept.figures()
        solves, peak = len(figures), max(peak, *(each["peak"] for each in figures))
        cpu += sum(each["cpu"] for each in figures) - kept.now
    links = "learned" if arguments.learn_links else "given"
    table = Table(title=f"association in shards, simulated, links {links}", title_justify="left")
    for head in (
        "cameras",
        "tracks",
        "max tracks",
        "solves",
        "wall s",
        "CPU s",
        "GiB of tracks",
        "peak GiB",
        "precision",
        "recall",
    ):
        table.add_column(head, justify="right")
    shown = [columns * rows, len(truth), arguments.max_tracks, solves, f"{wall:.0f}", f"{cpu:.0f}"]
    shown += [f"{held:.2f}", f"{peak:.2f}", f"{precision:.3f}", f"{recall:.3f}"]
    table.add_row(*map(str, shown))
    return table


def paper(arguments: argparse.Namespace) -> Table:
    """Machines for many cameras, computed from unit costs."""
    table = Table(title="on paper: computed from unit costs, not measured", title_justify="left")
    table.add_column("cameras", justify="right")
    for head in (
        "CPU cores",
        "of them decoding",
        "or GPUs",
        "video Gb/s",
        "results TB a day",
        "results MB/s",
        "association cores",
    ):
        table.add_column(head, justify="right")
    a = arguments
    for cameras in a.cameras:
        frames = cameras * a.fps
        embeds = cameras * a.tracks_per_second * a.crops
        cores = frames * (a.decode + a.detect + a.track) + embeds * a.embed
        known = a.gpu_frames and a.gpu_crops
        gpus = f"{frames / a.gpu_frames + embeds / a.gpu_crops:,.1f}" if known else "not known"
        rate = cameras * a.tracks_per_second * a.bytes_per_track / 1e6
        solve = cameras * a.tracks_per_second * a.associate
        row = [
            f"{cores:,.0f}",
            f"{frames * a.decode:,.0f}",
            gpus,
            f"{cameras * a.megabits / 1e3:,.0f}",
            f"{rate * 86400 / 1e6:.2f}",
            f"{rate:.1f}",
        ]
        table.add_row(f"{cameras:,}", *row, f"{solve:,.1f}")
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Run one part and print its table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    add = parts.add_parser("overhead").add_argument
    add("--clips", type=int, default=64)
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--workers", type=int, default=2)
    add = parts.add_parser("clips").add_argument
    add("--cameras", type=int, default=200)
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--workers", type=int, default=2)
    add("--reid", default="baseline", help="the extractor, or none")
    add = parts.add_parser("one-way").add_argument
    add("way", choices=WAYS)
    add("folder", type=Path)
    add("--workers", type=int, default=2)
    add("--reid", default="baseline")
    add = parts.add_parser("seams").add_argument
    add("--seeds", type=int, nargs="+", default=[611, 612, 613])
    add("--shards", type=int, nargs="+", default=[1, 2, 4])
    add("--vehicles", type=int, default=400)
    add("--seconds", type=float, default=1200.0)
    add("--overlap", type=float, help="seconds (default: the longest travel time that is learned)")
    add = parts.add_parser("association").add_argument
    add("--tracks", type=int, default=100_000)
    add("--cameras", type=int, default=1000)
    add("--max-tracks", type=int, default=100_000)
    add("--learn-links", action="store_true", help="each shard learns the links")
    add("--resume", type=Path, metavar="DIR", help="keep solved shards there, and go on from them")
    add = parts.add_parser("paper").add_argument
    add("--cameras", type=int, nargs="+", default=[1000, 10_000])
    add("--fps", type=float, default=10.0, help="frames per second that are looked at")
    add("--decode", type=float, default=0.0045, help="CPU seconds per frame, decoding 1280 x 720")
    add("--detect", type=float, default=0.052, help="CPU seconds per frame, detector")
    add("--track", type=float, default=0.001, help="CPU seconds per frame, tracker and crops")
    add("--embed", type=float, default=0.054, help="CPU seconds per crop, extractor")
    add("--crops", type=float, default=11.0, help="crops per track")
    add("--tracks-per-second", type=float, default=0.1, help="tracks per camera and second, mean of a day")
    add("--bytes-per-track", type=float, default=50_000.0, help="boxes, crops and vectors in the cache")
    add("--associate", type=float, default=0.004, help="CPU seconds per track")
    add("--megabits", type=float, default=2.0, help="Mb/s of a camera's video")
    add("--gpu-frames", type=float, help="frames per second of a GPU, detector; without it no GPUs are computed")
    add("--gpu-crops", type=float, help="crops per second of a GPU, extractor")
    arguments = parser.parse_args(argv)
    if arguments.part == "association" and arguments.learn_links and arguments.resume:
        parser.error("--resume keeps no learned links")
    if arguments.part == "one-way":
        sys.stdout.write(one_way(arguments) + "\n")
        return 0
    made = {"overhead": overhead, "clips": clips, "seams": seams, "association": association, "paper": paper}
    console = Console(width=max(Console().width, 120))
    console.print(made[arguments.part](arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
