"""What `reid.adapt` gives in a simulated city: before and after, on vehicles of the city that it did not see.

    python -m mtmc.run --scenario sim-S07 --reid baseline --crops
    python benchmarks/adapted_city.py --run runs/sim-S07 --output runs/city
    python -m reid.adapt --run runs/city/adapt.csv --weights baseline --output runs/city/adapted.safetensors
    python benchmarks/adapted_city.py --run runs/sim-S07 --output runs/city \\
      --weights baseline runs/city/adapted.safetensors --old data/sim-veri

Divides the tracks of the run by the vehicle that each shows for the most part (ground truth, IoU 0.5): those of every
second vehicle, and those that show none, go to `adapt.csv`, the list that reid.adapt reads, without labels. The crops
of the other vehicles become `data.csv`, a test across the run's cameras: the middle crop of each vehicle in each camera
is a query. With --weights, prints mAP and rank-1 of each network there and on the sets of --old (in VeRi's layout), and
the paired difference to the first network with its 95 % interval (bootstrap over the vehicles, 2,000 resamples).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from real_reid import figures_of, network
from rich.console import Console
from rich.table import Table

import mtmc
from common.boxes import iou
from common.errors import InputError
from evaluation.bootstrap import bootstrap_means, interval
from mtmc.simulation.difficulty import read_visible
from reid.datasets import Dataset, load_dataset
from reid.extractor import Extractor

MIN_IOU = 0.5
DRAWS = 2000


def vehicles_of_crops(run: Path, cameras: dict[str, Path]) -> dict[str, int]:
    """The vehicle that each crop of a run shows, by file name; 0 for none.

    Args:
        run: the run's folder, with crops/ and the tracks of at least one extractor.
        cameras: the folder of each camera, with gt/visible.txt.
    """
    tracks = next(iter(sorted(run.glob("*/tracks"))), None)
    if tracks is None:
        raise InputError(f"{run}: no run with tracks; give the folder that python -m mtmc.run --crops wrote")
    with (run / "crops" / "crops.csv").open(newline="", encoding="utf-8") as stream:
        listed = [(row["path"], row["camera"], int(row["track"].rsplit("_", 1)[1])) for row in csv.DictReader(stream)]
    shown: dict[str, int] = {}
    for camera, folder in cameras.items():
        truth = read_visible(folder)
        found = np.loadtxt(tracks / f"{camera}.txt", delimiter=",", ndmin=2)
        boxes = {(int(row[0]), int(row[1])): row[2:6] for row in found}
        for name, of, number in listed:
            frame = int(Path(name).stem.rsplit("_", 1)[1])
            box = boxes.get((frame, number))
            there = truth[truth[:, 0] == frame]
            if of != camera or box is None or not len(there):
                continue
            overlap = iou(there[:, 2:6], box[None])
            best = int(overlap.argmax())
            shown[name] = int(there[best, 1]) if overlap[best] >= MIN_IOU else 0
    return shown


def divide(run: Path, shown: dict[str, int], output: Path) -> tuple[int, int, int]:
    """Write `adapt.csv` and `data.csv`; returns the crops to adapt to, the held-out vehicles and the queries."""
    with (run / "crops" / "crops.csv").open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        rows, columns = list(reader), list(reader.fieldnames or [])
    of_track: dict[str, Counter[int]] = defaultdict(Counter)
    for row in rows:
        of_track[row["track"]][shown.get(row["path"], 0)] += 1
    vehicle = {track: count.most_common(1)[0][0] for track, count in of_track.items()}
    held = {track: number % 2 == 1 for track, number in vehicle.items()}
    adapt = [row | {"path": str((run / "crops" / row["path"]).resolve())} for row in rows if not held[row["track"]]]
    _write(output / "adapt.csv", columns, adapt)
    places: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in rows:
        number = vehicle[row["track"]]
        if held[row["track"]] and shown.get(row["path"]) == number:
            places[number, row["camera"]].append(str((run / "crops" / row["path"]).resolve()))
    seen = Counter(number for number, _ in places)
    test: list[dict[str, object]] = []
    queries = 0
    for (number, camera), paths in places.items():
        if seen[number] < 2:
            continue
        for place, path in enumerate(paths):
            split = "query" if place == len(paths) // 2 else "gallery"
            queries += split == "query"
            test.append({"path": path, "identity": number, "camera": int(camera[1:]), "split": split})
        if len(paths) == 1:  # a query alone leaves nothing to find in this camera
            test.append(test[-1] | {"split": "gallery"})
    _write(output / "data.csv", ["path", "identity", "camera", "split"], test)
    return len(adapt), sum(count > 1 for count in seen.values()), queries


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)


def compare(title: str, dataset: Dataset, weights: list[str]) -> Table:
    """mAP and rank-1 of each network, and the paired differences to the first."""
    table = Table(title=f"{title}: {len(dataset.query)} queries, simulated, %", title_justify="left")
    for column in ("", "mAP", "difference, 95 %", "rank-1", "difference, 95 %"):
        table.add_column(column, justify="right" if column else "left")
    first: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for name in weights:
        figures, vehicles = figures_of(dataset, network(Extractor.load(name, "cpu", precision="float32")))
        kept = np.isfinite(figures[:, 0])
        samples = 100 * bootstrap_means(figures[kept], vehicles[kept], draws=DRAWS)
        means = 100 * figures[kept].mean(axis=0)
        cells = []
        for column in (0, 1):
            cells.append(f"{means[column]:.2f}")
            if first is None:
                cells.append("")
                continue
            low, high = interval(samples[:, column] - first[1][:, column])
            cells.append(f"{means[column] - first[0][column]:+.2f}, {low:+.2f} to {high:+.2f}")
        first = first or (means, samples)
        table.add_row(Path(name).stem, *cells)
    return table


def main() -> None:
    """Divide the run, and compare the networks that are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="the folder that mtmc.run --crops wrote")
    parser.add_argument("--scenario", default="sim-S07", help="the simulated scenario of the run")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="where its rendering is")
    parser.add_argument("--output", type=Path, required=True, help="where adapt.csv and data.csv are written")
    parser.add_argument("--weights", nargs="+", default=[], help="networks to compare; the first is the start")
    parser.add_argument("--old", type=Path, nargs="+", default=[], help="sets of other cities, in VeRi's layout")
    arguments = parser.parse_args()
    if not (arguments.run / "crops" / "crops.csv").is_file():
        raise InputError(f"{arguments.run}: no crops; repeat the run's command with --crops")
    scenario = mtmc.load_scenario(arguments.scenario, cache=arguments.cache, progress=True)
    folders = {camera.name: camera.directory for camera in scenario.cameras if camera.directory is not None}
    crops, vehicles, queries = divide(arguments.run, vehicles_of_crops(arguments.run, folders), arguments.output)
    console = Console(highlight=False, width=120)
    console.print(
        f"{crops} crops to adapt to; {vehicles} vehicles held out, seen by several cameras, {queries} queries"
    )
    if not arguments.weights:
        return
    held_out = load_dataset("csv", arguments.output)
    console.print(compare(f"{scenario.name}, held-out vehicles", held_out, arguments.weights))
    for root in arguments.old:
        console.print(compare(root.name, load_dataset("veri", root), arguments.weights))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
