"""One camera's video to tracks and crops."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from common.cache import Cache
from detection.detections import Detections
from mtmc.config import PipelineSettings
from mtmc.crops.table import read_crops
from mtmc.observation.camera import observe_camera
from mtmc.observation.job import DetectorChoice, ObserveJob
from mtmc.scenarios.facts import ScenarioFacts
from mtmc.scenarios.find import find_scenario
from mtmc.tracking.tracks_file import read_tracks

MakeCityflow = Callable[..., Path]


class RedBoxes:
    """A detector of the tiny scenario's red boxes; counts the frames that it is shown."""

    key = "red boxes"

    def __init__(self) -> None:
        self.frames = 0

    def prepare(self, height: int, width: int) -> None:
        """Nothing to prepare."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        self.frames += len(frames)
        tables = []
        for number, picture in enumerate(frames, 1):
            y, x = np.nonzero((picture[:, :, 2] > 140) & (picture[:, :, 0] < 80))
            boxes = [[x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]] if len(x) > 50 else np.zeros((0, 4))
            tables.append(Detections.of([number] * len(boxes), boxes, [0.9] * len(boxes)))
        return tables


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> RedBoxes:
    boxes = RedBoxes()
    monkeypatch.setattr("detection.loading.load_detector", lambda name, **options: boxes)
    return boxes


def job_of(root: Path, cache: Path, **settings: object) -> ObserveJob:
    scenario = find_scenario("X01", ScenarioFacts(name="X01"), None, [root], root)
    chosen = PipelineSettings.model_validate(settings)
    return ObserveJob(scenario.cameras[0], "k1", Cache(cache), chosen, "d1", DetectorChoice("red"))


def test_one_pass_gives_tracks_crops_and_counts(
    make_cityflow: MakeCityflow, tmp_path: Path, detector: RedBoxes
) -> None:
    job = job_of(make_cityflow(), tmp_path / "cache")
    seen: list[int] = []
    observe_camera(job, lambda camera, frames: seen.append(frames))
    folder = tmp_path / "cache" / "observe" / "k1"
    tracks = read_tracks(folder / "tracks.parquet")
    assert len(np.unique(tracks.track)) == 1
    truth = np.loadtxt(tmp_path / "cityflow/validation/X01/c101/gt/gt.txt", delimiter=",")
    assert set(tracks.frame.tolist()) >= set(truth[2:-2, 0].astype(int).tolist())
    crops = read_crops(folder / "crops.parquet")
    assert 1 <= len(crops) <= job.settings.crops.per_track
    assert all(picture[:, :, 2].mean() > 120 for picture in crops.pictures())
    stats = json.loads((folder / "stats.json").read_text())
    assert stats["video"]["decoded"] == sum(seen) == detector.frames == 40


def test_other_tracker_settings_do_not_repeat_detection(
    make_cityflow: MakeCityflow, tmp_path: Path, detector: RedBoxes
) -> None:
    job = job_of(make_cityflow(), tmp_path / "cache")
    observe_camera(job)
    other = PipelineSettings.model_validate({"tracking": {"confirm_hits": 2}})
    observe_camera(ObserveJob(job.camera, "k2", job.cache, other, "d1", job.detector))
    assert detector.frames == 40
    first, second = (read_tracks(job.cache.root / "observe" / key / "tracks.parquet") for key in ("k1", "k2"))
    np.testing.assert_allclose(first.box[:, :2].mean(axis=0), second.box[:, :2].mean(axis=0), atol=3)
    assert len(read_crops(job.cache.root / "observe" / "k2" / "crops.parquet")) > 0


def test_a_video_that_ends_early_is_used_and_its_loss_counted(
    make_cityflow: MakeCityflow, tmp_path: Path, detector: RedBoxes
) -> None:
    root = make_cityflow()
    video = root / "validation" / "X01" / "c101" / "vdo.avi"
    content = video.read_bytes()
    video.write_bytes(content[: len(content) * 6 // 10])
    observe_camera(job_of(root, tmp_path / "cache"))
    stats = json.loads((tmp_path / "cache" / "observe" / "k1" / "stats.json").read_text())
    assert 0 < stats["video"]["decoded"] < 40
    assert stats["video"]["lost"] > 0
    assert stats["tracks"] == 1


def test_a_camera_without_vehicles_is_an_empty_result(
    make_cityflow: MakeCityflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = RedBoxes()
    monkeypatch.setattr(blind, "detect", lambda frames: [Detections.empty() for _ in frames])
    monkeypatch.setattr("detection.loading.load_detector", lambda name, **options: blind)
    observe_camera(job_of(make_cityflow(), tmp_path / "cache"))
    assert Cache(tmp_path / "cache").find("observe", "k1") is not None
    assert len(read_tracks(tmp_path / "cache/observe/k1/tracks.parquet")) == 0
