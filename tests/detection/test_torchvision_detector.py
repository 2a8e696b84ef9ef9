"""torchvision's models, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from common.errors import InputError
from detection.loading import load_detector
from detection.torchvision_detector import TorchvisionDetector

NAME = "ssdlite320_mobilenet_v3_large"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("torchvision") / "state.pth"
    torch.save(get_model(NAME, weights=None, weights_backbone=None, num_classes=91).state_dict(), path)
    return path


def test_runs_from_a_state_dict(state: Path) -> None:
    detector = load_detector(f"torchvision:{NAME}:{state}", device="cpu", score=0.01)
    frames = [np.random.default_rng(n).integers(0, 256, (90, 160, 3), np.uint8) for n in range(5)]
    found = detector.detect(frames)
    assert len(found) == 5 and detector.detect([]) == []
    for position, table in enumerate(found, start=1):
        assert set(table.frame.tolist()) <= {position}
        assert set(table.label.tolist()) <= {2, 3, 5, 7}
        right, bottom = (table.box[:, :2] + table.box[:, 2:]).T
        assert (table.box >= 0).all() and (right <= 160).all() and (bottom <= 90).all()
    assert NAME in detector.key


def test_boxes_labels_and_thresholds(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = TorchvisionDetector(NAME, state=state, score=0.3)
    raw = {
        "boxes": torch.tensor([[10.0, 10, 30, 20], [10, 10, 30, 21], [50, 50, 60, 60], [1, 1, 5, 5], [70, 70, 80, 80]]),
        "scores": torch.tensor([0.9, 0.8, 0.7, 0.6, 0.2]),
        # COCO's category numbers: car, truck, bus, person, car.
        "labels": torch.tensor([3, 8, 6, 1, 3]),
    }
    monkeypatch.setattr(detector, "_model", lambda batch: [raw for _ in batch])
    (found,) = detector.detect([np.zeros((90, 160, 3), np.uint8)])
    assert found.label.tolist() == [2, 5]
    np.testing.assert_allclose(found.box, [[10, 10, 20, 10], [50, 50, 10, 10]])


def test_colours_reach_the_model_as_rgb(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = TorchvisionDetector(NAME, state=state)
    seen: list[Any] = []

    def model(batch: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        seen.extend(batch)
        return [{"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.long)}]

    monkeypatch.setattr(detector, "_model", model)
    detector.detect([np.full((4, 6, 3), (0, 51, 255), np.uint8)])
    assert seen[0].shape == (3, 4, 6)
    torch.testing.assert_close(seen[0][:, 0, 0], torch.tensor([1.0, 0.2, 0.0]))


def test_foreign_and_damaged_files(state: Path, tmp_path: Path) -> None:
    tensors = torch.load(state, weights_only=True)
    first = next(iter(tensors))
    tensors["extra.weight"] = tensors.pop(first)
    torch.save(tensors, tmp_path / "other.pth")
    with pytest.raises(InputError, match=rf"other\.pth: does not fit {NAME}: 2 tensors differ, first {first}"):
        TorchvisionDetector(NAME, state=tmp_path / "other.pth")
    (tmp_path / "half.pth").write_bytes(state.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"half\.pth: not a readable state dict"):
        TorchvisionDetector(NAME, state=tmp_path / "half.pth")
    torch.save({"model": 3}, tmp_path / "no.pth")
    with pytest.raises(InputError, match=r"no\.pth: not a state dict"):
        TorchvisionDetector(NAME, state=tmp_path / "no.pth")


def test_a_failed_download_says_how_to_get_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: Any, **options: Any) -> None:
        raise OSError("offline")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(InputError, match=rf"torchvision:{NAME}: cannot download .*offline.*torchvision:{NAME}:FILE"):
        TorchvisionDetector(NAME)


def test_models_of_one_size_take_that_size_only(state: Path) -> None:
    assert load_detector(f"torchvision:{NAME}:{state}", device="cpu", image_size=320).detect([]) == []
    with pytest.raises(InputError, match=rf"torchvision:{NAME}: takes 320x320 pixels only, image size 640"):
        load_detector(f"torchvision:{NAME}:{state}", device="cpu", image_size=640)


def test_classes_by_name(state: Path) -> None:
    detector = TorchvisionDetector(NAME, state=state, classes={"train": "bus", "car": None})
    assert detector._label[[3, 7, 6, 8]].tolist() == [-1, 5, 5, 7]
