"""python -m mtmc.live: which vehicle is where, while the cameras run."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.command_line import run_command

if TYPE_CHECKING:
    from mtmc.online.live_site import LivePlan
    from mtmc.online.transport import Transport
    from mtmc.scenarios.scenario import Scenario

_EXAMPLES = """examples:
  open every camera of a site, and say what is seen
    python -m mtmc.live SITE.yaml --check
  watch it; events go to standard output as JSON, one a line, and into its store
    python -m mtmc.live SITE.yaml --metrics 9100
  a simulated scenario as if its cameras were running, ten times as fast
    python -m mtmc.live --replay sim-S06 --speed 10
  vehicles from camera to camera by quarter of an hour, from the store
    python -m mtmc.live SITE.yaml --table links
  the report of an hour
    python -m mtmc.live SITE.yaml --report 2026-11-28T22 --output runs/22

SITE.yaml and everything else is described in docs/live.md.

exit status: 0 stopped or ended; 2 wrong usage or input, or a full disk; 1 a camera cannot be used, or an internal error
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if (arguments.site is None) == (arguments.replay is None):
        parser.error("give either SITE.yaml or --replay SCENARIO")
    if arguments.table is not None or arguments.report is not None:
        return _read_store(arguments)
    from mtmc.online.store import make_store_folder

    plan = _plan(arguments)
    make_store_folder(plan.store)
    if arguments.check:
        return _check(plan)
    return _watch(arguments, plan.with_tiles() if arguments.tiles else plan)


def _plan(arguments: argparse.Namespace) -> LivePlan:
    """What is to be watched."""
    # Imported in functions, so that --help and a wrong option do not wait for the numerical packages.
    import time
    from dataclasses import replace

    from mtmc.config import load_config
    from mtmc.online.live_site import plan_replay, plan_site
    from mtmc.online.site import read_site

    settings = load_config(arguments.config, arguments.set)
    if arguments.site is not None:
        plan = plan_site(read_site(arguments.site), settings, time.time())
        return plan if arguments.constraints is None else replace(plan, constraints=arguments.constraints)
    from mtmc.interface.running import default_detector

    scenario = _scenario(arguments)
    plan = plan_replay(
        scenario,
        speed=arguments.speed,
        detector=arguments.detector or default_detector(scenario),
        extractor=arguments.reid,
        settings=settings,
        store=_store_of(arguments, scenario.name),
    )
    return replace(plan, constraints=arguments.constraints)


def _scenario(arguments: argparse.Namespace) -> Scenario:
    from rich.console import Console

    from mtmc.interface.scenarios import load_scenario

    return load_scenario(arguments.replay, arguments.data_root, cache=arguments.cache, progress=Console(stderr=True))


def _store_of(arguments: argparse.Namespace, name: str) -> Path:
    store: Path = arguments.store or Path("live") / name
    return store


def _check(plan: LivePlan) -> int:
    from mtmc.online.check import check_cameras
    from mtmc.online.networks import load_extractor

    for detector in {each.detector.name: each.detector for each in plan.jobs}.values():
        detector.load(0)
        sys.stdout.write(f"detector   {detector.name}\n")
    load_extractor(plan.extractor, plan.settings, plan.jobs[0].cache)
    sys.stdout.write(f"extractor  {plan.extractor}\n")
    fine = True
    for sight in check_cameras({each.camera: each for each in plan.jobs}):
        fine = fine and sight.fine
        sys.stdout.write(f"camera     {sight.camera}: {'' if sight.fine else 'CANNOT BE USED: '}{sight.text}\n")
    sys.stdout.write(f"store      {plan.store}\n")
    return 0 if fine else 1


def _watch(arguments: argparse.Namespace, plan: LivePlan) -> int:
    import contextlib
    import logging
    import os
    import signal

    from mtmc.association.links_file import read_links
    from mtmc.online.association_window import AssociationWindow
    from mtmc.online.live_site import LiveSite
    from mtmc.online.logs import write_logs
    from mtmc.online.metrics import Metrics, MetricsServer
    from mtmc.tracking.tracker import compile_ahead

    # Before the signals are taken: until a camera runs, nothing is lost by ending at once.
    compile_ahead()
    names = [job.camera for job in plan.jobs]
    links = read_links(plan.links, names) if plan.links is not None else None

    def window() -> AssociationWindow:
        return AssociationWindow(names, plan.settings, ground=plan.ground, links=links, window=plan.window)

    metrics = Metrics()
    server = MetricsServer(metrics, arguments.metrics, arguments.metrics_host) if arguments.metrics else None
    signals: list[int] = []
    with LiveSite(plan, window, _transports(arguments, plan), metrics) as site:
        write_logs(plan.store / "log", quiet=arguments.quiet)

        def stop(number: int, frame: object) -> None:
            signals.append(number)
            site.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        for _ in site.events():
            pass
    if server is not None:
        server.close()
    if signals:
        # All is stored. Taking the interpreter down with everything that was loaded would be most of the time to stop.
        logging.shutdown()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(0)
    return 0


def _transports(arguments: argparse.Namespace, plan: LivePlan) -> list[Transport]:
    from mtmc.online.transport import KafkaTransport, LinesTransport, RedisTransport

    transports: list[Transport] = [] if arguments.no_lines else [LinesTransport(sys.stdout)]
    redis = arguments.redis or plan.redis
    if redis is not None:
        transports.append(RedisTransport(redis, f"mtmc:{plan.name}"))
    if arguments.kafka is not None:
        transports.append(KafkaTransport(f"mtmc.{plan.name}", arguments.kafka))
    return transports


def _read_store(arguments: argparse.Namespace) -> int:
    """Answer from the store, also while another process writes it."""
    from common.errors import InputError
    from mtmc.config import load_config
    from mtmc.online.archive import hour_named
    from mtmc.online.site import read_site
    from mtmc.online.store import Store

    scenario = None
    if arguments.site is not None:
        folder = arguments.store or read_site(arguments.site).store
    else:
        scenario = _scenario(arguments)
        folder = _store_of(arguments, scenario.name)
    store = Store(folder, read_only=True)
    if arguments.table is not None:
        from mtmc.online.tables import table

        sys.stdout.write(table(store, arguments.table).write_csv())
        return 0
    from mtmc.online.hour_report import hour_result

    try:
        hours = [hour_named(hour) for hour in arguments.report]
    except ValueError as error:
        raise InputError(f"--report: give hours such as 2026-11-28T22 ({error})") from error
    output = arguments.output or folder / "reports" / arguments.report[0]
    settings = load_config(arguments.config, arguments.set)
    result = hour_result(store, hours, settings, output / "crops", scenario)
    sys.stdout.write(f"{result.table()}{result.write(output)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.live",
        description="Cameras that are running in, one identity per vehicle across all of them out, at once.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("what is watched").add_argument
    add("site", nargs="?", type=Path, metavar="SITE.yaml", help="cameras as streams or files; see docs/live.md")
    add("--replay", metavar="SCENARIO", help="a recorded or simulated scenario, as if its cameras were running")
    add(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="seconds of the replayed scenario in a second; max: as fast as possible, no frame is dropped (default: 1)",
    )
    add("--data-root", type=Path, metavar="DIR", help="the folder that holds scenarios (default: data/)")
    add("--detector", metavar="NAME|PATH", help="of a replay, as of mtmc.run")
    add("--reid", default="baseline", metavar="NAME|PATH", help="extractor of a replay (default: baseline)")
    add(
        "--constraints",
        type=Path,
        metavar="FILE",
        help="tracks that are known to be one vehicle, different ones, or none, as of mtmc.run (a site: its key "
        "`constraints`)",
    )
    add("--config", type=Path, metavar="FILE", help="settings of all stages as YAML")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as detection.score=0.2")
    add = parser.add_argument_group("where answers go").add_argument
    add("--store", type=Path, metavar="DIR", help="results of a replay (default: live/<scenario>)")
    add(
        "--tiles",
        action="store_true",
        help="also each camera's newest picture, once a second, and the state of its stream: for python -m mtmc.serve",
    )
    add("--no-lines", action="store_true", help="write no events to standard output")
    add(
        "--redis",
        metavar="URL",
        help="also to the Redis stream mtmc:<site>: redis://host:port/0 (with a password: key `redis` of SITE.yaml)",
    )
    add("--kafka", metavar="HOST:PORT", help="also to the Kafka topic mtmc.<site>")
    add("--metrics", type=int, metavar="PORT", help="serve figures for Prometheus on this port")
    add("--metrics-host", default="127.0.0.1", metavar="HOST", help="(default: 127.0.0.1, this machine alone)")
    add("--quiet", action="store_true", help="log to the store only, not to standard error")
    add = parser.add_argument_group("instead of watching").add_argument
    add("--check", action="store_true", help="load the networks, open every camera, say what is seen, and stop")
    add("--table", choices=("counts", "links", "journeys", "clocks"), help="print a table of the store as CSV")
    add("--report", nargs="+", metavar="HOUR", help="write the report of one or more hours: 2026-11-28T22")
    add("--output", type=Path, metavar="DIR", help="where (default: in the store)")
    parser.add_argument(
        "--cache", type=Path, default=Path("cache"), metavar="DIR", help="rendered scenarios (default: cache/)"
    )
    return parser


def _speed(text: str) -> float:
    if text == "max":
        return math.inf
    speed = float(text)
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError("must be above 0, or max")
    return speed


if __name__ == "__main__":
    sys.exit(run_command(main))
