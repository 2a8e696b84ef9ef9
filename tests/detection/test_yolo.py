"""The YOLO detector: the same boxes as ultralytics, whatever runs it and however it is stored."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnx
import openvino
import pytest

from common.devices import fastest_cpu_precision
from common.errors import InputError
from detection.boxes import overlap
from detection.checkpoint_weights import CheckpointWeights
from detection.detections import Detections
from detection.loading import load_detector
from detection.openvino_weights import OpenVinoWeights
from detection.torch_network import TorchNetwork
from detection.ultralytics_package import ultralytics_module
from detection.video import open_video
from detection.yolo import YoloDetector

Frames = list[npt.NDArray[np.uint8]]


def corners(found: Detections) -> npt.NDArray[np.float32]:
    return np.concatenate((found.box[:, :2], found.box[:, :2] + found.box[:, 2:]), 1)


def same_boxes(found: list[Detections], expected: list[Detections], iou: float) -> float:
    """Share of expected boxes that are found with the same label at this overlap."""
    hits = total = 0
    for a, b in zip(found, expected, strict=True):
        total += len(b)
        hits += int(((overlap(corners(b), corners(a)) >= iou) & (b.label[:, None] == a.label)).any(1).sum())
    return hits / total


@pytest.fixture(scope="session")
def motorway(shared: Path) -> Frames:
    """Eight frames of a real motorway."""
    video = open_video(shared / "video" / "motorway-720p.mp4")
    return [frame for _, frame in video.frames(step=40)][:8]


@pytest.fixture(scope="session")
def by_ultralytics(shared: Path, motorway: Frames) -> list[Detections]:
    """What `predict` finds there."""
    model = ultralytics_module("ultralytics").YOLO(shared / "weights" / "yolo11n_from_int8.pt")
    tables = []
    for position, frame in enumerate(motorway, start=1):
        boxes = model.predict(
            frame, conf=0.25, iou=0.7, classes=[2, 3, 5, 7], agnostic_nms=True, device="cpu", verbose=False
        )[0].boxes.numpy()
        box = boxes.xyxy.copy()
        box[:, 2:] -= box[:, :2]
        tables.append(Detections.of(np.full(len(box), position), box, boxes.conf, boxes.cls))
    return tables


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports that several tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("precision", "iou", "share"), [("float32", 0.99, 1.0), ("auto", 0.9, 0.95)])
def test_finds_what_ultralytics_finds(
    shared: Path,
    motorway: Frames,
    by_ultralytics: list[Detections],
    cache: Path,
    precision: str,
    iou: float,
    share: float,
) -> None:
    detector = load_detector(
        shared / "weights" / "yolo11n_from_int8.pt", device="cpu", cache_dir=cache, precision=precision, threads=1
    )
    found = detector.detect(motorway)
    assert sum(map(len, by_ultralytics)) > 20
    assert same_boxes(found, by_ultralytics, iou) >= share
    assert same_boxes(by_ultralytics, found, 0.5) >= share
    assert [set(table.frame.tolist()) <= {n} for n, table in enumerate(found, start=1)] == [True] * 8


def test_int8_export_of_openvino(shared: Path, motorway: Frames, by_ultralytics: list[Detections]) -> None:
    detector = load_detector(shared / "weights" / "yolo11n_int8_openvino_model", precision="int8", threads=1)
    assert same_boxes(detector.detect(motorway), by_ultralytics, 0.5) >= 0.85


def test_quantising_keeps_the_boxes(shared: Path, motorway: Frames, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="needs the extra [int8]")
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(motorway[:4]):
        cv2.imwrite(str(folder / f"{number}.png"), frame)

    def load(precision: str = "int8") -> Any:
        return load_detector(
            shared / "weights" / "yolo11n_from_int8.pt", device="cpu", cache_dir=tmp_path / "cache",
            precision=precision, calibration=[folder], threads=1, image_size=320,
        )  # fmt: skip

    first = load()
    found = first.detect(motorway)
    expected = load("float32").detect(motorway)
    assert same_boxes(found, expected, 0.75) >= 0.85 and same_boxes(expected, found, 0.75) >= 0.85
    (kept,) = (tmp_path / "cache" / "detectors").glob("*/*int8*/model.xml")
    types = {op.get_type_name() for op in openvino.Core().read_model(kept).get_ops()}
    assert "FakeQuantize" in types
    written = kept.stat().st_mtime_ns
    again = load()
    assert again.key == first.key and "int8" in first.key
    assert same_boxes(again.detect(motorway), found, 0.999) == 1.0
    assert kept.stat().st_mtime_ns == written


def test_exports_once_and_then_needs_neither_torch_nor_ultralytics(checkpoint: Path, tmp_path: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from detection.loading import load_detector\n"
        f"detector = load_detector({str(checkpoint)!r}, device='cpu', cache_dir=Path({str(tmp_path / 'cache')!r}),"
        " score=0.4, precision='float32')\n"
        "rng = np.random.default_rng(0)\n"
        "found = detector.detect([rng.integers(0, 256, (90, 160, 3), np.uint8) for _ in range(5)])\n"
        "print(sum(map(len, found)), detector.key)\n"
        "print({'torch', 'ultralytics'} & set(sys.modules) and 'imported' or 'not imported')\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    hidden = {"YOLO_CONFIG_DIR", "XDG_CONFIG_HOME", "OMP_NUM_THREADS"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden} | {"HOME": str(home)}
    lines = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=500, env=environment
        )
        assert done.returncode == 0, done.stderr
        lines.append(done.stdout.splitlines())
    assert lines[0][0] == lines[1][0] and not lines[0][0].startswith("0 ")
    assert [line[1] for line in lines] == ["imported", "not imported"]
    # Neither settings of ultralytics nor OpenVINO's reports of use are left at home.
    assert list(home.iterdir()) == []


def keep(collected: dict[int, npt.NDArray[np.float32]], position: int, output: npt.NDArray[np.float32]) -> None:
    collected[position] = output.copy()


def test_torch_and_openvino_agree(checkpoint: Path, pictures: Frames, cache: Path) -> None:
    weights = CheckpointWeights(
        checkpoint, device="cpu", precision="float32", threads=1, cache=cache / "detectors", calibration=()
    )
    outputs: dict[str, dict[int, npt.NDArray[np.float32]]] = {"openvino": {}, "torch": {}}
    sized = [frame[:64, :96] for frame in pictures]
    torch_network = TorchNetwork(weights._modules(), (64, 96), "float32", "cpu")
    for name, network in (("openvino", weights.network((64, 96))), ("torch", torch_network)):
        assert network.rows == 7
        collected = outputs[name]
        network.run([partial(np.asarray, frame) for frame in sized], partial(keep, collected))
    assert sorted(outputs["openvino"]) == sorted(outputs["torch"]) == [0, 1, 2, 3, 4]
    for position in range(5):
        np.testing.assert_allclose(outputs["openvino"][position], outputs["torch"][position], rtol=1e-3, atol=0.02)


def test_detector_on_torch_finds_the_same(checkpoint: Path, pictures: Frames, cache: Path) -> None:
    class OnTorch(CheckpointWeights):
        def network(self, size: tuple[int, int]) -> TorchNetwork:
            return TorchNetwork(self._modules(), size, "float32", "cpu")

    options: dict[str, Any] = {
        "device": "cpu", "precision": "float32", "threads": 1, "cache": cache / "detectors", "calibration": (),
    }  # fmt: skip
    expected = YoloDetector(CheckpointWeights(checkpoint, **options), source="tiny.pt", score=0.8).detect(pictures)
    found = YoloDetector(OnTorch(checkpoint, **options), source="tiny.pt", score=0.8).detect(pictures)
    assert same_boxes(found, expected, 0.99) > 0.98


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """ONNX as ultralytics exports it, for one size and for any."""
    folder = tmp_path_factory.mktemp("onnx")

    def export(dynamic: bool) -> Path:
        path = folder / f"{'any' if dynamic else 'fixed'}.onnx"
        if not path.is_file():
            copy = folder / "tiny.pt"
            copy.write_bytes(checkpoint.read_bytes())
            model = ultralytics_module("ultralytics").YOLO(copy)
            made = model.export(format="onnx", imgsz=96 if dynamic else (64, 96), dynamic=dynamic, simplify=False)
            Path(made).replace(path)
        return path

    return export


def test_onnx_for_any_size(checkpoint: Path, exported: Callable[[bool], Path], pictures: Frames, cache: Path) -> None:
    detector = load_detector(exported(True), precision="float32", threads=2, score=0.8)
    expected = load_detector(checkpoint, device="cpu", cache_dir=cache, precision="float32", threads=1, score=0.8)
    found = detector.detect(pictures)
    # The checkpoint holds halves, the export was made from the same halves.
    assert same_boxes(found, expected.detect(pictures), 0.99) > 0.98
    assert {int(label) for table in found for label in table.label} <= {2, 7}


def test_onnx_for_one_size(exported: Callable[[bool], Path], pictures: Frames) -> None:
    detector = load_detector(exported(False), precision="float32", threads=1, score=0.8)
    found = detector.detect(pictures)
    assert sum(map(len, found)) > 0
    for table in found:
        box = corners(table)
        assert (box[:, :2] >= 0).all() and (box[:, 2] <= 160).all() and (box[:, 3] <= 90).all()
    with pytest.raises(InputError, match="exported for 64x96 pixels, image size 128"):
        load_detector(exported(False), image_size=128)


def test_onnx_without_names_is_refused(exported: Callable[[bool], Path], tmp_path: Path, pictures: Frames) -> None:
    model = onnx.load(exported(False))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "nameless.onnx")
    with pytest.raises(InputError, match="names none of its 3 classes"):
        load_detector(tmp_path / "nameless.onnx").detect(pictures)


def test_frames_of_another_size_and_no_frames(checkpoint: Path, cache: Path, pictures: Frames) -> None:
    detector = load_detector(checkpoint, device="cpu", cache_dir=cache, score=0.4, threads=1)
    assert detector.detect([]) == []
    wide, tall = detector.detect(pictures[:1]), detector.detect([np.ascontiguousarray(pictures[0].transpose(1, 0, 2))])
    assert len(wide) == len(tall) == 1


def test_key_tells_what_decides_the_boxes(checkpoint: Path, cache: Path) -> None:
    def key(**options: Any) -> str:
        return load_detector(checkpoint, device="cpu", cache_dir=cache, **options).key

    keys = [
        key(), key(score=0.3), key(image_size=128), key(precision="float32"), key(nms_iou=0.5), key(vehicles=(2,)),
    ]  # fmt: skip
    if fastest_cpu_precision() == "float32":
        keys.remove(key(precision="float32"))
    assert len(set(keys)) == len(keys)
    assert key(threads=1) == key(threads=2)


def test_int8_needs_videos_and_nncf(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detection.openvino_weights.find_spec", lambda name: object())
    with pytest.raises(InputError, match="needs videos to calibrate"):
        load_detector(checkpoint, device="cpu", precision="int8")
    monkeypatch.setattr("detection.openvino_weights.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package nncf; .*\[int8\]"):
        load_detector(checkpoint, device="cpu", precision="int8", calibration=[checkpoint])


def test_other_tasks_are_refused(tmp_path: Path, yolo_modules: Any) -> None:
    import torch

    tasks = ultralytics_module("ultralytics.nn.tasks")
    torch.save({"model": tasks.ClassificationModel("yolo11n-cls.yaml", nc=3, verbose=False)}, tmp_path / "cls.pt")
    with pytest.raises(InputError, match=r"cls\.pt: a Classify network"):
        load_detector(tmp_path / "cls.pt", device="cpu")


def test_damaged_network_files(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.xml"):
        (tmp_path / name).write_bytes(b"garbage")
        (tmp_path / "a.bin").write_bytes(b"")
        with pytest.raises(InputError, match="not a readable network") as caught:
            OpenVinoWeights(tmp_path / name, precision="float32", threads=1, cache=None, calibration=()).facts  # noqa: B018 - reading is what fails
        assert "\n" not in str(caught.value)
