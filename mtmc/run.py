"""python -m mtmc.run: videos of several cameras in, one identity per vehicle out, scored."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.command_line import run_command
from common.shared_storage import shown_address

_EXAMPLES = """examples:
  the simulated demonstration, no data needed
    python -m mtmc.run
  CityFlowV2, unpacked so that CITYFLOW/test/S06/c041/vdo.avi exists
    python -m mtmc.run --data-root CITYFLOW --scenario S06
  RoundaboutHD, unpacked so that DATA/RoundaboutHD/imagesc001/video.mp4 exists
    python -m mtmc.run --data-root DATA --scenario RoundaboutHD
  your own videos, one per camera, in the folder my_videos/crossing
    python -m mtmc.run --scenario my_videos/crossing --detector yolo11x.pt
  one shipped extractor against your own
    python -m mtmc.run --scenario sim-S06 --reid baseline my_network.onnx
  boxes that you have already, without appearance
    python -m mtmc.run --data-root CITYFLOW --scenario S03 --detections mask_rcnn --reid none
  what can be set for the association, and setting it
    python -m mtmc.run --settings association
    python -m mtmc.run --set association.threshold=0.4

exit status: 0 done; 2 wrong usage or input; 1 a camera was left out, or an internal error
"""


ALL_STAGES = "all"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    # Imported here, so that --help and a wrong option do not wait for the numerical packages.
    from rich.console import Console

    from mtmc.config import PipelineSettings, load_config

    if arguments.settings is not None:
        from common.settings_list import list_settings

        sys.stdout.write(list_settings(PipelineSettings, arguments.settings))
        return 0
    from common.settings import read_yaml
    from mtmc.association.constraints_file import read_constraints
    from mtmc.execution.choice import check_executor, make_executor
    from mtmc.interface.running import (
        NO_APPEARANCE,
        check_detector,
        choose_extractors,
        make_source,
        open_cache,
        prepare_scenario,
        run_scenario,
    )
    from mtmc.interface.scenarios import is_simulated, load_scenario, only_cameras
    from mtmc.observation.preflight import check_space_for_videos, check_writable

    console = Console(stderr=True)
    settings = load_config(arguments.config, arguments.set)
    check_executor(arguments.executor, arguments.address)
    extractions = choose_extractors(arguments.reid, arguments.cache)
    for extraction in extractions:  # before anything is rendered: a typo must not cost a minute
        for note in extraction.notes:
            console.print(f"note: {note}", soft_wrap=True, highlight=False)
    data_root = arguments.data_root
    if data_root is None and not is_simulated(arguments.scenario):
        data_root = os.environ.get("CITYFLOW_ROOT")
    if arguments.detector is not None and arguments.detections is None and arguments.tracks is None:
        check_detector(arguments.detector, settings, arguments.cache, arguments.device)
    if arguments.links is not None:
        read_yaml(arguments.links)
    if arguments.constraints is not None:
        read_constraints(arguments.constraints)
    if arguments.shared_cache is not None:
        open_cache(arguments.cache, arguments.shared_cache)
    scenario = load_scenario(
        arguments.scenario, data_root, cache=arguments.cache, workers=arguments.workers, progress=console
    )
    if arguments.only_camera:
        scenario = only_cameras(scenario, arguments.only_camera)
    output = arguments.output or Path("runs") / scenario.name
    check_writable(output, scenario, "--output")
    check_writable(arguments.cache, scenario, "--cache")
    check_space_for_videos(output, scenario, each=arguments.videos, mosaic=arguments.mosaic)
    if arguments.dry_run:
        source = make_source(
            scenario,
            arguments.detector,
            arguments.detections,
            arguments.tracks,
            arguments.tracker,
            arguments.device,
        )
        from mtmc.interface.plan import describe_plan

        plan = describe_plan(
            scenario,
            source,
            extractions,
            settings,
            cache=arguments.cache,
            output=output,
            association=arguments.association,
            constraints=arguments.constraints,
        )
        sys.stdout.write(plan)
        return 0
    executor = make_executor(
        arguments.executor, workers=arguments.workers, address=arguments.address, device=arguments.device
    )
    common: dict[str, Any] = {
        "reid": arguments.reid,
        "detector": arguments.detector,
        "detections": arguments.detections,
        "tracks": arguments.tracks,
        "tracker": arguments.tracker,
        "settings": settings,
        "cache": arguments.cache,
        "shared_cache": arguments.shared_cache,
        "device": arguments.device,
        "executor": executor,
        "progress": console,
    }
    try:
        if arguments.stages != ALL_STAGES:
            if arguments.stages == "observe":
                common["reid"] = NO_APPEARANCE
            scenario = prepare_scenario(scenario, **common)
            ready = ", ".join(camera.name for camera in scenario.cameras)
            sys.stdout.write(f"in the cache ({arguments.stages}): {ready}\n")
            return _status(scenario.missing, arguments.allow_missing_cameras)
        result = run_scenario(
            scenario,
            association=arguments.association,
            links=arguments.links,
            constraints=arguments.constraints,
            **common,
        )
    finally:
        executor.close()
    report = result.write(
        output,
        videos=arguments.videos,
        mosaic=arguments.mosaic,
        crops=arguments.crops,
        command="python -m mtmc.run " + shown_address(shlex.join(sys.argv[1:] if argv is None else argv)),
        progress=console,
    )
    sys.stdout.write("".join(map(str, [result.table(), *result.own_tables()])) + f"{report}\n")
    return _status(result.scenario.missing, arguments.allow_missing_cameras)


def _status(missing: Mapping[str, str], allowed: bool) -> int:
    """The exit status of a run without these cameras."""
    if missing and not allowed:
        sys.stderr.write(f"error: {', '.join(missing)} left out; --allow-missing-cameras accepts that\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mtmc.run",
        description="Videos of several fixed cameras in, one identity per vehicle across all of them out; scored where "
        "there is ground truth.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("input").add_argument
    add(
        "--scenario",
        default="sim-S06",
        metavar="NAME|DIR|FILE",
        help="S01 to S06 of CityFlow, RoundaboutHD, another folder below the data root, a folder of videos, a "
        "scenario's YAML file, or a simulated scenario, which needs no data (default: sim-S06)",
    )
    add(
        "--data-root",
        type=Path,
        metavar="DIR",
        help="the folder that holds scenarios (default: $CITYFLOW_ROOT, else data/)",
    )
    add(
        "--links", type=Path, metavar="FILE", help="zones and links as YAML (default: the scenario's own, else learned)"
    )
    add(
        "--only-camera",
        nargs="+",
        metavar="NAME",
        help="take only these cameras of the scenario; with --stages, several jobs can share the work on one cache",
    )
    add(
        "--constraints",
        type=Path,
        metavar="FILE",
        help="what you know about single tracks, as YAML or JSON lines: must-link, cannot-link, not-a-vehicle "
        "(docs/association.md)",
    )
    add = parser.add_argument_group("detector, tracks, extractors").add_argument
    add(
        "--detector",
        metavar="NAME|PATH",
        help="an ultralytics name or file, torchvision:NAME, an .onnx or OpenVINO file, or your own: "
        "package.module:Class (default: yolo11n.pt; for "
        "simulated scenarios the shipped one)",
    )
    add(
        "--tracker",
        default="arrays",
        metavar="NAME",
        help="arrays (default), or of the package trackers: sort, bytetrack, ocsort, cbiou; your own: "
        "package.module:Class",
    )
    add("--detections", metavar="NAME|DIR", help="start from boxes: NAME of det/det_NAME.txt, or DIR/<camera>.txt")
    add("--tracks", metavar="NAME|DIR", help="start from tracks: NAME of mtsc/mtsc_NAME.txt, gt, or DIR/<camera>.txt")
    add(
        "--reid",
        nargs="+",
        metavar="NAME|PATH",
        help="extractors to compare: baseline, ssbver, none for no appearance, files of networks, if need be with "
        "options (net.onnx:bgr,mean=0.5/0.5/0.5), or your own: [NAME=]package.module:Class (default: all shipped)",
    )
    add(
        "--association",
        default="learned",
        metavar="NAME",
        help="learned (default), linkage (plain average linkage of features), or your own: package.module:Class",
    )
    add = parser.add_argument_group("settings").add_argument
    add("--config", type=Path, metavar="FILE", help="settings of all stages as YAML")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as detection.score=0.2")
    add(
        "--settings",
        nargs="?",
        const="",
        metavar="WORD",
        help="list all settings, or those with WORD in their names: default, allowed values, what raising them does",
    )
    add = parser.add_argument_group("output").add_argument
    add("--output", type=Path, metavar="DIR", help="the run's folder (default: runs/<scenario>)")
    add("--videos", action="store_true", help="also write annotated videos, one per camera")
    add("--mosaic", action="store_true", help="also write a video of all cameras side by side")
    add("--crops", action="store_true", help="also write the crops of all tracks, to adapt an extractor (reid.adapt)")
    add("--dry-run", action="store_true", help="check the input, print what a run would do, and stop")
    add("--allow-missing-cameras", action="store_true", help="exit 0 even if a camera had to be left out")
    add = parser.add_argument_group("performance").add_argument
    add(
        "--cache",
        type=Path,
        default=Path("cache"),
        metavar="DIR",
        help="results of stages (default: cache/)",
    )
    add(
        "--shared-cache",
        metavar="URL",
        help="object storage that machines without a common folder share results on, such as s3://bucket/folder or "
        "gs://bucket/folder (docs/scale.md); needs the extra storage",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--workers", type=_positive, metavar="N", help="cameras processed at a time (default: the number of CPUs)")
    add(
        "--stages",
        choices=("observe", "observe,embed", ALL_STAGES),
        default=ALL_STAGES,
        help="stop after these stages and leave their results in the cache for a later run (default: all)",
    )
    add(
        "--executor",
        default="processes",
        metavar="NAME",
        help="where cameras are worked on: in-turn (this process), processes (default), ray (a Ray cluster)",
    )
    add("--address", metavar="HOST:PORT", help="of the Ray cluster, or auto (default: Ray is started on this machine)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(run_command(main))
