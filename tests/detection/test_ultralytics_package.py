"""What importing ultralytics may not do to the process."""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch

from detection.ultralytics_package import ultralytics_module


def test_functions_of_other_packages_stay_their_own() -> None:
    before = (PIL.Image.open, cv2.imread, cv2.imwrite, torch.save, torch.get_num_threads())
    ultralytics_module("ultralytics.utils.patches")
    ultralytics_module("ultralytics.nn.tasks")
    assert (PIL.Image.open, cv2.imread, cv2.imwrite, torch.save, torch.get_num_threads()) == before
    assert str(np.array([0.5, 1.0])) == "[0.5 1. ]"


def test_a_damaged_picture_is_still_refused_as_one(tmp_path: Path) -> None:
    ultralytics_module("ultralytics.nn.tasks")
    path = tmp_path / "damaged.png"
    path.write_bytes(b"no picture")
    with pytest.raises(PIL.UnidentifiedImageError):
        PIL.Image.open(path)
