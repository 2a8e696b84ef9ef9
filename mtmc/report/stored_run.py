"""A finished run opened again: from its folder, and from the results of its stages in the cache.

`stages.json` says where the stages' results lie, so that nothing is stored twice: tracks and crops of each camera, and
the crops' vectors of each extractor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import ValidationError

from common.cache import Cache
from common.errors import InputError, path_not_found
from common.files import atomic
from common.nearest import nearest
from common.settings import Settings
from mtmc.appearance.extraction import Extraction
from mtmc.appearance.features import read_vectors
from mtmc.appearance.splitting import Cuts
from mtmc.association.constraints import Constraints
from mtmc.association.constraints_file import read_constraints
from mtmc.association.links_file import Links, read_links
from mtmc.config import PipelineSettings, make_settings
from mtmc.execution.clips import StoredCrops
from mtmc.identities import Identities
from mtmc.observation.stage import Observation
from mtmc.pipeline import RunResult
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.ground_map import GroundMap
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracks_file import read_tracks

STAGES = "stages.json"
CONSTRAINTS = "constraints.yaml"
"""What the run was given about single tracks (`--constraints`), with the numbers of its tracks."""
FORMAT = 1
"""Version of `stages.json`. It rises when an earlier program could not read the file."""


class StoredCamera(Settings):
    """A camera, and the key of its observation in the cache."""

    name: str
    number: int
    fps: float
    width: int
    height: int
    frame_count: int
    frames: tuple[float, ...]
    seconds: tuple[float, ...]
    video: Path | None = None
    ground: tuple[tuple[float, ...], ...] | None = None
    intrinsic: tuple[tuple[float, ...], ...] | None = None
    distortion: tuple[float, ...] | None = None
    observation: str


class StoredExtractor(Settings):
    """An extractor: its folder below the run's, its network, and the keys of the crops' vectors in the cache."""

    name: str
    folder: Path
    weights: Path | None = None
    own: str | None = None
    options: str = ""
    vectors: tuple[str, ...] = ()


class Stages(Settings):
    """The content of `stages.json`."""

    format: int
    cache: Path
    association: str
    links_given: bool
    first_frame: int = 1
    cameras: tuple[StoredCamera, ...]
    extractors: tuple[StoredExtractor, ...]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A finished run with one of its extractors.

    Attributes:
        folder: the run's folder.
        scenario: with the cameras that took part.
        observations: one per camera.
        extraction: the extractor.
        extractors: names of all extractors of the run.
        vectors: reads the vectors of each camera's crops; None without appearance.
        identities: the identity of each track or part of a track.
        cuts: where each camera's tracks are cut.
        links: zones and links, given or learned.
        links_given: whether they were given.
        association: the method of association.
        settings: of all stages.
        info: the content of run.json.
        constraints: what the run was given about single tracks.
    """

    folder: Path
    scenario: Scenario
    observations: Sequence[Observation]
    extraction: Extraction
    extractors: tuple[str, ...]
    vectors: Sequence[StoredCrops | None]
    identities: Identities
    cuts: Sequence[Cuts]
    links: Links
    links_given: bool
    association: str
    settings: PipelineSettings
    info: Mapping[str, Any] = field(default_factory=dict)
    constraints: Constraints = field(default_factory=Constraints.empty)


def describe_stages(result: RunResult, folders: Sequence[Path]) -> dict[str, Any]:
    """The content of `stages.json`; `folders` are those of the extractors, relative to the run's."""
    # <cache>/observe/<key>/crops.parquet
    cache = result.observations[0].crops_file.parents[2].resolve()
    extractors = []
    for outcome, folder in zip(result.outcomes, folders, strict=True):
        e = outcome.extraction
        weights = e.weights.resolve() if e.weights is not None else None
        extractors.append(StoredExtractor(
            name=e.name, folder=folder, weights=weights, own=e.own, options=e.options, vectors=outcome.vectors
        ))  # fmt: skip
    stages = Stages(
        format=FORMAT,
        cache=cache,
        association=result.association,
        links_given=result.links_given,
        first_frame=result.scenario.first_frame,
        cameras=tuple(_describe_camera(observation) for observation in result.observations),
        extractors=tuple(extractors),
    )
    content: dict[str, Any] = stages.model_dump(mode="json", exclude_none=True)
    return content


def open_run(folder: Path, *, extractor: str | None = None, cache: Path | None = None) -> StoredRun:
    """Open the folder that `mtmc.run` wrote.

    Args:
        folder: the run's folder.
        extractor: which of its extractors; None: the last, which is usually the best.
        cache: where the cache is now, if it was moved; None: where the run left it.

    Raises:
        InputError: the folder is no run's, was written by an earlier version, or the cache no longer has its results.
    """
    stages = _read_stages(folder)
    store = Cache(cache if cache is not None else stages.cache)
    names = tuple(each.name for each in stages.extractors)
    chosen = next((e for e in reversed(stages.extractors) if extractor in (None, e.name)), None)
    if chosen is None:
        raise InputError(f"--extractor {extractor}: took no part in {folder}{nearest(str(extractor), names)}")
    observations = [_observation(camera, store) for camera in stages.cameras]
    cameras = tuple(observation.camera for observation in observations)
    vectors: list[StoredCrops | None] = []
    for camera, key in zip(cameras, chosen.vectors or [""] * len(cameras), strict=True):
        found = store.find("embed", key) if key else None
        if key and found is None:
            raise _lost(store, f"the vectors of {camera.name}")
        vectors.append(partial(read_vectors, found / "vectors.safetensors") if found is not None else None)
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    identities = read_identities(folder / chosen.folder / "identities.parquet", [c.name for c in cameras])
    scenario = Scenario(
        info["scenario"], "", cameras, simulated=bool(info.get("simulated")), first_frame=stages.first_frame
    )
    return StoredRun(
        folder=folder,
        scenario=scenario,
        observations=observations,
        extraction=Extraction(chosen.name, chosen.weights, chosen.own, chosen.options),
        extractors=names,
        vectors=vectors,
        identities=identities,
        cuts=[_cuts(identities, index, observation) for index, observation in enumerate(observations)],
        links=read_links(folder / chosen.folder / "links.yaml"),
        links_given=stages.links_given,
        association=stages.association,
        settings=make_settings(info["configuration"]),
        info=info,
        constraints=read_constraints(given) if (given := folder / CONSTRAINTS).is_file() else Constraints.empty(),
    )


def write_identities(path: Path, identities: Identities, cameras: Sequence[str]) -> None:
    """Write a Parquet table: camera (name), track, since (first frame of the part; 0: from its start), identity."""
    names = np.asarray(cameras, np.str_)[identities.camera] if len(identities) else np.zeros(0, np.str_)
    table = pl.DataFrame(
        {
            "camera": pl.Series(names.tolist(), dtype=pl.String),
            "track": identities.track,
            "since": identities.since,
            "identity": identities.identity,
        }
    )
    with atomic(path) as aside:
        table.write_parquet(aside)


def read_identities(path: Path, cameras: Sequence[str]) -> Identities:
    """Read what `write_identities` wrote.

    Raises:
        InputError: the file is missing, or names a camera that the run does not have.
    """
    if not path.is_file():
        raise path_not_found(path, "table of identities")
    table = pl.read_parquet(path)
    index = {name: i for i, name in enumerate(cameras)}
    unknown = sorted(set(table["camera"].to_list()) - index.keys())
    if unknown:
        raise InputError(f"{path}: no camera is called {unknown[0]}{nearest(unknown[0], cameras)}")
    return Identities._of([index[name] for name in table["camera"]], table["track"], table["since"], table["identity"])


def _describe_camera(observation: Observation) -> StoredCamera:
    camera, ground = observation.camera, observation.camera.ground
    return StoredCamera(
        name=camera.name,
        number=camera.number,
        fps=camera.fps,
        width=camera.width,
        height=camera.height,
        frame_count=camera.frame_count,
        frames=tuple(camera.clock.frames.tolist()),
        seconds=tuple(camera.clock.seconds.tolist()),
        video=camera.video.resolve() if camera.video is not None else None,
        ground=_rows(ground.pixel_to_metres) if ground is not None else None,
        intrinsic=_rows(ground.intrinsic) if ground is not None and ground.intrinsic is not None else None,
        distortion=tuple(ground.distortion.ravel().tolist())
        if ground is not None and ground.distortion is not None
        else None,
        observation=observation.key,
    )


def _rows(matrix: np.ndarray[Any, Any]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _read_stages(folder: Path) -> Stages:
    if not folder.is_dir():
        raise path_not_found(folder, "run folder")
    path = folder / STAGES
    if not path.is_file():
        why = "written by an earlier version; run it again" if (folder / "run.json").is_file() else "no run's folder"
        raise InputError(f"{folder}: has no {STAGES}: {why}")
    try:
        stages = Stages.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); run again") from error
    if stages.format != FORMAT:
        raise InputError(f"{path}: has format {stages.format}, this version reads {FORMAT}; run again")
    return stages


def _observation(stored: StoredCamera, store: Cache) -> Observation:
    folder = store.find("observe", stored.observation)
    if folder is None:
        raise _lost(store, f"the tracks of {stored.name}")
    ground = None
    if stored.ground is not None:
        ground = GroundMap(
            np.array(stored.ground, np.float64),
            np.array(stored.intrinsic, np.float64) if stored.intrinsic is not None else None,
            np.array(stored.distortion, np.float64) if stored.distortion is not None else None,
        )
    camera = Camera(
        stored.name,
        stored.number,
        stored.fps,
        stored.width,
        stored.height,
        stored.frame_count,
        Clock.of_knots(stored.frames, stored.seconds),
        video=stored.video,
        ground=ground,
    )
    stats = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    parked = np.array(stats["parked"], np.int32)
    tracks = read_tracks(folder / "tracks.parquet")
    return Observation(camera, stored.observation, tracks, parked, folder / "crops.parquet", stats)


def _cuts(identities: Identities, index: int, observation: Observation) -> Cuts:
    """The cuts of a camera, numbered as the run numbered them."""
    rows = np.flatnonzero((identities.camera == index) & (identities.since > 0))
    rows = rows[np.lexsort((identities.since[rows], identities.track[rows]))]
    if not len(rows):
        return Cuts.none()
    first = int(observation.tracks.track.max(initial=0)) + 1
    return Cuts(identities.track[rows], identities.since[rows], first)


def _lost(store: Cache, what: str) -> InputError:
    return InputError(f"{store.root}: no longer holds {what}; name the cache with --cache, or run again")
