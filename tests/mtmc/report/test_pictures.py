"""Thumbnails: small, the best first, damaged ones left out."""

from __future__ import annotations

import base64
import re

import cv2
import numpy as np

from mtmc.report.data import CropImage
from mtmc.report.pictures import PictureLimits, make_pictures


def crop(height: int, width: int, quality: float, grey: int = 90) -> CropImage:
    picture = np.full((height, width, 3), grey, np.uint8)
    return CropImage(cv2.imencode(".png", picture)[1].tobytes(), quality, 1)


def decoded(style: str, name: str) -> np.ndarray:
    found = re.search(rf"\.{name}{{[^}}]*base64,([^)]*)\)", style)
    assert found
    return np.asarray(cv2.imdecode(np.frombuffer(base64.b64decode(found[1]), np.uint8), cv2.IMREAD_COLOR))


def test_pictures_are_shrunk_and_the_best_come_first() -> None:
    crops = {(0, 1): [crop(300, 200, 0.2, 10), crop(300, 400, 0.9, 200), crop(40, 30, 0.5, 100)]}
    book = make_pictures(crops, [(0, 1)], PictureLimits(height=96, per_track=2))
    first, second = book.classes[0, 1]
    assert decoded(book.style, first).shape == (96, 128, 3)
    assert abs(int(decoded(book.style, first).mean()) - 200) < 5
    assert decoded(book.style, second).shape == (40, 30, 3), "small pictures are not blown up"


def test_a_long_vehicle_is_bounded_in_width() -> None:
    book = make_pictures({(0, 1): [crop(100, 900, 1.0)]}, [(0, 1)], PictureLimits(height=96))
    assert decoded(book.style, book.classes[0, 1][0]).shape[1] <= 240


def test_every_track_gets_one_before_any_gets_two() -> None:
    crops = {(0, t): [crop(96, 96, 0.9), crop(96, 96, 0.8)] for t in range(6)}
    one = len(make_pictures(crops, [(0, 0)], PictureLimits(per_track=1)).style) * 3 // 4
    book = make_pictures(crops, list(crops), PictureLimits(total_bytes=7 * one))
    assert all(len(classes) >= 1 for classes in book.classes.values())
    assert sum(map(len, book.classes.values())) < 12


def test_damaged_and_unknown_pictures_are_left_out() -> None:
    crops = {(0, 1): [CropImage(b"", 1.0, 1), CropImage(b"not a picture", 0.9, 2), crop(50, 50, 0.1)], (0, 2): []}
    book = make_pictures(crops, [(0, 1), (0, 2), (7, 7)])
    assert list(book.classes) == [(0, 1)] and len(book.classes[0, 1]) == 1
