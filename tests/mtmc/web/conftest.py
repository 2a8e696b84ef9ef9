"""A made-up finished run: vehicles pass three cameras on a road, with crops, vectors and one recorded video."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from common.files import write_json
from mtmc.appearance.features import CropVectors, write_vectors
from mtmc.association.linkage import AverageLinkage
from mtmc.association.links_file import Links, write_links
from mtmc.config import PipelineSettings
from mtmc.crops.table import Crops, write_crops
from mtmc.identities import Identities
from mtmc.report.stored_run import open_run, write_identities
from mtmc.scenarios.clock import Clock
from mtmc.scenarios.scenario import Camera, Scenario
from mtmc.tracking.tracks import Tracks
from mtmc.tracking.tracks_file import write_tracks

WIDTH, HEIGHT, FPS, BOXES, FRAMES = 160, 96, 10, 20, 460
CAMERAS = ("c1", "c2", "c3")
COLOURS = ((40, 40, 220), (220, 80, 30), (250, 250, 250), (20, 20, 20), (40, 180, 40), (30, 220, 240))
VEHICLES = len(COLOURS)


@dataclass(frozen=True)
class MadeRun:
    """The folder of a run; vehicle v is track v + 1 of every camera."""

    folder: Path
    cache: Path


def _vectors(rng: np.random.Generator, mistaken: bool) -> np.ndarray:
    """(cameras, vehicles, 16): alike for one vehicle; `mistaken`: vehicle 0 looks like vehicle 1 in the last camera."""
    base = rng.normal(size=(VEHICLES, 16))
    vector = base[None] + 0.15 * rng.normal(size=(len(CAMERAS), VEHICLES, 16))
    if mistaken:
        vector[2, 0] = base[1] + 0.15 * rng.normal(size=16)
        vector[2, 1] = rng.normal(size=16)
    return (vector / np.linalg.norm(vector, axis=-1, keepdims=True)).astype(np.float32)


def _video(path: Path, tracks: Tracks) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(1, FRAMES + 1):
            picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            for row in np.flatnonzero(tracks.frame == number).tolist():
                left, top, width, height = tracks.box[row].round().astype(int).tolist()
                colour = COLOURS[int(tracks.track[row]) - 1]
                cv2.rectangle(picture, (left, top), (left + width, top + height), colour, -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))


def write_made_run(root: Path, *, association: str = "linkage", mistaken: bool = True, video: bool = True) -> MadeRun:
    """Write a run's folder and its cache below `root`."""
    rng = np.random.default_rng(7)
    folder, cache = root / "run", root / "cache"
    vectors = _vectors(rng, mistaken)
    cameras, tracks, features, stored = [], [], [], []
    for index, name in enumerate(CAMERAS):
        first = 1 + 60 * np.arange(VEHICLES) + 40 * index
        frame = (first[:, None] + np.arange(BOXES)).ravel()
        track = np.repeat(np.arange(1, VEHICLES + 1), BOXES)
        left = np.tile(5 * np.arange(BOXES), VEHICLES)
        box = np.column_stack([left, np.full(len(left), 40), np.full(len(left), 40), np.full(len(left), 24)])
        table = Tracks.of(track, frame, box, 0.9, 2).sorted()
        observed = cache / "observe" / f"o{index}"
        observed.mkdir(parents=True)
        write_tracks(observed / "tracks.parquet", table)
        images = [
            cv2.imencode(".jpg", np.full((48, 80, 3), colour, np.uint8))[1].tobytes()
            for colour in COLOURS
            for _ in "ab"
        ]
        number = np.repeat(np.arange(1, VEHICLES + 1, dtype=np.int32), 2)
        frames = (first[:, None] + [3, 9]).ravel()
        boxes = np.tile([0, 40, 40, 24], (len(number), 1))
        write_crops(
            observed / "crops.parquet", Crops.of(number, frames, boxes, np.tile([0.9, 0.5], VEHICLES), 0, images)
        )
        write_json(observed / "stats.json", {"parked": [], "video": None, "seconds": {}, "small": 0.0})
        embedded = cache / "embed" / f"e{index}"
        embedded.mkdir(parents=True)
        crop_vectors = CropVectors(
            number,
            frames.astype(np.int32),
            np.repeat(vectors[index], 2, axis=0),
            np.ones(len(number), np.float32),
            np.ones(len(number), np.bool_),
        )
        write_vectors(embedded / "vectors.safetensors", crop_vectors)
        film = None
        if index == 0 and video:
            film = root / f"{name}.mp4"
            _video(film, table)
        clock = Clock.uniform(FPS)
        cameras.append(Camera(name, index + 1, FPS, WIDTH, HEIGHT, FRAMES, clock, video=film))
        tracks.append(table)
        features.append(crop_vectors.by_track())
        stored.append(
            {
                "name": name,
                "number": index + 1,
                "fps": FPS,
                "width": WIDTH,
                "height": HEIGHT,
                "frame_count": FRAMES,
                "frames": clock.frames.tolist(),
                "seconds": clock.seconds.tolist(),
                "video": str(film) if film else None,
                "observation": f"o{index}",
            }
        )
    identity = AverageLinkage().associate(tracks, features, Scenario("made", "", tuple(cameras))).identity
    camera = np.repeat(np.arange(len(CAMERAS), dtype=np.int32), VEHICLES)
    number = np.tile(np.arange(1, VEHICLES + 1, dtype=np.int32), len(CAMERAS))
    folder.mkdir()
    table = Identities(camera, number, np.zeros(len(number), np.int32), identity.astype(np.int32))
    write_identities(folder / "identities.parquet", table, CAMERAS)
    write_links(folder / "links.yaml", Links())
    stages = {
        "format": 1,
        "cache": str(cache),
        "association": association,
        "links_given": False,
        "cameras": stored,
        "extractors": [{"name": "made", "folder": ".", "vectors": [f"e{k}" for k in range(len(CAMERAS))]}],
    }
    write_json(folder / "stages.json", stages)
    configuration = PipelineSettings().model_dump(mode="json")
    (folder / "run.json").write_text(
        json.dumps({"scenario": "made", "simulated": True, "configuration": configuration}), encoding="utf-8"
    )
    return MadeRun(folder, cache)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its video, made once; tests get copies of its folder."""
    root = tmp_path_factory.mktemp("made")
    write_made_run(root)
    return root


@pytest.fixture
def made_run(pattern: Path, tmp_path: Path) -> Path:
    """The folder of a fresh run; its cache and video are shared."""
    folder = tmp_path / "run"
    folder.mkdir()
    for file in (pattern / "run").iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def open_session(made_run: Path) -> Iterator[Callable[..., object]]:
    """Opens sessions over the made run; all are closed at the end."""
    from mtmc.web.session import Session

    opened = []

    def start(solve: bool = False) -> Session:
        session = Session(open_run(made_run), solve=solve)
        opened.append(session)
        return session

    yield start
    for session in opened:
        session.close()


@pytest.fixture(scope="session")
def browser_module() -> object:
    """`browser.py` beside this file; test folders are no packages."""
    spec = importlib.util.spec_from_file_location("mtmc_test_browser", Path(__file__).parent / "browser.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
