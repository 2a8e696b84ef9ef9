"""The detection set in YOLO's layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from common.errors import InputError
from mtmc.simulation.detection_set import simulate_detection


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("simulated") / "detection"
    simulate_detection(root, 4, 12, 1, width=320, height=180, frames_per_camera=2)
    return root


def test_every_image_has_labels_and_both_subsets_are_filled(small_set: Path) -> None:
    content = yaml.safe_load((small_set / "data.yaml").read_text())
    assert content["names"] == {0: "car"}
    for subset in ("train", "val"):
        images = sorted((small_set / content[subset]).glob("*.jpg"))
        assert len(images) == 6
        labels = sorted((small_set / "labels" / subset).glob("*.txt"))
        assert [p.stem for p in images] == [p.stem for p in labels]
        assert cv2.imread(str(images[0])).shape == (180, 320, 3)


def test_boxes_lie_in_the_image(small_set: Path) -> None:
    lines = [line.split() for path in small_set.glob("labels/*/*.txt") for line in path.read_text().splitlines()]
    rows = np.array(lines, float)
    assert len(rows) > 10
    assert (rows[:, 0] == 0).all()
    low, high = rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2
    assert low.min() >= -1e-6
    assert high.max() <= 1 + 1e-6
    assert (rows[:, 3:] * [320, 180]).min() >= 9


def test_too_few_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--frames"):
        simulate_detection(tmp_path / "x", 0, 10, 1)
