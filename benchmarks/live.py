"""Live mode on a replayed scenario: answers, how late they come, time of a solve, and frames that are dropped.

    python benchmarks/live.py --scenario sim-S06
    python benchmarks/live.py --scenario sim-S06 --speeds 0.5 1 2

Without --speeds the scenario is played as fast as its frames are looked at, without dropping one. The table then says:

- IDF1 of the final answers by CityFlow's rule, where there is ground truth;
- seconds of the scenario from the first box of a track to its local answer (opened) and to its provisional answer
  (assigned), and from its last box to the final answer, at p50 and p95;
- seconds of a solve with its writing, at p50 and p95, in the first and in the second half;
- frames a second of all cameras together.

With --speeds it is played at these speeds, and the share of dropped frames of each says how many cameras at how many
frames a second this machine bears.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np

from mtmc.config import make_settings
from mtmc.interface.running import default_detector
from mtmc.interface.scenarios import load_scenario
from mtmc.online.archive import Archive
from mtmc.online.association_window import AssociationWindow
from mtmc.online.hour_report import hour_result
from mtmc.online.live_site import LiveSite, plan_replay
from mtmc.online.metrics import Metrics
from mtmc.online.store import Record, Store
from mtmc.scenarios.scenario import Scenario


class History(Metrics):
    """Metrics that remember the time of every solve, and the frames of every camera."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks: list[float] = []
        self.frames: dict[tuple[str, str], float] = {}

    def set(self, name: str, value: float, text: str, **labels: str) -> None:
        """See `Metrics`."""
        super().set(name, value, text, **labels)
        if name == "tick_seconds":
            self.ticks.append(value)
        if name.startswith("frames_"):
            self.frames[name, labels["camera"]] = value

    def total(self, name: str) -> float:
        """Sum over the cameras."""
        return sum(value for (known, _), value in self.frames.items() if known == name)


def replay(
    scenario: Scenario, arguments: argparse.Namespace, speed: float, store: Path
) -> tuple[History, list[Record]]:
    """Replay; returns the figures and the events."""
    settings, history = make_settings({}), History()
    detector = arguments.detector or default_detector(scenario)
    plan = plan_replay(
        scenario, speed=speed, detector=detector, extractor=arguments.reid, settings=settings, store=store
    )
    names = [camera.name for camera in scenario.cameras]
    with LiveSite(
        plan, lambda: AssociationWindow(names, settings, ground=plan.ground, links=None), metrics=history
    ) as site:
        return history, list(site.events())


def quantiles(values: list[float]) -> str:
    """p50 and p95."""
    return f"{np.quantile(values, 0.5):.2f} / {np.quantile(values, 0.95):.2f}" if values else "-"


def answers(scenario: Scenario, store: Path, events: list[Record]) -> None:
    """Print the score of the final answers, and how late answers came."""
    base = Store(store, read_only=True)
    tracks = {(camera, track): (first, last) for camera, track, first, last, *_ in base.tracks()}
    result = hour_result(base, Archive(base).hours(), make_settings({}), store / "crops-of-report", scenario)
    print(result.table())
    for kind, edge, what in (("opened", 0, "first box"), ("assigned", 0, "first box"), ("final", 1, "last box")):
        late = [e.seconds - tracks[e.camera, e.track][edge] for e in events if e.kind == kind and _key(e) in tracks]
        print(f"{kind:9} after the {what:9} {quantiles(late):>15} s (p50 / p95, {len(late)} tracks)")


def _key(event: Record) -> tuple[str, int]:
    return str(event.camera), int(event.track or 0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="sim-S06")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--detector")
    parser.add_argument("--reid", default="baseline")
    parser.add_argument("--speeds", type=float, nargs="+")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    arguments = parser.parse_args()
    scenario = load_scenario(arguments.scenario, arguments.data_root, cache=arguments.cache)
    simulated = " (simulated)" if scenario.simulated else ""
    print(f"{scenario.name}{simulated}, {len(scenario.cameras)} cameras, detector {arguments.detector or 'default'}")
    for speed in arguments.speeds or [math.inf]:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            history, events = replay(scenario, arguments, speed, Path(folder))
            seconds = time.perf_counter() - start
            if math.isinf(speed):
                answers(scenario, Path(folder), events)
                half = len(history.ticks) // 2
                for name, part in (("first", history.ticks[:half]), ("second", history.ticks[half:])):
                    print(f"solve, {name} half: {quantiles([1000 * t for t in part])} ms (p50 / p95)")
                print(f"{history.total('frames_seen_total') / seconds:.1f} frames a second, loading included")
            else:
                rate = sum(camera.fps for camera in scenario.cameras) * speed
                read, dropped = history.total("frames_read_total"), history.total("frames_dropped_total")
                print(f"speed {speed:g}: {rate:.0f} frames a second offered, {dropped / max(read, 1):.1%} dropped")


if __name__ == "__main__":
    main()
