"""All clips of a scenario through observation and embedding, on an executor."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rich.console import Console

from common.cache import Cache, key_of
from common.code_version import code_version
from mtmc.appearance.extraction import Extraction, LoadedBy, converted_networks
from mtmc.appearance.features import CropVectors, read_vectors
from mtmc.config import PipelineSettings
from mtmc.execution.clip import ClipJob, EmbedJob, UnusableClip, work_on_clip
from mtmc.execution.interface import ClipFailure, Executor
from mtmc.observation.progress import CameraProgress
from mtmc.observation.stage import (
    Observation,
    ObservationPlan,
    Source,
    plan_observation,
    prepare_observation,
    read_observations,
)
from mtmc.scenarios.scenario import Scenario
from mtmc.stage_log import StageLog
from reid.network_options import related_files

StoredCrops = Callable[[], CropVectors]
"""Reads the vectors of one camera's crops; those of all cameras together need not fit in memory."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors that one extractor made of every camera's crops.

    Attributes:
        crops: one reader per camera; None without appearance.
        keys: their keys in the cache; "" without appearance.
    """

    crops: tuple[StoredCrops | None, ...]
    keys: tuple[str, ...]


def work_on_clips(
    scenario: Scenario,
    source: Source,
    extractions: Sequence[Extraction],
    *,
    settings: PipelineSettings,
    cache: Cache,
    executor: Executor,
    log: StageLog,
    console: Console,
) -> tuple[Scenario, list[Observation], list[Embedded]]:
    """Observe every camera and embed its crops with every extractor. What is in the cache is reused.

    Returns:
        The scenario without the cameras that failed, which its `missing` lists; an observation for each of the others,
        in their order; the vectors of each extractor.

    Raises:
        InputError: no camera is left, or the detector or an extractor cannot be loaded.
    """
    plan = plan_observation(scenario, source, settings=settings, cache=cache)
    for note in plan.notes:
        log.say(note)
    for name, reason in scenario.missing.items():
        log.say(f"{name}: left out: {reason}")
    for name in plan.jobs.keys() - plan.due.keys():
        log.say(f"{name}: reused from the cache")
    if plan.due and plan.description:
        log.say(f"detector: {plan.description}")
    wanted = [_embed_jobs(e, plan, settings=settings, cache=cache, device=source.device) for e in extractions]
    due = {name: _due(plan, name, wanted, cache) for name in plan.jobs}
    due = {name: job for name, job in due.items() if name in plan.due or job.embed}
    failed = _work(plan, due, executor, cache, log, console) if due else {}
    scenario, observations = read_observations(scenario, plan, failed, settings=settings, cache=cache, log=log)
    for extraction, jobs in zip(extractions, wanted, strict=True):
        for observation in observations:
            _log_embedding(extraction, jobs, observation.camera.name, due, cache, log)
    names = [observation.camera.name for observation in observations]
    return scenario, observations, [_embedded(jobs, names, cache) for jobs in wanted]


def _embed_jobs(
    extraction: Extraction, plan: ObservationPlan, *, settings: PipelineSettings, cache: Cache, device: str
) -> dict[str, EmbedJob]:
    """A job per camera; none without appearance."""
    if not extraction.extracts:
        return {}
    options = settings.options.extractor
    parts: dict[str, Any] = {
        "code": code_version("mtmc.appearance.embedding", "mtmc.appearance.own_extractor", "reid.extractor"),
        "weights": [cache.file_digest(file) for file in related_files(extraction.weights)]
        if extraction.weights is not None
        else extraction.checksum(options),
        "options": extraction.options,
        "settings": settings.embedding.model_dump(exclude={"split"}),
        "device": device,
    }
    loaded_by = LoadedBy(extraction, options, device, converted_networks(cache.root))
    return {
        name: EmbedJob(key_of({**parts, "observation": job.key}), loaded_by, settings.embedding)
        for name, job in plan.jobs.items()
    }


def _due(plan: ObservationPlan, name: str, wanted: Sequence[Mapping[str, EmbedJob]], cache: Cache) -> ClipJob:
    jobs = (jobs[name] for jobs in wanted if jobs)
    return ClipJob(plan.jobs[name], tuple(job for job in jobs if cache.find("embed", job.key) is None), cache)


def _work(
    plan: ObservationPlan,
    due: Mapping[str, ClipJob],
    executor: Executor,
    cache: Cache,
    log: StageLog,
    console: Console,
) -> dict[str, str]:
    """Work on the clips that are not in the cache; returns those that failed, with the reason."""
    start = time.perf_counter()
    prepare_observation(plan, cache)
    for extractor in {
        job.extractor.extraction.name: job.extractor for clip in due.values() for job in clip.embed
    }.values():
        with log.timed("embed", f"load {extractor.extraction.name}"):
            extractor.prepare()
    failed: dict[str, str] = {}
    threads = executor.cores(len(due))
    jobs = {k: replace(job, threads=threads, observe=replace(job.observe, threads=threads)) for k, job in due.items()}
    totals = {name: job.camera.frame_count for name, job in plan.due.items()}
    with CameraProgress(totals, title="observe", console=console) as progress:
        function = partial(work_on_clip, advance=progress.advance)
        for name, result in executor.map(function, jobs, expected=(UnusableClip,)):
            if isinstance(result, ClipFailure):
                failed[name] = str(result)
            else:
                progress.finish(name)
    if totals:
        frames, seconds = sum(totals.values()), time.perf_counter() - start
        rate = frames / max(seconds, 1e-9)
        log.say(f"observe: {len(totals)} cameras in {seconds:.1f} s, {rate:.1f} frames per second")
    return failed


def _log_embedding(
    extraction: Extraction,
    jobs: Mapping[str, EmbedJob],
    camera: str,
    due: Mapping[str, ClipJob],
    cache: Cache,
    log: StageLog,
) -> None:
    if not jobs:
        return
    part, key = f"{extraction.name} {camera}", jobs[camera].key
    if camera in due and any(job.key == key for job in due[camera].embed):
        stats = json.loads((cache.need("embed", key) / "stats.json").read_text(encoding="utf-8"))
        log.add("embed", part, stats["seconds"], stats["crops"])
    else:
        log.add("embed", part, 0.0, reused=True)


def _embedded(jobs: Mapping[str, EmbedJob], cameras: Sequence[str], cache: Cache) -> Embedded:
    if not jobs:
        return Embedded((None,) * len(cameras), ("",) * len(cameras))
    keys = tuple(jobs[name].key for name in cameras)
    readers = (partial(read_vectors, cache.need("embed", key) / "vectors.safetensors") for key in keys)
    return Embedded(tuple(readers), keys)
