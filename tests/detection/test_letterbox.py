"""Frames into a network's input and boxes back."""

from __future__ import annotations

import numpy as np
import pytest

from detection.letterbox import Letterbox
from detection.ultralytics_package import ultralytics_module


@pytest.mark.parametrize(
    ("frame", "size"),
    [
        ((720, 1280), (384, 640)),
        ((1080, 1920), (384, 640)),
        ((960, 1280), (480, 640)),
        ((352, 640), (352, 640)),
        ((1920, 1080), (640, 384)),
        ((500, 500), (640, 640)),
        ((1, 3000), (32, 640)),
    ],
)
def test_smallest_input(frame: tuple[int, int], size: tuple[int, int]) -> None:
    assert Letterbox.smallest(frame, 640, 32).network == size


def test_longest_side_is_rounded_up_to_the_stride() -> None:
    assert Letterbox.smallest((90, 160), 100, 32).network == (96, 128)


@pytest.mark.parametrize("frame", [(720, 1280), (353, 641), (480, 200), (17, 31)])
def test_picture_equals_that_of_ultralytics(frame: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*frame, 3), np.uint8)
    expected = ultralytics_module("ultralytics.data.augment").LetterBox((640, 640), auto=True, stride=32)(image=picture)
    letterbox = Letterbox.smallest(frame, 640, 32)
    np.testing.assert_array_equal(letterbox.apply(picture), expected)


def test_boxes_return_to_where_they_were() -> None:
    frame = np.zeros((100, 300, 3), np.uint8)
    frame[20:60, 60:180] = 255
    letterbox = Letterbox.within((100, 300), (320, 640))
    seen = np.argwhere(letterbox.apply(frame)[..., 0] > 160)
    (top, left), (bottom, right) = seen.min(0), seen.max(0) + 1
    box = letterbox.undo(np.array([[left, top, right, bottom]], np.float32))
    np.testing.assert_allclose(box, [[60, 20, 180, 60]], atol=0.6)


def test_boxes_are_clipped_to_the_frame() -> None:
    letterbox = Letterbox.within((100, 300), (320, 640))
    box = letterbox.undo(np.array([[-50, -50, 1000, 1000]], np.float32))
    np.testing.assert_array_equal(box, [[0, 0, 300, 100]])


def test_stretching_fills_the_input() -> None:
    letterbox = Letterbox.stretched((100, 300), (320, 640))
    assert letterbox.scaled == letterbox.network == (320, 640)
    picture = letterbox.apply(np.full((100, 300, 3), 7, np.uint8))
    assert picture.shape == (320, 640, 3) and (picture == 7).all()
    box = letterbox.undo(np.array([[64, 32, 128, 320]], np.float32))
    np.testing.assert_allclose(box, [[30, 10, 60, 100]], rtol=1e-6)
