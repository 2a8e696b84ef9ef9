"""python -m mtmc.run: videos of several cameras in, one identity a vehicle out, scored."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.cache import Cache
from common.command_line import run_command
from common.errors import InputError
from common.nearest import nearest
from mtmc.config import load_config
from mtmc.observation.stage import Source
from mtmc.pipeline import Extraction, run
from mtmc.report.collect import report_data
from mtmc.report.page import write_report
from mtmc.report.run_folder import table_of, write_run
from mtmc.report.videos import write_videos
from mtmc.scenarios.find import find_scenario, known_facts
from mtmc.scenarios.simulated import render_scenario

REPOSITORY = Path(__file__).resolve().parent.parent
SCENARIOS = REPOSITORY / "configs" / "scenarios"
WEIGHTS = REPOSITORY / "weights"
SHIPPED_EXTRACTORS = ("baseline", "ssbver")
SIMULATED_DETECTOR = WEIGHTS / "detector.onnx"
REAL_DETECTOR = "yolo11n.pt"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the pipeline as the command line says; returns the exit status."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    settings = load_config(arguments.config, arguments.set)
    extractors = _extractors(arguments.reid)  # before anything is rendered: a slip shall not cost a minute
    cache = Cache(arguments.cache)
    cache.sweep()
    facts, facts_file = known_facts(arguments.scenario, SCENARIOS)
    if facts.simulation is not None and arguments.data_root is None:
        roots = [render_scenario(facts, cache, arguments.workers, console)]
    else:
        roots = [arguments.data_root or Path(os.environ.get("CITYFLOW_ROOT") or "data")]
    scenario = find_scenario(arguments.scenario, facts, facts_file, roots, SCENARIOS)
    source = Source(
        arguments.detector or (str(SIMULATED_DETECTOR) if scenario.simulated else REAL_DETECTOR),
        arguments.detections,
        arguments.tracks,
        arguments.device,
    )
    result = run(
        scenario,
        source,
        extractors,
        settings,
        cache,
        links=arguments.links,
        workers=arguments.workers,
        console=console,
    )
    output = arguments.output or Path("runs") / scenario.name
    command = "python -m mtmc.run " + shlex.join(sys.argv[1:] if argv is None else argv)
    configuration = settings.model_dump(mode="json")
    write_run(result, output, configuration, command)
    with result.log.timed("report"):
        write_report(output / "report.html", report_data(result, configuration, command, source.describe()))
    if arguments.videos or arguments.mosaic:
        write_videos(result, output, videos=arguments.videos, mosaic=arguments.mosaic, console=console)
    sys.stdout.write(table_of(result).to_text())
    sys.stdout.write(f"{output / 'report.html'}\n")
    missing = result.scenario.missing
    if missing and not arguments.allow_missing_cameras:
        sys.stderr.write(f"error: without {', '.join(missing)}; --allow-missing-cameras accepts that\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.run",
        description="Videos of several fixed cameras in, one identity for every vehicle across all of them out, scored "
        "where ground truth exists.",
    )
    add = parser.add_argument
    add(
        "--scenario",
        default="sim-S06",
        help="S01-S06, sim-S06 (simulated, needs no data), a folder's name, a YAML file",
    )
    add("--data-root", type=Path, help="the root of CityFlow, or of folders like it; else $CITYFLOW_ROOT, else data/")
    add("--reid", nargs="+", metavar="NAME|PATH", help="extractors to compare: baseline, ssbver, weights files, none")
    add("--detector", metavar="NAME|PATH", help="an ultralytics name or file, torchvision:NAME, .onnx, OpenVINO")
    add("--detections", metavar="NAME|DIR", help="start from boxes: ssd512 for det/det_ssd512.txt, or DIR/<camera>.txt")
    add(
        "--tracks", metavar="NAME|DIR", help="start from tracks: tc_ssd512 for mtsc/mtsc_tc_ssd512.txt, gt, or a folder"
    )
    add("--links", type=Path, metavar="FILE", help="zones and links as YAML; else the scenario's own, else learned")
    add("--config", type=Path, metavar="FILE", help="settings of all stages as YAML")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, for example detection.score=0.2")
    add("--output", type=Path, metavar="DIR", help="the run's folder; default runs/<scenario>")
    add("--cache", type=Path, default=Path("cache"), metavar="DIR", help="results of stages; default cache/")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    add("--workers", type=_positive, default=os.cpu_count() or 1, help="cameras at a time; default the processors")
    add("--videos", action="store_true", help="also write annotated videos, one a camera")
    add("--mosaic", action="store_true", help="also write a video of all cameras side by side")
    add("--allow-missing-cameras", action="store_true", help="exit 0 though a camera had to be left out")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _extractors(names: Sequence[str] | None) -> tuple[Extraction, ...]:
    """The extractors that a person names; all that ship where none is named."""
    if names is None:
        names = [name for name in SHIPPED_EXTRACTORS if (WEIGHTS / f"{name}.safetensors").is_file()] or ["none"]
    found = []
    for name in names:
        shipped = WEIGHTS / f"{name}.safetensors"
        path = shipped if shipped.is_file() else Path(name)
        if name != "none" and not path.exists():
            shipped_names = [p.stem for p in WEIGHTS.glob("*.safetensors")]
            raise InputError(
                f"--reid {name}: no such weights file, nor among the shipped{nearest(name, shipped_names)}"
            )
        found.append(
            Extraction(name if shipped.is_file() or name == "none" else path.stem, None if name == "none" else path)
        )
    labels = [extraction.name for extraction in found]
    if len(set(labels)) < len(labels):
        found = [Extraction(f"{e.name}-{i}", e.weights) for i, e in enumerate(found, 1)]
    return tuple(found)


if __name__ == "__main__":
    sys.exit(run_command(main))
