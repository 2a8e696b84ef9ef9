"""Training a detector on a handful of pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
import yaml

from common.errors import InputError
from detection.loading import load_detector
from detection.train import main, train
from detection.ultralytics_package import ultralytics_module
from detection.unfused import restore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six pictures of a dark box on noise."""
    random = np.random.default_rng(0)
    root = tmp_path / "data"
    for subset, count in (("train", 4), ("val", 2)):
        (root / "images" / subset).mkdir(parents=True)
        (root / "labels" / subset).mkdir(parents=True)
        for number in range(count):
            picture = random.integers(150, 255, (96, 160, 3)).astype(np.uint8)
            left, top = random.integers(5, 100), random.integers(5, 50)
            picture[top : top + 30, left : left + 50] = 30
            cv2.imwrite(str(root / "images" / subset / f"{number}.jpg"), picture)
            line = f"0 {(left + 25) / 160:.4f} {(top + 15) / 96:.4f} {50 / 160:.4f} {30 / 96:.4f}\n"
            (root / "labels" / subset / f"{number}.txt").write_text(line)
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames:\n  0: car\n")
    return root


def test_training_writes_a_detector_that_runs(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, work = tmp_path / "out" / "small.onnx", tmp_path / "work"
    sizes = [
        "--width",
        "0.0625",
        "--image-size",
        "160",
        "--tile",
        "64",
        "--epochs",
        "1",
        "--batch",
        "4",
        "--threads",
        "1",
    ]
    assert main(["--data", str(data), "--output", str(output), "--work", str(work), *sizes]) == 0
    assert "map50" in capsys.readouterr().out
    assert [p.name for p in output.parent.iterdir()] == ["small.onnx"]
    session = onnxruntime.InferenceSession(str(output))
    result = session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, 96, 160), np.float32)})[0]
    assert result.shape[:2] == (1, 5)
    found = load_detector(output, device="cpu", image_size=160).detect([np.zeros((96, 160, 3), np.uint8)])
    assert len(found) == 1
    tiles = sorted((work / "pieces" / "images" / "train").glob("*.jpg"))
    assert len(tiles) == 8
    _boxes_are_dark(work / "pieces")


def test_training_goes_on_with_whole_pictures_from_a_checkpoint(data: Path, tmp_path: Path) -> None:
    small = partial(train, data, image_size=160, epochs=1, batch=4, threads=1)
    small(tmp_path / "first.onnx", width=0.0625, tile=64, work=tmp_path / "first")
    work, checkpoint = tmp_path / "second", tmp_path / "first" / "run" / "weights" / "last.pt"
    small(tmp_path / "second.onnx", whole=True, start=checkpoint, seed=5, rate=1e-7, work=work)
    pieces = sorted((work / "pieces" / "images" / "train").glob("*.jpg"))
    # Two pictures to a piece, each picture twice.
    assert len(pieces) == 4
    assert {np.asarray(cv2.imread(str(path))).shape for path in pieces} == {(160, 160, 3)}
    _boxes_are_dark(work / "pieces")
    # With next to no learning rate the second network is the first, not a fresh one.
    small(tmp_path / "fresh.onnx", width=0.0625, tile=64, seed=5, rate=1e-7)
    frame = np.random.default_rng(1).uniform(0, 1, (1, 3, 96, 160)).astype(np.float32)
    first, second, fresh = (_answer(tmp_path / f"{name}.onnx", frame) for name in ("first", "second", "fresh"))
    assert np.abs(second - first).mean() < 0.3 * np.abs(fresh - first).mean()
    # From the export, without the checkpoint, likewise.
    small(tmp_path / "third.onnx", width=0.0625, whole=True, start=tmp_path / "first.onnx", seed=5, rate=1e-7)
    third = _answer(tmp_path / "third.onnx", frame)
    assert np.abs(third - first).mean() < 0.3 * np.abs(fresh - first).mean()
    with pytest.raises(InputError, match="--start"):
        small(tmp_path / "fourth.onnx", start=tmp_path / "missing.pt")
    with pytest.raises(InputError, match="--width"):
        small(tmp_path / "fourth.onnx", width=0.125, start=tmp_path / "first.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="not a readable ONNX file"):
        small(tmp_path / "fourth.onnx", width=0.0625, start=tmp_path / "text.onnx")


def test_restored_network_answers_as_its_export(data: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    train(data, tmp_path / "first.onnx", width=0.0625, image_size=160, tile=64, epochs=1, threads=1, work=work)
    models = ultralytics_module("ultralytics.models", tmp_path / "settings")
    network = models.YOLO(str(work / "yolo11t.yaml"), task="detect").model
    random = np.random.default_rng(2)
    pictures = [random.integers(0, 255, (96, 160, 3)).astype(np.uint8) for _ in range(3)]
    restore(network, tmp_path / "first.onnx", pictures)
    frame = random.uniform(0, 1, (1, 3, 96, 160)).astype(np.float32)
    network.eval()
    with torch.no_grad():
        answer = network(torch.from_numpy(frame))[0].numpy()
    expected = _answer(tmp_path / "first.onnx", frame)
    np.testing.assert_allclose(answer, expected, rtol=1e-3, atol=1e-2)
    # A class more starts as a copy of the last one.
    description = yaml.safe_load((work / "yolo11t.yaml").read_text()) | {"nc": 2}
    (work / "two.yaml").write_text(yaml.safe_dump(description))
    network = models.YOLO(str(work / "two.yaml"), task="detect").model
    restore(network, tmp_path / "first.onnx", pictures)
    network.eval()
    with torch.no_grad():
        answer = network(torch.from_numpy(frame))[0].numpy()
    np.testing.assert_allclose(answer, expected[:, [0, 1, 2, 3, 4, 4]], rtol=1e-3, atol=1e-2)


def _answer(network: Path, frame: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(network))
    return np.asarray(session.run(None, {session.get_inputs()[0].name: frame})[0])


def _boxes_are_dark(tiles: Path) -> None:
    """Each label of a tile marks the dark box, nothing else."""
    marked = 0
    for path in (tiles / "images" / "train").glob("*.jpg"):
        picture = np.asarray(cv2.imread(str(path))).mean(2)
        height, width = picture.shape
        for line in (tiles / "labels" / "train" / f"{path.stem}.txt").read_text().splitlines():
            x, y, w, h = (float(v) for v in line.split()[1:])
            inside = picture[
                int((y - h / 2) * height) + 2 : int((y + h / 2) * height) - 1,
                int((x - w / 2) * width) + 2 : int((x + w / 2) * width) - 1,
            ]
            assert inside.mean() < 70
            marked += 1
    assert marked >= 4


def test_missing_data_and_wrong_output_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.yaml"):
        train(tmp_path / "nothing", tmp_path / "x.onnx")
    with pytest.raises(InputError, match=r"\.onnx"):
        train(data, tmp_path / "x.pt")


def test_resuming_needs_a_checkpoint(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--resume"):
        train(data, tmp_path / "x.onnx", work=tmp_path / "work", resume=True)
