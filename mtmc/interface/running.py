"""A scenario through all stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from common.cache import Cache
from common.errors import InputError
from common.nearest import nearest
from common.plugins import is_reference, load_class
from common.resources import resource
from mtmc.appearance.extraction import Extraction, converted_networks
from mtmc.association.choice import DEFAULT_ASSOCIATION
from mtmc.association.constraints import Constraints
from mtmc.config import PipelineSettings, make_settings
from mtmc.execution.choice import DEFAULT_EXECUTOR, make_executor
from mtmc.execution.clips import work_on_clips
from mtmc.execution.interface import Executor
from mtmc.interface.consoles import progress_console
from mtmc.interface.result import ScenarioResult
from mtmc.observation.preflight import check_given_boxes
from mtmc.observation.stage import Source
from mtmc.pipeline import run
from mtmc.scenarios.scenario import Scenario
from mtmc.stage_log import StageLog
from mtmc.tracking.choice import DEFAULT_TRACKER
from reid.network_options import split_options
from reid.shipped import EXTRACTORS, shipped_extractor

REAL_DETECTOR = "yolo11n.pt"
"""For filmed scenarios: the smallest of the COCO-trained networks that keep up with a CPU."""
NO_APPEARANCE = "none"
"""The name of the extractor that extracts nothing: association by places and times alone."""


def run_scenario(
    scenario: Scenario,
    *,
    reid: str | Path | Sequence[str | Path] | None = None,
    detector: str | Path | None = None,
    detections: str | Path | None = None,
    tracks: str | Path | None = None,
    tracker: str = DEFAULT_TRACKER,
    association: str = DEFAULT_ASSOCIATION,
    links: str | Path | None = None,
    constraints: str | Path | Constraints | None = None,
    settings: PipelineSettings | Mapping[str, Any] | None = None,
    cache: str | Path = "cache",
    shared_cache: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    executor: str | Executor = DEFAULT_EXECUTOR,
    progress: bool | Console = False,
) -> ScenarioResult:
    """Detect, track, embed, associate and score; detection and tracking are shared by all extractors.

    Works from a script without `if __name__ == "__main__"`, from a notebook and from standard input: worker processes
    do not import the caller's program.

    Args:
        scenario: of `mtmc.load_scenario`.
        reid: the extractors to compare: names of shipped ones, weights files (`.safetensors`, `.onnx`, `.xml`), or
            "none" for no appearance, or your own class as `package.module:Class` or `NAME=package.module:Class`; None:
            all that ship.
        detector: a name or file for `detection.loading.load_detector`, or your own class as `package.module:Class`;
            None: the shipped one for simulated scenarios, `yolo11n.pt` for others.
        detections: start from boxes: NAME of `det/det_NAME.txt`, or a folder of `<camera>.txt`.
        tracks: start from tracks: NAME of `mtsc/mtsc_NAME.txt`, "gt" for the ground truth, or a folder of
            `<camera>.txt`.
        tracker: a name of `mtmc.tracking.choice.TRACKERS`, or your own class as `package.module:Class`.
        association: a name of `mtmc.association.choice.ASSOCIATIONS`, or your own class as `package.module:Class`.
        links: a YAML file of zones and links; None: the scenario's own, else learned from the tracks.
        constraints: what you know about single tracks: which must, or cannot, be one vehicle, and which are none; a
            YAML file or JSON lines (docs/association.md), or a table.
        settings: settings of all stages, or the ones to change: `{"association": {"threshold": 0.4}}` or
            `{"association.threshold": 0.4}`. `python -m mtmc.run --settings` lists them.
        cache: the folder for results of stages; a second run reuses what has not changed.
        shared_cache: object storage for the same results, such as s3://bucket/folder, for machines that share no
            folder; needs the extra `storage`.
        device: "auto", "cpu", "cuda" or "cuda:1".
        workers: cameras processed at a time; None: one per CPU.
        executor: a name of `mtmc.execution.choice.EXECUTORS`, or an executor that was made, which stays open.
        progress: show progress on standard error, or on this console.

    Raises:
        InputError: an input cannot be used; one line says which, and how to fix it.

    Examples:
        >>> import mtmc
        >>> scenario = mtmc.load_scenario("sim-S06")  # doctest: +SKIP
        >>> result = mtmc.run_scenario(scenario, reid=["baseline", "ssbver"])  # doctest: +SKIP
        >>> print(result.table())  # doctest: +SKIP
        >>> result.write("runs/sim-S06")  # doctest: +SKIP
    """
    source = make_source(scenario, detector, detections, tracks, tracker, device)
    chosen = make_settings(settings or {})
    store = open_cache(cache, shared_cache)
    store.sweep()
    with _opened(executor, workers, device) as workplace:
        result = run(
            scenario,
            source=source,
            extractions=choose_extractors(reid, cache),
            settings=chosen,
            cache=store,
            links=Path(links) if links is not None else None,
            executor=workplace,
            console=progress_console(progress),
            association=association,
            constraints=Path(constraints) if isinstance(constraints, str) else constraints,
        )
    return ScenarioResult(result, chosen, source)


def prepare_scenario(
    scenario: Scenario,
    *,
    reid: str | Path | Sequence[str | Path] | None = None,
    detector: str | Path | None = None,
    detections: str | Path | None = None,
    tracks: str | Path | None = None,
    tracker: str = DEFAULT_TRACKER,
    settings: PipelineSettings | Mapping[str, Any] | None = None,
    cache: str | Path = "cache",
    shared_cache: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    executor: str | Executor = DEFAULT_EXECUTOR,
    progress: bool | Console = False,
) -> Scenario:
    """Do only the work on clips (observe, embed), and leave it in the cache, where `run_scenario` finds it.

    Jobs of Slurm or Kubernetes that share a cache folder can each prepare some cameras. Arguments as in `run_scenario`;
    the same arguments give the same keys. With `reid="none"` nothing is embedded.

    Returns:
        The scenario without the cameras that failed, which its `missing` lists.

    Raises:
        InputError: an input cannot be used, or no camera is left.
    """
    console = progress_console(progress)
    log, store = StageLog(console), open_cache(cache, shared_cache)
    source = make_source(scenario, detector, detections, tracks, tracker, device)
    check_given_boxes(scenario, source)
    with _opened(executor, workers, device) as workplace:
        scenario, _, _ = work_on_clips(
            scenario,
            source,
            choose_extractors(reid, cache),
            settings=make_settings(settings or {}),
            cache=store,
            executor=workplace,
            log=log,
            console=console,
        )
    for stage in ("observe", "embed"):
        log.tell(stage)
    return scenario


def open_cache(cache: str | Path, shared: str | None = None) -> Cache:
    """The cache of a folder and, if there is one, of shared storage, which has to answer.

    Raises:
        InputError: the address of the storage cannot be used.
    """
    store = Cache(Path(cache), shared)
    if store.shared is not None:
        store.shared.check()
    return store


def make_source(
    scenario: Scenario,
    detector: str | Path | None,
    detections: str | Path | None,
    tracks: str | Path | None,
    tracker: str,
    device: str,
) -> Source:
    """Where the boxes come from. Arguments as in `run_scenario`."""
    chosen = str(detector) if detector is not None else default_detector(scenario)
    return Source(chosen, _text(detections), _text(tracks), device, tracker)


@contextmanager
def _opened(executor: str | Executor, workers: int | None, device: str) -> Iterator[Executor]:
    """The executor; closed at the end if it was made here."""
    if not isinstance(executor, str):
        yield executor
        return
    made = make_executor(executor, workers=workers, device=device)
    try:
        yield made
    finally:
        made.close()


def choose_extractors(
    names: str | Path | Sequence[str | Path] | None, cache: str | Path | None = None
) -> tuple[Extraction, ...]:
    """The extractors of these names and files, all that ship for None; names that occur twice get a number.

    Args:
        names: as `reid` of `run_scenario`.
        cache: the folder of the cache; networks that were converted there need not be read again.

    Raises:
        InputError: a name is neither a shipped extractor nor a file, the file of a shipped one is missing, or a file is
            not a supported network.
    """
    wanted = list(EXTRACTORS) if names is None else [names] if isinstance(names, str | Path) else list(names)
    if not wanted:
        raise InputError(f"reid: no extractor is named; give '{NO_APPEARANCE}' to run without appearance")
    found = [_extraction(str(name), cache) for name in wanted]
    labels = [extraction.name for extraction in found]
    if len(set(labels)) < len(labels):
        found = [replace(e, name=f"{e.name}-{i}") for i, e in enumerate(found, 1)]
    return tuple(found)


def check_detector(name: str | Path, settings: PipelineSettings, cache: str | Path, device: str = "auto") -> None:
    """Load a detector and forget it, so that a damaged or unknown one is found before anything is rendered or read.

    Raises:
        InputError: it cannot be loaded.
    """
    from detection.loading import load_detector

    chosen = settings.detection
    load_detector(
        str(name),
        device=device,
        score=chosen.score,
        image_size=chosen.image_size,
        # int8 would want frames of the videos, which are not known yet.
        precision="auto" if chosen.precision == "int8" else chosen.precision,
        classes=chosen.classes,
        layout=chosen.layout,
        cache_dir=Path(cache),
        own_options=settings.options.detector,
    )


def default_detector(scenario: Scenario) -> str:
    """The detector of a run that names none: the shipped one knows simulated vehicles only."""
    return str(resource("weights", "detector.onnx")) if scenario.simulated else REAL_DETECTOR


def _extraction(name: str, cache: str | Path | None) -> Extraction:
    """The extractor of one name or file. The file is read, so that a damaged one is found before any camera is read."""
    if name == NO_APPEARANCE:
        return Extraction(name, None)
    from reid.extractor import Extractor

    converted = None if cache is None else converted_networks(Path(cache))
    shipped = shipped_extractor(name)
    if shipped is not None:
        return Extraction(name, shipped, notes=Extractor.check(shipped, converted))
    file, options = split_options(name)
    label, _, reference = name.rpartition("=")
    if not options and is_reference(reference):
        load_class(reference, {}, "--reid")  # a slip shows before the long work
        return Extraction(label or reference.rpartition(":")[2], None, reference)
    path = Path(file)
    if not path.exists():
        raise InputError(
            f"reid {name}: neither a weights file nor a shipped extractor{nearest(name, [*EXTRACTORS, NO_APPEARANCE])}"
        )
    return Extraction(path.stem, path, options=options, notes=Extractor.check(name, converted))


def _text(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
